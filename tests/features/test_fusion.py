"""Fused networks give out the same layers, and plain ones are used where they wouldn't."""

import copy
from contextlib import nullcontext

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from features_data import SPEC, make_dataset, resnet, stripes, vgg
from torch import nn
from torchvision import models
from torchvision.ops import FrozenBatchNorm2d

from dissect_iqa.errors import UserError
from dissect_iqa.features.extract_features import extract_features
from dissect_iqa.features.file.read import open_cache
from dissect_iqa.features.forward import runner
from dissect_iqa.features.forward.loop import Engine
from dissect_iqa.features.fusion.fused import Fusing, FusingFault, Step
from dissect_iqa.features.statistics import in_torch
from dissect_iqa.models.network import InputPolicy, Layer, Network

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


def read(module, layers, pictures, fusing=None):
    """Return copies of the layers' outputs, made when they come out."""
    found = {}
    handles = [
        module.get_submodule(name).register_forward_hook(
            lambda _m, _i, output, name=name: found.update({name: output.clone()})
        )
        for name in layers
    ]
    with torch.no_grad(), fusing or nullcontext():
        module(pictures)
    for handle in handles:
        handle.remove()
    return found


def check(module, layers, size=(64, 96)):
    """Compare layer by layer, for one picture and for two; return how many steps are fused."""
    lively(module)
    before = copy.deepcopy(module.state_dict())
    kept = {id(part): dict(vars(part)) for part in module.modules()}
    fusing = Fusing(module)
    for count in (1, 2):
        fusing.count = 0
        pictures = torch.randn(count, 3, *size).contiguous(memory_format=torch.channels_last)
        wanted, found = (read(module, layers, pictures, how) for how in (None, fusing))
        fusing.check()
        assert set(found) == set(layers)
        for name in layers:
            assert found[name].shape == wanted[name].shape
            error = (found[name] - wanted[name]).norm() / wanted[name].norm()
            assert error < 2e-5, (name, float(error))
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])
    for part in module.modules():  # nothing was put into a module, or taken out
        assert vars(part).keys() == kept[id(part)].keys()
    return fusing.count


def test_resnet():
    layers = ["maxpool", "layer1.0", "layer1.2", "layer2.0", "layer4.2"]
    # 53 norms, 49 ReLUs, 16 sums
    assert check(models.resnet50(), layers) == 53 + 49 + 16


def test_nothing_is_fused_across_a_layer_that_is_read():
    layers = ["bn1", "layer1.0.conv1", "layer1.1.bn2", "layer2.0.downsample.0", "layer2.0"]
    check(models.resnet18(), layers)


def test_vgg_and_its_pools():
    module = models.vgg11_bn(init_weights=False).features
    layers = [name for name, part in module.named_children() if "Conv" not in type(part).__name__]
    check(copy.deepcopy(module), layers)
    # 8 norms, 8 ReLUs, 5 pools
    pools = [n for n, p in module.named_children() if isinstance(p, nn.MaxPool2d)]
    assert check(module, pools) == 8 + 8 + 5


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
    assert check(module, layers) > 20


def test_frozen_batch_norms():
    check(models.resnet18(norm_layer=FrozenBatchNorm2d), ["layer1.0", "layer4.1"])


class Branches(nn.Module):
    """Values used twice, broadcasts, subtractions, paddings of all kinds, one layer run twice."""

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


