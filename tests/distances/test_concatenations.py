"""Distances over several layers together equal those of the features side by side."""

from pathlib import Path

import numpy as np
import pytest
import torch
from features_data import SPEC, make_dataset, vgg
from PIL import Image

from dissect_iqa.distances.concatenations import chosen_layers, in_words
from dissect_iqa.distances.measure_distances import measure_distances
from dissect_iqa.errors import UserError
from dissect_iqa.features.extract_features import extract_features

TITLES = {"two": ["1", "9"], "every": ["*"], "others": ["blocks.*"]}


def features(network, path: Path) -> dict[str, np.ndarray]:
    """Return a picture's features at layers 1, 4 and 9, by hand."""
    found = {}
    with Image.open(path) as picture:
        pixels = torch.from_numpy(np.asarray(picture).astype(np.float32) / 255)
    x = pixels.permute(2, 0, 1)[None]
    policy = network.input
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (policy.mean, policy.std))
    x = (x - mean) / std
    for number, part in enumerate(network.module):
        x = part(x.clone())
        found[str(number)] = x.double().numpy().copy()
    return found


def test_they_equal_the_raw_features_side_by_side(tmp_path: Path) -> None:
    """On pictures of two sizes, so that a layer's number of positions differs among pairs."""
    dataset = make_dataset(tmp_path / "pictures", size=[(48, 64), (64, 96)])
    network = vgg(("1", "4", "9"))
    extract_features(network, dataset, tmp_path / "x.h5", SPEC, device="cpu", progress=False)
    pairs = dataset.pairs.assign(pair=range(len(dataset.pairs)), reference="r")
    pairs["level"] = pairs["level"].astype("Int64")
    table = measure_distances(tmp_path / "x.h5", pairs, ["cosine"], SPEC, TITLES)
    assert "rmse" not in set(table["distance"]), "computed for the sums, but not asked for"
    rows = table[table["kind"] == "concatenation"]
    assert set(rows["distance"]) == {
        f"{name} on {title}" for name in ("euclidean", "rmse") for title in ("two", "every")
    }
    assert rows["depth"].isna().all() and set(rows["sign"]) == {-1}
    maps = {file: features(network, dataset.path(file)) for file in dataset.images["file"]}
    for title, layers in (("two", ("1", "9")), ("every", ("1", "4", "9"))):
        for name in ("euclidean", "rmse"):
            found = rows.loc[rows["distance"] == f"{name} on {title}", "value"]
            assert len(found) == len(pairs)
            for value, pair in zip(found, pairs.itertuples(), strict=True):
                one, other = maps[pair.reference_file], maps[pair.distorted_file]
                squares = [(one[layer] - other[layer]) ** 2 for layer in layers]
                parts = [part.sum() if name == "euclidean" else part.mean() for part in squares]
                assert value == pytest.approx(np.sqrt(sum(parts)), rel=1e-4, abs=1e-6)


def test_a_title_stands_for_the_layers_that_a_network_has() -> None:
    known = ["conv1", "conv2", "fc"]
    assert chosen_layers(known, {"a": ["conv*"], "b": ["fc", "conv1"]}, "n") == {
        "a": [0, 1],
        "b": [0, 2],
    }
    assert chosen_layers(known, {"for others": ["blocks.*"]}, "n") == {}
    with pytest.raises(UserError, match=r"'x': no layer 'conv3' in n \(did you mean"):
        chosen_layers(known, {"x": ["conv1", "conv3"]}, "n")
    with pytest.raises(UserError, match="'fc' has the name of a layer of n"):
        chosen_layers(known, {"fc": ["conv1"]}, "n")


def test_the_methods_text_says_what_they_are() -> None:
    assert "side by side" in str(in_words("euclidean on all layers"))
    assert in_words("rmse") is None and in_words("nnls_mse on all layers") is None
