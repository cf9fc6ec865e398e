"""How a module's output is read as features: which part, which axes, which tokens."""

import math
from dataclasses import dataclass

from dissect_iqa.models.layout import POSITION_AXES, followed_layout, layout_of
from dissect_iqa.models.network import Layout
from dissect_iqa.models.tokens import Extra, extra_tokens, starts_with_class_token
from dissect_iqa.models.trace import BATCH, SECOND_BATCH, Output, Trace

#: Pictures in the first and the second run.
COUNTS = (BATCH, SECOND_BATCH)

#: Where to go from here when auto can't tell positions from other tokens.
_ALL = "write @tokens=all behind the layers to count every token as a position"


@dataclass(frozen=True)
class Reading:
    """How one output is read.

    Attributes
    ----------
    output : Output
        Which one.
    layout : str
        Where its axes are.
    extra : Extra
        Tokens that are no positions.
    positions : int
        In the dry run, without these tokens.
    """

    output: Output
    layout: Layout
    extra: Extra
    positions: int


def read_output(seen: Trace, path: str, output: Output, tokens: str) -> Reading | str:
    """Tell how one output of a module is read, or in words why it can't be.

    Parameters
    ----------
    seen : Trace
        The dry run.
    path : str
        The module, which ran.
    output : Output
        One of its tensors.
    tokens : {"patches", "all", "class"}
        What counts as a position of a sequence.
    """
    why = _unreadable(seen, path, output)
    if why:
        return why
    layout = _layout(seen, output, tokens)
    if layout is None:
        return (
            f"which axes of {output.shape} are channels and which are positions of a picture of "
            f"{seen.size} can't be told"
        )
    axes = POSITION_AXES[layout]
    positions = math.prod(output.shape[axis] for axis in axes)
    if len(axes) != 1 or positions == 1 or tokens == "all":
        return Reading(output, layout, Extra(0, 0), positions)
    second = output.again[axes[0]] if output.again else None
    extra = extra_tokens(seen, (positions, second), output.joins)
    if extra is None:
        return (
            f"which of its {positions} tokens are positions of a picture of {seen.size} can't be "
            f"told; {_ALL}"
        )
    return Reading(output, layout, extra, positions - sum(extra))


def has_class_token(seen: Trace, reading: Reading) -> bool:
    """Tell whether the first token of a sequence is a class token."""
    length = reading.positions + sum(reading.extra)
    return reading.layout in ("NLC", "LNC") and starts_with_class_token(
        seen, length, reading.extra.before
    )


def _layout(seen: Trace, output: Output, tokens: str) -> Layout | None:
    shape, again = output.shape, output.again
    if again is None or shape[1:] == again[1:]:
        pooled = _pooled(shape)
        if pooled is not None:
            return pooled
    if again is not None and seen.again is not None and seen.follows_size:
        found = followed_layout(shape, again, COUNTS)
        if found is None and len(shape) == 4 and (shape[0], again[0]) == COUNTS:
            found = layout_of(again, seen.again.size)  # maps so small that a side stays 1
        fixed = shape[1:] == again[1:] and shape[0] == BATCH
        return "NLC" if fixed and len(shape) == 3 and tokens == "all" else found
    if (
        again is not None
        and len(shape) == 3
        and (shape[1], again[1])
        == COUNTS
        != (
            shape[0],
            again[0],
        )
    ):
        return "LNC"
    if len(shape) == 3:
        return _of_three(seen, output)
    found = layout_of(shape, seen.size)
    if found is None and len(shape) == 4:
        # Windows with their positions, then channels: as many positions as a map of the trace.
        windows = shape[1] * shape[2] in seen.map_sizes
        return "NHWC" if windows and shape[2] * shape[3] not in seen.map_sizes else None
    return found


def _pooled(shape: tuple[int, ...]) -> Layout | None:
    """Tell the layout of what has one position, or the same square map for every picture."""
    if len(shape) == 3 and shape[1] == 1:
        return "NLC"
    if len(shape) == 4 and shape[2] == shape[3] != shape[1]:
        return "NCHW"
    return "NHWC" if len(shape) == 4 and shape[1] == shape[2] != shape[3] else None


def _of_three(seen: Trace, output: Output) -> Layout | None:
    """Tell (N, L, C) from (N, C, L) at one size: only positions make a grid."""
    _, first, last = output.shape
    if first == last:
        return None
    return "NCL" if _fits(seen, output, 2) and not _fits(seen, output, 1) else "NLC"


def _fits(seen: Trace, output: Output, axis: int) -> bool:
    """Tell whether an axis has as many positions as a map of the trace."""
    length = output.shape[axis]
    extra = extra_tokens(seen, (length, None), output.joins)
    return extra is not None and length - sum(extra) in seen.map_sizes


def _unreadable(seen: Trace, path: str, output: Output) -> str:
    """Return why an output has no features of single pictures, or nothing."""
    shape, again = output.shape, output.again
    axes = [0, 1] if len(shape) == 3 and again is not None else [0]
    if again is not None and len(again) != len(shape):
        return f"it gives out {len(shape)} axes for some pictures and {len(again)} for others"
    counts = [(shape[axis], again[axis] if again else SECOND_BATCH) for axis in axes if shape]
    if not 2 <= len(shape) <= 4 or COUNTS not in counts:
        return (
            f"it gives out a tensor of shape {shape} for {BATCH} pictures; a layer keeps pictures "
            "apart and has 1 to 3 further axes"
        )
    if output.overwritten:
        after = list(seen.fires)[list(seen.fires).index(path) + 1 :]
        close = next((p for p in after if _is_kept(seen, p)), "a later module")
        return (
            f"its output is overwritten in place by what follows; name a module after it, e.g. "
            f"{close!r}"
        )
    return ""


def _is_kept(seen: Trace, path: str) -> bool:
    return seen.fires[path] == 1 and any(
        not output.overwritten and len(output.shape) > 1 and output.shape[0] == BATCH
        for output in seen.outputs[path]
    )
