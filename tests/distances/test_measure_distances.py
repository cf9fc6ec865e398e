"""Distances from statistics equal distances from raw features, and keep their promises."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect_iqa.distances.measure_distances import DISTANCES, measure_distances, measure_layer
from dissect_iqa.distances.tables import Measured, distance_table
from dissect_iqa.errors import UserError

ALL = ["rmse", "normalized_rmse", "cosine", "correlation", "lpips_uniform", "dists", "mean_std"]


def statistics_of(pictures, reference, distorted):
    """Reduce raw features (C, P) to what the cache holds, in float32 as its contract says."""
    f = [np.ascontiguousarray(picture, np.float32) for picture in pictures]
    unit = [x / (np.sqrt((x**2).sum(0, keepdims=True)) + np.float32(1e-10)) for x in f]
    pairs = list(zip(reference, distorted, strict=True))
    return {
        "mean": np.stack([x.mean(1) for x in f]),
        "var": np.stack([((x - x.mean(1, keepdims=True)) ** 2).mean(1) for x in f]),
        "mse": np.stack([((f[i] - f[j]) ** 2).mean(1) for i, j in pairs]),
        "unit_mse": np.stack([((unit[i] - unit[j]) ** 2).mean(1) for i, j in pairs]),
    }


def direct(name, pictures, reference, distorted):
    """The textbook form of each distance from raw features, in float64."""
    f = [picture.astype(np.float64) for picture in pictures]
    values = []
    scale = np.mean(
        [((f[i] - f[j]) ** 2).mean(1) for i, j in zip(reference, distorted, strict=True)], axis=0
    )
    for i, j in zip(reference, distorted, strict=True):
        x, y = f[i], f[j]
        if name == "rmse":
            value = np.linalg.norm(x - y) / np.sqrt(x.size)
        elif name == "normalized_rmse":
            value = np.sqrt((((x - y) ** 2).mean(1)[scale > 0] / scale[scale > 0]).mean())
        elif name == "cosine":
            value = 1 - (x * y).sum() / np.linalg.norm(x) / np.linalg.norm(y)
        elif name == "correlation":
            value = 1 - np.corrcoef(x.ravel(), y.ravel())[0, 1]
        elif name == "lpips_uniform":
            u, v = (z / (np.sqrt((z**2).sum(0)) + 1e-10) for z in (x, y))
            value = ((u - v) ** 2).sum(0).mean()
        elif name == "dists":
            m, n = x.mean(1), y.mean(1)
            cov = ((x - m[:, None]) * (y - n[:, None])).mean(1)
            texture = (2 * m * n + 1e-6) / (m**2 + n**2 + 1e-6)
            structure = (2 * cov + 1e-6) / (x.var(1) + y.var(1) + 1e-6)
            value = 1 - (0.5 * texture + 0.5 * structure).mean()
        else:
            value = np.linalg.norm(np.concatenate([x.mean(1) - y.mean(1), x.std(1) - y.std(1)]))
        values.append(value)
    return np.array(values)


def pictures(rng, channels=5, positions=40, count=6):
    """Some reference's features and ever stronger distortions of them."""
    first = rng.normal(1, 1, (channels, positions))
    return [first, *(first + rng.normal(0, 0.1 * k, first.shape) for k in range(1, count))]


# --- against raw features of real architectures -------------------------------------------


@pytest.fixture(scope="module", params=["convolutional", "transformer"])
def raw_features(request):
    """Features of an untrained network at several depths: per layer a list of (C, P) arrays."""
    torch = pytest.importorskip("torch")
    import timm

    torch.set_num_threads(1)
    torch.manual_seed(0)
    if request.param == "convolutional":
        network = timm.create_model("resnet18", pretrained=False)
        names, size = ["act1", "layer1", "layer2.0", "layer4"], 96
    else:
        network = timm.create_model("vit_tiny_patch16_224", pretrained=False)
        names, size = ["patch_embed", "blocks.0", "blocks.5", "norm"], 224
    network.eval()
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:size, :size] / size
    base = np.stack([np.sin(9 * x + 3 * y), np.cos(14 * x * y), x - y])
    # The weakest is one grey level of 255: 33 dB is the least that TID2013 asked people about.
    batch = [base, *(base + rng.normal(0, s, base.shape) for s in (0.004, 0.02, 0.1, 0.5))]
    batch.append(1.01 * base)
    kept = {}
    for name in names:
        network.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output, name=name: kept.update({name: output.clone()})
        )
    with torch.inference_mode():
        network(torch.from_numpy(np.stack(batch)).float())
    features = {}
    for name, output in kept.items():
        array = output.numpy()
        array = array.reshape(*array.shape[:2], -1) if array.ndim == 4 else array.swapaxes(1, 2)
        features[name] = list(array)
    return features


