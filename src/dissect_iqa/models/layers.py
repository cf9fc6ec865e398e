"""The `layers` column: which modules of a network are read, and how their output is laid out."""

import difflib
import math
import re
from dataclasses import dataclass
from fnmatch import translate

import pandas as pd
from torch import nn

from dissect_iqa.errors import UserError, suggest
from dissect_iqa.models.architecture import build, skeleton
from dissect_iqa.models.class_token import tap_class_token
from dissect_iqa.models.input import input_policy
from dissect_iqa.models.layout import BATCH_AXIS, POSITION_AXES
from dissect_iqa.models.network import InputPolicy, Layer
from dissect_iqa.models.outputs import Reading, has_class_token, read_output
from dissect_iqa.models.presets import PRESETS, LeftOut, why_unreadable
from dissect_iqa.models.trace import Trace, trace
from dissect_iqa.zoo.row import ModelRow

TOKENS = ("patches", "all", "class")


@dataclass(frozen=True)
class Choice:
    """The layers that a cell asks for.

    Attributes
    ----------
    layers : tuple of Layer
        Ordered by depth.
    left_out : tuple of str
        What a preset found and doesn't read, each with the reason.
    """

    layers: tuple[Layer, ...]
    left_out: tuple[str, ...] = ()


def resolve_layers(
    module: nn.Module, row: ModelRow, policy: InputPolicy | None = None
) -> tuple[Layer, ...]:
    """Name the layers that a row's `layers` cell asks for, ordered by depth.

    See `choose_layers`, which tells what is left out, too.
    """
    return choose_layers(module, row, policy).layers


def choose_layers(module: nn.Module, row: ModelRow, policy: InputPolicy | None = None) -> Choice:
    """Name the layers that a row's `layers` cell asks for, and what a preset leaves out.

    Parameters
    ----------
    module : nn.Module
        The built network, with or without its weights, on any device (also meta).
    row : ModelRow
        `layers` holds a preset (see `dissect_iqa.models.presets.PRESETS`) or module paths
        separated by ``;``, in which ``*`` stands for any text without a dot and ``#key`` picks
        a part of a tuple, list or dict output; then optionally ``@tokens=patches`` (default:
        class and register tokens are no positions of the picture), ``all`` or ``class``.
    policy : InputPolicy, optional
        The network's input; read from the row by default.

    Raises
    ------
    UserError
        If a path does not exist, never runs, runs several times, mixes pictures, is overwritten
        by a later module, or has several outputs of which none is chosen; or if a preset
        can't read something that the network's output depends on.
    """
    policy = policy or input_policy(row, module)
    cell, tokens = _split(row)
    seen = _trace(module, row, policy)
    left_out: list[LeftOut] = []
    if cell in PRESETS:
        points = PRESETS[cell](module, seen, tokens)
        left_out = points.left_out
        _check_needed(row, cell, points.read, left_out)
        if len(points.read) < 2:
            raise UserError(
                f"{row.id}: preset {cell!r} finds no layers in {type(module).__name__}; write "
                "module paths into the column 'layers'"
            )
        readings = list(points.read.items())
    else:
        readings = [
            (path, _reading(row, seen, path, key, tokens))
            for path, key in _explicit(row, module, seen, cell)
        ]
    count = len(readings)
    layers = [
        _layer(row, seen, path, reading, (number + 1) / count, module, tokens)
        for number, (path, reading) in enumerate(readings)
    ]
    reasons: dict[str, list[str]] = {}
    for item in left_out:
        reasons.setdefault(item.reason, []).append(item.name)
    told = (f"{_short_cell(names)}: {reason}" for reason, names in reasons.items())
    return Choice(tuple(layers), tuple(told))


def _check_needed(
    row: ModelRow, cell: str, read: dict[str, Reading], left_out: list[LeftOut]
) -> None:
    """Refuse a preset that would leave a hole in the way from the picture to the output."""
    needed = [item for item in left_out if item.needed]
    if not needed:
        return
    shown = "; ".join(f"{item.name!r}: {item.reason}" for item in needed[:3])
    if len(needed) > 3:
        shown += f"; and {len(needed) - 3} more"
    rest = _short_cell(list(read))
    raise UserError(
        f"{row.id}: preset {cell!r} can't read what the network's output depends on ({shown}); "
        "choose layers by module paths in the column 'layers', with #key for a part of an output"
        + (f"; what {cell!r} can read is {rest}" if rest else "")
    )


def _short_cell(paths: list[str]) -> str:
    """Write paths as a cell, with wildcards for numbers."""
    return ";".join(dict.fromkeys(re.sub(r"(?<=\.)\d+(?=\.|$)", "*", path) for path in paths))


