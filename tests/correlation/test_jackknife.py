"""Intervals cover what they say, the honest choice is honest, and all models are treated alike."""

import numpy as np
import pytest
from correlation_data import clustered
from scipy import stats

from dissect_iqa.correlation import forms
from dissect_iqa.correlation.best_layer import choose_honestly, honest_interval
from dissect_iqa.correlation.jackknife import (
    CURVATURE,
    MOST_GROUPS,
    grouped,
    interval,
    make_plan,
    restore,
    spread,
    stabilise,
)
from dissect_iqa.correlation.settings import StatisticsSettings


def settings(**changes):
    return StatisticsSettings(**{"draws": 400, **changes})


def truth(**effects):
    """The correlation in a population of very many references."""
    rng = np.random.default_rng(1234)
    codes, quality, values = clustered(rng, 4000, 20, 1, **effects)
    single = forms.Pairs(np.zeros(len(codes), dtype=int), quality, 1)
    return {
        "srcc": forms.spearman(single, values, np.ones((1, 1)))[0, 0],
        "plcc": forms.pearson(single, values, np.ones((1, 1)))[0, 0],
    }


@pytest.mark.parametrize("references, offset", [(25, 0.4), (6, 0.4), (6, 1.5), (6, 0.0)])
def test_coverage_is_near_95_percent(references, offset):
    effects = {"offset": offset, "gain": 0.2}
    plan = make_plan(references, settings())
    wanted = truth(**effects)
    hits = {"srcc": [], "plcc": []}
    for run in range(40):
        codes, quality, values = clustered(
            np.random.default_rng(run), references, 20, 20, **effects
        )
        pairs = forms.Pairs(codes, quality, references)
        for name, form in (("srcc", forms.spearman), ("plcc", forms.pearson)):
            found = form(pairs, values, plan.for_intervals)
            low, high = interval(found, plan, len(codes), 0.95)
            hits[name].extend((low <= wanted[name]) & (wanted[name] <= high))
    # 800 intervals of 40 data sets: the standard error of the share is near 0.01
    for name, found in hits.items():
        assert 0.925 <= np.mean(found) <= 0.99, (name, np.mean(found))


def test_leaving_out_pairs_instead_of_references_would_not_cover():
    # the same data, every pair its own reference
    effects = {"offset": 0.6, "gain": 0.5}
    wanted = truth(**effects)["srcc"]
    share = {}
    for name in ("references", "pairs"):
        inside = []
        for run in range(25):
            codes, quality, values = clustered(np.random.default_rng(run), 25, 40, 8, **effects)
            own, count = grouped(codes if name == "references" else np.arange(1000), settings())
            plan = make_plan(count, settings(draws=200))
            found = forms.spearman(forms.Pairs(own, quality, count), values, plan.for_intervals)
            low, high = interval(found, plan, len(codes), 0.95)
            inside.extend((low <= wanted) & (wanted <= high))
        share[name] = np.mean(inside)
    assert share["references"] > 0.92 and share["pairs"] < 0.7


@pytest.mark.parametrize("references, flattered", [(25, 0.04), (6, 0.08)])
def test_honest_choice_among_equal_layers_is_unbiased_where_the_naive_one_flatters(
    references, flattered
):
    plan = make_plan(references, settings(draws=0))
    effects = {"offset": 0.5, "gain": 0.2}
    wanted = truth(**effects)["srcc"]
    naive, honest, single = [], [], []
    for run in range(60):
        codes, quality, values = clustered(
            np.random.default_rng(run), references, 20, 18, **effects
        )
        found = forms.spearman(forms.Pairs(codes, quality, references), values, plan.weights)
        choice = choose_honestly(found, plan, len(codes))
        naive.append(found[0].max() - wanted)
        honest.append(choice.value - wanted)
        single.append(found[0].mean() - wanted)
    error = np.std(honest) / np.sqrt(60)
    assert np.mean(naive) > flattered
    # what is left is what any single layer's value of so few references is off by
    assert abs(np.mean(honest) - np.mean(single)) < 3 * error + 0.003


