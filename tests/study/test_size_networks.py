"""Sizes of networks: counted on skeletons, without weights, each build once."""

import pytest
from model_rows import make_row

from dissect_iqa.study import size_networks as module
from dissect_iqa.study.size_networks import COLUMNS, size_networks


def test_parameters_operations_and_layers_of_known_networks():
    """ResNet-18 as published: 11.69 million parameters; VGG-11: 132.86 million."""
    rows = {"r": make_row("resnet18"), "v": make_row("vgg11", layers="features.0;features.3")}
    table = size_networks(rows).set_index("model")
    assert [table.index.name, *table.columns] == COLUMNS
    assert table.loc["r", "parameters"] == 11_689_512
    assert table.loc["v", "parameters"] == 132_863_336
    # of 512 x 384 pixels: 3 -> 64 channels at full size, 64 -> 128 at half of it, 3 x 3 each
    picture = 384 * 512
    wanted = 2 * 9 * (3 * 64 * picture + 64 * 128 * picture / 4) / 1e9
    assert table.loc["v", "gflops"] == pytest.approx(wanted)
    assert table.loc["v", "layers"] == 2
    # 1.82 billion multiply-adds at 224 x 224, of which the last layer has half a million
    assert table.loc["r", "gflops"] == pytest.approx(2 * 1.814 * picture / 224**2, rel=0.02)


def test_networks_of_one_build_are_looked_at_once(monkeypatch):
    looked = []
    bare = module.bare_network
    monkeypatch.setattr(module, "bare_network", lambda row: looked.append(row.id) or bare(row))
    rows = {
        "a": make_row("resnet18", id="a"),
        "b": make_row("resnet18", id="b", weights="seed:3", function="another"),
        "c": make_row("resnet18", id="c", layers="layer1"),
    }
    table = size_networks(rows).set_index("model")
    assert looked == ["a", "c"]
    assert table.loc["a"].equals(table.loc["b"]) and table.loc["c", "layers"] == 1


def test_a_network_without_a_size_keeps_no_other_from_its_own(caplog):
    rows = {
        "a": make_row("resnet18", id="a"),
        "wrong": make_row("resnet18", id="wrong", layers="layer9"),
        "small": make_row("inception_v3", id="small", input="size=32"),
    }
    table = size_networks(rows).set_index("model")
    assert table.loc["a"].notna().all() and table.loc["wrong"].isna().all()
    assert table.loc["small"].isna().all()
    assert "wrong" in caplog.text and "layer9" in caplog.text
