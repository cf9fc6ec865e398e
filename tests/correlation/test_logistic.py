"""The logistic fits find the minimum at any scale, and never stop at a straight line unsaid."""

import numpy as np
import pytest
from scipy.optimize import curve_fit
from scipy.special import expit
from scipy.stats import pearsonr

from dissect_iqa.correlation import logistic
from dissect_iqa.correlation.logistic import fit_logistic


def four(x, b1, b2, b3, b4):
    return (b1 - b2) * expit((x - b3) / abs(b4)) + b2


def five(x, b1, b2, b3, b4, b5):
    return b1 * (0.5 - 1 / (1 + np.exp(np.clip(b2 * (x - b3), -500, 500)))) + b4 * x + b5


def curve(shape, count=600, seed=0):
    u = np.random.default_rng(seed).normal(size=count)
    noise = 0.2 * np.random.default_rng(seed + 1).normal(size=count)
    return u, {"saturating": np.tanh(2 * u), "exponential": np.exp(u), "line": u}[shape] + noise


@pytest.mark.parametrize("parameters", [4, 5])
def test_noiseless_logistics_are_recovered(parameters):
    x = np.linspace(-3, 4, 200)
    b = (9.0, 1.0, 0.7, 0.6)
    y = four(x, *b) if parameters == 4 else five(x, 4.0, 1.7, 0.7, 0.3, 5.0)
    fit = fit_logistic(x, y, parameters)
    assert fit.converged and fit.monotone and fit.direction == 1
    assert fit.rmse < 1e-3 * np.ptp(y)
    np.testing.assert_allclose(fit.mapped, y, atol=2e-3 * np.ptp(y))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("shape", ["saturating", "exponential", "line"])
@pytest.mark.parametrize("parameters", [4, 5])
def test_as_good_as_the_best_of_many_descents_by_curve_fit(parameters, shape, scale):
    u, y = curve(shape)
    fit = fit_logistic(scale * u + 7, y, parameters)
    z = (u - u.mean()) / u.std()
    best = np.inf
    form, rise = (four, np.ptp(y)) if parameters == 4 else (five, np.ptp(y))
    for centre in (-1, 0, 1):
        for slope in (1, 4):
            start = [y.max(), y.min(), centre, 1 / slope]
            start = start if parameters == 4 else [rise, slope, centre, 0.1, y.mean()]
            try:
                found, _ = curve_fit(form, z, y, start, maxfev=5000)
            except RuntimeError:
                continue
            best = min(best, np.sqrt(np.mean((form(z, *found) - y) ** 2)))
    assert fit.converged
    assert fit.rmse <= best * 1.002


def test_scale_and_offset_of_the_metric_change_nothing():
    u, y = curve("saturating")
    for parameters in (4, 5):
        one = fit_logistic(u, y, parameters)
        for scale in (1e-6, 1e6):
            other = fit_logistic(scale * u - 3 * scale, y, parameters)
            np.testing.assert_allclose(other.mapped, one.mapped, atol=1e-4)


def test_never_the_straight_line_where_a_curve_fits_better():
    u, y = curve("saturating", 1500)
    raw = pearsonr(u, y).statistic
    for parameters in (4, 5):
        for scale in (1e-3, 1.0, 1e3):
            fit = fit_logistic(scale * u, y, parameters)
            assert pearsonr(fit.mapped, y).statistic > raw + 0.02


def test_five_parameters_fit_no_worse_than_four():
    for shape in ("saturating", "exponential", "line"):
        u, y = curve(shape)
        assert fit_logistic(u, y, 5).rmse <= fit_logistic(u, y, 4).rmse * 1.001


def test_an_inverted_metric_has_a_falling_mapping():
    u, y = curve("saturating")
    for parameters in (4, 5):
        assert fit_logistic(-u, y, parameters).direction == -1


def test_a_mapping_that_turns_is_recorded():
    x = np.linspace(-3, 3, 400)
    fit = fit_logistic(x, 6 * expit(4 * x) - x, 5)
    assert fit.converged and not fit.monotone


def test_ties_and_outliers():
    u, y = curve("line")
    u[:30], y[:30] = 40.0, y.max()  # identical pairs at a cap
    for parameters in (4, 5):
        fit = fit_logistic(u, y, parameters)
        assert fit.converged and fit.rmse < y.std()
    coarse = fit_logistic(np.round(u), y, 4)
    assert coarse.converged


@pytest.mark.parametrize("parameters", [4, 5])
def test_nothing_to_fit_is_nan(parameters):
    y = np.arange(10.0)
    for x, target in ((np.ones(10), y), (y, np.ones(10)), (y[:3], y[:3])):
        fit = fit_logistic(x, target, parameters)
        assert np.isnan(fit.rmse) and np.isnan(fit.mapped).all() and not fit.converged


def test_a_straight_line_is_declared(monkeypatch):
    monkeypatch.setattr(logistic, "_search", lambda *_: None)
    u, y = curve("saturating")
    fit = fit_logistic(u, y, 5)
    assert not fit.converged and fit.monotone
    np.testing.assert_allclose(fit.mapped, np.polyval(np.polyfit(u, y, 1), u), atol=1e-9)
