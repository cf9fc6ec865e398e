"""A dry run that tells what every module of a network gives out, and what becomes of it.

The run needs no weights that mean anything. It happens on the meta device wherever the network
allows it, where it costs neither memory nor time.
"""

import contextlib
import copy
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from dissect_iqa.errors import UserError
from dissect_iqa.models.flow import Flow, Join, ancestors
from dissect_iqa.models.layout import is_map
from dissect_iqa.models.network import InputPolicy

#: Pictures in the dry run; two, to see which outputs keep pictures apart.
BATCH = 2

#: Pictures in the second dry run, to tell the axis of the pictures from one that is 2 by chance.
SECOND_BATCH = 3

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
        With the batch first, as a rule.
    identity : int
        The same for two modules that gave out one and the same tensor.
    overwritten : bool
        A later module wrote into it.
    node : int or None
        Which operation computed it; None if it doesn't depend on the picture.
    joins : int
        How many of the trace's concatenations had happened before.
    again : tuple of int or None
        Its shape in the second run, with another number of pictures and, if the network takes
        it, another size; None if there was none.
    """

    key: int | str | None
    shape: tuple[int, ...]
    identity: int
    overwritten: bool
    node: int | None = None
    joins: int = 0
    again: tuple[int, ...] | None = None


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
    kinds : dict of str to str
        What each module gave out in its first run, in words.
    nodes : dict of str to frozenset of int
        The operations that computed anything a module gave out, in all of its runs.
    entries : dict of str to frozenset of int
        The operations that computed what each module took in its first run.
    callers : dict of str to set of frozenset of str
        For each run of a module, the modules that were running around it.
    ends : frozenset of int
        The operations that computed what the network gave out.
    flow : Flow or None
        The operations.
    again : Trace or None
        The second run.
    """

    size: tuple[int, int]
    fires: dict[str, int]
    outputs: dict[str, tuple[Output, ...]]
    takes: dict[str, int]
    kinds: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, frozenset[int]] = field(default_factory=dict)
    entries: dict[str, frozenset[int]] = field(default_factory=dict)
    callers: dict[str, set[frozenset[str]]] = field(default_factory=dict)
    ends: frozenset[int] = frozenset()
    flow: Flow | None = None
    again: "Trace | None" = None

    def are_chained(self, paths: list[str]) -> bool:
        """Tell whether each module takes exactly what the one before gave out."""
        return all(
            self.takes.get(after, 0) in {output.identity for output in self.outputs.get(before, ())}
            for before, after in pairwise(paths)
        )

    @cached_property
    def follows_size(self) -> bool:
        """Whether there was a second size, and any map followed it."""
        if self.again is None or self.again.size == self.size:
            return False
        return any(
            output.again is not None and output.shape[2:] != output.again[2:]
            for found in self.outputs.values()
            for output in found
            if len(output.shape) == 4
        )

    @cached_property
    def map_sizes(self) -> frozenset[int]:
        """Numbers of positions of the maps (N, C, H, W) that were given out."""
        return frozenset(
            output.shape[2] * output.shape[3]
            for found in self.outputs.values()
            for output in found
            if len(output.shape) == 4 and is_map(*output.shape[2:], self.size)
        )

    def leads_on(self, nodes: Iterable[int | None]) -> bool:
        """Tell whether what the network gives out depends on any of some operations."""
        return not self.on_the_way.isdisjoint(nodes)

    @cached_property
    def second_joins(self) -> list[Join | None]:
        """The second run's concatenations beside the first's; None where they don't match."""
        again = self.again.joins if self.again else []
        matches = len(again) == len(self.joins) and all(
            len(a.lengths) == len(b.lengths) for a, b in zip(self.joins, again, strict=True)
        )
        return list(again) if matches else [None] * len(self.joins)

    def runs_inside(self, path: str, others: Collection[str]) -> bool:
        """Tell whether a module runs nowhere but while one of some others runs."""
        return all(not stack.isdisjoint(others) for stack in self.callers[path])

    def branches(self, path: str) -> bool:
        """Tell whether a signal goes more than one way through a module, as past a shortcut."""
        if self.flow is None:
            return False
        entries = self.entries.get(path, frozenset())
        inside = ancestors(self.flow.parents, self.nodes.get(path, ()), entries)
        return any(
            sum(parent in inside or parent in entries for parent in self.flow.parents[node]) > 1
            for node in inside
        )

    @cached_property
    def on_the_way(self) -> set[int]:
        """The operations between the picture and what the network gives out."""
        return ancestors(self.flow.parents, self.ends) if self.flow else set()

    @property
    def joins(self) -> list[Join]:
        """The concatenations, in order."""
        return self.flow.joins if self.flow else []


def trace(
    module: nn.Module, policy: InputPolicy, size: tuple[int, int] | None = None, name: str = ""
) -> Trace:
    """Run a network on noise and record every module's output.

    Parameters
    ----------
    module : nn.Module
        In eval mode, on any device. A copy without values runs, if it can.
    policy : InputPolicy
        Tells the number of channels and the size.
    size : (int, int), optional
        Height and width; by default a small one, and then a second run follows with more
        pictures of another size, to see which axes of the outputs follow.
    name : str
        The model's id, for messages.

    Raises
    ------
    UserError
        If the network does not accept such a picture.
    """
    channels = len(policy.mean)
    if size is None:  # a probe may be enlarged to what the network needs; a picture may not
        wanted = [tuple(max(side, policy.multiple) for side in probe) for probe in _PROBES]
    else:
        wanted = [size]
    try:
        sizes = [policy.seen(*each) for each in wanted]
    except UserError as error:
        raise UserError(f"{name or type(module).__name__}: {error}") from error
    for height, width in dict.fromkeys(sizes):
        for subject in _subjects(module):
            try:
                first = _run(subject, channels, (height, width), BATCH)
            # Whatever an unknown network raises here means that it can't take this picture.
            except Exception as error:
                last = error
            else:
                return first if size else _twice(subject, channels, first)
    raise UserError(
        f"{name or type(module).__name__}: a dry run with a picture of {height} x {width} "
        f"failed ({type(last).__name__}: {last}). Write size=... or multiple=... into the "
        "column 'input' if the network needs a fixed size"
    ) from last


