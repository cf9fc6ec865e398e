"""The small languages inside single cells of the model table."""

import re
from typing import Any

import yaml

_OPTION = re.compile(r"([A-Za-z_]\w*)=(\S+)")


def parse_architecture(text: str) -> tuple[str, dict[str, Any]]:
    """Split an `architecture` cell such as ``resnet50 head=none`` into name and options.

    Parameters
    ----------
    text : str
        A name, then ``key=value`` pairs separated by blanks; a value is YAML without blanks
        (``14``, ``true``, ``null``, ``[384,512]``).

    Raises
    ------
    ValueError
        If a part has no ``=``, an option appears twice, or a value isn't YAML.
    """
    name, *parts = text.split()
    if "=" in name:
        raise ValueError("the architecture's name must come before its options")
    options: dict[str, Any] = {}
    for part in parts:
        match = _OPTION.fullmatch(part)
        if not match:
            raise ValueError(f"{part!r} is no option; write options as key=value without blanks")
        key, value = match.groups()
        if key in options:
            raise ValueError(f"option {key!r} appears twice")
        try:
            options[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ValueError(f"the value of option {key!r} can't be read: {value!r}") from error
    return name, options


def parse_input(text: str) -> tuple[str, tuple[str, ...]]:
    """Split an `input` cell such as ``timm,size=224`` into preset ("" if none) and items."""
    parts = [part for part in re.split(r"[,\s]+", text) if part]
    preset = parts.pop(0) if parts and "=" not in parts[0] else ""
    return preset, tuple(parts)


def parse_function(text: str) -> str:
    """Return a `function` cell without its particulars: what follows a colon or a bracket.

    ``self-supervised: jigsaw`` is ``self-supervised``.
    """
    return re.split(r"[:(]", text)[0].strip() or "not stated"


def parse_strip(text: str) -> tuple[tuple[str, str, str], ...]:
    """Split a `strip` cell into steps (kind, old, new), applied in order to every key.

    ``module.`` removes a prefix, ``=module.encoder_q.`` keeps only the keys that start with
    the prefix and removes it, ``.module.->.`` replaces text anywhere. ``in-order`` ignores names
    and matches the keys with the architecture's one by one.

    Raises
    ------
    ValueError
        If a step has nothing to look for.
    """
    steps = []
    for part in (part.strip() for part in text.split(";")):
        if not part:
            continue
        old, arrow, new = part.partition("->")
        if arrow:
            step = ("replace", old, new)
        elif part == "in-order":
            step = ("in-order", part, "")
        elif part.startswith("="):
            step = ("only", part[1:], "")
        else:
            step = ("prefix", part, "")
        if not step[1]:
            raise ValueError(f"step {part!r} has nothing to look for")
        steps.append(step)
    return tuple(steps)
