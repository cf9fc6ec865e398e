"""Choosing a layer without flattering it.

The best of fifty layers, chosen and judged on the same pairs, looks better than it is. Here the
layer is chosen on some of the references and judged on the others.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Choice:
    """An honestly chosen layer's statistic.

    Attributes
    ----------
    value : float
        The naive best's statistic, less what choosing without the judging references lost.
    draws : ndarray, shape (draws,)
        The statistic in each bootstrap draw, for an interval.
    jackknife : ndarray, shape (references,)
        The same without each reference in turn; empty where no jackknife was made.
    shares : ndarray, shape (columns,)
        In what share of the divisions each column was chosen.
    naive : int
        The column that is best on all references.
    """

    value: float
    draws: np.ndarray
    jackknife: np.ndarray
    shares: np.ndarray
    naive: int


def choose_honestly(
    sample: np.ndarray,
    draws: np.ndarray,
    jackknife: np.ndarray,
    training: np.ndarray,
    testing: np.ndarray,
) -> Choice | None:
    """Choose among columns on training references, judge on the held-out ones.

    In each division the column with the highest statistic on the training references is taken.
    Its statistic on the few held-out references isn't comparable with one on all references
    (fewer pictures of different content are compared), but its distance to that of the naive
    best on the same held-out references is: that distance, averaged over the divisions, is
    taken off the naive best's statistic.

    Parameters
    ----------
    sample : ndarray, shape (columns,)
        The statistic on all references; columns in order of depth, of ties the first is taken.
    draws, jackknife : ndarray, shape (rows, columns)
        The statistic in bootstrap draws, and without each reference.
    training, testing : ndarray, shape (divisions, columns)
        The statistic on either side of each division.

    Returns
    -------
    Choice or None
        None if there are no divisions or no column is defined on both sides of one.
    """
    if not np.isfinite(sample).any():
        return None
    naive = int(np.nanargmax(sample))
    usable = np.isfinite(training).any(axis=1)
    chosen = np.argmax(np.where(np.isfinite(training), training, -np.inf), axis=1)
    rows = np.arange(len(chosen))
    loss = testing[rows, naive] - testing[rows, chosen]
    usable &= np.isfinite(loss)
    if not usable.any():
        return None
    shares = np.bincount(chosen[usable], minlength=len(sample)) / usable.sum()
    value = float(sample[naive] - loss[usable].mean())
    return Choice(
        value=value,
        draws=_around(value, sample, draws, chosen[usable]),
        jackknife=_around(value, sample, jackknife, np.array([naive])),
        shares=shares,
        naive=naive,
    )


def _around(value: float, sample: np.ndarray, rows: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Move a statistic's resampled values to an honest value, taking turns among chosen columns.

    Each row deviates as one chosen column does: the average of several would deviate less than a
    single choice does.
    """
    turn = chosen[np.arange(len(rows)) % len(chosen)]
    return value + rows[np.arange(len(rows)), turn] - sample[turn]
