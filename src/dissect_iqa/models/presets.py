"""Named lists of depth points, found in a network's own module tree.

``auto`` is: the stem, every block, the final norm. One set of rules gives them for every family
of torchvision and timm, because both are built from the same few kinds of containers. The
tests compare what it finds with the published structure of each family.
"""

import math
import re
from collections.abc import Callable, Iterator

from torch import nn

from dissect_iqa.models.layout import layout_of
from dissect_iqa.models.trace import BATCH, Output, Trace

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
_NORM = re.compile(r"Norm|^LRN$|Affine", re.IGNORECASE)


def auto(module: nn.Module, trace: Trace) -> list[str]:
    """Return stem, every block and final norm, in the order in which they run.

    Parameters
    ----------
    module : nn.Module
        The network.
    trace : Trace
        Its dry run.

    Returns
    -------
    list of str
        Module paths. Each runs once, keeps pictures apart, still has more than one position,
        and gives out a tensor that none before it gave out.
    """
    found = set(_walk(module, "", trace))
    points = _distinct([path for path in trace.fires if path in found], trace)
    if not points:
        return []
    order = list(trace.fires)
    after = order[order.index(points[-1]) + 1 :]
    norms = [path for path in after if _is_final_norm(module, path)]
    return _distinct(points + norms[:1], trace)


def stages(module: nn.Module, trace: Trace) -> list[str]:
    """Return the last point of `auto` at each resolution or number of tokens."""
    points = auto(module, trace)
    grids = [_grid(usable(trace, path)[0].shape, trace) for path in points]
    return [
        path for i, path in enumerate(points) if i + 1 == len(points) or grids[i] != grids[i + 1]
    ]


def densenet_fine(module: nn.Module, trace: Trace) -> list[str]:
    """Return `auto` with every dense layer's new maps in place of whole dense blocks."""
    layers = {path for path in trace.fires if re.search(r"denseblock\d+\.denselayer\d+$", path)}
    blocks = {path.rpartition(".")[0] for path in layers}
    keep = (set(auto(module, trace)) - blocks) | layers
    return [path for path in trace.fires if path in keep]


def activations(module: nn.Module, trace: Trace) -> list[str]:
    """Return every activation and pooling module that runs once and has more than one position."""
    parts = dict(module.named_modules())
    paths = [path for path in trace.fires if path in parts and _is_simple_point(parts[path])]
    return _distinct([path for path in paths if not _in_head(path)], trace)


PRESETS: dict[str, Callable[[nn.Module, Trace], list[str]]] = {
    "auto": auto,
    "stages": stages,
    "activations": activations,
    "densenet_fine": densenet_fine,
}


def usable(trace: Trace, path: str) -> list[Output]:
    """Return the outputs of a module that can be read as features of each picture."""
    if trace.fires.get(path) != 1:
        return []
    return [
        output
        for output in trace.outputs[path]
        if 2 <= len(output.shape) <= 4 and output.shape[0] == BATCH and not output.overwritten
    ]


def _walk(module: nn.Module, prefix: str, trace: Trace) -> Iterator[str]:
    for name, child in module.named_children():
        path = f"{prefix}{name}"
        if _HEADS.fullmatch(name):
            continue
        if _is_leaf(child):
            if _is_simple_point(child) or _is_patch_embedding(child):
                yield path
        elif (
            _WRAPPERS.fullmatch(name)
            or _is_container(child, path, trace)
            or _is_stage(child, path, trace)
        ):
            yield from _walk(child, f"{path}.", trace)
        else:
            yield path


def _is_leaf(module: nn.Module) -> bool:
    return next(module.children(), None) is None


def _is_container(module: nn.Module, path: str, trace: Trace) -> bool:
    """Tell whether a module is a mere sequence of blocks, not a block itself."""
    if isinstance(module, nn.Sequential):
        return not all(_is_leaf(child) for child in module)
    return path not in trace.fires  # ModuleList and the like are never called themselves


def _is_stage(module: nn.Module, path: str, trace: Trace) -> bool:
    """Tell whether a module only runs blocks one after the other."""
    children = dict(module.named_children())
    lists = [children[name] for name in _BLOCK_LISTS if name in children]
    if any(isinstance(part, (nn.Sequential, nn.ModuleList)) for part in lists):
        return True
    kinds = {type(child) for child in children.values()}
    alike = len(children) > 1 and len(kinds) == 1 and not any(map(_is_leaf, children.values()))
    return alike and trace.are_chained([f"{path}.{name}" for name in children])


def _is_simple_point(module: nn.Module) -> bool:
    name = type(module).__name__
    return _is_leaf(module) and bool(_ACTIVATION.search(name) or "Pool" in name)


def _is_patch_embedding(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d)
        and module.stride == module.kernel_size
        and min(module.stride) >= 4
    )


def _is_final_norm(module: nn.Module, path: str) -> bool:
    *parents, name = path.split(".")
    if any(not _WRAPPERS.fullmatch(part) for part in parents) or _HEADS.fullmatch(name):
        return False
    return bool(_NORM.search(type(module.get_submodule(path)).__name__))


def _in_head(path: str) -> bool:
    return any(_HEADS.fullmatch(part) for part in path.split("."))


def _distinct(paths: list[str], trace: Trace) -> list[str]:
    """Drop what can't be read, has one position only, or repeats an earlier point's tensor."""
    seen: set[int] = set()
    kept = []
    for path in paths:
        outputs = [output for output in usable(trace, path) if len(output.shape) > 2]
        if not outputs or outputs[0].identity in seen:
            continue
        if math.prod(_grid(outputs[0].shape, trace)) > 1:
            seen.add(outputs[0].identity)
            kept.append(path)
    return kept


def _grid(shape: tuple[int, ...], trace: Trace) -> tuple[int, ...]:
    """Return the positions of an output, by axis; none if its layout can't be told."""
    axes = {"NCHW": slice(2, 4), "NHWC": slice(1, 3), "NLC": slice(1, 2)}
    layout = layout_of(shape, trace.size)
    return shape[axes[layout]] if layout in axes else ()