@pytest.mark.parametrize("name", ALL)
def test_equals_direct_computation_from_raw_features(raw_features, name):
    reference, distorted = np.array([0, 0, 0, 0]), np.array([1, 2, 3, 4])
    for layer, features in raw_features.items():
        statistics = statistics_of(features, reference, distorted)
        value = measure_layer(statistics, reference, distorted, [name])[name]
        expected = direct(name, features, reference, distorted)
        assert value.dtype == np.float64
        assert (expected > 0).all(), layer
        np.testing.assert_allclose(value, expected, rtol=1e-4, err_msg=layer)


@pytest.mark.parametrize("name", ["cosine", "correlation"])
def test_mere_contrast_has_no_angle(raw_features, name):
    """Features that only grew by 1 %: the one case in which float32 statistics cancel."""
    zero, last = np.array([0]), np.array([5])
    for layer, features in raw_features.items():
        value = measure_layer(statistics_of(features, zero, last), zero, last, [name])[name]
        expected = direct(name, features, zero, last)
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=2e-9, err_msg=layer)


# --- properties ---------------------------------------------------------------------------


def test_registry_is_complete():
    assert list(DISTANCES) == ALL


@pytest.mark.parametrize("name", ALL)
def test_identical_is_zero_and_stronger_is_farther(name):
    rng = np.random.default_rng(2)
    features = pictures(rng)
    reference, distorted = np.zeros(6, int), np.arange(6)
    statistics = statistics_of(features, reference, distorted)
    value = measure_layer(statistics, reference, distorted, [name])[name]
    assert value[0] == 0.0
    assert (np.diff(value) > 0).all()


@pytest.mark.parametrize("name", ALL)
def test_identical_pictures_whose_statistics_were_rounded_differently(name):
    """Two files with the same pixels may meet different batch sizes; only the mse is exactly 0."""
    rng = np.random.default_rng(3)
    features = pictures(rng)
    reference, distorted = np.array([0, 0]), np.array([1, 2])
    statistics = statistics_of([features[0], features[0], features[3]], reference, distorted)
    for key in ("mean", "var"):
        statistics[key][1] *= np.float32(1 + 3e-7)
    assert statistics["mean"][1, 0] != statistics["mean"][0, 0]
    value = measure_layer(statistics, reference, distorted, [name])[name]
    assert value[0] == 0.0 and value[1] > 0


def test_cosine_keeps_its_digits_for_nearly_identical_pairs():
    rng = np.random.default_rng(4)
    x = rng.normal(0, 1, (64, 400))
    features = [x, x + 1e-4 * rng.normal(0, 1, x.shape)]
    zero, one = np.array([0]), np.array([1])
    statistics = statistics_of(features, zero, one)
    features = [feature.astype(np.float32) for feature in features]
    value = measure_layer(statistics, zero, one, ["cosine"])["cosine"]
    np.testing.assert_allclose(value, direct("cosine", features, zero, one), rtol=1e-3)
    assert 4e-9 < value[0] < 6e-9  # in float32, 1 - x.y/(|x||y|) would be 0 or 6e-8


