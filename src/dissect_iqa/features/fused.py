"""Modules that do in one pass what a network does in several."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class Activation:
    """An activation as oneDNN knows it, and as a module.

    Attributes
    ----------
    name : str
        oneDNN's name; ``none`` for the identity.
    scalars : tuple of float
        Its parameters.
    module : nn.Module
        Does the same to a tensor, in place.
    """

    name: str
    scalars: tuple[float, ...]
    module: nn.Module


def activation_of(module: nn.Module) -> Activation | None:
    """Return a module as an activation that can be fused, else None."""
    kind = type(module)
    if kind is nn.Identity:
        return Activation("none", (), nn.Identity())
    if kind is nn.ReLU:
        return Activation("relu", (), nn.ReLU(inplace=True))
    if kind is nn.ReLU6 or (kind is nn.Hardtanh and module.min_val < module.max_val):
        low, high = float(module.min_val), float(module.max_val)
        return Activation("hardtanh", (low, high), nn.Hardtanh(low, high, inplace=True))
    if kind is nn.SiLU:
        return Activation("swish", (), nn.SiLU(inplace=True))
    if kind is nn.Hardswish:
        return Activation("hardswish", (), nn.Hardswish(inplace=True))
    return None


class FusedConv(nn.Module):
    """A convolution, then optionally a sum and an activation, in one pass on the CPU.

    Parameters
    ----------
    conv : nn.Conv2d
        Tells the geometry; a subclass with a forward of its own keeps it.
    weight, bias : Tensor
        To be used instead of its own.
    activation : Activation or None
        Comes last.
    """

    def __init__(
        self,
        conv: nn.Conv2d,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        activation: Activation | None,
    ):
        super().__init__()
        self._act = activation or Activation("none", (), nn.Identity())
        plain = type(conv) is nn.Conv2d and not isinstance(conv.padding, str)
        self.adds = plain and conv.padding_mode == "zeros"
        self._geometry = (conv.padding, conv.stride, conv.dilation, conv.groups)
        self.register_buffer("weight", weight.detach(), persistent=False)
        self.register_buffer("bias", None if bias is None else bias.detach(), persistent=False)
        self._packed: dict[bool, torch.Tensor] = {}
        self._conv = None
        if not self.adds:
            self._conv = _with_weights(conv, self.weight, self.bias)

    def forward(self, x: torch.Tensor, other: torch.Tensor | None = None) -> torch.Tensor:
        """Return act(conv(x) + other)."""
        if self._conv is not None:
            return self._act.module(self._conv(x))
        if self.weight.device.type == "cpu" and x.dtype == torch.float32 and _has_onednn():
            return self._onednn(x, other)
        padding, stride, dilation, groups = self._geometry
        y = F.conv2d(x, self.weight, self.bias, stride, padding, dilation, groups)
        if other is not None:
            y = y.add_(other) if y.shape == other.shape else y + other
        return self._act.module(y)

    def _onednn(self, x: torch.Tensor, other: torch.Tensor | None) -> torch.Tensor:
        operators = torch.ops.mkldnn
        padding, stride, dilation, groups = self._geometry
        several = len(x) > 1  # oneDNN lays weights out differently for one picture and for many
        if several not in self._packed:
            self._packed[several] = operators._reorder_convolution_weight(
                self.weight, padding, stride, dilation, groups, list(x.shape)
            )
        weight = self._packed[several]
        name, scalars = self._act.name, list(self._act.scalars)
        if other is None:
            return operators._convolution_pointwise(
                x, weight, self.bias, padding, stride, dilation, groups, name, scalars, ""
            )
        if self._output_shape(x) != other.shape:  # a sum that broadcasts
            y = operators._convolution_pointwise(
                x, weight, self.bias, padding, stride, dilation, groups, "none", [], ""
            )
            return self._act.module(y + other)
        options = ("add", None, None if name == "none" else name, scalars, "")
        return operators._convolution_pointwise.binary(
            x, other, weight, self.bias, padding, stride, dilation, groups, *options
        )

    def _output_shape(self, x: torch.Tensor) -> Sequence[int]:
        padding, stride, dilation, _ = self._geometry
        kernel = self.weight.shape[2:]
        sides = [
            (side + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1
            for i, side in enumerate(x.shape[2:])
        ]
        return torch.Size((len(x), len(self.weight), *sides))


class PairMaxPool(nn.Module):
    """The largest of each 2 x 2 window, without the indices that PyTorch's pool computes, too."""

    @staticmethod
    def fits(module: nn.Module) -> bool:
        """Tell whether a module is such a pool."""
        if type(module) is not nn.MaxPool2d or module.ceil_mode or module.return_indices:
            return False
        pairs = [_pair(getattr(module, key)) for key in ("kernel_size", "stride")]
        return (
            pairs == [(2, 2), (2, 2)]
            and _pair(module.padding) == (0, 0)
            and _pair(module.dilation) == (1, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pool (N, C, H, W)."""
        height, width = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
        x = x[:, :, :height, :width]
        y = torch.maximum(x[:, :, ::2, ::2], x[:, :, ::2, 1::2])
        torch.maximum(y, x[:, :, 1::2, ::2], out=y)
        return torch.maximum(y, x[:, :, 1::2, 1::2], out=y)


def _with_weights(conv: nn.Conv2d, weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Module:
    memo: dict[int, Any] = {id(conv.weight): nn.Parameter(weight, requires_grad=False)}
    new = copy.deepcopy(conv, memo)
    new.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)
    return new


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def _has_onednn() -> bool:
    return torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled
