"""Costs told in advance are those that come."""

import itertools

import pandas as pd
import pytest
import torch
from features_data import NETWORKS, SPEC, make_dataset, stripes
from torch.utils.flop_counter import FlopCounterMode

from dissect_iqa.features.estimate import earlier_seconds, estimate, machine_speed
from dissect_iqa.features.extract_features import extract_features
from dissect_iqa.features.file.read import open_cache

torch.set_num_threads(1)


def test_layers_and_bytes_are_those_of_the_file(tmp_path):
    dataset = make_dataset(tmp_path / "data", 4, 20)
    told = estimate(stripes(), dataset.images, len(dataset.pairs))
    extract_features(stripes(), dataset, tmp_path / "f.h5", SPEC, device="cpu", progress=False)
    with open_cache(tmp_path / "f.h5") as cache:
        for layer, found in zip(told.layers, cache.layers, strict=True):
            assert (layer.name, layer.channels) == (found.name, found.channels)
            assert layer.grid[0] * layer.grid[1] == found.positions
    assert told.raw_bytes == 4 * (23 * 31 * 8 + 11 * 15 * 12)
    assert (tmp_path / "f.h5").stat().st_size == pytest.approx(told.cache_bytes, rel=0.5)
    assert told.pictures == 88


def test_operations_are_those_of_the_network():
    images = pd.DataFrame({"height": [384], "width": [512]})
    per_pixel = 2 * 9 * (3 * 64 + 64 * 64)  # the first two convolutions
    layers = NETWORKS["vgg"]().layers[:2]
    network = NETWORKS["vgg"](tuple(layer.name for layer in layers))
    told = estimate(network, images, 0)  # "1" and "4": convolutions 1 and 2, and the pool
    assert told.gflops == pytest.approx(384 * 512 * per_pixel / 1e9)


@pytest.mark.parametrize("name", ["resnet", "vit"])
def test_any_network_can_be_told(name):
    images = pd.DataFrame({"height": [64, 64, 32], "width": [96, 96, 32]})
    told = estimate(NETWORKS[name](), images, 2)
    assert len(told.layers) == len(NETWORKS[name]().layers) and told.gflops > 0


def test_time_is_that_of_the_slowest_earlier_run(tmp_path):
    for dataset, seconds in (("one", 20), ("two", 10), ("gone", 1)):
        (tmp_path / dataset).mkdir()
        (tmp_path / dataset / "net.0123456789.tsv").write_text(f"s\th:m:s\n{seconds}\t0\n")
    assert earlier_seconds(tmp_path, {"one": 100, "two": 100}, "net", 1000) == 200
    assert earlier_seconds(tmp_path, {"one": 100}, "other", 1000) is None


def test_the_machine_s_speed_is_in_operations_as_those_of_networks_are_counted(monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr("time.perf_counter", lambda: float(next(ticks)))
    with FlopCounterMode(display=False) as counter:
        speed = machine_speed("cpu", seconds=1.5)
    # a pass to warm up, then ten between the first and the last look at the clock
    assert speed == pytest.approx(counter.get_total_flops() / 11 * 10 / 3 / 1e9)
