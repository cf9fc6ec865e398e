"""A network that isn't a function of the picture is refused before the work starts."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from features_data import NETWORKS, SPEC, make_dataset, stripes
from torch import nn

from dissect_iqa.errors import UserError
from dissect_iqa.features.extract_features import extract_features
from dissect_iqa.models.network import InputPolicy, Layer, Network

torch.set_num_threads(1)


class Odd(nn.Module):
    """Two blocks with something odd between them."""

    def __init__(self, odd):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
        self.odd = odd if isinstance(odd, nn.Module) else nn.Identity()
        self.second = nn.Sequential(nn.Conv2d(8, 8, 3, stride=2), nn.ReLU())
        self.code = odd if not isinstance(odd, nn.Module) else lambda x: x

    def forward(self, x):
        return self.second(self.code(self.odd(self.first(x))))


class AlwaysDropout(nn.Dropout):
    def train(self, mode=True):
        return super().train(True)


class AlwaysBatch(nn.BatchNorm2d):
    def train(self, mode=True):
        return super().train(True)


class Running(nn.Module):
    """Subtracts a running mean that it goes on updating."""

    def __init__(self):
        super().__init__()
        self.mean = 0

    def forward(self, x):
        self.mean = 0.9 * self.mean + 0.1 * x.mean()
        return x - self.mean


class Last(nn.Module):
    """Remembers a whole batch only: one picture after another looks sound."""

    def __init__(self):
        super().__init__()
        self.last = 0

    def forward(self, x):
        if len(x) > 1:
            self.last = x[1].mean()
            return x
        return x + self.last


CHANCE, MIXES, STATE = "gives one picture other", "mixes the pictures of a batch", "keeps something"
ODD = {
    "functional dropout": (lambda: lambda x: F.dropout(x, 0.1), CHANCE, "own code (Odd)"),
    "live dropout": (lambda: AlwaysDropout(0.2), CHANCE, "module 'odd' (AlwaysDropout)"),
    "noise": (lambda: lambda x: x + 0.01 * torch.randn_like(x), CHANCE, "own code (Odd)"),
    "noise of NumPy": (lambda: lambda x: x * (1 + np.random.rand()), CHANCE, "own code (Odd)"),
    "noise of Python": (lambda: lambda x: x * (1 + random.random()), CHANCE, "own code (Odd)"),
    "no running statistics": (
        lambda: nn.BatchNorm2d(8, track_running_stats=False),
        MIXES,
        "module 'odd' (BatchNorm2d)",
    ),
    "live batch norm": (lambda: AlwaysBatch(8), MIXES, "module 'odd' (AlwaysBatch)"),
    "first of the batch": (lambda: lambda x: x - x[:1] + x.mean(), MIXES, "own code (Odd)"),
    "neighbours": (lambda: lambda x: 0.9 * x + 0.1 * x.roll(1, 0), MIXES, "own code (Odd)"),
    "running mean": (Running, STATE, "module 'odd' (Running)"),
    "remembered batch": (Last, STATE, ""),
}


def odd_network(odd):
    torch.manual_seed(0)
    layers = (Layer("first", 0.5), Layer("second", 1.0))
    return Network("odd", Odd(odd).eval().requires_grad_(False), layers, InputPolicy(), "0" * 64)


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("plain", [False, True])
def test_what_is_no_function_of_the_picture_is_refused(tmp_path, kind, plain):
    """Even where every pair is of identical pictures, for which nothing passes."""
    odd, reason, where = ODD[kind]
    dataset = make_dataset(tmp_path / "data", 2, 0)
    with pytest.raises(UserError) as caught:
        options = {"device": "cpu", "progress": False, "plain": plain}
        extract_features(odd_network(odd()), dataset, tmp_path / "f.h5", SPEC, **options)
    text = str(caught.value)
    assert text.startswith(f"odd: the network is no function of the picture: {reason}")
    assert "it first shows in layer 'second'" in text and where in text
    assert "\n" not in text
    assert not (tmp_path / "f.h5").exists() and not (tmp_path / "f.h5.part").exists()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", NETWORKS)
def test_sound_networks_are_not_refused(tmp_path, name, precision):
    dataset = make_dataset(tmp_path / "data", 1, 0)
    network = NETWORKS[name]()
    options = {"device": "cpu", "progress": False, "precision": precision}
    extract_features(network, dataset, tmp_path / "f.h5", SPEC, **options)


def test_the_generators_of_chance_are_left_as_they_were(tmp_path):
    network = odd_network(lambda x: F.dropout(x, 0.5, training=False))
    dataset = make_dataset(tmp_path / "data", 1, 0)
    torch.manual_seed(5), np.random.seed(5), random.seed(5)
    wanted = torch.rand(1).item(), np.random.rand(), random.random()
    torch.manual_seed(5), np.random.seed(5), random.seed(5)
    extract_features(network, dataset, tmp_path / "f.h5", SPEC, device="cpu", progress=False)
    assert (torch.rand(1).item(), np.random.rand(), random.random()) == wanted


def test_a_dead_layer_is_no_difference(tmp_path):
    network = replace(stripes(), input=InputPolicy(std=(1e9,) * 3))
    nn.init.constant_(network.module[0].bias, -1.0)
    dataset = make_dataset(tmp_path / "data", 1, 1)
    extract_features(network, dataset, tmp_path / "f.h5", SPEC, device="cpu", progress=False)
