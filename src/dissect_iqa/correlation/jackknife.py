"""Leaving references out: how sure a statistic is, and where an interval around it ends.

Pairs of one reference are not independent, so references, with all their pairs, are what is left
out. Each row of a `Plan` is a weighting of the references; all statistics are evaluated for all
rows at once, see `forms`.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, pairwise
from math import comb

import numpy as np
from scipy.special import stdtrit

from dissect_iqa.correlation.settings import StatisticsSettings

#: More references than this are put into so many groups at random, which are left out as one.
MOST_GROUPS = 200
#: Fewer references than this give no interval: two can't tell how much references vary.
FEWEST = 3
#: Weight of the second-order term, in numbers of references; see benchmarks/interval_coverage.py.
CURVATURE = 8.0


@dataclass(frozen=True)
class Plan:
    """All the ways in which the references are weighted, stacked so that one evaluation does all.

    Attributes
    ----------
    weights : ndarray, shape (rows, references)
        First the sample itself (ones), then without each reference, then without each of `couples`,
        then one half of the references for every halving, then the other halves.
    without_one, without_two, halves, others : slice
        Where these rows stand; `without_one` and `without_two` are empty where no interval is
        wanted or can be had.
    couples : ndarray of int, shape (couples, 2)
        Which two references each row of `without_two` lacks.
    """

    weights: np.ndarray
    without_one: slice
    without_two: slice
    halves: slice
    others: slice
    couples: np.ndarray

    @property
    def for_intervals(self) -> np.ndarray:
        """The rows that intervals need, without the halvings."""
        return self.weights[: self.without_two.stop]


@lru_cache(maxsize=64)
def make_plan(references: int, settings: StatisticsSettings, twos: bool = True) -> Plan:
    """Choose what is left out, depending on nothing but the number of references and the settings.

    Parameters
    ----------
    references : int
        Number of references, or of groups of them; see `grouped`.
    settings : StatisticsSettings
        `draws`, `repeats` and `seed` are used.
    twos : bool
        Whether references are left out in twos as well, for intervals of single statistics.
    """
    couples = np.empty((0, 2), dtype=np.int64)
    ones = np.empty((0, references))
    if references >= FEWEST and settings.draws:
        ones = 1.0 - np.eye(references)
        couples = _couples(references, settings) if twos else couples
    without = np.ones((len(couples), references))
    without[np.arange(len(couples))[:, None], couples] = 0
    halves = _halves(references, settings)
    parts = [np.ones((1, references)), ones, without, halves, 1.0 - halves]
    ends = np.cumsum([len(part) for part in parts])
    one, two, first, second = (slice(int(a), int(b)) for a, b in pairwise(ends))
    return Plan(np.concatenate(parts), one, two, first, second, couples)


def _couples(references: int, settings: StatisticsSettings) -> np.ndarray:
    """All pairs of references, or as many at random as there may be."""
    every = np.stack(np.triu_indices(references, 1), axis=1)
    if len(every) <= settings.draws:
        return every
    generator = np.random.default_rng([settings.seed, 3])
    return every[np.sort(generator.choice(len(every), settings.draws, replace=False))]


def _halves(references: int, settings: StatisticsSettings) -> np.ndarray:
    """One half of each halving, shape (halvings, references); all halvings if they are few."""
    size = references // 2
    if size == 0:
        return np.empty((0, references))
    # of an even number, each half is the other of another half
    distinct = comb(references, size) // (2 if references % 2 == 0 else 1)
    if distinct <= settings.repeats:
        members = np.array(list(combinations(range(references), size))[:distinct])
    else:
        generator = np.random.default_rng([settings.seed, 1])
        orders = [generator.permutation(references) for _ in range(settings.repeats)]
        members = np.array(orders)[:, :size]
    rows = np.zeros((len(members), references))
    rows[np.arange(len(members))[:, None], members] = 1
    return rows


def grouped(codes: np.ndarray, settings: StatisticsSettings) -> tuple[np.ndarray, int]:
    """Number the references of some pairs anew, and group them where they are very many.

    Parameters
    ----------
    codes : ndarray of int, shape (pairs,)
        Reference of each pair.
    settings : StatisticsSettings
        `seed` decides on the groups.

    Returns
    -------
    codes : ndarray of int, shape (pairs,)
        What is left out together, 0 .. count-1, each at least once.
    count : int
        At most `MOST_GROUPS`. A jackknife over random groups (Kott 2001) is as good as one over
        that many references.
    """
    present, codes = np.unique(codes, return_inverse=True)
    if len(present) <= MOST_GROUPS:
        return codes, len(present)
    generator = np.random.default_rng([settings.seed, 4])
    return (generator.permutation(len(present)) % MOST_GROUPS)[codes], MOST_GROUPS


def stabilise(r: np.ndarray, pairs: int) -> np.ndarray:
    """Bring correlations to Fisher's scale, on which their spread hardly depends on their size.

    They are shrunk by 1/pairs before, so that a perfect one is finite.
    """
    return np.arctanh((1 - 1 / pairs) * np.clip(r, -1, 1))


def restore(z: np.ndarray, pairs: int) -> np.ndarray:
    """Undo `stabilise`."""
    return np.clip(np.tanh(z) / (1 - 1 / pairs), -1, 1) if pairs > 1 else np.full_like(z, np.nan)


@dataclass(frozen=True)
class Spread:
    """How far statistics of few references are off, on Fisher's scale.

    Attributes
    ----------
    bias : ndarray, shape (columns,)
        By how much they exceed, on average, what very many references would give.
    variance : ndarray, shape (columns,)
        Their variance; NaN where no interval can be had.
    """

    bias: np.ndarray
    variance: np.ndarray


def spread(z: np.ndarray, plan: Plan) -> Spread:
    r"""Estimate bias and variance of statistics by leaving references out, one and two at a time.

    Parameters
    ----------
    z : ndarray, shape (rows, columns)
        Statistics for the rows of `plan`, at least `Plan.for_intervals`, on Fisher's scale.
    plan : Plan
        What was left out in each row.

    Notes
    -----
    Quenouille's bias and Tukey's variance. A correlation over pooled references depends on how much
    these differ, as a variance does, and of few references Tukey's variance is then too small just
    where the statistic is too high. How much of the statistic is of that kind shows when two
    references are left out: with :math:`D_{rs} = R z - (R-1)(z_{-r} + z_{-s}) + (R-2) z_{-rs}`,
    which is 0 for a mean, :math:`\frac{R}{2} \overline{D^2}` is the variance that normally
    distributed differences would have. `CURVATURE` / R of it is added.
    """
    count = plan.weights.shape[1]
    missing = np.full(z.shape[1], np.nan)
    if plan.without_one.stop == plan.without_one.start:
        return Spread(missing, missing)
    ones = z[plan.without_one]
    mean = ones.mean(axis=0)
    bias = (count - 1) * (mean - z[0])
    variance = (count - 1) / count * np.sum((ones - mean) ** 2, axis=0)
    first, second = plan.couples.T
    second_order = count * z[0] - (count - 1) * (ones[first] + ones[second])
    second_order += (count - 2) * z[plan.without_two]
    known = np.isfinite(second_order)
    squares = np.where(known, second_order, 0) ** 2
    mean_square = np.divide(
        squares.sum(axis=0), known.sum(axis=0), out=missing.copy(), where=known.any(axis=0)
    )
    # leaving two of few out is a large step: (R-2)/R brings it back to a small one
    curvature = count / 2 * ((count - 2) / count) ** 2 * mean_square
    return Spread(bias, variance + CURVATURE / count * curvature)


def standard_errors(without: np.ndarray) -> np.ndarray:
    """Return the jackknife's standard errors of statistics; NaN where there are none.

    Parameters
    ----------
    without : ndarray, shape (references, columns)
        The statistics without each reference.
    """
    count = len(without)
    if count < 2:
        return np.full(without.shape[1], np.nan)
    squares = np.sum((without - without.mean(axis=0)) ** 2, axis=0)
    return np.sqrt((count - 1) / count * squares)


def interval(
    results: np.ndarray, plan: Plan, pairs: int, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Give intervals for what very many references like these would show.

    Parameters
    ----------
    results : ndarray, shape (rows, columns)
        Correlations for the rows of `plan`, at least `Plan.for_intervals`.
    plan : Plan
        What was left out in each row.
    pairs : int
        Number of pairs they were computed from.
    level : float
        The coverage that is aimed at.

    Returns
    -------
    low, high : ndarray, shape (columns,)
        NaN where the statistic, or the statistic without one of the references, is undefined.
    """
    if pairs < FEWEST:
        return np.full(results.shape[1], np.nan), np.full(results.shape[1], np.nan)
    found = spread(stabilise(results[: plan.without_two.stop], pairs), plan)
    return around(results[0], found.bias, found.variance, plan, pairs, level)


def around(
    value: np.ndarray,
    bias: np.ndarray,
    variance: np.ndarray,
    plan: Plan,
    pairs: int,
    level: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Give the interval of values whose bias and variance on Fisher's scale are known.

    By Student's t with one degree of freedom less than references. It always holds the value.
    """
    quantile = stdtrit(max(plan.weights.shape[1] - 1, 1), (1 + level) / 2)
    centre, width = stabilise(value, pairs) - bias, quantile * np.sqrt(variance)
    low, high = restore(centre - width, pairs), restore(centre + width, pairs)
    return np.minimum(low, value), np.maximum(high, value)