@pytest.mark.parametrize("name", ALL)
def test_dead_channels_and_dead_layers_give_finite_numbers(name):
    rng = np.random.default_rng(5)
    alive = pictures(rng, count=3)
    dead = [np.vstack([picture, np.zeros((2, 40))]) for picture in alive]
    reference, distorted = np.array([0, 0]), np.array([1, 2])
    with_dead = measure_layer(
        statistics_of(dead, reference, distorted), reference, distorted, [name]
    )[name]
    assert np.isfinite(with_dead).all()
    if name == "normalized_rmse":  # dead channels are left out of the mean
        statistics = statistics_of(alive, reference, distorted)
        without = measure_layer(statistics, reference, distorted, [name])[name]
        np.testing.assert_allclose(with_dead, without, rtol=1e-12)
    zeros = [np.zeros((3, 4))] * 3
    statistics = statistics_of(zeros, reference, distorted)
    assert measure_layer(statistics, reference, distorted, [name])[name].tolist() == [0.0, 0.0]


def test_no_angle_with_nothing_counts_as_a_right_angle():
    rng = np.random.default_rng(6)
    zero, one = np.array([0]), np.array([1])
    for features, name in (
        ([np.zeros((3, 9)), rng.normal(0, 1, (3, 9))], "cosine"),
        ([rng.normal(0, 1, (3, 9)), np.full((3, 9), 2.0)], "correlation"),
    ):
        statistics = statistics_of(features, zero, one)
        assert measure_layer(statistics, zero, one, [name])[name][0] == 1.0


def test_normalized_rmse_gives_every_channel_the_same_say():
    rng = np.random.default_rng(7)
    features = pictures(rng)
    scaled = [picture * np.array([1, 1e-3, 1e3, 1, 7.0])[:, None] for picture in features]
    reference, distorted = np.zeros(5, int), np.arange(1, 6)
    values = [
        measure_layer(statistics_of(f, reference, distorted), reference, distorted, ALL[:2])
        for f in (features, scaled)
    ]
    np.testing.assert_allclose(
        values[0]["normalized_rmse"], values[1]["normalized_rmse"], rtol=1e-5
    )
    assert not np.allclose(values[0]["rmse"], values[1]["rmse"], rtol=0.1)


def test_blocks_do_not_change_a_value(monkeypatch):
    from dissect_iqa.distances import measure_distances

    rng = np.random.default_rng(8)
    features = pictures(rng, count=8)
    reference, distorted = np.zeros(7, int), np.arange(1, 8)
    statistics = statistics_of(features, reference, distorted)
    whole = measure_layer(statistics, reference, distorted, ALL)
    monkeypatch.setattr(measure_distances, "_BLOCK_NUMBERS", 15)  # three pairs a block
    parts = measure_layer(statistics, reference, distorted, ALL)
    for name in ALL:
        np.testing.assert_allclose(parts[name], whole[name], rtol=1e-14)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    scale=st.floats(1e-6, 1e6),
    channels=st.integers(1, 6),
    positions=st.integers(1, 12),
    gap=st.floats(0, 3),
)
def test_never_negative_and_symmetric(seed, scale, channels, positions, gap):
    rng = np.random.default_rng(seed)
    x = scale * rng.normal(0.5, 1, (channels, positions))
    features = [x, x + gap * scale * rng.normal(0, 1, x.shape)]
    zero, one = np.array([0]), np.array([1])
    there = measure_layer(statistics_of(features, zero, one), zero, one, ALL)
    back = measure_layer(statistics_of(features, one, zero), one, zero, ALL)
    for name in ALL:
        assert there[name][0] >= 0
        assert there[name][0] == pytest.approx(back[name][0], rel=1e-9)
    assert there["cosine"][0] <= 2 + 1e-5 and there["lpips_uniform"][0] <= 4 + 1e-5


# --- tables -------------------------------------------------------------------------------


def pairs_table(count):
    return pd.DataFrame(
        {
            "pair": np.arange(count),
            "reference": ["a", "b"][:1] * count,
            "reference_file": ["a.png"] * count,
            "distorted_file": [f"a_{k}.png" for k in range(1, count + 1)],
            "distortion": ["noise"] * count,
            "level": pd.array(range(1, count + 1), dtype="Int64"),
        }
    )


