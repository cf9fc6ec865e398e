r"""Correlations of many resampled data sets at once, exactly, without resampling any pair.

A draw takes each reference r with all its pairs :math:`m_r` times. Let :math:`s^x_{ij}` be the
sign of :math:`x_i - x_j`. Then, whatever the multiplicities,

- a pair's centred average rank is half of :math:`\sum_r m_r A^x_{ir}` with
  :math:`A^x_{ir} = \sum_{j \in r} s^x_{ij}`, so that Spearman's numerator is a cubic form in m;
- Kendall's numerator :math:`\sum_{ij} w_i w_j s^x_{ij} s^y_{ij}` is a quadratic form in m;
- Pearson's sums are linear in m.

The coefficients are counted once per column; a draw then costs a short dot product instead of a
sort. Ties are treated as scipy does: average ranks, and tau-b. All counts are whole numbers that
float64 holds exactly, so the results are those of computing on the resampled pairs, to rounding.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import permutations

import numpy as np
import pandas as pd

#: One pair's weighted rank costs about as much as so many terms of the cubic form; with more
#: terms a pair than this, sorting is cheaper.
TERMS_A_PAIR = 50
#: Numbers in the largest temporary array (float64: 64 MB).
_BLOCK = 8_000_000


class Pairs:
    """One subset of the pairs, sorted by reference, with the scores' part of the forms.

    Parameters
    ----------
    codes : ndarray of int, shape (pairs,)
        Reference of each pair, 0 .. references-1; a reference may have no pair here.
    quality : ndarray, shape (pairs,)
        Scores, larger is better.
    references : int
        Number of references.
    """

    def __init__(self, codes: np.ndarray, quality: np.ndarray, references: int):
        self.order = np.argsort(codes, kind="stable")
        self.codes = codes[self.order]
        self.quality = np.asarray(quality, dtype=np.float64)[self.order]
        self.references = references
        self.sizes = np.bincount(self.codes, minlength=references)
        self.ends = np.concatenate([[0], np.cumsum(self.sizes)])
        # pairs of each reference by position, padded with a row of zeros behind the last pair
        slots = np.arange(max(self.sizes.max(initial=0), 1))
        inside = slots < self.sizes[:, None]
        self.slots = np.where(inside, self.ends[:-1, None] + slots, len(self.codes))

    def sorted(self, values: np.ndarray) -> np.ndarray:
        """Return rows of `values`, given in the caller's order, in the order used here."""
        return np.asarray(values, dtype=np.float64)[self.order]

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum `values` (pairs, ...) over the pairs of each reference: (references, ...)."""
        padded = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
        return padded[self.ends[1:]] - padded[self.ends[:-1]]


def pearson(pairs: Pairs, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pearson's correlation of every column for every row of weights.

    Parameters
    ----------
    pairs : Pairs
        The pairs with their scores.
    values : ndarray, shape (pairs, columns)
        Finite values in the caller's order.
    weights : ndarray, shape (rows, references)
        Multiplicities.

    Returns
    -------
    ndarray, shape (rows, columns)
        NaN where values or scores don't vary.
    """
    x, y = _standardise(pairs.sorted(values)), _standardise(pairs.quality[:, None])
    size = weights @ pairs.sizes.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_x = weights @ pairs.sums(x) / size[:, None]
        mean_y = weights @ pairs.sums(y) / size[:, None]
        var_x = weights @ pairs.sums(x * x) / size[:, None] - mean_x**2
        var_y = weights @ pairs.sums(y * y) / size[:, None] - mean_y**2
        covariance = weights @ pairs.sums(x * y) / size[:, None] - mean_x * mean_y
        # what rounding leaves of a variance of zero must not become a correlation
        var_x[var_x < 1e-12], var_y[var_y < 1e-12] = np.nan, np.nan
        return np.clip(covariance / np.sqrt(var_x * var_y), -1, 1)


def _standardise(values: np.ndarray) -> np.ndarray:
    if not len(values):
        return values
    centred = values - values.mean(axis=0)
    scale = np.abs(centred).max(axis=0)
    # a column that is constant but for rounding counts as constant
    flat = scale <= 1e-13 * np.abs(values).max(axis=0)
    scaled = np.where(flat, 0.0, centred) / np.where(flat, 1.0, scale)
    spread = np.sqrt((scaled**2).mean(axis=0))
    return scaled / np.where(flat, 1.0, spread)


