"""Response curves: how a distance grows with contrast, and the contrast at which it gets so large.

Contrast is in units of people's threshold, so that where a curve crosses the criterion is where the
layer's threshold lies beside people's. Responses are logarithms of distances, and between the
contrasts that were shown a curve is a straight line over the logarithm of contrast.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dissect_iqa.baselines.names import BASELINES
from dissect_iqa.distances.tables import KEYS
from dissect_iqa.errors import UserError

#: Beyond the contrasts that were shown a curve goes on as steeply as at their end, but at least
#: and at most this steep (a decade of distance a decade of contrast is 1).
_LEAST_STEEP, _MOST_STEEP = 0.1, 10.0
#: A threshold is at most this far beyond them, in decades of contrast (20 dB).
_BEYOND = 1.0


@dataclass(frozen=True)
class Curves:
    """Responses of some columns (layers and distances) to some stimuli.

    Attributes
    ----------
    keys : DataFrame
        `dissect_iqa.distances.tables.KEYS`, one row a column.
    stimuli : DataFrame
        Indexed by `stimulus`: `study`, `direction`, `log_threshold`; one row a stimulus.
    owner : ndarray of int, shape (curves,)
        The row of `stimuli` that each curve is of: one a phase.
    log_contrast : ndarray, shape (curves, contrasts)
        log10 of the multiples, rising.
    responses : ndarray, shape (curves, contrasts, columns)
        log10 of distances, never falling.
    """

    keys: pd.DataFrame
    stimuli: pd.DataFrame
    owner: np.ndarray
    log_contrast: np.ndarray
    responses: np.ndarray


def read_curves(distances: pd.DataFrame, pairs: pd.DataFrame, where: str) -> Curves:
    """Arrange a table of distances as curves.

    Parameters
    ----------
    distances : DataFrame
        See `dissect_iqa.distances.tables.distance_table`; every layer and distance has every pair.
    pairs : DataFrame
        The pairs of a data set of kind `thresholds`.
    where : str
        What they are of, for messages.

    Raises
    ------
    UserError
        If they don't fit each other.
    """
    order = pairs.sort_values(["stimulus", "phase", "score"], kind="stable")
    groups = order.groupby(["stimulus", "phase"], sort=True)
    place, curve = groups.cumcount().to_numpy(), groups.ngroup().to_numpy()
    count, most = int(curve[-1]) + 1, int(place.max()) + 1
    row = pd.Series(np.arange(len(order)), index=order["pair"])
    columns = [
        (key, _responses(rows, row, where))
        for key, rows in distances.groupby(list(KEYS), sort=False, observed=True, dropna=False)
    ]
    values = np.stack([response for _, response in columns], axis=1)
    responses = np.full((count, most, len(columns)), np.nan)
    responses[curve, place] = values
    log_contrast = np.full((count, most), np.nan)
    log_contrast[curve, place] = np.log10(order["score"].to_numpy(np.float64))
    firsts = order.drop_duplicates(["stimulus", "phase"])
    stimuli = firsts.drop_duplicates("stimulus").set_index("stimulus")
    stimuli = stimuli.rename(columns={"reference": "study", "distortion": "direction"})
    responses, log_contrast = _completed(responses, log_contrast)
    return Curves(
        keys=pd.DataFrame([key for key, _ in columns], columns=list(KEYS)),
        stimuli=stimuli[["study", "direction", "frequency", "log_threshold"]],
        owner=stimuli.index.get_indexer(firsts["stimulus"]),
        log_contrast=log_contrast,
        responses=responses,
    )


def _responses(rows: pd.DataFrame, row: pd.Series, where: str) -> np.ndarray:
    """Return one column's responses in the order of `row`; NaN where there is no difference."""
    if not rows["pair"].is_unique or set(rows["pair"]) != set(row.index):
        raise UserError(f"{where}: distances are not those of the data set's pairs; measure again")
    value = rows.set_index("pair")["value"].reindex(row.index).to_numpy(np.float64)
    metric = (
        BASELINES.get(str(rows["distance"].iloc[0])) if rows["kind"].iloc[0] == "metric" else None
    )
    if metric is not None and np.isinf(metric.identical):  # in dB, 20 of them a decade
        return np.where(value < metric.cap, -value / 20, np.nan)
    away = np.abs(value - (metric.identical if metric is not None else 0.0))
    with np.errstate(divide="ignore"):
        return np.where(away > 0, np.log10(away), np.nan)


