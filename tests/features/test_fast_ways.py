"""Fast statistics agree with PyTorch's, and these are used where they wouldn't."""

import numpy as np
import pytest
import torch
from features_data import SPEC, make_dataset, resnet, stripes, vgg
from torch import nn

from dissect_iqa.errors import UserError
from dissect_iqa.features.extract_features import extract_features
from dissect_iqa.features.file.read import open_cache
from dissect_iqa.features.forward.loop import Engine
from dissect_iqa.features.statistics import chosen, in_torch
from dissect_iqa.models.network import InputPolicy, Layer, Network

torch.set_num_threads(1)

OPTIONS = {"device": "cpu", "progress": False}


def statistics(path):
    with open_cache(path) as cache:
        return cache.facts["device"], [cache.layer(i) for i in range(len(cache.layers))]


def assert_alike(found, wanted):
    for a, b in zip(found, wanted, strict=True):
        for name, value in b.items():
            np.testing.assert_allclose(a[name], value, rtol=1e-3, atol=1e-4 * np.abs(value).mean())


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def use(monkeypatch, compare=in_torch.compare, moments=in_torch.moments):
    """Let extraction choose a backend of the test's own."""

    class Backend:
        __name__ = "dissect_iqa.features.of_a_test"

    Backend.compare, Backend.moments = staticmethod(compare), staticmethod(moments)
    monkeypatch.setattr(chosen, "choose_backend", lambda device: Backend())


@pytest.mark.parametrize("network", [resnet, vgg])
def test_fast_and_plain_extraction_agree(tmp_path, network):
    dataset = make_dataset(tmp_path / "data", 1, 4)
    extract_features(network(), dataset, tmp_path / "a.h5", SPEC, **OPTIONS)
    extract_features(network(), dataset, tmp_path / "b.h5", SPEC, plain=True, **OPTIONS)
    (device, fast), (plain_device, plain) = (statistics(tmp_path / f) for f in ("a.h5", "b.h5"))
    assert '"statistics":"in_numba"' in device and '"statistics":"in_torch"' in plain_device
    assert_alike(fast, plain)


@pytest.mark.parametrize("how", ["differs", "fails"])
def test_a_backend_that_is_not_right_is_not_used(tmp_path, monkeypatch, caplog, how):
    def compare(*arguments):
        if how == "fails":
            raise RuntimeError("no compiler\nand a second line")
        mean, var, mse, unit_mse = in_torch.compare(*arguments)
        return mean, var, mse * 1.01, unit_mse

    use(monkeypatch, compare)
    dataset = make_dataset(tmp_path / "data", 1, 1)
    extract_features(stripes(), dataset, tmp_path / "f.h5", SPEC, **OPTIONS)
    (line,) = warnings(caplog)
    assert "statistics are computed by PyTorch" in line and "\n" not in line
    assert ("would differ by 1e-02" if how == "differs" else "RuntimeError: no compiler") in line
    assert '"statistics":"in_torch"' in statistics(tmp_path / "f.h5")[0]


@pytest.mark.parametrize("how", ["fails", "gives NaN", "fails with references"])
def test_a_fast_way_that_fails_later_is_left(tmp_path, monkeypatch, caplog, how):
    dataset = make_dataset(tmp_path / "data", 2, 3, size=[(48, 64), (56, 72)])
    extract_features(resnet(), dataset, tmp_path / "p.h5", SPEC, plain=True, **OPTIONS)
    engine_runs, run = [], Engine.run
    monkeypatch.setattr(Engine, "run", lambda *a: engine_runs.append(1) or run(*a))

    def compare(*arguments):
        if engine_runs and how == "fails":
            raise RuntimeError("only now")
        found = in_torch.compare(*arguments)
        return [part * float("nan") for part in found] if engine_runs and "NaN" in how else found

    def moments(features):
        if engine_runs and how == "fails with references":
            raise RuntimeError("only now")
        return in_torch.moments(features)

    use(monkeypatch, compare, moments)
    caplog.clear()
    extract_features(resnet(), dataset, tmp_path / "f.h5", SPEC, **OPTIONS)
    (line,) = warnings(caplog)
    cause = "a feature is not finite" if how == "gives NaN" else "RuntimeError: only now"
    assert line.startswith("resnet18: ") and cause in line
    (device, found), (_, plain) = (statistics(tmp_path / f) for f in ("f.h5", "p.h5"))
    assert "in part" in device and cause in device
    assert_alike(found, plain)


def test_a_run_that_goes_on_tells_what_was_left_before(tmp_path, monkeypatch):
    dataset = make_dataset(tmp_path / "data", 1, 2)
    run, engine_runs = Engine.run, []

    def end(self, progress):
        engine_runs.append(1)
        run(self, progress)
        raise KeyboardInterrupt

    def compare(*arguments):
        if len(engine_runs) == 1:
            raise RuntimeError("only now")
        return in_torch.compare(*arguments)

    use(monkeypatch, compare)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Engine, "run", end)
        extract_features(resnet(), dataset, tmp_path / "f.h5", SPEC, **OPTIONS)
    engine_runs.append(2)
    extract_features(resnet(), dataset, tmp_path / "f.h5", SPEC, **OPTIONS)
    assert "(RuntimeError: only now)" in statistics(tmp_path / "f.h5")[0]


class Picky(nn.Module):
    """Refuses pictures that are higher than wide, by an exception of its own."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        if x.shape[2] > x.shape[3]:
            raise KeyError("upright")
        return self.conv(x)


def test_a_fault_of_the_network_is_named_as_its_own_and_once(tmp_path, caplog):
    network = Network("picky", Picky().eval(), (Layer("conv", 1.0),), InputPolicy(), "0" * 64)
    dataset = make_dataset(tmp_path / "data", 3, 1, size=[(48, 64), (48, 64), (64, 48)])
    with pytest.raises(UserError) as caught:
        extract_features(network, dataset, tmp_path / "f.h5", SPEC, **OPTIONS)
    assert "picky: the network itself fails on a picture of 64 x 48 (KeyError: 'upright')" in str(
        caught.value
    )
    assert not warnings(caplog)


def test_transformers_with_parts_that_are_asked_for(tmp_path, caplog):
    """timm's transformers ask their patch embedding for its size, and more."""
    import timm

    torch.manual_seed(0)
    options = {"dynamic_img_size": True, "depth": 2}
    module = timm.create_model("vit_tiny_patch16_224", **options).eval().requires_grad_(False)
    layers = tuple(Layer(f"blocks.{i}", (i + 1) / 2, "NLC", 1) for i in range(2))
    network = Network("vit", module, layers, InputPolicy(multiple=16), "0" * 64)
    dataset = make_dataset(tmp_path / "data", 2, 1, size=[(48, 64), (80, 33)])
    extract_features(network, dataset, tmp_path / "f.h5", SPEC, **OPTIONS)
    assert not warnings(caplog)
