"""Readouts: they find weights that are there, find none that aren't, and never see a held-out."""

import sys
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression, Ridge

from dissect_iqa.errors import UserError
from dissect_iqa.readouts import fit_readouts as stage
from dissect_iqa.readouts import weights
from dissect_iqa.readouts.fit_readouts import READOUTS, fit_own, transfer_readouts
from dissect_iqa.readouts.weights import fit_weights, out_of_fold

REFERENCES, EACH, CHANNELS = 10, 30, 8


def simulated(seed, noise=0.1, references=REFERENCES, channels=CHANNELS):
    """Squared differences, of which only the first two channels matter to quality."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(references), EACH)
    x = rng.gamma(1.0, 1.0, (len(groups), channels)) * rng.uniform(0.1, 10, channels)
    true = np.zeros(channels)
    true[:2] = 1 / x[:, :2].mean(0)
    quality = 5 - x @ true + noise * rng.normal(size=len(groups))
    return x.astype(np.float32), quality, groups, true


@pytest.mark.parametrize("method", ["nnls", "ridge"])
def test_finds_the_channels_that_matter(method):
    x, quality, groups, true = simulated(0)
    weights = fit_weights(x, quality, groups, method)
    scale = x.mean(axis=0)  # a channel's weight is as uncertain as the channel is small
    np.testing.assert_allclose(weights * scale, true * scale / quality.std(), atol=0.02)
    held_out = out_of_fold(x, quality, groups, method)
    plain = x.sum(axis=1)
    assert -spearmanr(held_out, quality)[0] > 0.98 > 0.75 > -spearmanr(plain, quality)[0]


@pytest.mark.parametrize("columns", [5, 80])
def test_least_squares_are_those_of_scikit_learn(columns):
    """In the space of columns (5) and in that of rows (80 columns, 60 pairs)."""
    rng = np.random.default_rng(1)
    x, y = rng.gamma(1.0, 1.0, (60, columns)), rng.normal(size=60)
    groups = np.repeat(np.arange(6), 10)
    centred = x - x.mean(0)
    gram = centred @ centred.T if columns > 60 else centred.T @ centred
    for penalty in (1e-3, 1.0):
        expected = Ridge(alpha=penalty * np.trace(gram) / len(gram)).fit(x, y).coef_
        np.testing.assert_allclose(weights._ridge(x, y, [penalty])[0], expected, rtol=1e-6)
    if columns == 5:
        standard = -(y - y.mean()) / y.std()
        expected = LinearRegression(positive=True).fit(x, standard).coef_
        np.testing.assert_allclose(fit_weights(x, y, groups, "nnls"), expected, atol=1e-9)


@pytest.mark.parametrize("method", ["nnls", "ridge"])
def test_scores_of_a_held_out_reference_change_nothing_about_it(method):
    x, quality, groups, _ = simulated(2)
    before = out_of_fold(x, quality, groups, method)
    changed = quality.copy()
    changed[groups == 4] = 100 + np.arange(EACH)
    after = out_of_fold(x, changed, groups, method)
    np.testing.assert_array_equal(after[groups == 4], before[groups == 4])
    assert not np.allclose(after[groups != 4], before[groups != 4])


@pytest.mark.parametrize("method", ["nnls", "ridge"])
def test_chance_correlates_with_nothing(method):
    """References differ in mean quality, which an intercept would turn into r << 0."""
    rs = []
    for seed in range(30):
        x, _, groups, _ = simulated(seed)
        rng = np.random.default_rng(1000 + seed)
        quality = rng.normal(size=REFERENCES)[groups] + rng.normal(size=len(groups))
        held_out = out_of_fold(x, quality, groups, method)
        rs.append(-spearmanr(held_out, quality)[0] if held_out.std() > 0 else 0.0)
    assert abs(np.mean(rs)) < 0.05


def test_penalty_follows_the_noise():
    x, quality, groups, _ = simulated(3, noise=0.01)
    noisy = quality + 30 * np.random.default_rng(4).normal(size=len(quality))
    chosen = [weights._choose_penalty(x, y, groups, 5) for y in (quality, noisy)]
    assert chosen[0] < chosen[1]


def test_nnls_is_a_distance():
    x, quality, groups, _ = simulated(5)
    x[7] = 0
    x[:, 3] = 0  # a dead channel
    values = out_of_fold(x, quality, groups, "nnls")
    assert values[7] == 0.0 and (values >= 0).all()
    for method in ("nnls", "ridge"):
        assert fit_weights(x, quality, groups, method)[3] == 0.0
    assert (fit_weights(x, np.full(len(x), 3.0), groups, "nnls") == 0).all()


# --- caches -------------------------------------------------------------------------------


class Cache:
    """Stands in for dissect_iqa.features.file.read.FeatureCache; layer "b" holds the signal."""

    def __init__(self, seed, names=("a", "b"), references=REFERENCES):
        rng = np.random.default_rng(seed + 100)
        signal, self.quality, groups, _ = simulated(seed, references=references)
        pairs, count = len(groups), references
        self.images = {
            "name": [f"r{k}.png" for k in range(count)] + [f"d{k}.png" for k in range(pairs)]
        }
        self.pairs = {"reference": groups, "distorted": count + np.arange(pairs)}
        self.layers = [
            SimpleNamespace(name=name, depth=(i + 1) / len(names), channels=CHANNELS)
            for i, name in enumerate(names)
        ]
        shape = (count + pairs, CHANNELS)
        self.arrays = {}
        for name in names:
            mse = signal if name == "b" else rng.gamma(1.0, 1.0, signal.shape).astype("f4")
            mean, var = rng.random(shape, "f4"), rng.random(shape, "f4")
            if name == "b":  # the gap of the means holds the signal too
                mean[count:] = mean[groups] + np.sqrt(signal)
            self.arrays[name] = {"mean": mean, "var": var, "mse": mse, "unit_mse": mse / 2}
        self.table = pd.DataFrame(
            {
                "pair": np.arange(pairs),
                "reference": [f"r{k}" for k in groups],
                "reference_file": [f"r{k}.png" for k in groups],
                "distorted_file": [f"d{k}.png" for k in range(pairs)],
                "distortion": "noise",
                "level": pd.array([1] * pairs, dtype="Int64"),
                "quality": self.quality,
            }
        )

    def layer(self, index):
        return self.arrays[self.layers[index].name]


@pytest.fixture
def caches(monkeypatch):
    """Serve caches in memory by the names of their files."""
    caches = {"one.h5": Cache(10), "two.h5": Cache(11)}

    @contextmanager
    def open_cache(path, expect_spec=None):
        assert expect_spec == f"spec of {path}"
        yield caches[path]

    module = SimpleNamespace(open_cache=open_cache)
    monkeypatch.setitem(sys.modules, "dissect_iqa.features.file.read", module)
    return caches


def srcc(table, cache, layer, distance):
    rows = table[(table["layer"] == layer) & (table["distance"] == distance)]
    assert rows["pair"].tolist() == list(range(len(cache.table)))
    return -spearmanr(rows["value"], cache.quality)[0]


@pytest.mark.parametrize("processes", [1, 2])
def test_fit_readouts_at_every_layer_and_concatenated(caches, processes):
    cache = caches["one.h5"]
    names = list(READOUTS) if processes == 1 else ["nnls_unit_mse"]
    table = fit_own(
        "one.h5",
        cache.table,
        names,
        "spec of one.h5",
        concatenations={"all layers": ["*"]},
        processes=processes,
    )
    assert table.columns.tolist() == [
        *("pair", "reference", "distorted", "distortion", "level"),
        *("kind", "layer", "depth", "distance", "fitted_on", "value", "sign"),
    ]
    assert table["layer"].unique().tolist() == ["a", "b", "all layers"]
    assert set(table["kind"]) == {"readout"}
    depth = table.drop_duplicates("layer")["depth"].to_numpy()
    np.testing.assert_array_equal(depth, [0.5, 1.0, np.nan])
    joined = [f"{name} on all layers" for name in names]
    assert set(table["sign"]) == {-1}
    assert table["distance"].unique().tolist() == names + joined
    for name in names:
        assert abs(srcc(table, cache, "a", name)) < 0.2
        assert srcc(table, cache, "b", name) > 0.97
        assert srcc(table, cache, "all layers", f"{name} on all layers") > 0.95
    rows = table[(table["layer"] == "b") & (table["distance"] == "nnls_unit_mse")]
    expected = out_of_fold(
        cache.arrays["b"]["unit_mse"], cache.quality, cache.pairs["reference"], "nnls"
    )
    np.testing.assert_array_equal(rows["value"], expected)


def test_transfer_uses_weights_of_the_other_data_set(caches):
    one, two = caches["one.h5"], caches["two.h5"]
    table = transfer_readouts(
        *("one.h5", one.table, "two.h5", two.table, ["nnls_mse", "ridge_mse"], "tid2013"),
        train_spec="spec of one.h5",
        spec_expected="spec of two.h5",
        concatenations={"both": ["a", "b"]},
    )
    names = ["nnls_mse@tid2013", "ridge_mse@tid2013"]
    assert table["distance"].unique().tolist() == names + [f"{name} on both" for name in names]
    assert set(table["fitted_on"]) == {"tid2013"} and set(table["kind"]) == {"readout"}
    groups = one.pairs["reference"]
    for method in ("nnls", "ridge"):
        weights = fit_weights(one.arrays["b"]["mse"], one.quality, groups, method)
        rows = table[(table["layer"] == "b") & (table["distance"] == f"{method}_mse@tid2013")]
        expected = two.arrays["b"]["mse"].astype(float) @ weights
        np.testing.assert_allclose(rows["value"], expected, rtol=1e-12)
    # The scores of the data set that is measured are not needed, let alone used.
    again = transfer_readouts(
        *("one.h5", one.table, "two.h5", two.table.drop(columns="quality"), ["nnls_mse"], "x"),
        train_spec="spec of one.h5",
        spec_expected="spec of two.h5",
    )
    first = table[table["distance"].eq("nnls_mse@tid2013") & table["layer"].isin(["a", "b"])]
    np.testing.assert_array_equal(again["value"], first["value"])


def test_transfer_between_models_is_refused(caches):
    caches["two.h5"] = Cache(11, names=("a", "c"))
    with pytest.raises(UserError, match=r"one\.h5 and two\.h5 hold different layers"):
        transfer_readouts(
            *(
                "one.h5",
                caches["one.h5"].table,
                "two.h5",
                caches["two.h5"].table,
                ["nnls_mse"],
                "x",
            ),
            train_spec="spec of one.h5",
            spec_expected="spec of two.h5",
        )


def test_bad_input_ends_in_a_sentence(caches, monkeypatch):
    cache = caches["one.h5"]

    def fit(pairs=cache.table, names=("nnls_mse",), **options):
        return fit_own("one.h5", pairs, names, "spec of one.h5", **options)

    with pytest.raises(UserError, match=r"'nnls_mes' \(did you mean 'nnls_mse'\?\); allowed: nn"):
        fit(names=["nnls_mes"])
    with pytest.raises(UserError, match="this data set has triplets"):
        fit(cache.table.assign(triplet=0))
    with pytest.raises(UserError, match=r"1 pairs have no score, first d3\.png"):
        fit(cache.table.assign(quality=cache.table["quality"].where(cache.table["pair"] != 3)))
    with pytest.raises(UserError, match=r"at least 2 references .*there is 1"):
        fit(cache.table.assign(reference="r"))
    two = cache.table.assign(reference=np.where(cache.table["pair"] < 9, "r", "s"))
    with pytest.raises(UserError, match=r"at least 3 references .*there are 2"):
        fit(two, names=["nnls_mse", "ridge_mse"])
    assert len(fit(two)) == 2 * len(two)
    with pytest.raises(UserError, match=r"'x': no layer 'd\*' in one\.h5; it has: a, b"):
        fit(concatenations={"x": ["a", "d*"]})
    assert fit(concatenations={"x": ["d*"]})["layer"].nunique() == 2, "meant for another network"
    with pytest.raises(UserError, match=r"concatenation 'a' has the name of a layer of one\.h5"):
        fit(concatenations={"a": ["b"]})
    with pytest.raises(UserError, match=r"holds 300 pairs that are not the 299 pairs"):
        fit(cache.table.iloc[1:])
    monkeypatch.setattr(stage, "_MOST_COLUMNS", 15)
    with pytest.raises(UserError, match=r"2 layers of one\.h5 have 16 channels, and at most 15"):
        fit(concatenations={"x": ["*"]})
    cache.arrays["b"]["mse"][0, 0] = np.nan
    with pytest.raises(UserError, match=r"one\.h5, layer 'b': mse has values that are not finite"):
        fit()


def test_least_squares_that_do_not_converge(monkeypatch):
    def fail(*_args, **_kwargs):
        raise RuntimeError("Maximum number of iterations reached.")

    monkeypatch.setattr(weights, "nnls", fail)
    x, quality, groups, _ = simulated(6)
    with pytest.raises(UserError, match="no weights for 8 columns and 300 pairs"):
        fit_weights(x, quality, groups, "nnls")
