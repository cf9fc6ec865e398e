"""Fused networks give out the same layers, and plain ones are used where they wouldn't."""

import copy

import numpy as np
import pytest
import torch
from features_data import SPEC, make_dataset, resnet, stripes, vgg
from torch import nn
from torchvision import models
from torchvision.ops import FrozenBatchNorm2d

from dissect_iqa.features import expressions
from dissect_iqa.features.cache import open_cache
from dissect_iqa.features.extract import extract_features
from dissect_iqa.features.fused import FusedConv, PairMaxPool
from dissect_iqa.features.runner import Runner
from dissect_iqa.features.tune import tune

torch.set_num_threads(1)


def lively(module):
    """Give batch norms statistics, and all layers values that matter."""
    torch.manual_seed(0)
    for part in module.modules():
        if isinstance(part, (nn.BatchNorm2d, FrozenBatchNorm2d)):
            part.running_mean.normal_(0, 0.2)
            part.running_var.uniform_(0.5, 2)
            part.weight.data.uniform_(0.5, 1.5)
            part.bias.data.normal_(0, 0.2)
    return module.eval().requires_grad_(False)


def read(module, layers, pictures):
    """Return copies of the layers' outputs, made when they come out."""
    found = {}
    handles = [
        module.get_submodule(name).register_forward_hook(
            lambda _m, _i, output, name=name: found.update({name: output.clone()})
        )
        for name in layers
    ]
    with torch.no_grad():
        module(pictures)
    for handle in handles:
        handle.remove()
    return found


def check(module, layers, size=(64, 96)):
    """Compare layer by layer, for one picture and for two; return the fused network."""
    lively(module)
    before = copy.deepcopy(module.state_dict())
    tuned = tune(module, layers)
    for count in (1, 2):
        pictures = torch.randn(count, 3, *size).contiguous(memory_format=torch.channels_last)
        wanted, found = read(module, layers, pictures), read(tuned, layers, pictures)
        assert set(found) == set(layers)
        for name in layers:
            error = (found[name] - wanted[name]).norm() / wanted[name].norm()
            assert error < 2e-5, (name, float(error))
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])
    return tuned


def kinds(module, kind):
    return sum(type(part) is kind for part in module.modules())


def test_resnet():
    module = models.resnet50()
    layers = ["relu", "maxpool", "layer1.0", "layer1.2", "layer2.0", "layer4.2"]
    tuned = check(module, layers)
    assert kinds(tuned, FusedConv) == 53 and kinds(tuned, nn.BatchNorm2d) == 0


def test_nothing_is_fused_across_a_layer_that_is_read():
    layers = ["bn1", "layer1.0.conv1", "layer1.1.bn2", "layer2.0.downsample.0", "layer2.0"]
    check(models.resnet18(), layers)


def test_vgg_and_its_pools():
    module = models.vgg11_bn(init_weights=False).features
    layers = [name for name, part in module.named_children() if "Conv" not in type(part).__name__]
    check(copy.deepcopy(module), layers)
    tuned = check(module, [n for n, p in module.named_children() if isinstance(p, nn.MaxPool2d)])
    assert kinds(tuned, PairMaxPool) == 5 and kinds(tuned, nn.ReLU) == 0


@pytest.mark.parametrize(
    "name, layers",
    [
        ("mobilenet_v2", ["features.1", "features.9", "features.18"]),
        ("mobilenet_v3_small", ["features.1", "features.9"]),
        ("shufflenet_v2_x0_5", ["maxpool", "stage2.0", "stage4.3"]),
        ("squeezenet1_1", ["features.3", "features.12"]),
        ("densenet121", ["features.denseblock1", "features.transition2"]),
    ],
)
def test_other_families(name, layers):
    check(getattr(models, name)(), layers)


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet26d", "repvgg_a0"])
def test_families_of_timm(name):
    import timm

    module = timm.create_model(name)
    points = {"tf": ["blocks.0.0", "blocks.2.1", "blocks.6.0"], "re": ["stages.0.0", "layer1.0"]}
    paths = dict(module.named_modules())
    layers = [path for path in points[name[:2]] if path in paths]
    assert kinds(check(module, layers), FusedConv) > 20


def test_frozen_batch_norms():
    check(models.resnet18(norm_layer=FrozenBatchNorm2d), ["layer1.0", "layer4.1"])


