"""The forms equal scipy on data sets that are really resampled, ties and all."""

import numpy as np
import pytest
from scipy import stats

from dissect_iqa.correlation import forms

FORMS = {
    "spearman": (forms.spearman, lambda x, y: stats.spearmanr(x, y).statistic),
    "kendall": (forms.kendall, lambda x, y: stats.kendalltau(x, y, variant="b").statistic),
    "pearson": (forms.pearson, lambda x, y: stats.pearsonr(x, y).statistic),
}


def sample(references, count, seed=0, digits=1):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, references, count)  # unequal clusters, in no order
    quality = np.round(rng.normal(size=count), digits)
    values = np.round(quality[:, None] + rng.normal(size=(count, 3)), digits)
    values[:, 2] = np.round(values[:, 2])  # many ties
    chances = np.ones(references) / references
    weights = np.vstack(
        [np.ones((1, references)), rng.multinomial(references, chances, size=8)]
    ).astype(float)
    return codes, quality, values, weights


# 130 references take the road by sorting, 7 the cubic one; 260 pairs of 2 references fill int8
@pytest.mark.parametrize("references, count", [(7, 40), (130, 300), (2, 300), (1, 30)])
@pytest.mark.parametrize("name", FORMS)
def test_equal_scipy_on_resampled_pairs(name, references, count):
    form, expected = FORMS[name]
    codes, quality, values, weights = sample(references, count)
    found = form(forms.Pairs(codes, quality, references), values, weights)
    for i, weight in enumerate(weights):
        rows = np.repeat(np.arange(count), weight[codes].astype(int))
        for j in range(values.shape[1]):
            want = expected(values[rows, j], quality[rows])
            assert found[i, j] == pytest.approx(want, abs=1e-10)


def test_both_roads_of_spearman_agree(monkeypatch):
    codes, quality, values, weights = sample(20, 200)
    pairs = forms.Pairs(codes, quality, 20)
    cubic = forms.spearman(pairs, values, weights)
    monkeypatch.setattr(forms, "TERMS_A_PAIR", 0)
    np.testing.assert_allclose(forms.spearman(pairs, values, weights), cubic, atol=1e-12)


def test_small_blocks_change_nothing(monkeypatch):
    codes, quality, values, weights = sample(20, 200)
    pairs = forms.Pairs(codes, quality, 20)
    whole = forms.spearman(pairs, values, weights)
    monkeypatch.setattr(forms, "_BLOCK", 2000)
    np.testing.assert_allclose(forms.spearman(pairs, values, weights), whole, atol=1e-13)


@pytest.mark.parametrize("name", FORMS)
def test_constant_values_are_undefined_not_a_warning(name):
    codes, quality, values, weights = sample(7, 40)
    values[:, 1] = 0.1 + 0.2  # not exact in binary
    found = FORMS[name][0](forms.Pairs(codes, quality, 7), values, weights)
    assert np.isnan(found[:, 1]).all() and np.isfinite(found[:, 0]).all()
    flat = FORMS[name][0](forms.Pairs(codes, np.full(40, 3.3), 7), values, weights)
    assert np.isnan(flat).all()


@pytest.mark.parametrize("name", FORMS)
def test_a_perfect_and_an_inverted_metric(name):
    codes, quality, _, weights = sample(7, 40, digits=9)
    values = np.stack([quality, -quality], axis=1)
    found = FORMS[name][0](forms.Pairs(codes, quality, 7), values, weights)
    np.testing.assert_allclose(found, np.tile([1.0, -1.0], (len(weights), 1)), atol=1e-12)


@pytest.mark.parametrize("name", ["spearman", "kendall"])
def test_ranks_take_infinities_and_monotone_maps(name):
    codes, quality, values, weights = sample(7, 40)
    form = FORMS[name][0]
    pairs = forms.Pairs(codes, quality, 7)
    plain = form(pairs, values, weights)
    np.testing.assert_array_equal(form(pairs, np.exp(values), weights), plain)
    capped = np.where(values == values.max(), np.inf, values)
    np.testing.assert_array_equal(form(pairs, capped, weights), plain)


def test_pearson_takes_any_scale_and_offset():
    codes, quality, values, weights = sample(7, 40)
    pairs = forms.Pairs(codes, quality, 7)
    plain = forms.pearson(pairs, values, weights)
    for factor, shift in ((1e-12, 0.0), (1e12, 0.0), (1.0, 1e6)):
        moved = forms.pearson(pairs, factor * values + shift, weights)
        np.testing.assert_allclose(moved, plain, atol=1e-8)


def test_order_of_pairs_does_not_matter():
    codes, quality, values, weights = sample(7, 40)
    order = np.random.default_rng(5).permutation(40)
    for form, _ in FORMS.values():
        one = form(forms.Pairs(codes, quality, 7), values, weights)
        other = form(forms.Pairs(codes[order], quality[order], 7), values[order], weights)
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_a_reference_without_pairs_changes_nothing():
    codes, quality, values, weights = sample(7, 40)
    more = np.insert(weights, 3, 1.0, axis=1)
    shifted = np.where(codes >= 3, codes + 1, codes)
    for form, _ in FORMS.values():
        one = form(forms.Pairs(codes, quality, 7), values, weights)
        other = form(forms.Pairs(shifted, quality, 8), values, more)
        np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("name", FORMS)
def test_a_draw_without_any_pair_of_the_subset_is_undefined(name):
    codes, quality, values, _ = sample(7, 40)
    weights = np.array([[1.0] * 7, [0.0] * 7])
    found = FORMS[name][0](forms.Pairs(codes, quality, 7), values, weights)
    assert np.isfinite(found[0]).all() and np.isnan(found[1]).all()