def layers_table(
    row: ModelRow, size: tuple[int, int] = (384, 512)
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """List a model's layers with what they give out for a picture of a given size.

    Parameters
    ----------
    row : ModelRow
        The configuration; neither its weights nor memory for them are needed.
    size : (int, int)
        Height and width of the picture, before the row's input policy resizes or crops it.

    Returns
    -------
    DataFrame
        Columns layer, depth (0..1), shape (of one picture's output), layout, channels,
        positions, and skipped (tokens that are no positions).
    tuple of str
        What a preset found and doesn't read, each with the reason.
    """
    module = skeleton(row)
    policy = input_policy(row, module)
    choice = choose_layers(module, row, policy)
    seen = _trace(module, row, policy, size)
    rows = []
    for layer in choice.layers:
        found = next(out for out in seen.outputs[layer.name] if out.key == layer.output)
        axes = POSITION_AXES[layer.layout]
        shape = [side for axis, side in enumerate(found.shape) if axis != BATCH_AXIS[layer.layout]]
        skipped = layer.skip_tokens + layer.skip_last
        positions = math.prod(found.shape[axis] for axis in axes)
        rows.append(
            {
                "layer": layer.name + ("" if layer.output is None else f"#{layer.output}"),
                "depth": round(layer.depth, 4),
                "shape": " x ".join(map(str, shape)),
                "layout": layer.layout,
                "channels": math.prod(shape) // positions,
                "positions": positions - skipped,
                "skipped": skipped,
            }
        )
    return pd.DataFrame(rows), choice.left_out


def _trace(
    module: nn.Module, row: ModelRow, policy: InputPolicy, size: tuple[int, int] | None = None
) -> Trace:
    """Trace a network; one without values that can't run so is built with values for it."""
    try:
        return trace(module, policy, size, row.id)
    except UserError:
        if not any(value.is_meta for value in module.parameters()):
            raise
        return trace(build(row), policy, size, row.id)


def _split(row: ModelRow) -> tuple[str, str]:
    cell, at, option = row.layers.partition("@")
    key, _, value = option.partition("=")
    if at and (key.strip() != "tokens" or value.strip() not in TOKENS):
        raise UserError(
            f"{row.id}: column 'layers': found {at + option!r}; allowed after the layers: "
            f"{', '.join(f'@tokens={name}' for name in TOKENS)}"
        )
    return cell.strip() or "auto", value.strip() or "patches"


def _explicit(
    row: ModelRow, module: nn.Module, seen: Trace, cell: str
) -> list[tuple[str, str | None]]:
    """Expand paths and wildcards, in the order in which the modules run."""
    known = [path for path, _ in module.named_modules() if path]
    chosen: dict[str, str | None] = {}
    for item in (part.strip() for part in cell.split(";") if part.strip()):
        pattern, hash_, key = item.partition("#")
        matches = _expand(pattern, known)
        if not matches:
            close = difflib.get_close_matches(pattern, [*known, *PRESETS], n=3, cutoff=0.5)
            raise UserError(
                f"{row.id}: column 'layers': {pattern!r} is no module of "
                f"{type(module).__name__} and no preset"
                + (f"; close: {', '.join(close)}" if close else "")
                + f"; presets: {', '.join(PRESETS)}"
            )
        running = [path for path in matches if path in seen.fires]
        if not running:
            raise UserError(
                f"{row.id}: column 'layers': {matches[0]!r} never runs when a picture passes"
            )
        chosen.update(dict.fromkeys(running, key if hash_ else None))
    return [(path, chosen[path]) for path in seen.fires if path in chosen]


def _expand(pattern: str, known: list[str]) -> list[str]:
    if pattern in known:
        return [pattern]
    form = re.compile(translate(pattern).replace(".*", r"[^.]*"))
    return [path for path in known if form.fullmatch(path)]


def _reading(row: ModelRow, seen: Trace, path: str, key: str | None, tokens: str) -> Reading:
    """Tell how a module that a cell names is read.

    Raises
    ------
    UserError
        Why it can't be, and what to do.
    """
    outputs = seen.outputs[path]
    keys = [str(output.key) for output in outputs]
    why = why_unreadable(seen, path)
    if seen.fires[path] > 1:
        why += f"; name the block that holds it: {path.rpartition('.')[0] or '(none)'}"
    elif key is not None and key not in keys:
        why = f"it has no output {key!r}{suggest(key, keys)}; it has: {', '.join(keys)}"
    if why:
        raise UserError(f"{row.id}: column 'layers': {path!r} can't be a layer: {why}")
    found = [
        read_output(seen, path, output, tokens)
        for output in outputs
        if key is None or str(output.key) == key
    ]
    readings = [reading for reading in found if isinstance(reading, Reading)]
    if len(readings) == 1:
        return readings[0]
    if not readings:
        raise UserError(f"{row.id}: column 'layers': {path!r} can't be a layer: {found[0]}")
    raise UserError(
        f"{row.id}: column 'layers': {path!r} has several outputs; write one of: "
        + ", ".join(f"{path}#{reading.output.key}" for reading in readings)
    )


def _layer(
    row: ModelRow,
    seen: Trace,
    path: str,
    reading: Reading,
    depth: float,
    module: nn.Module,
    tokens: str,
) -> Layer:
    key = reading.output.key
    if tokens != "class":
        return Layer(path, depth, reading.layout, reading.extra.before, key, reading.extra.after)
    if not has_class_token(seen, reading):
        raise UserError(
            f"{row.id}: layer {path!r} has no class token; tokens=class needs a transformer "
            "with one, and layers after it was added, e.g. blocks.*"
        )
    return Layer(tap_class_token(module, path, key, reading.layout), depth, "NC")