class InPlace(nn.Module):
    """Writes into what waits: sums and activations in place, views, an output given out twice."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.norm, self.end = nn.BatchNorm2d(8), nn.Identity()

    def forward(self, x):
        x = self.a(x)
        alias = x
        x += 1
        F.relu_(x)
        first = alias[:, :4]
        y = self.b(x)
        other = y
        y += x
        y.relu_()
        z = self.norm(self.b(y))
        z.mul_(2)
        z[:, 0] = 3
        torch.add(z, y, out=z)
        return self.end(torch.cat([z, first, other], 1))


class Undecided(nn.Module):
    """Goes by size, by values, by what kind of thing it is given, and by an optional argument."""

    def __init__(self):
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.wide, self.side = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1)
        self.end = nn.Identity()
        self.block.grid_size = 3

    def choose(self, x, mask=None, *, depth=None):
        if mask is not None and depth is None:
            return self.side(x)
        return self.wide(x) if isinstance(x, torch.Tensor) else x

    def forward(self, x):
        y = self.block[0](x)
        if y.mean() > 0 or len(self.block) != self.block.grid_size:
            y = y - 1
        for part in self.block[1:]:
            y = part(y)
        if y.shape[2] > 60:
            y = F.relu(self.choose(y), True)
        try:
            y = self.choose(y, mask=y.size(0), depth=None) + y.shape[1] + F.relu(input=self.wide(y))
        except TypeError:
            y = y * 0
        return self.end(y[:, [0]] if y.numel() % 2 else y.relu())


@pytest.mark.parametrize("kind", [Branches, InPlace, Undecided])
@pytest.mark.parametrize("size", [(64, 96), (33, 21)])
def test_whatever_a_network_does_with_what_waits(kind, size):
    torch.manual_seed(1)
    module = kind()
    layers = ["end", *(["twice"] if kind is Branches else [])]
    assert check(module, layers, size) > 0


def test_what_would_be_computed_twice_no_longer_waits():
    class Twice(nn.Sequential):
        def forward(self, x):
            x = self[0](x)
            return self[2](F.relu(x) * x)

    module = Twice(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Identity())
    check(module, ["2"])
    assert check(module, ["2"]) == 0 or Fusing(module).count == 0


def test_a_value_that_changes_before_it_is_used_is_noticed():
    class Hasty(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

        def forward(self, x):
            x = x * 1
            y = self.conv(x)
            x.zero_()
            return self.norm(y).sum()

    module = Hasty().eval()
    with torch.no_grad(), Fusing(module), pytest.raises(FusingFault, match="overwritten"):
        module(torch.randn(1, 3, 8, 8))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30])
@pytest.mark.parametrize("act", [nn.ReLU(), nn.ReLU6(), nn.SiLU(), nn.Hardswish()])
def test_nothing_hides_what_is_not_finite(bad, act):
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), act).eval().requires_grad_(False)
    fusing, x = Fusing(module), torch.randn(1, 3, 8, 8)
    x[0, 1, 4, 4] = bad
    with torch.no_grad():
        plain = module(x)
        with fusing:
            fused = module(x) * 1
    try:
        fusing.check()
    except FusingFault:
        return
    torch.testing.assert_close(fused, plain, equal_nan=True)


def test_other_arithmetic_is_left_alone():
    module = lively(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()))
    fusing = Fusing(module)
    x = torch.randn(1, 3, 8, 8)
    with fusing, torch.no_grad():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert module(x).dtype == torch.bfloat16
        with torch.inference_mode():
            module(x * 1)
        module.double()(x.double())
        module.float()
    with fusing:
        assert not module(x).requires_grad
    assert fusing.count == 0


def test_pools_of_odd_pictures_and_nan():
    x = torch.randn(2, 5, 13, 9)
    x[0, 1, 2, 3] = float("nan")
    with torch.no_grad():
        for options, fused in (
            ({"kernel_size": 2, "stride": 2}, 1),
            ({"kernel_size": (2, 2)}, 1),
            ({"kernel_size": 3, "stride": 2}, 0),
            ({"kernel_size": 2, "ceil_mode": True}, 0),
        ):
            fusing, pool = Fusing(nn.Identity()), nn.MaxPool2d(**options)
            with fusing:
                found = pool(x)
            torch.testing.assert_close(found, pool(x), equal_nan=True)
            assert fusing.count == fused


def statistics(path):
    with open_cache(path) as cache:
        return cache.facts["device"], [cache.layer(i) for i in range(len(cache.layers))]


@pytest.mark.parametrize("network", [resnet, vgg])
def test_fused_and_plain_extraction_agree(tmp_path, network):
    dataset = make_dataset(tmp_path / "data", 1, 4)
    options = {"device": "cpu", "progress": False}
    extract_features(network(), dataset, tmp_path / "a.h5", SPEC, **options)
    extract_features(network(), dataset, tmp_path / "b.h5", SPEC, plain=True, **options)
    (device, fused), (plain_device, unfused) = (statistics(tmp_path / f) for f in ("a.h5", "b.h5"))
    assert '"fused":true' in device and '"statistics":"in_numba"' in device
    assert '"fused":false' in plain_device and '"statistics":"in_torch"' in plain_device
    for a, b in zip(fused, unfused, strict=True):
        for name, value in b.items():
            scale = np.abs(value).mean()
            np.testing.assert_allclose(a[name], value, rtol=1e-3, atol=1e-4 * scale)


WRONG = {
    "a layer would differ by": lambda y: y * 1.001,
    "must match the size": lambda y: y[:, :, 1:],
    "not finite": lambda y: y * float("nan"),
    "RuntimeError: out of luck": lambda y: (_ for _ in ()).throw(RuntimeError("out of luck")),
}


@pytest.mark.parametrize("cause", WRONG)
def test_a_fused_network_that_is_wrong_is_not_used(tmp_path, monkeypatch, caplog, cause):
    original = Step.compute
    monkeypatch.setattr(Step, "compute", lambda self: WRONG[cause](original(self)))
    dataset = make_dataset(tmp_path / "data", 1, 1)
    extract_features(resnet(), dataset, tmp_path / "f.h5", SPEC, device="cpu", progress=False)
    (line,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert line.startswith("resnet18: not fused") and cause in line
    assert '"fused":false' in statistics(tmp_path / "f.h5")[0]


@pytest.mark.parametrize("how", ["fails", "gives NaN", "fails in the statistics"])
def test_a_fast_way_that_fails_later_is_left(tmp_path, monkeypatch, caplog, how):
    dataset = make_dataset(tmp_path / "data", 2, 3, size=[(48, 64), (56, 72)])
    options = {"device": "cpu", "progress": False}
    extract_features(resnet(), dataset, tmp_path / "p.h5", SPEC, plain=True, **options)
    original, fast = Step.compute, runner.choose_backend(torch.device("cpu"))
    engine_runs, run = [], Engine.run
    monkeypatch.setattr(Engine, "run", lambda *a: engine_runs.append(1) or run(*a))

    def step(self):
        if engine_runs and len(self.x) > 1 and how == "fails":
            raise RuntimeError("only now\nand a second line")
        return original(self) * (float("nan") if engine_runs and how == "gives NaN" else 1)

    class Backend:
        __name__ = "dissect_iqa.features.sometimes"
        moments = staticmethod(fast.moments)

        @staticmethod
        def compare(*arguments):
            if engine_runs and how == "fails in the statistics":
                raise RuntimeError("only now")
            return fast.compare(*arguments)

    monkeypatch.setattr(Step, "compute", step)
    monkeypatch.setattr(runner, "choose_backend", lambda device: Backend())
    caplog.clear()
    extract_features(resnet(), dataset, tmp_path / "f.h5", SPEC, **options)
    (line,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    cause = {"gives NaN": "values that are not finite"}.get(how, "RuntimeError: only now")
    assert line.startswith("resnet18: ") and cause in line and "\n" not in line
    (device, found), (_, plain) = (statistics(tmp_path / f) for f in ("f.h5", "p.h5"))
    assert "in part" in device and cause in device
    for a, b in zip(found, plain, strict=True):
        for name, value in b.items():
            np.testing.assert_allclose(a[name], value, rtol=1e-3, atol=1e-4 * np.abs(value).mean())


def test_a_run_that_goes_on_tells_what_was_left_before(tmp_path, monkeypatch):
    dataset = make_dataset(tmp_path / "data", 1, 2)
    options = {"device": "cpu", "progress": False}
    original, run, engine_runs = Step.compute, Engine.run, []

    def end(self, progress):
        engine_runs.append(1)
        run(self, progress)
        raise KeyboardInterrupt

    def step(self):
        if engine_runs:
            raise RuntimeError("only now")
        return original(self)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Step, "compute", step)
        patch.setattr(Engine, "run", end)
        extract_features(resnet(), dataset, tmp_path / "f.h5", SPEC, **options)
    extract_features(resnet(), dataset, tmp_path / "f.h5", SPEC, **options)
    assert "the fused network failed: RuntimeError: only now" in statistics(tmp_path / "f.h5")[0]


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
        extract_features(network, dataset, tmp_path / "f.h5", SPEC, device="cpu", progress=False)
    assert "picky: the network itself fails on a picture of 64 x 48 (KeyError: 'upright')" in str(
        caught.value
    )
    assert not [r for r in caplog.records if r.levelname == "WARNING"]


def test_transformers_with_parts_that_are_asked_for(tmp_path, caplog):
    """timm's transformers ask their patch embedding for its size, and more."""
    import timm

    torch.manual_seed(0)
    options = {"dynamic_img_size": True, "depth": 2}
    module = timm.create_model("vit_tiny_patch16_224", **options).eval().requires_grad_(False)
    layers = tuple(Layer(f"blocks.{i}", (i + 1) / 2, "NLC", 1) for i in range(2))
    network = Network("vit", module, layers, InputPolicy(multiple=16), "0" * 64)
    dataset = make_dataset(tmp_path / "data", 2, 1, size=[(48, 64), (80, 33)])
    extract_features(network, dataset, tmp_path / "f.h5", SPEC, device="cpu", progress=False)
    assert not [r for r in caplog.records if r.levelname == "WARNING"]


@pytest.mark.parametrize("how", ["differs", "fails"])
def test_a_backend_that_is_not_right_is_not_used(tmp_path, monkeypatch, caplog, how):
    class Wrong:
        __name__ = "dissect_iqa.features.wrong"
        moments = staticmethod(in_torch.moments)

        @staticmethod
        def compare(*arguments):
            if how == "fails":
                raise RuntimeError("no compiler")
            mean, var, mse, unit_mse = in_torch.compare(*arguments)
            return mean, var, mse * 1.01, unit_mse

    monkeypatch.setattr(
        "dissect_iqa.features.forward.runner.choose_backend", lambda device: Wrong()
    )
    dataset = make_dataset(tmp_path / "data", 1, 1)
    extract_features(stripes(), dataset, tmp_path / "f.h5", SPEC, device="cpu", progress=False)
    assert "statistics are computed by PyTorch" in caplog.text
    assert '"statistics":"in_torch"' in statistics(tmp_path / "f.h5")[0]