def _subjects(module: nn.Module) -> Iterator[nn.Module]:
    """Yield a copy on the meta device, if the network can be copied, then the network itself."""
    tensors = [*module.parameters(), *module.buffers()]
    if tensors and all(tensor.is_meta for tensor in tensors):
        yield module
        return
    memo: dict[int, Any] = {}
    for tensor in tensors:
        empty = torch.empty_like(tensor, device="meta")
        if isinstance(tensor, nn.Parameter):
            empty = nn.Parameter(empty, requires_grad=False)
        memo[id(tensor)] = empty
    # A network may hold anything, also what can't be copied.
    with contextlib.suppress(Exception):
        yield copy.deepcopy(module, memo)
    yield module


def _twice(module: nn.Module, channels: int, first: Trace) -> Trace:
    """Add a second run; at the same size if the network takes no other."""
    height, width = first.size
    for size in ((2 * height, 2 * width), first.size):
        try:
            second = _run(module, channels, size, SECOND_BATCH)
        except Exception:  # as above
            continue
        return replace(first, outputs=_beside(first.outputs, second.outputs), again=second)
    return first


def _beside(
    first: dict[str, tuple[Output, ...]], second: dict[str, tuple[Output, ...]]
) -> dict[str, tuple[Output, ...]]:
    shapes = {
        (path, output.key): output.shape for path, found in second.items() for output in found
    }
    return {
        path: tuple(replace(output, again=shapes.get((path, output.key))) for output in found)
        for path, found in first.items()
    }


def _run(module: nn.Module, channels: int, size: tuple[int, int], count: int) -> Trace:
    named = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    device = next(iter(named.values())).device if named else torch.device("cpu")
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand(count, channels, *size, generator=generator).to(device)
    flow = Flow(picture, named)
    fires: dict[str, int] = {}
    kept: dict[str, list[tuple[Output, torch.Tensor]]] = {}
    kinds: dict[str, str] = {}
    nodes: dict[str, set[int]] = {}
    entries: dict[str, frozenset[int]] = {}
    taken: dict[str, Any] = {}
    callers: dict[str, set[frozenset[str]]] = {}
    running: list[str] = []

    def enter(path: str) -> Any:
        def hook(_module: nn.Module, _inputs: tuple[Any, ...]) -> None:
            callers.setdefault(path, set()).add(frozenset(running))
            running.append(path)

        return hook

    def record(path: str) -> Any:
        def hook(_module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            running.pop()
            fires[path] = fires.get(path, 0) + 1
            nodes.setdefault(path, set()).update(_nodes(flow, output))
            if fires[path] == 1:
                taken.update({path: inputs[0]} if inputs else {})
                entries[path] = frozenset(_nodes(flow, inputs))
                kinds[path] = _in_words(output)
                joins = len(flow.joins)
                kept[path] = [
                    (Output(key, tuple(t.shape), id(t), False, flow.node(t), joins), t)
                    for key, t in tensors_of(output)
                ]
                versions[path] = [t._version for _, t in kept[path]]

        return hook

    versions: dict[str, list[int]] = {}
    handles = []
    for path, part in module.named_modules():
        if path:
            handles.append(part.register_forward_pre_hook(enter(path)))
            handles.append(part.register_forward_hook(record(path)))
    try:
        with torch.no_grad(), flow:
            ends = _nodes(flow, module(picture))
    finally:
        for handle in handles:
            handle.remove()
    outputs = {
        path: tuple(
            replace(output, overwritten=tensor._version != version)
            for (output, tensor), version in zip(found, versions[path], strict=True)
        )
        for path, found in kept.items()
    }
    takes = {path: id(value) for path, value in taken.items()}
    seen = {path: frozenset(found) for path, found in nodes.items()}
    return Trace(size, fires, outputs, takes, kinds, seen, entries, callers, frozenset(ends), flow)


def _nodes(flow: Flow, output: Any) -> set[int]:
    """Return the operations that computed anything in a module's output."""
    tensors = [leaf for leaf in tree_leaves(_plain(output)) if isinstance(leaf, torch.Tensor)]
    return {node for node in map(flow.node, tensors) if node is not None}


def _plain(output: Any) -> Any:
    """Return what an object with named parts, such as a data class, holds as a dict."""
    known = isinstance(output, (torch.Tensor, dict, list, tuple))
    return output if known or not hasattr(output, "__dict__") else vars(output)


def _in_words(output: Any) -> str:
    if isinstance(output, torch.Tensor):
        kind = str(output.dtype).removeprefix("torch.")
        return f"a tensor of type {kind} and shape {tuple(output.shape)}"
    if isinstance(output, (tuple, list, dict)):
        parts = list(output.values()) if isinstance(output, dict) else list(output)
        kinds = ", ".join(dict.fromkeys(type(part).__name__ for part in parts))
        return f"a {type(output).__name__} of {len(parts)} ({kinds})"
    return f"a {type(output).__name__}"


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