def spearman(pairs: Pairs, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Spearman's correlation (average ranks) of every column for every row of weights.

    Parameters and result as in `pearson`; values may be infinite.
    """
    values = pairs.sorted(values)
    terms = pairs.references**3 / 6
    if terms > TERMS_A_PAIR * len(values):
        return _spearman_sorting(pairs, values, weights)
    numerator = np.empty((len(weights), values.shape[1]))
    y = _sign_sums(pairs, pairs.quality)
    size = len(_triples(np.ones((pairs.references, 1))))
    step = max(1, _BLOCK * 4 // size)
    for start in range(0, values.shape[1], step):
        columns = values[:, start : start + step]
        cubic = np.stack([_cubic(_sign_sums(pairs, column), y) for column in columns.T])
        for rows in _steps(len(weights), max(1, _BLOCK // size)):
            numerator[rows, start : start + step] = (cubic @ _triples(weights[rows].T)).T
    total, cubes = (weights @ pairs.sizes) ** 3, weights * weights * weights
    with np.errstate(invalid="ignore", divide="ignore"):
        spread_y = total - _tie_cubes(pairs, pairs.quality, weights, cubes)
        ties = [_tie_cubes(pairs, column, weights, cubes) for column in values.T]
        spread_x = total[:, None] - np.stack(ties, axis=1)
        product = np.sqrt(spread_x * spread_y[:, None])
        return np.where(product > 0, 3 * numerator / product, np.nan)


def _sign_sums(pairs: Pairs, column: np.ndarray) -> np.ndarray:
    """Return A, padded: (references, slots, references); see the module's text."""
    order = np.argsort(column, kind="stable")
    ordered = column[order]
    counts = np.zeros((len(column) + 1, pairs.references), dtype=np.int32)
    counts[np.arange(1, len(column) + 1), pairs.codes[order]] = 1
    np.cumsum(counts, axis=0, out=counts)
    below = counts[np.searchsorted(ordered, column, side="left")]
    up_to = counts[np.searchsorted(ordered, column, side="right")]
    signs = np.zeros((len(column) + 1, pairs.references))
    signs[:-1] = below + up_to - pairs.sizes
    return signs[pairs.slots]


def _cubic(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the cubic form's coefficients for k <= r <= s, in the order of `_triples`."""
    tensor = np.matmul(x.transpose(0, 2, 1), y)
    total = sum(tensor.transpose(axes) for axes in permutations(range(3)))
    places, orders = _ordered(len(total))
    return total.reshape(-1)[places] / orders


@lru_cache(maxsize=2)
def _ordered(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of all k <= r <= s in a cube, and how often six orders repeat each."""
    second, third = np.triu_indices(count)
    starts = np.searchsorted(second, np.arange(count))
    first = np.repeat(np.arange(count), len(second) - starts)
    r = np.concatenate([second[start:] for start in starts])
    s = np.concatenate([third[start:] for start in starts])
    orders = np.where((first == r) & (r == s), 6.0, np.where((first == r) | (r == s), 2.0, 1.0))
    return (first * count + r) * count + s, orders


def _triples(weights: np.ndarray) -> np.ndarray:
    """Return m_k m_r m_s for all k <= r <= s; weights (references, rows) -> (triples, rows)."""
    count = len(weights)
    first, second = np.triu_indices(count)
    products = weights[first] * weights[second]
    starts = np.searchsorted(first, np.arange(count))
    return np.concatenate([weights[k] * products[starts[k] :] for k in range(count)])


def _tie_cubes(
    pairs: Pairs, column: np.ndarray, weights: np.ndarray, cubes: np.ndarray
) -> np.ndarray:
    """Sum of t^3 over groups of equal values, t being a group's size in each draw; (rows,)."""
    _, group, sizes = np.unique(column, return_inverse=True, return_counts=True)
    alone = sizes[group] == 1
    single = np.bincount(pairs.codes[alone], minlength=pairs.references)
    sums = cubes @ single
    shared = np.flatnonzero(sizes > 1)
    if len(shared):
        number = np.full(len(sizes), -1)
        number[shared] = np.arange(len(shared))
        members = np.zeros((len(shared), pairs.references))
        np.add.at(members, (number[group[~alone]], pairs.codes[~alone]), 1)
        for rows in _steps(len(weights), max(1, _BLOCK // len(shared))):
            shared_sizes = weights[rows] @ members.T
            sums[rows] += np.einsum("ij,ij,ij->i", shared_sizes, shared_sizes, shared_sizes)
    return sums


def _spearman_sorting(pairs: Pairs, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Spearman's correlation by weighted ranks, from one sort a column."""
    result = np.empty((len(weights), values.shape[1]))
    for rows in _steps(len(weights), max(1, _BLOCK // 4 // len(values))):
        weight = weights[rows][:, pairs.codes]
        y = _weighted_ranks(pairs.quality, weight)
        spread_y = np.einsum("ij,ij,ij->i", weight, y, y)
        y *= weight
        for j, column in enumerate(values.T):
            x = _weighted_ranks(column, weight)
            spread_x = np.einsum("ij,ij,ij->i", weight, x, x)
            product = np.sqrt(spread_x * spread_y)
            with np.errstate(invalid="ignore", divide="ignore"):
                covariance = np.einsum("ij,ij->i", x, y)
                result[rows, j] = np.where(product > 0, covariance / product, np.nan)
    return result


def _weighted_ranks(column: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return twice the centred average ranks of `column` for each row of pair weights."""
    order = np.argsort(column, kind="stable")
    ordered = column[order]
    sums = np.zeros((len(weight), len(column) + 1))
    np.cumsum(weight[:, order], axis=1, out=sums[:, 1:])
    below = np.searchsorted(ordered, column, side="left")
    up_to = np.searchsorted(ordered, column, side="right")
    return sums[:, below] + sums[:, up_to] - sums[:, -1:]


def kendall(pairs: Pairs, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Kendall's tau-b of every column for every row of weights.

    Parameters and result as in `pearson`; values may be infinite.
    """
    values = pairs.sorted(values)
    result = np.full((len(weights), values.shape[1]), np.nan)
    ranks = ranks_of(values, "dense").astype(np.int32)
    y = ranks_of(pairs.quality, "dense").astype(np.int32)
    untied_y = _quadratic(_untied(pairs, y), weights)
    for columns in _steps(values.shape[1], max(1, _BLOCK // pairs.references**2)):
        x = np.ascontiguousarray(ranks[:, columns].T)
        for j, form in enumerate(_concordance(pairs, x, y)):
            numerator = _quadratic(form, weights)
            product = np.sqrt(_quadratic(_untied(pairs, x[j]), weights) * untied_y)
            with np.errstate(invalid="ignore", divide="ignore"):
                tau = np.where(product > 0, numerator / product, np.nan)
            result[:, columns.start + j] = tau
    return result


def ranks_of(values: np.ndarray, ties: str = "average") -> np.ndarray:
    """Return the ranks of each column, from 1: as scipy.stats gives them, which is slow to load."""
    return pd.DataFrame(values).rank(method=ties).to_numpy().reshape(values.shape)


def _quadratic(form: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", weights @ form, weights)


def _concordance(pairs: Pairs, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Concordant minus discordant pairs of pairs, by reference.

    Ranks x (columns, pairs) and y (pairs,) -> (columns, references, references).
    """
    result = np.zeros((len(x), pairs.references, pairs.references))
    present = np.flatnonzero(pairs.sizes)
    for position, r in enumerate(present):
        begin, end = pairs.ends[r], pairs.ends[r + 1]
        # blocks (r, s) and (s, r) are equal: only s >= r is counted
        others = present[position:]
        total = np.zeros((len(x), len(y) - begin), dtype=np.int64)
        for rows in _steps(end - begin, 127):  # int8 holds a sum of 127 signs
            own = slice(begin + rows.start, begin + rows.stop)
            signs_y = _signs(y[own], y[begin:])
            for j, column in enumerate(x):
                signs = _signs(column[own], column[begin:])
                signs *= signs_y
                total[j] += np.add.reduce(signs, axis=0, dtype=np.int8)
        sums = np.add.reduceat(total, pairs.ends[others] - begin, axis=1)
        result[:, r, others] = result[:, others, r] = sums
    return result


def _signs(own: np.ndarray, others: np.ndarray) -> np.ndarray:
    signs = np.greater(own[:, None], others).view(np.int8)
    signs -= np.less(own[:, None], others).view(np.int8)
    return signs


def _untied(pairs: Pairs, x: np.ndarray) -> np.ndarray:
    """Pairs of pairs with different values, by reference: (references, references)."""
    counts = np.zeros((int(x.max(initial=0)) + 1, pairs.references))
    np.add.at(counts, (x, pairs.codes), 1)
    tied = counts[counts.sum(axis=1) > 1]
    alone = counts[counts.sum(axis=1) == 1].sum(axis=0)
    sizes = pairs.sizes.astype(np.float64)
    return np.outer(sizes, sizes) - tied.T @ tied - np.diag(alone)


def _steps(count: int, step: int) -> Iterator[slice]:
    for start in range(0, int(count), step):
        yield slice(start, min(start + step, int(count)))
