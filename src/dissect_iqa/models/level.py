"""How deep `auto` looks into a network: to its blocks, and not into them.

A block is what a network repeats. Families keep their blocks under all kinds of names, so that
mostly the structure tells, and what becomes of each output in the dry run.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from torch import nn

from dissect_iqa.models.trace import Trace

#: Parts that hold a classifier, a detection head or something else beyond the features.
_HEADS = re.compile(
    r"(aux\w*|avgpool|classifier\w*|dropout|fc\w*|fpn|global_pool|head\w*|logits|pre_logits|"
    r"roi_heads|rpn|attn_pool|AuxLogits)"
)

#: Parts that only bundle the network; their children are what counts.
_WRAPPERS = re.compile(
    r"(backbone|base|basenet|body|encoder|features|model|net|trunk|trunk_output|visual)"
)

#: Children under which a stage keeps its blocks.
_BLOCK_LISTS = ("blocks", "layers", "stages")

_ACTIVATION = re.compile(r"(ReLU|GELU|SiLU|Swish|Mish|Sigmoid|Tanh|ELU|SELU|PReLU)", re.IGNORECASE)
_LISTS = (nn.Sequential, nn.ModuleList)


def in_head(path: str) -> bool:
    """Tell whether a module belongs to a classifier or another head, by its name."""
    return any(_HEADS.fullmatch(part) for part in path.split("."))


def is_simple_point(module: nn.Module) -> bool:
    """Tell whether a module is an activation or a pooling."""
    name = type(module).__name__
    return _is_leaf(module) and bool(_ACTIVATION.search(name) or "Pool" in name)


class Levels:
    """Finds the blocks of one network.

    Parameters
    ----------
    module : nn.Module
        The network.
    seen : Trace
        Its dry run.
    """

    def __init__(self, module: nn.Module, seen: Trace):
        self.module = module
        self.seen = seen
        # Shared parts are found under their first name, under which they are traced.
        self._parts = dict(module.named_modules())
        self._layers: set[str] = set()
        self._others: set[str] = set()
        self._block_types = {
            type(part)
            for path, part in self._parts.items()
            if path and not isinstance(part, _LISTS) and self._has_twin(path)
        }

    def points(self) -> list[str]:
        """Return the paths of stem, blocks and whatever else lies at their level."""
        found = list(self._walk(""))
        # A network inside another module, whatever its name there
        while len(composite := [p for p in found if not _is_leaf(self._parts[p])]) == 1:
            inner = list(self._walk(f"{composite[0]}."))
            if len(inner) < 2 or isinstance(self._parts[composite[0]], nn.Sequential):
                break
            at = found.index(composite[0])
            found[at : at + 1] = inner
        return [*found, *self._bare(found)]

    def _bare(self, points: list[str]) -> list[str]:
        """Return layers with weights that no point shows, because their activations are functions.

        The last of such layers counts only if there are others before it: most networks end
        with one that is not activated at all.
        """
        bare: list[str] = []
        last: str | None = None
        for path in self.seen.fires:
            if path in points:
                last = None
            elif path in self._layers:
                if last:
                    bare.append(last)
                last = path
            elif last and path in self._others and self._shape(path) == self._shape(last):
                last = path  # its norm
        return [*bare, last] if bare and last else bare

    def _walk(self, prefix: str) -> Iterator[str]:
        parent = self._parts[prefix.removesuffix(".")]
        for name, child in parent.named_children():
            path = f"{prefix}{name}"
            if _HEADS.fullmatch(name) or path not in self._parts:
                continue
            if _is_leaf(child):
                if self._is_leaf_point(child, path):
                    yield path
            elif _WRAPPERS.fullmatch(name):
                yield from self._walk(f"{path}.")
            elif self._is_container(path) or self._is_stage(path):
                yield from self._open(path)
            else:
                yield path

    def _is_leaf_point(self, leaf: nn.Module, path: str) -> bool:
        if is_simple_point(leaf) or _is_patch_embedding(leaf):
            return True
        if not self.seen.nodes.get(path):
            return False  # doesn't depend on the picture
        weighs = any(value.dim() > 1 for value in leaf.parameters())
        (self._layers if weighs else self._others).add(path)
        # What can't be read is not passed over in silence.
        return not self.seen.outputs[path] or (weighs and self.seen.fires[path] > 1)

    def _open(self, path: str) -> list[str]:
        """Return the points inside a module, or the module itself if it is a block."""
        inner = list(self._walk(f"{path}."))
        part = self._parts[path]
        if path not in self.seen.fires or not inner:
            return inner
        missed = not self._same(inner[-1], path)
        mere = isinstance(part, nn.Sequential)
        twin = self._has_twin(path) if mere else type(part) in self._block_types
        if twin and self._holds_a_run(part, path):
            return [*inner, path] if missed else inner
        plain = not any(map(self.seen.branches, inner))
        if (twin and (missed or not mere)) or (missed and plain and not mere):
            return [path]
        return inner

    def _is_container(self, path: str) -> bool:
        """Tell whether a module is a mere sequence of blocks, not a block itself."""
        part = self._parts[path]
        if isinstance(part, nn.Sequential) and path in self.seen.fires:
            last = f"{path}.{list(part._modules)[-1]}" if len(part) else path
            return not all(map(_is_leaf, part)) and self._same(last, path)
        return path not in self.seen.fires  # ModuleList and the like are never called themselves

    def _is_stage(self, path: str) -> bool:
        """Tell whether a module only runs blocks one after the other."""
        children = dict(self._parts[path].named_children())
        lists = [children[name] for name in _BLOCK_LISTS if name in children]
        if any(isinstance(part, _LISTS) for part in lists):
            return True
        if any(
            isinstance(child, _LISTS)
            and self._is_run(child, f"{path}.{name}")
            and self._same(f"{path}.{name}.{list(child._modules)[-1]}", path)
            for name, child in children.items()
        ):
            return True
        kinds = {type(child) for child in children.values()}
        alike = len(children) > 1 and len(kinds) == 1 and not any(map(_is_leaf, children.values()))
        paths = [f"{path}.{name}" for name in children]
        return alike and self.seen.are_chained(paths) and self._same(paths[-1], path)

    def _has_twin(self, path: str) -> bool:
        """Tell whether a module has a sibling of its kind with an output of the same shape."""
        parent = path.rpartition(".")[0]
        own = self._shape(path)
        return own is not None and any(
            child is not self._parts[path]
            and _kind(child) == _kind(self._parts[path])
            and self._shape(f"{parent}.{name}".removeprefix(".")) == own
            for name, child in self._parts[parent].named_children()
        )

    def _holds_a_run(self, part: nn.Module, path: str) -> bool:
        """Tell whether a list in a module, or in a list of it, is a run of blocks."""
        return any(
            self._is_run(child, f"{path}.{name}") or self._holds_a_run(child, f"{path}.{name}")
            for name, child in part.named_children()
            if isinstance(child, _LISTS)
        )

    def _is_run(self, part: nn.Module, path: str) -> bool:
        """Tell whether a list holds several blocks of one kind, each with a way past its layers."""
        names = [f"{path}.{name}" for name, _ in part.named_children()]
        kinds = {_kind(child) for child in part.children()}
        shapes = {self._shape(name) for name in names}
        return (
            len(names) > 1
            and len(kinds) == len(shapes) == 1
            and None not in shapes
            and self.seen.branches(names[0])
            and all(
                self.seen.entries[after] & self.seen.nodes[before]
                for before, after in pairwise(names)
            )
        )

    def _shape(self, path: str) -> tuple[int, ...] | None:
        outputs = self.seen.outputs.get(path, ())
        return outputs[0].shape if outputs and self.seen.fires[path] == 1 else None

    def _same(self, inner: str, path: str) -> bool:
        """Tell whether a module gives out nothing but what a part of it gave out."""
        return self.seen.nodes.get(path, frozenset()) <= self.seen.nodes.get(inner, frozenset())


def _kind(module: nn.Module) -> tuple[type, frozenset[type]]:
    """Return the type of a module, and those of its children that have values."""
    children = (child for child in module.children() if next(child.parameters(), None) is not None)
    return type(module), frozenset(map(type, children))


def _is_leaf(module: nn.Module) -> bool:
    return next(module.children(), None) is None


def _is_patch_embedding(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d)
        and module.stride == module.kernel_size
        and min(module.stride) >= 4
    )
