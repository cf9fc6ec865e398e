"""`check`: a sound model passes everything, and each fault is found and named."""

from pathlib import Path

import pytest
import torch
from model_rows import make_row
from torch import nn

from dissect_iqa.doctor.check_model import check_model, rivals
from dissect_iqa.models.architecture import build
from dissect_iqa.models.weights.file import write_weights


class Faulty(nn.Module):
    """A small network with one fault of choice."""

    def __init__(self, fault):
        super().__init__()
        self.fault = fault
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(8, 8, 3, stride=2), nn.ReLU())

    def forward(self, x):
        if self.fault == "mixes":
            x = x - x.mean(0, keepdim=True)
        if self.fault == "random":
            x = x + torch.rand_like(x)
        if self.fault == "blind":
            x = torch.ones_like(x)
        if self.fault == "infinite":
            x = x / 0.0
        return self.second(self.first(x))


def faulty(fault="none"):
    return Faulty(fault)


def prepared(folder, fault="none", seed=0):
    row = make_row(f"net fault={fault}", f"{__name__}:faulty", id="net", layers="first;second")
    path = Path(folder) / f"{fault}-{seed}.safetensors"
    write_weights(build(row, seed=seed).state_dict(), path, {})
    return row, path


def failed(results):
    return {result.what for result in results if not result.passed}


def test_a_sound_network_passes_everything(tmp_path):
    row, path = prepared(tmp_path)
    results = check_model(row, path, {"other": prepared(tmp_path, seed=1)[1]})
    assert not failed(results)
    assert [result.what for result in results] == [
        "builds",
        "loads strictly",
        "layers",
        "own weights",
        "finite",
        "batch-independent",
        "identical pair is 0",
        "grows with noise",
    ]
    assert not any(result.mend for result in results)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("mixes", {"batch-independent"}),
        ("random", {"batch-independent", "identical pair is 0"}),
        ("blind", {"grows with noise"}),
    ],
)
def test_each_fault_is_found(tmp_path, fault, expected):
    results = check_model(*prepared(tmp_path, fault))
    assert expected <= failed(results)
    assert all(result.mend for result in results if not result.passed)


def test_infinite_features_are_found(tmp_path):
    results = check_model(*prepared(tmp_path, "infinite"))
    assert failed(results) == {"finite"}
    assert "'first'" in results[-1].found


def test_shared_weights_are_found(tmp_path):
    row, path = prepared(tmp_path)
    copy = tmp_path / "copy.safetensors"
    write_weights(build(row, seed=0).state_dict(), copy, {"noted": "something else"})
    (result,) = [r for r in check_model(row, path, {"twin": copy}) if r.what == "own weights"]
    assert not result.passed
    assert "twin" in result.found
    assert "fetch again" in result.mend


def test_missing_or_unfit_weights_end_the_check(tmp_path):
    row, path = prepared(tmp_path)
    results = check_model(row, tmp_path / "none.safetensors")
    assert [result.what for result in results] == ["builds", "weights"]
    assert "snakemake" in results[-1].mend
    write_weights({"first.0.weight": torch.ones(1)}, path, {})
    assert failed(check_model(row, path)) == {"loads strictly"}
    wrong = make_row("resnet5O")
    assert failed(check_model(wrong, path)) == {"builds"}


def test_rivals_are_other_weights_of_the_same_network():
    rows = [
        make_row("resnet18 head=none", id="a", weights="seed:0"),
        make_row("resnet18", id="b", weights="seed:1"),
        make_row("resnet34", id="c", weights="seed:0"),
        make_row("resnet18", "timm", id="d", weights="seed:0"),
    ]
    assert rivals(rows[0], rows) == ["b"]


def test_a_real_architecture_passes(tmp_path):
    row = make_row("mobilenetv3_small_050", "timm", input="timm")
    path = tmp_path / "w.safetensors"
    write_weights(build(row, seed=0).state_dict(), path, {})
    assert not failed(check_model(row, path))
