"""Which tensor was computed from which, and what was joined to what, while a picture passes.

Recorded from the operations themselves, so that neither names nor kinds of modules matter. It
works on the meta device, where there are no numbers to compare.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_aten = torch.ops.aten

#: Operations whose result has the same content in other memory.
_COPIES = {_aten.clone, _aten._to_copy, _aten.contiguous, _aten._reshape_copy, _aten.alias_copy}


@dataclass(frozen=True)
class Join:
    """One concatenation.

    Attributes
    ----------
    lengths : tuple of int
        Of the parts, along the axis they are joined on.
    given : tuple of bool
        Whether each part depends on the picture.
    origins : tuple of frozenset of str
        The parameters that each part which doesn't is computed from.
    """

    lengths: tuple[int, ...]
    given: tuple[bool, ...]
    origins: tuple[frozenset[str], ...]


class Flow(TorchDispatchMode):
    """Records the operations that depend on a picture; use it as a context.

    Every operation with such an input is a node of a graph, the picture is node 0. Views and
    copies belong to the node of what they show.

    Parameters
    ----------
    picture : Tensor
        The network's input.
    parameters : mapping of str to Tensor
        Names for what parts of a concatenation are computed from.
    """

    def __init__(self, picture: torch.Tensor, parameters: Mapping[str, torch.Tensor]):
        super().__init__()
        self.parents: list[tuple[int, ...]] = [()]
        self.joins: list[Join] = []
        #: Lengths of axes of which the first entry alone was taken, as of a class token.
        self.first_taken: set[int] = set()
        self._nodes = {_memory(picture): 0}
        # A storage's address isn't used again as long as there is a weak reference to it.
        self._kept: list[StorageWeakRef] = []
        self._origins = {_memory(t): frozenset([name]) for name, t in parameters.items()}

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run one operation and note what its results depend on."""
        kwargs = kwargs or {}
        result = operation(*args, **kwargs)
        taken = _tensors((args, kwargs))
        known = [self._nodes[m] for m in map(_memory, taken) if m in self._nodes]
        origins = frozenset().union(
            *(self._origins.get(_memory(tensor), frozenset()) for tensor in taken)
        )
        packet = operation.overloadpacket
        if packet is _aten.cat:
            self._note_join(*args, **kwargs)
        elif packet is _aten.select and args[2] == 0:
            self.first_taken.add(args[0].shape[args[1]])
        changed = _written(operation, args, kwargs)
        old = {_memory(tensor) for tensor in taken}
        made = [tensor for tensor in _tensors(result) if _memory(tensor) not in old]
        self._kept += [StorageWeakRef(tensor.untyped_storage()) for tensor in made]
        fresh = changed | {_memory(tensor) for tensor in made}
        if packet in _COPIES and known:
            node = known[0]
        elif known and fresh:
            node = len(self.parents)
            self.parents.append(tuple(dict.fromkeys(known)))
        for memory in fresh:
            self._nodes.pop(memory, None)
            self._origins.pop(memory, None)
            if known:
                self._nodes[memory] = node
            elif origins:
                self._origins[memory] = origins
        return result

    def node(self, tensor: torch.Tensor) -> int | None:
        """Return the node that computed a tensor; None if it doesn't depend on the picture."""
        return self._nodes.get(_memory(tensor))

    def _note_join(self, parts: Any, dim: int = 0) -> None:
        self.joins.append(
            Join(
                tuple(part.shape[dim] if part.dim() else 1 for part in parts),
                tuple(_memory(part) in self._nodes for part in parts),
                tuple(self._origins.get(_memory(part), frozenset()) for part in parts),
            )
        )


def ancestors(
    parents: list[tuple[int, ...]], ends: Iterable[int], without: frozenset[int] = frozenset()
) -> set[int]:
    """Return the nodes that some nodes depend on, these included.

    Parameters
    ----------
    parents : list of tuple of int
        The graph: what each node was computed from.
    ends : iterable of int
        Where to start.
    without : frozenset of int
        Nodes that are not passed.
    """
    left = [node for node in ends if node not in without]
    found = set(left)
    while left:
        for parent in parents[left.pop()]:
            if parent not in found and parent not in without:
                found.add(parent)
                left.append(parent)
    return found


def _written(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> set[int]:
    """Return the memories that an operation writes into."""
    if not operation._schema.is_mutable:
        return set()
    given = dict(zip((a.name for a in operation._schema.arguments), args, strict=False)) | kwargs
    written = [
        given[argument.name]
        for argument in operation._schema.arguments
        if argument.name in given and argument.alias_info and argument.alias_info.is_write
    ]
    return {_memory(tensor) for tensor in _tensors(written)}


def _memory(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _tensors(values: Any) -> list[torch.Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, torch.Tensor)]
