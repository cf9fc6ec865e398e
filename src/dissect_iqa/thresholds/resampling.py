"""Log thresholds beside people's: how far apart, how much alike, and how sure that is."""

from dataclasses import dataclass

import numpy as np

#: Decades of contrast to decibels.
DECIBELS = 20.0
#: Fewer studies than this give no interval over studies.
FEWEST_STUDIES = 3


@dataclass(frozen=True)
class Residuals:
    """What was found beside what people need.

    Attributes
    ----------
    found : ndarray, shape (rows, columns)
        log10 thresholds of layers, metrics or an observer.
    people : ndarray, shape (rows,)
        Those of people.
    study : ndarray of str, shape (rows,)
        What is resampled together.
    observer, stimulus : ndarray or None
        Whose thresholds a row holds, where it is one observer's, and of what.
    """

    found: np.ndarray
    people: np.ndarray
    study: np.ndarray
    observer: np.ndarray | None = None
    stimulus: np.ndarray | None = None


def statistics(found: np.ndarray, people: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Return the statistics for several weightings of the rows at once.

    Parameters
    ----------
    found : ndarray, shape (rows, columns)
        log10 thresholds.
    people : ndarray, shape (draws, rows)
        People's, one row a weighting.
    weights : ndarray, shape (draws, rows)
        How often each row counts.

    Returns
    -------
    dict of str to ndarray, shape (draws, columns)
        `rmse_db` (root mean squared difference, dB), `bias_db` (mean difference: positive where
        more contrast is needed than by people), `spread_db` (standard deviation of the
        difference) and `correlation` (Pearson's, of log thresholds; NaN if either is constant).
    """
    total = weights.sum(axis=1, keepdims=True)
    total = np.where(total > 0, total, np.nan)  # a draw may lack what is asked for
    weighted = weights * people
    mean_x = weights @ found / total
    mean_y = weighted.sum(axis=1, keepdims=True) / total
    xx = weights @ found**2 / total
    yy = (weighted * people).sum(axis=1, keepdims=True) / total
    xy = weighted @ found / total
    bias = mean_x - mean_y
    square = np.maximum(xx - 2 * xy + yy, 0)
    variance_x, variance_y = xx - mean_x**2, yy - mean_y**2
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = (xy - mean_x * mean_y) / np.sqrt(variance_x * variance_y)
    flat = (variance_x <= 1e-12) | (variance_y <= 1e-12)
    return {
        "rmse_db": DECIBELS * np.sqrt(square),
        "bias_db": DECIBELS * bias,
        "spread_db": DECIBELS * np.sqrt(np.maximum(square - bias**2, 0)),
        "correlation": np.where(flat, np.nan, correlation),
    }


def study_weights(study: np.ndarray, draws: int, generator: np.random.Generator) -> np.ndarray:
    """Draw studies with replacement, whole; return how often each row counts, (draws, rows)."""
    names, codes = np.unique(study, return_inverse=True)
    times = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), draws)
    return times[:, codes].astype(np.float64)


def bounds(drawn: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the percentiles between which so many draws lie, shape (columns,) each."""
    tail = 100 * (1 - level) / 2
    known = np.isfinite(drawn).any(axis=0)
    low, high = np.full((2, drawn.shape[1]), np.nan)
    low[known], high[known] = np.nanpercentile(drawn[:, known], [tail, 100 - tail], axis=0)
    return low, high