class Cache:
    """Stands in for dissect_iqa.features.file.read.FeatureCache."""

    def __init__(self, layers):
        rng = np.random.default_rng(9)
        self.images = pd.DataFrame({"name": ["a.png", "a_1.png", "a_2.png", "a_3.png"]})
        self.pairs = pd.DataFrame({"reference": [0, 0, 0], "distorted": [1, 2, 3]})
        self.layers = [
            SimpleNamespace(name=name, depth=(k + 1) / len(layers), channels=5)
            for k, name in enumerate(layers)
        ]
        arguments = [0, 0, 0], [1, 2, 3]
        self.statistics = [statistics_of(pictures(rng, count=4), *arguments) for _ in layers]

    def layer(self, index):
        return self.statistics[index]


@pytest.fixture
def cache(monkeypatch):
    """Serve a cache in memory in place of the file."""
    import sys

    cache = Cache(["conv1", "conv2"])
    asked = []

    @contextmanager
    def open_cache(path, expect_spec=None):
        asked.append((path, expect_spec))
        yield cache

    cache.asked = asked
    module = SimpleNamespace(open_cache=open_cache)
    monkeypatch.setitem(sys.modules, "dissect_iqa.features.file.read", module)
    return cache


def test_measure_distances_is_tidy_and_in_order(cache):
    table = measure_distances("f.h5", pairs_table(3), ["dists", "rmse"], "the spec")
    assert cache.asked == [("f.h5", "the spec")]
    assert table.columns.tolist() == [
        *("pair", "reference", "distorted", "distortion", "level"),
        *("kind", "layer", "depth", "distance", "fitted_on", "value", "sign"),
    ]
    assert len(table) == 2 * 2 * 3
    assert table["pair"].tolist() == [0, 1, 2] * 4
    assert table["level"].tolist() == [1, 2, 3] * 4 and table["level"].dtype == "Int64"
    assert table["distorted"].tolist() == ["a_1.png", "a_2.png", "a_3.png"] * 4
    assert table["layer"].tolist() == ["conv1"] * 6 + ["conv2"] * 6
    assert table["depth"].tolist() == [0.5] * 6 + [1.0] * 6
    assert table["distance"].tolist() == (["dists"] * 3 + ["rmse"] * 3) * 2
    assert table["sign"].dtype == np.int8 and set(table["sign"]) == {-1}
    one = table[(table["layer"] == "conv2") & (table["distance"] == "rmse")]
    expected = np.sqrt(cache.statistics[1]["mse"].mean(1, dtype=float))
    np.testing.assert_allclose(one["value"], expected, rtol=1e-12)


def test_table_survives_parquet(cache, tmp_path):
    from dissect_iqa.files.provenance import read_table, write_table

    table = measure_distances("f.h5", pairs_table(3), ["rmse"])
    write_table(table, tmp_path / "t.parquet", "{}")
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.parquet"), table)


def test_pairs_of_another_data_set_are_refused(cache):
    for wrong in (pairs_table(2), pairs_table(3).iloc[[1, 0, 2]]):
        with pytest.raises(UserError, match=r"f\.h5: holds 3 pairs that are not the [23] pairs"):
            measure_distances("f.h5", wrong, ["rmse"])


def test_features_that_overflowed_are_refused(cache):
    cache.statistics[1]["mse"][2, 0] = np.inf
    with pytest.raises(UserError, match=r"f\.h5, layer 'conv2', rmse: not a finite .*a_3\.png"):
        measure_distances("f.h5", pairs_table(3), ["rmse"])


def test_unknown_distance():
    message = r"unknown name 'cosin' \(did you mean 'cosine'\?\); allowed: rmse, normalized_rmse"
    with pytest.raises(UserError, match=message):
        measure_distances("absent.h5", pairs_table(1), ["rmse", "cosin"])


def test_distance_table_keeps_missing_levels_and_the_sign():
    pairs = pairs_table(2)
    pairs["level"] = pd.array([None, 2], dtype="Int64")
    table = distance_table(pairs, [Measured("", float("nan"), "psnr", np.array([1.0, 2.0]))], 1)
    assert table["level"].isna().tolist() == [True, False]
    assert table["depth"].isna().all() and set(table["sign"]) == {1}
