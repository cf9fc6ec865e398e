"""Who is to meet whom in the comparisons."""

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Protocol

#: The metrics that every model is compared with, where the run has them.
RIVALS = (
    *("ssim", "ssim_downsampled", "ms_ssim"),
    *("lpips_alex", "lpips_vgg", "lpips_squeeze", "dists", "dists_256"),
)


class Group(Protocol):
    """What is needed of a comparison: see `dissect_iqa.models.comparisons.Comparison`."""

    members: Sequence[str]


def contests(
    models: Sequence[str], metrics: Sequence[str], groups: Iterable[Group]
) -> list[tuple[str, str]]:
    """Pair every model with every rival metric, and the members of each group among themselves.

    Parameters
    ----------
    models : sequence of str
        Ids of the models of this run.
    metrics : sequence of str
        Names of the metrics of this run.
    groups : iterable of Comparison
        Which models belong together; members that aren't in this run are left out.

    Returns
    -------
    list of tuple of str
        Each pair once.
    """
    rivals = [name for name in RIVALS if name in metrics]
    found = [(model, rival) for model in models for rival in rivals]
    seen = set()
    for group in groups:
        present = [name for name in group.members if name in models]
        for pair in combinations(present, 2):
            if frozenset(pair) not in seen:
                seen.add(frozenset(pair))
                found.append(pair)
    return found
