"""The logistic mappings of the field, fitted so that they don't get stuck.

Pearson's correlation after a logistic is what most papers of the field call PLCC. With the usual
constant starting values the fits fail or silently stop at a straight line, depending on the scale
of the metric. Here values are standardised, and since either form is linear in all parameters but
slope and centre, only these two are searched for (variable projection, Golub and Pereyra 1973):
first on a grid, then by bounded descent from the best points of the grid.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

#: Slopes and centres of the grid, in units of the values' spread and as their quantiles.
_SLOPES = (0.3, 1.0, 2.0, 4.0, 8.0, 20.0)
_CENTRES = (0.02, 0.15, 0.35, 0.5, 0.65, 0.85, 0.98)
#: Points of the grid from which a descent starts, and pairs the grid looks at.
_DESCENTS, _GRID_PAIRS = 4, 1000


@dataclass(frozen=True)
class Fit:
    """A fitted mapping from a metric's values to scores.

    Attributes
    ----------
    mapped : ndarray, shape (pairs,)
        The metric's values after the mapping, in units of the scores; NaN if there is none.
    rmse : float
        Root of the mean squared difference to the scores, in their units.
    converged : bool
        False if no logistic fit converged, and `mapped` is the straight line instead.
    monotone : bool
        Whether the mapping is monotone over the range of the values. The 5-parameter form need
        not be.
    direction : {1.0, -1.0}
        1 if larger values are mapped to larger scores from end to end, else -1.
    """

    mapped: np.ndarray
    rmse: float
    converged: bool
    monotone: bool
    direction: float


class _Projected:
    """Squared error of the best mapping with a given slope and centre, and its gradient.

    4 parameters: (b1 - b2) / (1 + exp(-(z - b3) / |b4|)) + b2 (VQEG 2000).
    5 parameters: b1 (1/2 - 1 / (1 + exp(b2 (z - b3)))) + b4 z + b5 (Sheikh et al., IEEE TIP 2006).
    With s the logistic function both are a s + c, the second with a term linear in z.
    """

    def __init__(self, z: np.ndarray, y: np.ndarray, parameters: int):
        self.z, self.y = z, y
        self.line = z - z.mean() if parameters == 5 else np.zeros_like(z)
        self.line_norm = self.line @ self.line
        # what a straight line leaves of the scores, or a constant for the 4-parameter form
        self.rest = self._project(y)

    def _project(self, values: np.ndarray) -> np.ndarray:
        centred = values - values.mean()
        return centred - self.line * self._share_of_line(centred)

    def _share_of_line(self, centred: np.ndarray) -> float:
        return self.line @ centred / self.line_norm if self.line_norm else 0.0

    def amplitude(self, logistic: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the best factor a, and the residual mapping - y."""
        shape = self._project(logistic)
        norm = shape @ shape
        # far out, a logistic is a straight line and an exponential so small that only the
        # relation to its own size tells whether anything but rounding is left of it
        usable = norm > 1e-22 * (logistic @ logistic)
        factor = (shape @ self.rest) / norm if usable else 0.0
        return factor, factor * shape - self.rest

    def __call__(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        slope = np.exp(theta[0])
        gap = self.z - theta[1]
        s = expit(slope * gap)
        factor, residual = self.amplitude(s)
        # at the best linear parameters their own change doesn't matter
        change = 2 * factor * residual * s * (1 - s) * slope
        gradient = np.array([change @ gap, -change.sum()])
        return float(residual @ residual) / len(s), gradient / len(s)

    def map(self, theta: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the best mapping with this slope and centre, at any z."""
        s = expit(np.exp(theta[0]) * (self.z - theta[1]))
        factor, _ = self.amplitude(s)
        curve = expit(np.exp(theta[0]) * (z - theta[1])) - s.mean()
        line = self._share_of_line(self.y - self.y.mean()) - factor * self._share_of_line(
            s - s.mean()
        )
        return self.y.mean() + factor * curve + line * (z - self.z.mean())


def fit_logistic(values: np.ndarray, quality: np.ndarray, parameters: int) -> Fit:
    """Fit scores by a logistic of a metric's values with least squares.

    Parameters
    ----------
    values : ndarray, shape (pairs,)
        Finite, turned so that larger means better.
    quality : ndarray, shape (pairs,)
        Scores, larger is better.
    parameters : {4, 5}
        The form: VQEG's with four or Sheikh's with five.

    Returns
    -------
    Fit
        All NaN and not converged if there are no more pairs than parameters, or if values or
        scores don't vary.
    """
    x, y = np.asarray(values, dtype=np.float64), np.asarray(quality, dtype=np.float64)
    if len(x) <= parameters or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Fit(np.full(len(x), np.nan), np.nan, False, False, 1.0)
    offset, scale = y.mean(), y.std()
    z, target = (x - x.mean()) / x.std(), (y - offset) / scale
    theta = _search(z, target, parameters)
    span = np.linspace(z.min(), z.max(), 1000)
    if theta is None:
        slope, constant = np.polyfit(z, target, 1)
        mapped, curve = slope * z + constant, slope * span
    else:
        projected = _Projected(z, target, parameters)
        mapped, curve = projected.map(theta, z), projected.map(theta, span)
    steps = np.diff(curve)
    slack = 1e-9 * max(np.ptp(curve), 1e-300)
    return Fit(
        mapped=mapped * scale + offset,
        rmse=float(np.sqrt(np.mean((mapped - target) ** 2)) * scale),
        converged=theta is not None,
        monotone=bool((steps >= -slack).all() or (steps <= slack).all()),
        direction=1.0 if curve[-1] >= curve[0] else -1.0,
    )


def _search(z: np.ndarray, y: np.ndarray, parameters: int) -> np.ndarray | None:
    """Return the best logarithm of the slope and centre, or None if no descent converged."""
    quarter, three = np.quantile(z, [0.25, 0.75])
    # a few extreme values must not make the grid too coarse for all others
    spread = min(1.0, (three - quarter) / 1.35) or 1.0
    order = np.argsort(z, kind="stable")
    few = order[np.linspace(0, len(z) - 1, min(len(z), _GRID_PAIRS)).astype(int)]
    coarse = _Projected(z[few], y[few], parameters)
    starts = []
    for slope in np.log(np.array(_SLOPES) / spread):
        thetas = [np.array([slope, centre]) for centre in np.quantile(z, _CENTRES)]
        costs = [coarse(theta)[0] for theta in thetas]
        starts.append((min(costs), thetas[int(np.argmin(costs))]))
    # one start a slope: neighbours on the grid would only descend into the same valley
    starts.sort(key=lambda pair: pair[0])
    reach = 2 * np.ptp(z)
    bounds = [(np.log(0.1), np.log(100 / spread)), (z.min() - reach, z.max() + reach)]
    objective = _Projected(z, y, parameters)
    best, smallest = None, np.inf
    for _, start in starts[:_DESCENTS]:
        found = minimize(
            objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 200}
        )
        if found.success and np.isfinite(found.fun) and found.fun < smallest:
            best, smallest = found.x, found.fun
    return best
