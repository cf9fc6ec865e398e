"""Named lists of depth points, found in a network's own module tree.

``auto`` is: the stem, every block, the final norm. One set of rules gives them for every family
of torchvision and timm, because both are built from the same few kinds of containers. The
tests compare what it finds with the published structure of each family.

What a preset can't read it leaves out, and says so.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from torch import nn

from dissect_iqa.models.layout import POSITION_AXES
from dissect_iqa.models.level import Levels, in_head, is_simple_point
from dissect_iqa.models.outputs import Reading, read_output
from dissect_iqa.models.trace import Trace

_NORM = re.compile(r"Norm|^LRN$|Affine", re.IGNORECASE)


@dataclass(frozen=True)
class LeftOut:
    """Something that a preset found and doesn't read.

    Attributes
    ----------
    name : str
        Path of the module, with ``#key`` for a part of its output.
    reason : str
        Why, to be read after the name.
    needed : bool
        The network's output depends on it, and it has positions: without it the layers are
        not the network's.
    """

    name: str
    reason: str
    needed: bool = False


@dataclass
class Points:
    """What a preset found, in running order."""

    read: dict[str, Reading] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)


def auto(module: nn.Module, seen: Trace, tokens: str) -> Points:
    """Return stem, every block and final norm.

    Parameters
    ----------
    module : nn.Module
        The network.
    seen : Trace
        Its dry run.
    tokens : {"patches", "all", "class"}
        What counts as a position of a sequence.

    Returns
    -------
    Points
        Each runs once, keeps pictures apart, still has more than one position, and gives out
        a tensor that none before it gave out.
    """
    found = set(Levels(module, seen).points())
    points = _read([path for path in seen.fires if path in found], seen, tokens)
    if not points.read:
        return points
    last = list(points.read)[-1]
    order = list(seen.fires)
    norms = [p for p in order[order.index(last) + 1 :] if _is_final_norm(module, p, last, seen)]
    # What can't be read here is no final norm of positions, but of what was pooled from them.
    points.read |= _read([last, *norms[:1]], seen, tokens).read
    return points


def stages(module: nn.Module, seen: Trace, tokens: str) -> Points:
    """Return the last point of `auto` at each resolution or number of tokens."""
    points = auto(module, seen, tokens)
    paths = list(points.read)
    grids = [_grid(reading) for reading in points.read.values()]
    last = [p for i, p in enumerate(paths) if i + 1 == len(paths) or grids[i] != grids[i + 1]]
    return Points({path: points.read[path] for path in last}, points.left_out)


def densenet_fine(module: nn.Module, seen: Trace, tokens: str) -> Points:
    """Return `auto` with every dense layer's new maps in place of whole dense blocks."""
    layers = {path for path in seen.fires if re.search(r"denseblock\d+\.denselayer\d+$", path)}
    blocks = {path.rpartition(".")[0] for path in layers}
    coarse = auto(module, seen, tokens)
    keep = (set(coarse.read) - blocks) | layers
    fine = _read([path for path in seen.fires if path in keep], seen, tokens)
    return Points(fine.read, coarse.left_out + fine.left_out)


def activations(module: nn.Module, seen: Trace, tokens: str) -> Points:
    """Return every activation and pooling module that runs once and has more than one position."""
    parts = dict(module.named_modules())
    paths = [path for path in seen.fires if path in parts and is_simple_point(parts[path])]
    points = _read([path for path in paths if not in_head(path)], seen, tokens)
    # By its definition, what runs several times is none: nothing is missing.
    return Points(points.read, [replace(item, needed=False) for item in points.left_out])


PRESETS: dict[str, Callable[[nn.Module, Trace, str], Points]] = {
    "auto": auto,
    "stages": stages,
    "activations": activations,
    "densenet_fine": densenet_fine,
}


def _read(paths: list[str], seen: Trace, tokens: str) -> Points:
    """Read what can be read; leave out what has one position or repeats an earlier tensor."""
    points = Points()
    before: set[int] = set()
    for path in paths:
        why = why_unreadable(seen, path)
        if why:
            if not seen.runs_inside(path, paths):  # else it is a part of another point
                points.left_out.append(LeftOut(path, why, seen.leads_on(seen.nodes[path])))
            continue
        tried = [(output, read_output(seen, path, output, tokens)) for output in seen.outputs[path]]
        readings = [found for _, found in tried if isinstance(found, Reading)]
        wide = [reading for reading in readings if reading.positions > 1]
        new = [reading for reading in wide if reading.output.identity not in before]
        if not wide:
            reason = next((found for _, found in tried if isinstance(found, str)), "")
            needed = bool(reason) and seen.leads_on(seen.nodes[path])
            reason = reason or "it has one position only, which nothing is compared over"
            points.left_out.append(LeftOut(path, reason, needed))
            continue
        if not new:
            continue  # nothing is lost
        first = next((r for r in new if seen.leads_on({r.output.node})), new[0])
        before.add(first.output.identity)
        points.read[path] = first
        for output, found in tried:
            if output is first.output or output.identity in before:
                continue
            if not seen.leads_on({output.node}):
                continue
            other = found if isinstance(found, str) else "another part of that output is read"
            points.left_out.append(LeftOut(f"{path}#{output.key}", other))
    return points


def why_unreadable(seen: Trace, path: str) -> str:
    """Return why nothing that a module gives out can be read, in words; empty if that's not so."""
    if seen.fires[path] > 1:
        return f"it runs {seen.fires[path]} times for one picture, so that its output is ambiguous"
    return "" if seen.outputs[path] else f"it gives out {seen.kinds[path]}"


def _is_final_norm(module: nn.Module, path: str, last: str, seen: Trace) -> bool:
    """Tell whether a norm beside the last point, or beside what holds it, is on the way on."""
    parent = path.rpartition(".")[0]
    beside = not parent or last.startswith(f"{parent}.")
    norm = bool(_NORM.search(type(module.get_submodule(path)).__name__))
    return beside and norm and not in_head(path) and seen.leads_on(seen.nodes[path])


def _grid(reading: Reading) -> tuple[int, ...]:
    """Return the positions of an output, by axis."""
    return tuple(reading.output.shape[axis] for axis in POSITION_AXES[reading.layout])
