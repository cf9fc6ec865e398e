"""Resampling of references: draws, divisions into held-out groups, and intervals from them.

A draw is a row of multiplicities: how often each reference, with all its pairs, is taken. All
statistics are evaluated for many such rows at once; see `forms`.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import t as student

from dissect_iqa.correlation.settings import StatisticsSettings


@dataclass(frozen=True)
class Plan:
    """All the ways in which the references are weighted, stacked so that one evaluation does all.

    Attributes
    ----------
    weights : ndarray, shape (rows, references)
        First the sample itself (ones), then the draws, then the leave-one-out rows of the
        jackknife, then the training and the testing side of every division.
    draws, jackknife, training, testing : slice
        Where these rows stand.
    """

    weights: np.ndarray
    draws: slice
    jackknife: slice
    training: slice
    testing: slice


def make_plan(references: int, settings: StatisticsSettings, divisions: bool = True) -> Plan:
    """Draw references and divide them, depending on nothing but their number and the settings.

    Parameters
    ----------
    references : int
        Number of references. With one there is nothing to draw or to leave out.
    settings : StatisticsSettings
        Number of draws, seed, kind of interval, folds and repeats.
    divisions : bool
        Whether training and testing rows are wanted.
    """
    draws = multiplicities(references, settings) if references > 1 else np.empty((0, references))
    wants_jackknife = settings.interval == "bca" and len(draws)
    jackknife = 1.0 - np.eye(references) if wants_jackknife else np.empty((0, references))
    testing = np.empty((0, references))
    if divisions and references > 1:
        testing = held_out(references, settings)
    parts = [np.ones((1, references)), draws, jackknife, 1.0 - testing, testing]
    ends = np.cumsum([len(part) for part in parts])
    slices = [slice(int(a), int(b)) for a, b in pairwise(ends)]
    return Plan(np.concatenate(parts), *slices)


def multiplicities(references: int, settings: StatisticsSettings) -> np.ndarray:
    """Draw references with replacement; shape (draws, references), rows sum to `references`."""
    generator = np.random.default_rng(settings.seed)
    chances = np.full(references, 1 / references)
    return generator.multinomial(references, chances, size=settings.draws).astype(np.float64)


def held_out(references: int, settings: StatisticsSettings) -> np.ndarray:
    """Divide the references at random into groups, again and again.

    Returns
    -------
    ndarray, shape (divisions, references)
        One row a group: 1 for the references in it, which are held out, 0 for the others. If
        there are no more references than folds, each reference is a group of its own, once.
    """
    if references <= settings.folds:
        return np.eye(references)
    generator = np.random.default_rng([settings.seed, 1])
    rows = []
    for _ in range(settings.repeats):
        order = generator.permutation(references)
        for group in np.array_split(order, settings.folds):
            row = np.zeros(references)
            row[group] = 1
            rows.append(row)
    return np.array(rows)


def interval(
    estimate: np.ndarray,
    draws: np.ndarray,
    jackknife: np.ndarray,
    settings: StatisticsSettings,
    references: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Turn draws of statistics into intervals.

    Parameters
    ----------
    estimate : ndarray, shape (columns,)
        The statistics of the sample.
    draws : ndarray, shape (draws, columns)
        The same of each draw. Draws in which a statistic is undefined are left out of its interval.
    jackknife : ndarray, shape (references, columns)
        The same without each reference in turn; used by 'bca' only.
    settings : StatisticsSettings
        Kind and level of the interval.
    references : int
        How many references were resampled.

    Returns
    -------
    low, high : ndarray, shape (columns,)
        NaN where the statistic or more than half of its draws are undefined.

    Notes
    -----
    BCa as in Efron (1987), *Better bootstrap confidence intervals*, JASA 82:171-185, with the
    acceleration from the jackknife over references and half weight on draws equal to the estimate.
    Plain bootstrap intervals are too narrow for few clusters: draws vary by (R-1)/R too little,
    and the normal distribution's tails stand for those of Student's t. Both kinds are therefore
    widened as Hesterberg (2015), *What teachers should know about the bootstrap*, The American
    Statistician 69:371-386, section 5.3, does: by taking quantiles further out.
    """
    estimate = np.asarray(estimate, dtype=np.float64)
    low, high = np.full(estimate.shape, np.nan), np.full(estimate.shape, np.nan)
    usable = np.isfinite(estimate) & (
        np.isfinite(draws).mean(axis=0) > 0.5 if len(draws) else False
    )
    tail = _widened_tail((1 - settings.level) / 2, references)
    for j in np.flatnonzero(usable):
        sample = draws[:, j][np.isfinite(draws[:, j])]
        tails = np.array([tail, 1 - tail])
        if settings.interval == "bca":
            tails = _bca_tails(estimate[j], sample, jackknife[:, j], tails)
        low[j], high[j] = np.quantile(sample, tails)
    return low, high


def _widened_tail(tail: float, references: int) -> float:
    if references < 2:
        return tail
    widening = np.sqrt(references / (references - 1))
    return float(ndtr(widening * student.ppf(tail, references - 1)))


def _bca_tails(
    estimate: float, sample: np.ndarray, jackknife: np.ndarray, tails: np.ndarray
) -> np.ndarray:
    below = np.mean(sample < estimate) + 0.5 * np.mean(sample == estimate)
    # an estimate outside all draws would send the correction to infinity
    bias = ndtri(np.clip(below, 0.5 / len(sample), 1 - 0.5 / len(sample)))
    spread = jackknife[np.isfinite(jackknife)]
    spread = spread.mean() - spread
    scale = np.sum(spread**2) ** 1.5
    acceleration = np.sum(spread**3) / (6 * scale) if scale > 0 else 0.0
    shifted = bias + ndtri(tails)
    return ndtr(bias + shifted / (1 - acceleration * shifted))