def test_the_honest_layers_interval_covers():
    plan = make_plan(6, settings())
    effects = {"offset": 0.8, "gain": 0.2}
    wanted = truth(**effects)["srcc"]
    inside = []
    for run in range(150):
        codes, quality, values = clustered(np.random.default_rng(run), 6, 20, 8, **effects)
        found = forms.spearman(forms.Pairs(codes, quality, 6), values, plan.weights)
        choice = choose_honestly(found, plan, len(codes))
        low, high = honest_interval(choice, found, plan, len(codes), 0.95)
        assert low <= choice.value <= high
        inside.append(low <= wanted <= high)
    assert 0.92 <= np.mean(inside) <= 0.995


def test_a_clearly_best_layer_loses_nothing_by_honesty():
    rng = np.random.default_rng(0)
    codes, quality, values = clustered(rng, 25, 20, 5)
    values[:, 2] = quality + 0.1 * rng.normal(size=len(quality))
    plan = make_plan(25, settings())
    found = forms.spearman(forms.Pairs(codes, quality, 25), values, plan.weights)
    choice = choose_honestly(found, plan, 500)
    assert choice.naive == 2 and choice.shares[2] == 1 and (choice.chosen == 2).all()
    assert choice.value == found[0, 2]
    low, high = interval(found[:, [2]], plan, 500, 0.95)
    assert honest_interval(choice, found, plan, 500, 0.95) == pytest.approx((low[0], high[0]))


def test_the_honest_value_never_exceeds_the_naive_one():
    for run in range(60):
        rng = np.random.default_rng(run)
        references = int(rng.integers(2, 9))
        effects = {"offset": rng.random(), "noise": 3 * rng.random()}
        codes, quality, values = clustered(rng, references, 3, 6, **effects)
        plan = make_plan(references, settings(draws=0))
        found = forms.spearman(forms.Pairs(codes, quality, references), values, plan.weights)
        choice = choose_honestly(found, plan, len(codes))
        assert choice is None or choice.value <= found[0].max() + 1e-12


def test_choice_skips_undefined_layers_and_takes_the_first_of_equal_ones():
    plan = make_plan(4, settings(draws=0))
    found = np.full((len(plan.weights), 3), 0.5)
    found[:, 0] = np.nan
    choice = choose_honestly(found, plan, 40)
    assert choice.naive == 1 and list(choice.shares) == [0, 1, 0] and choice.value == 0.5
    assert choose_honestly(np.full_like(found, np.nan), plan, 40) is None
    one = make_plan(1, settings())
    assert choose_honestly(np.full((len(one.weights), 3), 0.5), one, 40) is None


def test_plans_depend_on_seed_and_number_of_references_only():
    one, other = make_plan(60, settings()), make_plan(60, settings(level=0.9))
    np.testing.assert_array_equal(one.weights, other.weights)
    assert not np.array_equal(one.weights, make_plan(60, settings(seed=1)).weights)
    assert len(one.couples) == 400 and len(np.unique(one.couples, axis=0)) == 400
    without = one.weights[one.without_two]
    assert (without.sum(axis=1) == 58).all()
    assert (without[np.arange(400)[:, None], one.couples] == 0).all()


