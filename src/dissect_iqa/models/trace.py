"""One small dry run that tells what every module of a network gives out.

The run needs no weights that mean anything, and works on the meta device too, where it costs
neither memory nor time.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from dissect_iqa.errors import UserError
from dissect_iqa.models.network import InputPolicy

#: Pictures in the dry run; two, to see which outputs keep pictures apart.
BATCH = 2

#: Heights and widths to try where any size is allowed: not square, so that the spatial axes
#: show themselves, and small; some detectors need more.
_PROBES = ((128, 160), (256, 320), (512, 640))


@dataclass(frozen=True)
class Output:
    """One tensor that a module gave out.

    Attributes
    ----------
    key : int, str or None
        Which part of a tuple, list or dict it is; None if the module gave a plain tensor.
    shape : tuple of int
        With the batch first.
    identity : int
        The same for two modules that gave out one and the same tensor.
    overwritten : bool
        A later module wrote into it.
    """

    key: int | str | None
    shape: tuple[int, ...]
    identity: int
    overwritten: bool


@dataclass(frozen=True)
class Trace:
    """What a dry run saw.

    Attributes
    ----------
    size : (int, int)
        Height and width of the pictures.
    fires : dict of str to int
        How often each module ran, in order of their first end; modules that did not run are
        missing.
    outputs : dict of str to tuple of Output
        The tensors of each module's first run; empty if it gave none.
    takes : dict of str to int
        Identity of the first tensor that each module took in its first run.
    """

    size: tuple[int, int]
    fires: dict[str, int]
    outputs: dict[str, tuple[Output, ...]]
    takes: dict[str, int]

    def are_chained(self, paths: list[str]) -> bool:
        """Tell whether each module takes exactly what the one before gave out."""
        return all(
            self.takes.get(after, 0) in {output.identity for output in self.outputs.get(before, ())}
            for before, after in pairwise(paths)
        )


def trace(
    module: nn.Module, policy: InputPolicy, size: tuple[int, int] | None = None, name: str = ""
) -> Trace:
    """Run a network once on noise and record every module's output.

    Parameters
    ----------
    module : nn.Module
        In eval mode, on any device.
    policy : InputPolicy
        Tells the number of channels and the size.
    size : (int, int), optional
        Height and width; by default a small one.
    name : str
        The model's id, for messages.

    Raises
    ------
    UserError
        If the network does not accept such a picture.
    """
    if size is None:  # a probe may be enlarged to what the network needs; a picture may not
        wanted = [tuple(max(side, policy.multiple) for side in probe) for probe in _PROBES]
    else:
        wanted = [size]
    try:
        sizes = [policy.seen(*each) for each in wanted]
    except UserError as error:
        raise UserError(f"{name or type(module).__name__}: {error}") from error
    for height, width in dict.fromkeys(sizes):
        try:
            return _run(module, len(policy.mean), height, width)
        # Whatever an unknown network raises here means that it can't take this picture.
        except Exception as error:
            last = error
    raise UserError(
        f"{name or type(module).__name__}: a dry run with a picture of {height} x {width} "
        f"failed ({type(last).__name__}: {last}). Write size=... or multiple=... into the "
        "column 'input' if the network needs a fixed size"
    ) from last


def _run(module: nn.Module, channels: int, height: int, width: int) -> Trace:
    tensors = [*module.parameters(), *module.buffers()]
    device = tensors[0].device if tensors else torch.device("cpu")
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand(BATCH, channels, height, width, generator=generator).to(device)
    fires: dict[str, int] = {}
    kept: dict[str, list[tuple[int | str | None, torch.Tensor, int]]] = {}
    taken: dict[str, Any] = {}

    def record(path: str) -> Any:
        def hook(_module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            fires[path] = fires.get(path, 0) + 1
            if fires[path] == 1:
                taken.update({path: inputs[0]} if inputs else {})
                kept[path] = [(key, t, t._version) for key, t in tensors_of(output)]

        return hook

    handles = [
        part.register_forward_hook(record(path)) for path, part in module.named_modules() if path
    ]
    try:
        with torch.no_grad():
            module(picture)
    finally:
        for handle in handles:
            handle.remove()
    outputs = {
        path: tuple(
            Output(key, tuple(tensor.shape), id(tensor), tensor._version != version)
            for key, tensor, version in found
        )
        for path, found in kept.items()
    }
    takes = {path: id(value) for path, value in taken.items()}
    return Trace((height, width), fires, outputs, takes)


def tensors_of(output: Any) -> list[tuple[int | str | None, torch.Tensor]]:
    """Return the floating-point tensors of a module's output, each with its key.

    A plain tensor has the key None; of tuples, lists and dicts one level is looked into.
    """
    if isinstance(output, torch.Tensor):
        return [(None, output)] if output.is_floating_point() else []
    if isinstance(output, dict):
        items = list(output.items())
    elif isinstance(output, (tuple, list)):
        items = list(enumerate(output))
    else:
        return []
    return [
        (key, value)
        for key, value in items
        if isinstance(value, torch.Tensor) and value.is_floating_point()
    ]