def _completed(responses: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Make curves rise, and go on along their ends where a contrast wasn't or can't be told.

    Contrasts that weren't shown are put half a decade apart beyond those that were.
    """
    x = x.copy()
    for place in range(1, x.shape[1]):
        x[:, place] = np.where(np.isnan(x[:, place]), x[:, place - 1] + 0.5, x[:, place])
    y = np.fmax.accumulate(responses, axis=1)
    x3 = np.broadcast_to(x[:, :, None], y.shape)
    known = np.isfinite(responses)
    # where nothing is told, the curve lies as low as can be
    first = np.argmax(known, axis=1)
    last = y.shape[1] - 1 - np.argmax(known[:, ::-1], axis=1)
    told = known.any(axis=1)
    take = np.take_along_axis
    for edge, inner in ((first, np.minimum(first + 1, last)), (last, np.maximum(last - 1, first))):
        xs, xi = (take(x3, i[:, None], 1)[:, 0] for i in (edge, inner))
        ys, yi = (take(y, i[:, None], 1)[:, 0] for i in (edge, inner))
        with np.errstate(invalid="ignore", divide="ignore"):
            slope = np.where(xs != xi, (ys - yi) / (xs - xi), 1.0)
        slope = np.clip(np.nan_to_num(slope, nan=1.0), _LEAST_STEEP, _MOST_STEEP)
        along = ys[:, None] + slope[:, None] * (x3 - xs[:, None])
        places = np.arange(y.shape[1])[None, :, None]
        outside = places < edge[:, None] if edge is first else places > edge[:, None]
        y = np.where(outside, along, y)
    y = np.where(told[:, None], y, -np.inf)
    return np.fmax.accumulate(y, axis=1), x


def crossings(curves: Curves, criterion: np.ndarray) -> np.ndarray:
    """Return log10 of the contrast, in units of people's threshold, that reaches a criterion.

    Parameters
    ----------
    curves : Curves
        All columns.
    criterion : ndarray, shape (columns,)
        A response.

    Returns
    -------
    ndarray, shape (stimuli, columns)
        Mean over phases.
    """
    x, y = curves.log_contrast, curves.responses
    below = (y <= criterion).sum(axis=1) - 1
    left = np.clip(below, 0, y.shape[1] - 2)
    take = np.take_along_axis
    x3 = np.broadcast_to(x[:, :, None], y.shape)
    x0, x1 = (take(x3, (left + step)[:, None], 1)[:, 0] for step in (0, 1))
    y0, y1 = (take(y, (left + step)[:, None], 1)[:, 0] for step in (0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = (y1 - y0) / (x1 - x0)
        inside = (criterion >= y0) & (criterion <= y1) & (slope > 0)
        slope = np.where(inside, slope, np.clip(slope, _LEAST_STEEP, _MOST_STEEP))
        found = x0 + (criterion - y0) / slope
    found = np.where(np.isnan(found), np.inf, found)
    found = np.clip(found, x[:, :1] - _BEYOND, x[:, -1:] + _BEYOND)
    sums = np.zeros((len(curves.stimuli), y.shape[2]))
    np.add.at(sums, curves.owner, found)
    return sums / np.bincount(curves.owner, minlength=len(sums))[:, None]


def fit_criterion(curves: Curves, used: np.ndarray | None = None) -> np.ndarray:
    """Return each column's criterion at which its thresholds are people's on average.

    The mean of log thresholds less people's is 0, by bisection; where all curves are equally steep
    this is the criterion of least squares, too.

    Parameters
    ----------
    curves : Curves
        All columns.
    used : ndarray of bool, shape (stimuli,), optional
        Which stimuli count; all by default.
    """
    finite = np.isfinite(curves.responses)
    low, high = (
        limit(np.where(finite, curves.responses, -sign * np.inf), axis=(0, 1))
        + sign * _BEYOND * _MOST_STEEP
        for limit, sign in ((np.min, -1), (np.max, 1))
    )
    # a column that never responds has no criterion: any does
    low, high = (np.where(np.isfinite(end), end, 0.0) for end in (low, high))
    keep = slice(None) if used is None else used
    for _ in range(50):
        middle = (low + high) / 2
        above = crossings(curves, middle)[keep].mean(axis=0) > 0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return (low + high) / 2
