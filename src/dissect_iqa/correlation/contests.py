"""Which contests are held: who is to meet whom."""

from collections.abc import Iterable, Sequence
from itertools import combinations

from dissect_iqa.baselines.names import BASELINES

#: Up to so many competitors, everyone meets everyone; beyond, only planned contests take place.
MOST = 150


def everyone(
    models: Sequence[str], metrics: Sequence[str], planned: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Return all contests among models and metrics, or the planned ones if those are too many."""
    names = [*models, *metrics]
    return list(combinations(names, 2)) if len(names) <= MOST else list(planned)


def contests(
    models: Sequence[str], metrics: Sequence[str], groups: Iterable[Sequence[str]]
) -> list[tuple[str, str]]:
    """Pair every model with every rival metric, and the members of each group among themselves.

    Parameters
    ----------
    models : sequence of str
        Ids of the models of this run.
    metrics : sequence of str
        Names of the metrics of this run.
    groups : iterable of sequence of str
        Ids of models that belong together; those that aren't in this run are left out.

    Returns
    -------
    list of tuple of str
        Each pair once.
    """
    known = set(models)
    rivals = [name for name, metric in BASELINES.items() if metric.rival and name in metrics]
    found = [(model, rival) for model in models for rival in rivals]
    seen = set()
    for group in groups:
        present = [name for name in group if name in known]
        for pair in combinations(present, 2):
            if frozenset(pair) not in seen:
                seen.add(frozenset(pair))
                found.append(pair)
    return found