class Branches(nn.Module):
    """Everything that must not be fused: values used twice, broadcasts, subtractions."""

    def __init__(self):
        super().__init__()
        self.twice = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.wide = nn.Conv2d(8, 8, 1)
        self.narrow = nn.AdaptiveAvgPool2d(1)
        self.act = nn.ReLU(inplace=True)
        self.reflect = nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect")
        self.same = nn.Conv2d(8, 8, 3, padding="same")
        self.end = nn.Identity()

    def forward(self, x):
        x = self.twice(x)
        y = self.norm(x)
        x = self.wide(x - y)
        x = self.act(x + self.narrow(x))
        x = self.act(self.reflect(x) + x)
        x = self.same(x)
        x += 1.5
        return self.end(self.act(self.wide(x) + x))


def test_what_must_not_be_fused():
    check(Branches(), ["twice", "end"])


class Untraceable(nn.Module):
    """Its code depends on its data; its blocks don't."""

    def __init__(self):
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.end = nn.Identity()

    def forward(self, x):
        if x.mean() > 100:
            x = x - 100
        return self.end(self.block(x))


def test_blocks_of_what_cannot_be_traced():
    tuned = check(Untraceable(), ["end"])
    assert kinds(tuned, FusedConv) == 1


def test_pools_of_odd_pictures_and_nan():
    x = torch.randn(2, 5, 13, 9)
    x[0, 1, 2, 3] = float("nan")
    wanted = nn.MaxPool2d(2, 2)(x)
    torch.testing.assert_close(PairMaxPool()(x), wanted, equal_nan=True)
    for other in (nn.MaxPool2d(3, 2), nn.MaxPool2d(2, 2, ceil_mode=True), nn.AvgPool2d(2)):
        assert not PairMaxPool.fits(other)


def statistics(path):
    with open_cache(path) as cache:
        return cache.facts["device"], [cache.layer(i) for i in range(len(cache.layers))]


@pytest.mark.parametrize("network", [resnet, vgg])
def test_fused_and_plain_extraction_agree(tmp_path, monkeypatch, network):
    dataset = make_dataset(tmp_path / "data", 1, 4)
    options = {"device": "cpu", "progress": False}
    extract_features(network(), dataset, tmp_path / "a.h5", SPEC, **options)
    original = Runner.__init__

    def plain(self, *arguments, **named):
        original(self, *arguments, **named, tuned=False)

    monkeypatch.setattr(Runner, "__init__", plain)
    extract_features(network(), dataset, tmp_path / "b.h5", SPEC, **options)
    (device, fused), (plain_device, unfused) = (statistics(tmp_path / f) for f in ("a.h5", "b.h5"))
    assert '"fused":true' in device and '"fused":false' in plain_device
    for a, b in zip(fused, unfused, strict=True):
        for name, value in b.items():
            scale = np.abs(value).mean()
            np.testing.assert_allclose(a[name], value, rtol=1e-3, atol=1e-4 * scale)


def test_a_fused_network_that_differs_is_not_used(tmp_path, monkeypatch, caplog):
    original = FusedConv.forward
    monkeypatch.setattr(
        FusedConv, "forward", lambda self, x, other=None: original(self, x, other) * 1.001
    )
    dataset = make_dataset(tmp_path / "data", 1, 1)
    extract_features(resnet(), dataset, tmp_path / "f.h5", SPEC, device="cpu", progress=False)
    assert "resnet18: not fused; a layer would differ by" in caplog.text
    assert '"fused":false' in statistics(tmp_path / "f.h5")[0]


@pytest.mark.parametrize("how", ["differs", "fails"])
def test_a_backend_that_is_not_right_is_not_used(tmp_path, monkeypatch, caplog, how):
    class Wrong:
        __name__ = "dissect_iqa.features.wrong"
        moments = staticmethod(expressions.moments)

        @staticmethod
        def compare(*arguments):
            if how == "fails":
                raise RuntimeError("no compiler")
            mean, var, mse, unit_mse = expressions.compare(*arguments)
            return mean, var, mse * 1.01, unit_mse

    monkeypatch.setattr("dissect_iqa.features.runner.choose_backend", lambda device: Wrong())
    dataset = make_dataset(tmp_path / "data", 1, 1)
    extract_features(stripes(), dataset, tmp_path / "f.h5", SPEC, device="cpu", progress=False)
    assert "statistics are computed by PyTorch" in caplog.text
    assert '"statistics":"expressions"' in statistics(tmp_path / "f.h5")[0]
