"""Intervals cover what they say, the honest choice is honest, and draws are shared."""

import numpy as np
import pytest
from correlation_data import clustered

from dissect_iqa.correlation import forms
from dissect_iqa.correlation.best_layer import choose_honestly
from dissect_iqa.correlation.bootstrap import held_out, interval, make_plan, multiplicities
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


@pytest.mark.parametrize("kind", ["percentile", "bca"])
def test_coverage_is_near_95_percent_with_25_references(kind):
    effects = {"offset": 0.4, "gain": 0.2}
    chosen = settings(interval=kind)
    plan = make_plan(25, chosen, divisions=False)
    wanted = truth(**effects)
    hits = {"srcc": [], "plcc": []}
    for run in range(40):
        codes, quality, values = clustered(np.random.default_rng(run), 25, 20, 20, **effects)
        pairs = forms.Pairs(codes, quality, 25)
        for name, form in (("srcc", forms.spearman), ("plcc", forms.pearson)):
            found = form(pairs, values, plan.weights)
            low, high = interval(found[0], found[plan.draws], found[plan.jackknife], chosen, 25)
            hits[name].extend((low <= wanted[name]) & (wanted[name] <= high))
    # 800 intervals of 40 data sets: the standard error of the share is near 0.01
    for name, found in hits.items():
        assert 0.915 <= np.mean(found) <= 0.975, (name, np.mean(found))


def test_resampling_pairs_instead_of_references_would_not_cover():
    # the reason for the cluster bootstrap: the same data, every pair its own reference
    effects = {"offset": 0.6, "gain": 0.5}
    wanted = truth(**effects)["srcc"]
    share = {}
    for name in ("references", "pairs"):
        inside = []
        for run in range(25):
            codes, quality, values = clustered(np.random.default_rng(run), 25, 40, 8, **effects)
            count = 25 if name == "references" else len(codes)
            codes = codes if name == "references" else np.arange(count)
            plan = make_plan(count, settings(draws=200), divisions=False)
            found = forms.spearman(forms.Pairs(codes, quality, count), values, plan.weights)
            low, high = interval(found[0], found[plan.draws], found[:0], settings(), count)
            inside.extend((low <= wanted) & (wanted <= high))
        share[name] = np.mean(inside)
    assert share["references"] > 0.88 and share["pairs"] < 0.7


def test_honest_choice_among_equal_layers_is_unbiased_where_the_naive_one_flatters():
    chosen = settings(draws=0)
    plan = make_plan(25, chosen)
    effects = {"offset": 0.5, "gain": 0.2}
    wanted = truth(**effects)["srcc"]
    naive, honest = [], []
    for run in range(60):
        codes, quality, values = clustered(np.random.default_rng(run), 25, 20, 18, **effects)
        found = forms.spearman(forms.Pairs(codes, quality, 25), values, plan.weights)
        parts = (plan.draws, plan.jackknife, plan.training, plan.testing)
        choice = choose_honestly(found[0], *(found[part] for part in parts))
        naive.append(found[0].max() - wanted)
        honest.append(choice.value - wanted)
    error = np.std(honest) / np.sqrt(60)
    assert np.mean(naive) > 0.04
    assert abs(np.mean(honest)) < 3 * error + 0.003


def test_a_clearly_best_layer_loses_nothing_by_honesty():
    rng = np.random.default_rng(0)
    codes, quality, values = clustered(rng, 25, 20, 5)
    values[:, 2] = quality + 0.1 * rng.normal(size=len(quality))
    plan = make_plan(25, settings())
    found = forms.spearman(forms.Pairs(codes, quality, 25), values, plan.weights)
    parts = (plan.draws, plan.jackknife, plan.training, plan.testing)
    choice = choose_honestly(found[0], *(found[part] for part in parts))
    assert choice.naive == 2 and choice.shares[2] == 1
    assert choice.value == found[0, 2]
    np.testing.assert_allclose(choice.draws, found[plan.draws][:, 2])


def test_choice_skips_undefined_layers_and_takes_the_first_of_equal_ones():
    sample = np.array([np.nan, 0.5, 0.5])
    parts = np.array([[np.nan, 0.4, 0.4]] * 3)
    choice = choose_honestly(sample, parts, parts[:0], parts, parts)
    assert choice.naive == 1 and list(choice.shares) == [0, 1, 0]
    undefined = np.full(3, np.nan)
    assert choose_honestly(undefined, parts, parts[:0], parts, parts) is None
    assert choose_honestly(sample, parts, parts[:0], parts[:0], parts[:0]) is None


def test_draws_depend_on_seed_and_number_of_references_only():
    one, other = multiplicities(25, settings()), multiplicities(25, settings(interval="bca"))
    np.testing.assert_array_equal(one, other)
    assert (one.sum(axis=1) == 25).all()
    assert not np.array_equal(one, multiplicities(25, settings(seed=1)))
    # fewer draws are the first of more
    np.testing.assert_array_equal(one[:100], multiplicities(25, settings(draws=100)))


@pytest.mark.parametrize("references, groups", [(25, 100), (7, 100), (5, 5), (3, 3)])
def test_divisions_hold_out_every_reference_equally_often(references, groups):
    rows = held_out(references, settings())
    assert rows.shape == (groups, references)
    assert len(set(rows.sum(axis=0))) == 1
    assert (rows.sum(axis=1) > 0).all() and (rows.sum(axis=1) < references).all()


def test_intervals_of_undefined_and_of_rarely_defined_statistics_are_missing():
    draws = np.column_stack([np.full(100, np.nan), np.linspace(0, 1, 100), np.linspace(0, 1, 100)])
    draws[:60, 1] = np.nan
    low, high = interval(np.array([0.5, 0.5, 0.5]), draws, draws[:0], settings(), 100)
    assert np.isnan(low[:2]).all() and np.isnan(high[:2]).all()
    assert 0 < low[2] < 0.05 and 0.95 < high[2] < 1


def test_bca_follows_efrons_formula_on_skewed_draws():
    # an estimate with all but a tenth of its draws below it moves the interval up
    draws = np.linspace(0, 1, 2001)[:, None]
    jackknife = np.array([[0.1], [0.2], [0.9]])
    kinds = {
        kind: interval(np.array([0.9]), draws, jackknife, settings(interval=kind), 1000)
        for kind in ("percentile", "bca")
    }
    assert kinds["bca"][0] > kinds["percentile"][0] + 0.2
    assert kinds["bca"][1] >= kinds["percentile"][1]


def test_few_references_widen_the_interval():
    draws = np.linspace(0, 1, 10001)[:, None]
    few = interval(np.array([0.5]), draws, draws[:0], settings(), 6)
    many = interval(np.array([0.5]), draws, draws[:0], settings(), 10_000)
    assert few[0] < many[0] and many[0] == pytest.approx(0.025, abs=1e-3)
