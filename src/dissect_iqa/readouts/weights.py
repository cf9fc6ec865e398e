"""Weights of channels fitted to scores, and values of pairs whose references were held out."""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.linalg import solve
from scipy.optimize import nnls
from sklearn.model_selection import GroupKFold

from dissect_iqa.errors import UserError

#: Penalties tried by ridge, in units of the mean eigenvalue of the data's Gram matrix.
_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


def fit_weights(
    x: np.ndarray, quality: np.ndarray, groups: np.ndarray, method: str, folds: int = 5
) -> np.ndarray:
    """Fit one weight a column so that ``x @ weights`` falls as quality rises.

    Parameters
    ----------
    x : ndarray, shape (pairs, columns)
        0 or more; 0 for identical features. Columns that are 0 everywhere get weight 0.
    quality : ndarray, shape (pairs,)
        Higher is better; its SD becomes the unit of ``x @ weights``.
    groups : ndarray, shape (pairs,)
        The reference of each pair; ridge chooses its penalty by holding out references.
    method : {"nnls", "ridge"}
        Non-negative least squares, or least squares with a penalty on the squares of the weights
        after each column was divided by its mean. Both with a free intercept.
    folds : int
        Of ridge's choice; no more than there are references.

    Returns
    -------
    ndarray of float64, shape (columns,)
    """
    scale = x.mean(axis=0, dtype=np.float64)
    columns = np.divide(x, scale, out=np.zeros(x.shape), where=scale > 0)
    target = -(quality - quality.mean()) / (quality.std() or 1.0)
    if method == "nnls":
        columns -= columns.mean(axis=0)
        weights = _nnls(columns, target)
    else:
        penalty = _choose_penalty(columns, target, groups, folds)
        weights = _ridge(columns, target, [penalty])[0]
    return np.divide(weights, scale, out=np.zeros_like(weights), where=scale > 0)


def _nnls(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    try:
        return nnls(x, y, maxiter=30 * x.shape[1])[0]
    except RuntimeError as error:
        raise UserError(
            f"non-negative least squares found no weights for {x.shape[1]} columns and "
            f"{x.shape[0]} pairs ({error}); use the ridge readout"
        ) from error


def _ridge(x: np.ndarray, y: np.ndarray, penalties: Sequence[float]) -> list[np.ndarray]:
    """Return the weights of ridge regression with a free intercept, for each penalty.

    Solves in the space of columns or of rows, whichever is smaller.
    """
    x, y = x - x.mean(axis=0), y - y.mean()
    wide = x.shape[1] > x.shape[0]
    gram = x @ x.T if wide else x.T @ x
    unit = np.trace(gram) / len(gram) or 1.0
    diagonal = np.diag_indices_from(gram)
    weights = []
    for penalty in penalties:
        system = gram.copy()
        system[diagonal] += penalty * unit
        right = y if wide else x.T @ y
        solution = solve(system, right, assume_a="pos", overwrite_a=True)
        weights.append(x.T @ solution if wide else solution)
    return weights


def _choose_penalty(x: np.ndarray, y: np.ndarray, groups: np.ndarray, folds: int) -> float:
    """Return the penalty with the least squared error on references that were held out."""
    errors = np.zeros(len(_PENALTIES))
    for train, test in _splits(groups, folds):
        centre, level = x[train].mean(axis=0), y[train].mean()
        for index, weights in enumerate(_ridge(x[train], y[train], _PENALTIES)):
            errors[index] += ((y[test] - level - (x[test] - centre) @ weights) ** 2).sum()
    return _PENALTIES[int(errors.argmin())]


def _splits(groups: np.ndarray, folds: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (training rows, held-out rows); no reference is in both, and nothing is random."""
    splitter = GroupKFold(min(folds, len(np.unique(groups))))
    return splitter.split(groups, groups=groups)


def out_of_fold(
    x: np.ndarray, quality: np.ndarray, groups: np.ndarray, method: str, folds: int = 5
) -> np.ndarray:
    """Return ``x @ weights`` of each pair, with weights fitted to the other folds' references.

    Parameters
    ----------
    x, quality, groups, method, folds
        See `fit_weights`.

    Returns
    -------
    ndarray of float64, shape (pairs,)
        In SDs of quality; 0 for identical features, and 0 or more with "nnls".
    """
    values = np.empty(len(x))
    for train, test in _splits(groups, folds):
        weights = fit_weights(x[train], quality[train], groups[train], method, folds)
        values[test] = x[test].astype(np.float64) @ weights
    return values
