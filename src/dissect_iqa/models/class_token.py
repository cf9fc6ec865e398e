"""Read the class token alone, as a layer of its own."""

from typing import Any

import torch
from torch import nn

from dissect_iqa.models.layout import POSITION_AXES
from dissect_iqa.models.network import Layout


class _FirstToken(nn.Module):
    """Give out the first token (N, C) of a sequence.

    Parameters
    ----------
    axis : int
        That of the tokens.
    """

    def __init__(self, axis: int):
        super().__init__()
        self.axis = axis

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return tokens.select(self.axis, 0)


class _Feed:
    """A forward hook that passes a module's output on to a tap."""

    def __init__(self, tap: nn.Module, key: int | str | None):
        self.tap = tap
        self.key = key

    def __call__(self, _module: nn.Module, _inputs: Any, output: Any) -> None:
        self.tap(output if self.key is None else output[self.key])


def tap_class_token(
    module: nn.Module, path: str, key: int | str | None, layout: Layout = "NLC"
) -> str:
    """Add a module that gives out the class token of another module's output.

    Parameters
    ----------
    module : nn.Module
        The network; gets a parameter-free child ``class_tokens``.
    path : str
        The module whose output starts with the class token.
    key : int, str or None
        Which part of that output.
    layout : {"NLC", "LNC"}
        Of that output.

    Returns
    -------
    str
        Path of the added module, e.g. ``class_tokens.blocks_3``.
    """
    name = path.replace(".", "_")
    taps = getattr(module, "class_tokens", None)
    if taps is None:
        taps = nn.ModuleDict()
        module.class_tokens = taps
    if name not in taps:
        taps[name] = _FirstToken(POSITION_AXES[layout][0])
        module.get_submodule(path).register_forward_hook(_Feed(taps[name], key))
    return f"class_tokens.{name}"
