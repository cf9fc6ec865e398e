"""Analytic tests of two correlations that share a variable; secondary, because pairs are clustered.

With r1 = r(x1, y), r2 = r(x2, y), r12 = r(x1, x2) over n independent, normal observations. On
data whose pairs share references they reject far too often (26 % instead of 5 % for 25 references
with a reference-level offset), and for Spearman's correlation they are approximations. The primary
test is the paired jackknife over references in `hold_contests`.
"""

import numpy as np
from scipy import stats


def williams(r1: float, r2: float, r12: float, n: int) -> tuple[float, float]:
    """Test r1 = r2 by Williams' modification of Hotelling's t.

    Williams (1959), *The comparison of regression variables*, JRSS B 21:396-399, in the form of
    Steiger (1980), equation 7.

    Returns
    -------
    t, p : float
        With n - 3 degrees of freedom, two-sided; NaN if undefined.
    """
    determinant = 1 - r1**2 - r2**2 - r12**2 + 2 * r1 * r2 * r12
    mean = (r1 + r2) / 2
    below = 2 * (n - 1) / (n - 3) * determinant + mean**2 * (1 - r12) ** 3 if n > 3 else 0.0
    if not below > 0 or np.isclose(r12, 1, rtol=0, atol=1e-12):
        return _undefined(r1, r2)
    t = (r1 - r2) * np.sqrt((n - 1) * (1 + r12) / below)
    return float(t), float(2 * stats.t.sf(abs(t), n - 3))


def steiger(r1: float, r2: float, r12: float, n: int) -> tuple[float, float]:
    """Test r1 = r2 by Steiger's z with the pooled correlation.

    Steiger (1980), *Tests for comparing elements of a correlation matrix*, Psychological Bulletin
    87:245-251, equations 3 and 14.

    Returns
    -------
    z, p : float
        Two-sided; NaN if undefined.
    """
    mean = (r1 + r2) / 2
    covariance = r12 * (1 - 2 * mean**2) - mean**2 * (1 - 2 * mean**2 - r12**2) / 2
    below = 2 - 2 * covariance / (1 - mean**2) ** 2 if abs(mean) < 1 else 0.0
    if n <= 3 or not below > 1e-12 or max(abs(r1), abs(r2)) >= 1:
        return _undefined(r1, r2)
    z = (np.arctanh(r1) - np.arctanh(r2)) * np.sqrt((n - 3) / below)
    return float(z), float(2 * stats.norm.sf(abs(z)))


def meng(r1: float, r2: float, r12: float, n: int) -> tuple[float, float]:
    """Test r1 = r2 by Meng, Rosenthal and Rubin's z.

    Meng, Rosenthal, Rubin (1992), *Comparing correlated correlation coefficients*, Psychological
    Bulletin 111:172-175, equations 1 to 3.

    Returns
    -------
    z, p : float
        Two-sided; NaN if undefined.
    """
    square = (r1**2 + r2**2) / 2
    if n <= 3 or max(abs(r1), abs(r2)) >= 1 or np.isclose(r12, 1, rtol=0, atol=1e-12):
        return _undefined(r1, r2)
    f = min(1.0, (1 - r12) / (2 * (1 - square)))
    h = (1 - f * square) / (1 - square)
    z = (np.arctanh(r1) - np.arctanh(r2)) * np.sqrt((n - 3) / (2 * (1 - r12) * h))
    return float(z), float(2 * stats.norm.sf(abs(z)))


def _undefined(r1: float, r2: float) -> tuple[float, float]:
    """Two predictors that order everything alike don't differ; anything else can't be told."""
    return (0.0, 1.0) if r1 == r2 else (np.nan, np.nan)
