"""Whether a network is a function of the picture: the same features whenever it passes.

Dropout that is live in eval mode, norms over the batch and state that is kept from picture to
picture all make numbers that depend on the order of work, the size of batches, or chance.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from dissect_iqa.features.forward.hooks import Grid, LayerReader
from dissect_iqa.models.trace import tensors_of

#: Relative difference (L2) of a layer between two equal passes, and between passes of one picture
#: and of several. Of float32, rounding makes at most 1e-4 of the latter in any row of the zoo.
_REPEATED, _IN_COMPANY = 1e-4, 2e-3


def why_not_a_function(
    reader: LayerReader, picture: torch.Tensor, others: torch.Tensor
) -> str | None:
    """Pass a picture alone, again, in company, and after others; tell what makes it differ.

    Parameters
    ----------
    reader : LayerReader
        A network that has passed nothing yet, so that what it may keep from pictures shows.
    picture : Tensor, shape (1, C, H, W)
        The network's input.
    others : Tensor, shape (N, C, H, W)
        Other pictures; in a batch, `picture` comes before and after them.

    Returns
    -------
    str or None
        The reason, the first layer that shows it, and the module that does it, as the rest of a
        sentence about the network. None if all layers agree, or the picture's features are not
        finite.
    """
    company = torch.cat([picture, others, picture])
    first = _pass(reader, picture)
    if not all(bool(torch.isfinite(layer).all()) for layer in first):
        return None
    wider = 64 * torch.finfo(picture.dtype).eps
    for passed, within in ((picture, _REPEATED), (company, _IN_COMPANY), (picture, _REPEATED)):
        layer = _first_difference(first, _pass(reader, passed), max(within, wider))
        if layer is not None:
            return _explain(reader, picture, company, passed is company, layer)
    return None


def _pass(reader: LayerReader, pictures: torch.Tensor) -> list[torch.Tensor]:
    """Return every layer's features of the first and the last picture."""
    found: dict[int, torch.Tensor] = {}

    def visit(number: int, features: torch.Tensor, _grid: Grid) -> None:
        found[number] = features[[0, -1]]  # a copy

    reader.run(pictures, visit)
    return [found[number] for number in range(len(reader.layers))]


def _first_difference(
    first: list[torch.Tensor], found: list[torch.Tensor], within: float
) -> int | None:
    for number, (a, b) in enumerate(zip(first, found, strict=True)):
        if not _agree(a, b, within):
            return number
    return None


def _agree(a: torch.Tensor, b: torch.Tensor, within: float) -> bool:
    if a.shape != b.shape:
        return False
    norm = torch.linalg.vector_norm(a.double())
    return bool(torch.linalg.vector_norm(a.double() - b.double()) <= within * norm)


def _explain(
    reader: LayerReader,
    picture: torch.Tensor,
    company: torch.Tensor,
    in_company: bool,
    layer: int,
) -> str:
    before = _calls(reader, picture, seed=0)
    after = _calls(reader, company if in_company else picture, seed=0)
    by_chance = False
    if not in_company and not _differ(before, after):
        other = _calls(reader, picture, seed=1)
        by_chance = _differ(before, other)
        after = other if by_chance else after
    if by_chance:
        what = "gives one picture other features each time (dropout that is live, or other chance)"
        mend = "build it without"
    elif in_company:
        what = "mixes the pictures of a batch (such as batch norm without running statistics)"
        mend = "build it so that each picture passes for itself"
    else:
        what = "keeps something from one picture to the next"
        mend = "build it without that state"
    shows = f"it first shows in layer {reader.layers[layer].name!r}"
    return f"{what}; {shows}{_culprit(before, after, reader.module)}; {mend}"


@dataclass(frozen=True)
class _Call:
    """What a module took and gave out for the first and last picture of a pass, on the host."""

    path: str
    input: torch.Tensor
    output: torch.Tensor


def _differ(before: list[_Call], after: list[_Call]) -> bool:
    return any(
        not _agree(a.output, b.output, _REPEATED) for a, b in zip(before, after, strict=False)
    )


def _calls(reader: LayerReader, pictures: torch.Tensor, seed: int) -> list[_Call]:
    """Return the calls of all modules, in the order in which they end; inner ones come first."""
    found: list[_Call] = []

    def record(path: str) -> Any:
        def hook(_module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            values = [[t for _, t in tensors_of(value)] for value in (inputs, output)]
            if all(values):
                found.append(_Call(path, *(_of_ends(tensors) for tensors in values)))

        return hook

    handles = [
        part.register_forward_hook(record(path)) for path, part in reader.module.named_modules()
    ]
    try:
        # Up to the end: the root module's own call counts, too.
        with torch.no_grad(), _seeded(seed):
            reader.module(pictures)
    except Exception:  # what is behind the last layer may not take such a picture
        return found
    finally:
        for handle in handles:
            handle.remove()
    return found


def _of_ends(tensors: list[torch.Tensor]) -> torch.Tensor:
    return torch.cat([t[[0, -1]].flatten() if t.dim() else t.view(1) for t in tensors]).cpu()


def _culprit(before: list[_Call], after: list[_Call], module: nn.Module) -> str:
    """Name the first, innermost module that makes other output of the same input."""
    for a, b in zip(before, after, strict=False):
        if a.path != b.path:
            break
        if _agree(a.input, b.input, _REPEATED) and not _agree(a.output, b.output, _IN_COMPANY):
            kind = type(module.get_submodule(a.path)).__name__
            where = f"module {a.path!r} ({kind})" if a.path else f"the network's own code ({kind})"
            return f", and arises in {where}"
    return ""


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Give every common source of chance a seed, and its own state back afterwards."""
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
