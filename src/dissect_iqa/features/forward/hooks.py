"""Visit the outputs of a network's layers while a batch passes, and stop after the last one."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from dissect_iqa.errors import UserError
from dissect_iqa.models.network import Layer

#: Height and width of a map; number and 1 for tokens.
Grid = tuple[int, int]

#: How the axes of a sequence are put into the order N, L, C.
_SEQUENCES = {"NLC": (0, 1, 2), "NCL": (0, 2, 1), "LNC": (1, 0, 2)}

#: Called with the layer's number, its output as (N, positions, channels) in any strides, and
#: how the positions lie in the picture.
Visitor = Callable[[int, torch.Tensor, Grid], None]


class _Done(Exception):
    """Ends a forward pass: every wanted layer has been visited."""


class LayerReader:
    """A network whose layers can be visited.

    Parameters
    ----------
    module : nn.Module
        In eval mode; gets a forward hook on every layer, which `close` takes away again.
    layers : sequence of Layer
        What to visit; several may name the same module with different outputs.
    name : str
        The model's id, for messages.

    Raises
    ------
    UserError
        If a layer is no module of the network.
    """

    def __init__(self, module: nn.Module, layers: tuple[Layer, ...], name: str):
        self.module = module
        self.layers = layers
        self.name = name
        self._visit: Visitor | None = None
        self._left: set[int] = set()
        self._handles = []
        for number, layer in enumerate(layers):
            try:
                part = module.get_submodule(layer.name)
            except AttributeError as error:
                raise UserError(f"{name}: the network has no layer {layer.name!r}") from error
            self._handles.append(part.register_forward_hook(self._hook(number, layer)))

    def run(self, pictures: torch.Tensor, visit: Visitor) -> None:
        """Pass a batch through the network up to the last layer.

        Parameters
        ----------
        pictures : Tensor, shape (N, C, H, W)
            The network's input.
        visit : callable
            Gets each layer's number and output. What it doesn't keep is freed at once. An
            output that it keeps may be overwritten by an in-place module later in the pass.

        Raises
        ------
        UserError
            If a layer didn't run, ran twice, or gave out something that has no channels.
        """
        self._visit, self._left = visit, set(range(len(self.layers)))
        try:
            # Not inference_mode: its tensors have no version, which tells if one was overwritten.
            with torch.no_grad():
                self.module(pictures)
        except _Done:
            pass
        finally:
            self._visit = None
        if self._left:
            missed = self.layers[min(self._left)].name
            raise UserError(f"{self.name}: layer {missed!r} never ran when a picture passed")

    def close(self) -> None:
        """Take the hooks away."""
        for handle in self._handles:
            handle.remove()

    def _hook(self, number: int, layer: Layer) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if self._visit is None:  # someone else runs the network
                return
            if number not in self._left:
                raise UserError(
                    f"{self.name}: layer {layer.name!r} ran twice for one picture; name the block "
                    "that holds it instead"
                )
            self._left.remove(number)
            self._visit(number, *by_position(output, layer, self.name))
            if not self._left:
                raise _Done

        return hook


def by_position(output: Any, layer: Layer, name: str) -> tuple[torch.Tensor, Grid]:
    """Return a layer's output as (N, positions, channels), and the grid of its positions.

    Nothing is copied where strides can say the same.

    Raises
    ------
    UserError
        If the output isn't what the layer's description says.
    """
    x = output if layer.output is None else output[layer.output]
    axes = len(layer.layout)
    if not isinstance(x, torch.Tensor) or x.dim() != axes:
        found = tuple(x.shape) if isinstance(x, torch.Tensor) else type(x).__name__
        raise UserError(
            f"{name}: layer {layer.name!r} gave out {found}, but its layout {layer.layout} "
            f"means a tensor with {axes} axes"
        )
    if layer.layout == "NCHW":
        x = x.permute(0, 2, 3, 1)
    elif layer.layout in _SEQUENCES:
        x = x.permute(_SEQUENCES[layer.layout])
        x = x[:, layer.skip_tokens : x.shape[1] - layer.skip_last, None]
    elif layer.layout == "NC":
        x = x[:, None, None]
    return x.flatten(1, 2), (x.shape[1], x.shape[2])
