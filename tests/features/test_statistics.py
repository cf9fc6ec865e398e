"""The statistics of given features are those of their definitions in float64."""

import importlib
import os
import subprocess
import sys
import types

import numpy as np
import pytest
import torch

from dissect_iqa.features.statistics import in_torch
from dissect_iqa.features.statistics.backend import ReferenceFeatures, choose_backend, prove

torch.set_num_threads(1)


@pytest.fixture(params=["in_torch", "in_numba", "in_triton"])
def backend(request):
    pytest.importorskip({"in_numba": "numba", "in_triton": "triton"}.get(request.param, "torch"))
    return importlib.import_module(f"dissect_iqa.features.statistics.{request.param}")


ORDERS = {"channels last": (0, 1, 2), "channels first": (0, 2, 1)}


def definition(x, y):
    """Of one picture in float64; x is the reference."""
    unit_x = x / (np.linalg.norm(x, axis=1, keepdims=True) + 1e-10)
    unit_y = y / (np.linalg.norm(y, axis=1, keepdims=True) + 1e-10)
    return y.mean(0), y.var(0), ((x - y) ** 2).mean(0), ((unit_x - unit_y) ** 2).mean(0)


def on_device(backend, tensor):
    """Move a tensor to where a backend works, keeping its strides."""
    cuda = backend.__name__.endswith("in_triton") and torch.cuda.is_available()
    return tensor.cuda() if cuda else tensor


def run(backend, references, distorted, index):
    """Return what is kept of references (mean, var, norm), and the four statistics."""
    references, distorted = on_device(backend, references), on_device(backend, distorted)
    mean, var, norm = backend.moments(references)
    found = backend.compare(distorted, references, norm, on_device(backend, torch.tensor(index)))
    return (mean.cpu(), var.cpu(), norm.cpu()), [part.cpu() for part in found]


def check(backend, references, distorted, index, rtol=2e-5):
    (mean, var, norm), found = run(backend, references, distorted, index)
    for n, r in enumerate(index):
        x, y = references[r].double().numpy(), distorted[n].double().numpy()
        for value, right in zip(found, definition(x, y), strict=True):
            assert value.dtype == torch.float32
            np.testing.assert_allclose(value[n].numpy(), right, rtol=rtol, atol=1e-30)
        np.testing.assert_allclose(mean[r].numpy(), x.mean(0), rtol=rtol, atol=1e-30)
        np.testing.assert_allclose(var[r].numpy(), x.var(0), rtol=rtol, atol=1e-30)
        np.testing.assert_allclose(norm[r].numpy(), np.linalg.norm(x, axis=1), rtol=rtol)


def features(seed, count, positions, channels, offset=0.5):
    """Positive, like most activations, so that means don't cancel."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, positions, channels, generator=generator) + offset


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    "positions, channels", [(1, 5), (7, 3), (49, 2048), (3000, 64), (2345, 17), (777, 33)]
)
def test_any_shape_and_order_of_axes(backend, order, positions, channels):
    axes = ORDERS[order]
    x, y = (
        features(seed, count, positions, channels).permute(axes).contiguous().permute(axes)
        for seed, count in ((0, 2), (1, 4))
    )
    check(backend, x, y, [1, 0, 0, 1])


@pytest.mark.parametrize("order", ORDERS)
def test_a_nearly_identical_pair_keeps_its_digits(backend, order):
    axes = ORDERS[order]
    x = features(0, 1, 4000, 64).permute(axes).contiguous().permute(axes)
    y = x.clone()
    y[0, 17, 3] += 1e-3
    check(backend, x, y, [0], rtol=2e-4)  # unit_mse: the unit vectors are float32
    _, (_, _, mse, unit_mse) = run(backend, x, x.clone(), [0])
    assert (mse == 0).all() and (unit_mse == 0).all()


def test_a_small_variance_on_a_large_mean(backend):
    x, y = (100 + 1e-2 * features(seed, 1, 5000, 16) for seed in (0, 1))
    check(backend, x, y, [0], rtol=1e-4)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_features_are_summed_in_full(backend, kind):
    x, y = (features(seed, 1, 4000, 32).to(kind) for seed in (0, 1))
    check(backend, x, y, [0])


def test_dead_positions_have_no_direction(backend):
    x, y = features(0, 1, 100, 8), features(1, 1, 100, 8)
    x[0, :50], y[0, 25:75] = 0, 0
    check(backend, x, y, [0])


def test_a_view_with_skipped_tokens(backend):
    x, y = (features(seed, 2, 197, 24)[:, 1:] for seed in (0, 1))
    check(backend, x, y, [0, 1])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("order", ORDERS)
def test_one_number_that_is_not_finite_shows(backend, bad, order):
    axes = ORDERS[order]
    x, y = (features(s, 2, 900, 8).permute(axes).contiguous().permute(axes) for s in (0, 1))
    y[1, 500, 3] = bad
    _, (mean, var, mse, _) = run(backend, x, y, [0, 1])
    for part in (mean, var, mse):
        assert torch.isfinite(part[0]).all() and not torch.isfinite(part[1, 3])
    (mean, _, _), _ = run(backend, y, x, [0, 0])
    assert not torch.isfinite(mean[1, 3])


def test_compiled_loops_need_no_place_to_be_kept():
    """Where no folder can be written to, they are compiled anew."""
    code = (
        "import torch; from dissect_iqa.features.statistics import in_numba, in_torch; "
        "x = torch.rand(1, 9, 4); "
        "torch.testing.assert_close(in_numba.moments(x), in_torch.moments(x))"
    )
    environment = os.environ | {"NUMBA_CACHE_LOCATOR_CLASSES": "IPythonCacheLocator"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


@pytest.mark.parametrize("value", [0.3, 40.0])
def test_an_even_layer_is_no_reason_to_leave_a_backend(value):
    """A block that starts at zero gives the same value everywhere; its variance is rounding."""
    even = torch.full((1, 600, 24), value) + 1e-9 * torch.arange(24)
    _, _, norm = in_torch.moments(even)
    kept = ReferenceFeatures(even, even.mean(1), even.var(1, correction=0), norm)
    exact = types.SimpleNamespace(**vars(in_torch))

    def rounded(*arguments):
        mean, var, mse, unit = in_torch.compare(*arguments)
        rounding = (1e-8 * value / 0.3) ** 2
        return mean, var + rounding, mse + rounding, unit

    exact.compare = rounded
    assert prove(exact, [kept]) < 1e-4
    exact.compare = lambda *arguments: [part + value / 300 for part in in_torch.compare(*arguments)]
    assert prove(exact, [kept]) > 1e-3


def test_a_backend_that_fails_when_it_is_imported_is_not_used(monkeypatch, caplog):
    def fail(name):
        raise AttributeError("half an installation")

    monkeypatch.setattr("importlib.import_module", fail)
    assert choose_backend(torch.device("cpu")) is in_torch
    assert "computed by PyTorch, which takes longer (half an installation)" in caplog.text
