"""Channel statistics of one layer's output: what every distance in the field can be made of.

For features x (distorted) and r (reference) with C channels at P positions, per channel:
the mean and the (population) variance of x over positions, the mean squared difference of x and
r, and the same after dividing each position's channel vector by its L2 norm, as LPIPS does
(Zhang et al. 2018, equation 1).

Everything is computed in blocks of positions, with each block's own mean taken off before
squaring; blocks are added up in float64 (Chan et al. 1979). So a variance far below the squared
mean keeps its digits.

The difference of two unit vectors is not taken from the two, which would leave nothing but
rounding of a nearly identical pair. With d = x - r, norms |x| and |r|, e = `UNIT_EPS`, and s the
one of x and r that has the smaller norm,

    x / (|x|+e) - r / (|r|+e)
        = d / (max(|x|, |r|)+e) - s * sum(d * (x + r)) / ((|x|+|r|) (|x|+e) (|r|+e)),

where every term vanishes with d, and none is large for dead positions. Equal features give 0.

Three backends compute the same: `in_torch` (anywhere), `in_numba` (CPU) and
`in_triton` (CUDA). The latter two read every number once.
"""

import importlib
import logging
from dataclasses import dataclass
from typing import Protocol

import torch

log = logging.getLogger(__name__)

#: By device: what is tried first.
_BACKENDS = {"cpu": "in_numba", "cuda": "in_triton"}

#: Mean square of differences, as a share of that of the values, under which they are rounding.
_EVEN = 1e-10


class Backend(Protocol):
    """A module that computes the statistics."""

    def moments(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return mean (N, C), variance (N, C) and L2 norms (N, P) of features (N, P, C)."""
        ...

    def compare(
        self,
        features: torch.Tensor,
        references: torch.Tensor,
        norm: torch.Tensor,
        index: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the four statistics of features (N, P, C), float32, each of shape (N, C).

        `references` is (R, P, C), `norm` (R, P) their norms, and `index` (N,) tells which of
        them each picture is compared with. Any strides, any floating type.
        """
        ...


@dataclass(frozen=True)
class ReferenceFeatures:
    """What is kept of the references' output at one layer until all their pairs are through.

    Attributes
    ----------
    features : Tensor, shape (R, P, C)
        Any strides, any floating type.
    mean, var : Tensor of float32, shape (R, C)
        Over positions.
    norm : Tensor of float32, shape (R, P)
        Each position's L2 norm.
    """

    features: torch.Tensor
    mean: torch.Tensor
    var: torch.Tensor
    norm: torch.Tensor


def choose_backend(device: torch.device) -> Backend:
    """Return the fastest backend that can be loaded for a device, and log which if it isn't."""
    from dissect_iqa.features.statistics import in_torch

    name = _BACKENDS.get(device.type)
    if name is None:
        return in_torch
    try:
        return importlib.import_module(f"dissect_iqa.features.statistics.{name}")
    except Exception as error:  # what it imports may fail in any way
        log.warning("statistics are computed by PyTorch, which takes longer (%s)", error)
        return in_torch


def prove(backend: Backend, references: list[ReferenceFeatures]) -> float:
    """Return the largest relative deviation of a backend from PyTorch, over layers.

    Each layer's features are compared with themselves shifted by a position.
    """
    from dissect_iqa.features.statistics import in_torch

    worst = 0.0
    for kept in references:
        index = torch.zeros(1, dtype=torch.int64, device=kept.features.device)
        shifted = kept.features[:1].roll(1, dims=1)
        arguments = (shifted, kept.features[:1], kept.norm[:1], index)
        # What float32 can't tell from 0 beside the features (a layer may be even) doesn't count.
        square = shifted.float().square().mean()
        mean, square, unit = 1e-3 * square.sqrt(), _EVEN * square, square.new_tensor(_EVEN)
        results = zip(
            (*backend.compare(*arguments), *backend.moments(shifted)),
            (*in_torch.compare(*arguments), *in_torch.moments(shifted)),
            (mean, square, square, unit, mean, square, mean),
            strict=True,
        )
        for found, right, least in results:
            largest = right.abs().max().maximum(least).clamp_min(1e-30)
            worst = max(worst, float((found - right).abs().max() / largest))
    return worst
