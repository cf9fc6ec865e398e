"""Checks that scores from outside are of known data sets, under names of their own."""

from collections.abc import Collection

from dissect_iqa.baselines.names import BASELINES
from dissect_iqa.datasets.registry import read_datasets
from dissect_iqa.errors import Problems, suggest
from dissect_iqa.files.validation import Origin
from dissect_iqa.study.config import Config


def check_scores(config: Config, models: Collection[str], origin: Origin) -> None:
    """Check the entries of ``scores:`` against what else a study knows.

    Parameters
    ----------
    config : Config
        The study's configuration.
    models : collection of str
        The ids of its table of models.
    origin : Origin
        Where the configuration's values come from.

    Raises
    ------
    UserError
        With every entry that names an unknown data set, takes a name that is taken, or says of a
        metric another direction than another entry does.
    """
    known = read_datasets(config.datasets_table)
    problems, seen = Problems(), dict[tuple[str, str], int]()
    signs: dict[str, int] = {}
    titles = {BASELINES[name].title for name in config.baselines}
    for number, entry in enumerate(config.scores):
        place = f"{origin.place(('scores', number))}: scores"
        if entry.dataset not in known:
            problems.add(
                f"{place}: {entry.dataset!r} is not in {config.datasets_table}"
                f"{suggest(entry.dataset, tuple(known))}"
            )
        for name, metric in entry.metrics.items():
            owner = "a metric of this project" if name in BASELINES else ""
            owner = "what figures call a metric of this study" if name in titles else owner
            owner = f"a model of {config.models_table}" if name in models else owner
            if owner:
                problems.add(
                    f"{place}: {name!r} is {owner}; give it another name, and say under 'column' "
                    "what its column is called"
                )
            if (entry.dataset, name) in seen:
                before = seen[entry.dataset, name] + 1
                problems.add(f"{place}: {name!r} on {entry.dataset} is in entry {before}, too")
            if signs.setdefault(name, metric.sign) != metric.sign:
                problems.add(
                    f"{place}: of {name!r} the higher value is better in one table and the lower "
                    "in another"
                )
            seen[entry.dataset, name] = number
    problems.raise_all()
