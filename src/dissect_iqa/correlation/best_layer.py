"""Choosing a layer without flattering it.

The best of fifty layers, chosen and judged on the same pairs, looks better than it is. Here the
layer is chosen on one half of the references and judged on the other, again and again, and what
choosing gains there is taken off.
"""

from dataclasses import dataclass

import numpy as np

from dissect_iqa.correlation.jackknife import Plan, around, restore, spread, stabilise


@dataclass(frozen=True)
class Choice:
    """An honestly chosen layer's statistic.

    Attributes
    ----------
    value : float
        The naive best's statistic, less what choosing on the same references flatters it; never
        above the naive best's.
    chosen : ndarray of int, shape (2 * halvings,)
        The column that each half chose; the naive best where a half could choose none.
    shares : ndarray, shape (columns,)
        In what share of the halves each column was chosen.
    naive : int
        The column that is best on all references.
    """

    value: float
    chosen: np.ndarray
    shares: np.ndarray
    naive: int


def choose_honestly(results: np.ndarray, plan: Plan, pairs: int) -> Choice | None:
    """Choose among columns on one half of the references, judge on the other half.

    The column that is best in one half is better there than in the other half, because it was
    chosen for that. This gain, averaged over both halves of all halvings, is what choosing flatters
    a half by. All references together are twice as many, and among columns that are alike choosing
    flatters in proportion to the statistic's standard error: the gain over the root of two is taken
    off the naive best's statistic, on Fisher's scale. Of columns that are far apart both halves
    choose the same, so that nothing is gained and nothing taken off.

    Parameters
    ----------
    results : ndarray, shape (rows, columns)
        The statistic for all rows of `plan`; columns in order of depth, of ties the first is taken.
    plan : Plan
        Which references each row holds.
    pairs : int
        Number of pairs behind the statistic.

    Returns
    -------
    Choice or None
        None if there are no halves or no column is defined in both halves of a halving.
    """
    sample = results[0]
    first, second = stabilise(results[plan.halves], pairs), stabilise(results[plan.others], pairs)
    defined = np.isfinite(first) & np.isfinite(second) & np.isfinite(sample)
    usable = defined.any(axis=1)
    if not usable.any():
        return None
    naive = int(np.nanargmax(sample))
    rows = np.flatnonzero(usable)
    picks, gains = [], []
    for own, other in ((first, second), (second, first)):
        pick = np.full(len(own), naive)
        pick[rows] = np.argmax(np.where(defined, own, -np.inf)[rows], axis=1)
        gains.append(own[rows, pick[rows]] - other[rows, pick[rows]])
        picks.append(pick)
    flattery = float(np.mean(gains) / np.sqrt(2))
    z = stabilise(sample[naive], pairs)
    return Choice(
        value=float(sample[naive] - (restore(z, pairs) - restore(z - flattery, pairs))),
        chosen=np.concatenate(picks),
        shares=np.bincount(
            np.concatenate([pick[rows] for pick in picks]), minlength=len(sample)
        ) / (2 * len(rows)),
        naive=naive,
    )  # fmt: skip


def honest_interval(
    choice: Choice, results: np.ndarray, plan: Plan, pairs: int, level: float
) -> tuple[float, float]:
    """Give the interval of an honestly chosen layer's statistic.

    Bias and variance are those of the chosen columns, on average: the average of their statistics
    would vary less than a single choice does.
    """
    columns = np.flatnonzero(choice.shares)
    shares = choice.shares[columns]
    found = spread(stabilise(results[: plan.without_two.stop, columns], pairs), plan)
    low, high = around(
        *(np.array([choice.value]), found.bias @ shares, found.variance @ shares),
        *(plan, pairs, level),
    )
    return float(low[0]), float(high[0])
