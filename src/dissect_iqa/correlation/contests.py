"""Which contests are held: who is to meet whom."""

from collections.abc import Iterable, Sequence
from itertools import combinations

from dissect_iqa.baselines.names import BASELINES

#: Up to so many competitors, everyone meets everyone; beyond, only planned contests take place.
MOST = 150


def everyone(
    models: Sequence[str],
    metrics: Sequence[str],
    outside: Sequence[str],
    planned: Sequence[tuple[str, str]],
) -> list[tuple[str, str]]:
    """Return all contests among models and metrics.

    Parameters
    ----------
    models, metrics, outside : sequence of str
        Ids of models, names of metrics, and of metrics whose scores are from outside.
    planned : sequence of pairs of names
        What `contests` returned: if everyone would be too many, these are held, and those of
        everyone against each metric from outside, which somebody brought to be compared with.

    Returns
    -------
    list of tuple of str
        Each pair once.
    """
    names = [*models, *metrics, *outside]
    if len(names) <= MOST:
        return list(combinations(names, 2))
    met = [pair for pair in combinations(names, 2) if pair[1] in set(outside)]
    return [*planned, *met]


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
