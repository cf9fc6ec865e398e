"""The `layers` column: which modules of a network are read, and how their output is laid out."""

import difflib
import math
import re
from fnmatch import translate

import pandas as pd
from torch import nn

from dissect_iqa.errors import UserError
from dissect_iqa.models.class_token import tap_class_token
from dissect_iqa.models.inputs import input_policy
from dissect_iqa.models.layout import layout_of, prefix_tokens, skipped_tokens
from dissect_iqa.models.network import InputPolicy, Layer
from dissect_iqa.models.presets import PRESETS, usable
from dissect_iqa.models.row import ModelRow
from dissect_iqa.models.trace import BATCH, Trace, trace
from dissect_iqa.validation import suggest

TOKENS = ("patches", "all", "class")


def resolve_layers(
    module: nn.Module, row: ModelRow, policy: InputPolicy | None = None
) -> tuple[Layer, ...]:
    """Name the layers that a row's `layers` cell asks for, ordered by depth.

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
        by a later module, or has several outputs of which none is chosen.
    """
    policy = policy or input_policy(row, module)
    cell, tokens = _split(row)
    seen = trace(module, policy, name=row.id)
    if cell in PRESETS:
        chosen: list[tuple[str, str | None]] = [(p, None) for p in PRESETS[cell](module, seen)]
        if len(chosen) < 2:
            raise UserError(
                f"{row.id}: preset {cell!r} finds no layers in {type(module).__name__}; write "
                "module paths into the column 'layers'"
            )
    else:
        chosen = _explicit(row, module, seen, cell)
    layers = [
        _layer(row, seen, path, key, (i + 1) / len(chosen), module, tokens)
        for i, (path, key) in enumerate(chosen)
    ]
    return tuple(layers)


def layers_table(row: ModelRow, size: tuple[int, int] = (384, 512)) -> pd.DataFrame:
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
        positions, and skipped (leading tokens that are no positions).
    """
    from dissect_iqa.models.build import skeleton

    module = skeleton(row)
    policy = input_policy(row, module)
    layers = resolve_layers(module, row, policy)
    seen = trace(module, policy, size, row.id)
    rows = []
    for layer in layers:
        found = next(out for out in seen.outputs[layer.name] if out.key == layer.output)
        shape = found.shape[1:]
        channels = shape[0] if layer.layout == "NCHW" else shape[-1]
        rows.append(
            {
                "layer": layer.name + ("" if layer.output is None else f"#{layer.output}"),
                "depth": round(layer.depth, 4),
                "shape": " x ".join(map(str, shape)),
                "layout": layer.layout,
                "channels": channels,
                "positions": math.prod(shape) // channels - layer.skip_tokens,
                "skipped": layer.skip_tokens,
            }
        )
    return pd.DataFrame(rows)


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


def _layer(
    row: ModelRow,
    seen: Trace,
    path: str,
    key: str | None,
    depth: float,
    module: nn.Module,
    tokens: str,
) -> Layer:
    outputs = usable(seen, path)
    if key is not None:
        outputs = [output for output in outputs if str(output.key) == key]
    preset = row.layers.partition("@")[0].strip() in (*PRESETS, "")
    if not outputs or (len(outputs) > 1 and not preset):
        raise UserError(f"{row.id}: column 'layers': {_why_not(seen, path, key)}")
    output = outputs[0]
    layout = layout_of(output.shape, seen.size)
    if layout is None:
        raise UserError(
            f"{row.id}: layer {path!r}: can't tell the channels of an output of shape "
            f"{output.shape[1:]} for a picture of {seen.size}; choose another layer"
        )
    if tokens == "class":
        if layout != "NLC" or not prefix_tokens(module):
            raise UserError(
                f"{row.id}: layer {path!r} has no class token; tokens=class needs a transformer "
                "with one, and layers after it was added, e.g. blocks.*"
            )
        return Layer(tap_class_token(module, path, output.key), depth, "NC")
    skip = 0
    if layout == "NLC" and tokens == "patches":
        skip = skipped_tokens(output.shape[1], prefix_tokens(module), seen.size)
    return Layer(path, depth, layout, skip, output.key)


def _why_not(seen: Trace, path: str, key: str | None) -> str:
    """Explain in one sentence why a module can't be a layer, and what to do."""
    if seen.fires[path] > 1:
        return (
            f"{path!r} runs {seen.fires[path]} times for one picture, so that its output is "
            f"ambiguous; name the block that holds it: {path.rpartition('.')[0] or '(none)'}"
        )
    outputs = seen.outputs[path]
    keys = [str(output.key) for output in outputs]
    if key is not None and key not in keys:
        return f"{path!r} has no output {key!r}{suggest(key, keys)}; it has: {', '.join(keys)}"
    if not outputs:
        return f"{path!r} gives out no tensor"
    if any(output.overwritten for output in outputs):
        after = list(seen.fires)[list(seen.fires).index(path) + 1 :]
        close = next((p for p in after if usable(seen, p)), "a later module")
        return (
            f"the output of {path!r} is overwritten in place by what follows; "
            f"name a module after it, e.g. {close!r}"
        )
    if len(outputs) > 1:
        return f"{path!r} has several outputs; write one of: " + ", ".join(
            f"{path}#{key}" for key in keys
        )
    return (
        f"{path!r} gives out a tensor of shape {outputs[0].shape} for {BATCH} pictures; a layer "
        "keeps pictures apart and has 1 to 3 further axes"
    )