@pytest.mark.parametrize(
    "references, halvings", [(2, 1), (3, 3), (6, 10), (7, 35), (8, 35), (25, 50)]
)
def test_halvings_are_distinct_and_split_all_references(references, halvings):
    plan = make_plan(references, settings())
    halves, others = plan.weights[plan.halves], plan.weights[plan.others]
    assert halves.shape == (halvings, references)
    np.testing.assert_array_equal(halves + others, 1)
    assert set(halves.sum(axis=1)) == {references // 2}
    either = {frozenset((tuple(a), tuple(b))) for a, b in zip(halves, others, strict=True)}
    assert len(either) == halvings


@pytest.mark.parametrize("references", [1, 2])
def test_one_or_two_references_have_no_interval(references):
    plan = make_plan(references, settings())
    low, high = interval(np.full((len(plan.weights), 2), 0.5), plan, 40, 0.95)
    assert np.isnan(low).all() and np.isnan(high).all()


def test_undefined_statistics_have_no_interval():
    plan = make_plan(6, settings())
    found = 0.5 + 0.01 * np.random.default_rng(0).normal(size=(len(plan.for_intervals), 4))
    found[:, 0] = np.nan
    found[plan.without_one.start, 1] = np.nan  # undefined without the first reference
    found[plan.without_two.start, 2] = np.nan  # undefined without one couple
    low, high = interval(found, plan, 60, 0.95)
    assert np.isnan(low[:2]).all() and np.isnan(high[:2]).all()
    assert (low[2:] < found[0, 2:]).all() and (found[0, 2:] < high[2:]).all()


def test_a_mean_has_students_interval_and_no_second_order():
    # of means over equal references, leaving out is the textbook's standard error
    rng = np.random.default_rng(0)
    values = rng.normal(size=9)
    plan = make_plan(9, settings())
    found = (plan.for_intervals @ values / plan.for_intervals.sum(axis=1))[:, None]
    wanted = values.var(ddof=1) / 9
    estimated = spread(found, plan)
    assert estimated.bias == pytest.approx(0, abs=1e-12)
    assert estimated.variance == pytest.approx(wanted, rel=1e-9)


def test_a_variance_gets_the_spread_that_normal_values_would_give_it():
    rng = np.random.default_rng(0)
    plan = make_plan(40, settings())
    ratios = []
    for _ in range(200):
        values = rng.normal(size=40)
        size = plan.for_intervals.sum(axis=1)
        mean = plan.for_intervals @ values / size
        found = (plan.for_intervals @ values**2 / size - mean**2)[:, None]
        ones = found[plan.without_one]
        plain = 39 / 40 * np.sum((ones - ones.mean()) ** 2)
        added = (spread(found, plan).variance[0] - plain) / (CURVATURE / 40)
        ratios.append(added / (2 / 39))
    assert np.mean(ratios) == pytest.approx(1, abs=0.2)


def test_fishers_scale_and_back():
    r = np.array([-1.0, -0.3, 0.0, 0.9, 1.0])
    np.testing.assert_allclose(restore(stabilise(r, 30), 30), r, atol=1e-12)
    assert np.isfinite(stabilise(r, 2)).all()


def test_very_many_references_are_grouped_and_cover_as_well():
    codes = np.repeat(np.arange(1000, 1450), 3)
    own, count = grouped(codes, settings())
    assert count == MOST_GROUPS and set(own) == set(range(MOST_GROUPS))
    assert (own.reshape(-1, 3) == own.reshape(-1, 3)[:, :1]).all()
    np.testing.assert_array_equal(own, grouped(codes + 7, settings())[0])
    few, count = grouped(np.array([5, 9, 5]), settings())
    assert count == 2 and list(few) == [0, 1, 0]
    rng = np.random.default_rng(3)
    wanted = truth(offset=0.4)["srcc"]
    plan = make_plan(MOST_GROUPS, settings(draws=50))
    inside = []
    for _ in range(20):
        codes, quality, values = clustered(rng, 300, 5, 4, offset=0.4)
        own, count = grouped(codes, settings())
        found = forms.spearman(forms.Pairs(own, quality, count), values, plan.for_intervals)
        low, high = interval(found, plan, len(codes), 0.95)
        inside.extend((low <= wanted) & (wanted <= high))
    assert np.mean(inside) > 0.85


def test_level_widens_the_interval():
    plan = make_plan(6, settings())
    values = np.array([0.1, 0.3, 0.5, 0.4, 0.2, 0.6])
    found = (plan.for_intervals @ values / plan.for_intervals.sum(axis=1))[:, None]
    narrow, wide = (np.array(interval(found, plan, 60, level)) for level in (0.9, 0.99))
    assert wide[0] < narrow[0] < found[0] < narrow[1] < wide[1]
    ratio = stats.t.ppf(0.995, 5) / stats.t.ppf(0.95, 5)
    widths = [np.diff(stabilise(bounds.ravel(), 60)) for bounds in (narrow, wide)]
    assert widths[1] / widths[0] == pytest.approx(ratio)
