"""Turn a Pydantic error into one sentence: the place, what was found and what is allowed."""

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from dissect_iqa.errors import UserError

Location = tuple[str | int, ...]


def suggest(word: str, allowed: Sequence[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the closest allowed word, or an empty string."""
    close = difflib.get_close_matches(str(word), [str(item) for item in allowed], n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def check_names(what: str, names: Sequence[str], allowed: Sequence[str]) -> None:
    """Check that every name is an allowed one.

    Raises
    ------
    UserError
        Naming the unknown one, the closest allowed one, and all of them.
    """
    try:
        known_names(tuple(dict.fromkeys(names)), allowed)
    except ValueError as error:
        raise UserError(f"{what}: {error}") from error


def known_names(names: tuple[str, ...], allowed: Sequence[str]) -> tuple[str, ...]:
    """Return `names` if each is allowed and none appears twice; for Pydantic validators.

    Raises
    ------
    ValueError
        Naming the first that is wrong, and the allowed ones.
    """
    for name in names:
        if name not in allowed:
            raise ValueError(
                f"unknown name {name!r}{suggest(name, allowed)}; allowed: {', '.join(allowed)}"
            )
    if len(set(names)) < len(names):
        raise ValueError("a name appears twice")
    return names


def _fields_at(model: type[BaseModel], location: Location) -> list[str]:
    """Return the names of the fields allowed at the place where an unknown one was found."""
    for part in location:
        field = model.model_fields.get(str(part))
        kind = field.annotation if field else None
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            break
        model = kind
    return sorted(model.model_fields)


def explain(
    error: ValidationError, model: type[BaseModel], where: Callable[[Location], str]
) -> str:
    """Describe every problem of a Pydantic validation, one line each.

    Parameters
    ----------
    error : ValidationError
        What Pydantic raised.
    model : type of BaseModel
        The model that was validated; tells which names are allowed.
    where : callable
        Maps a location such as ``("statistics", "draws")`` to a place a person can find,
        e.g. ``config/config.yaml, line 12``.
    """
    lines = []
    for problem in error.errors():
        location = problem["loc"]
        name = ".".join(str(part) for part in location)
        if problem["type"] == "extra_forbidden":
            allowed = _fields_at(model, location[:-1])
            text = (
                f"unknown option {name!r}{suggest(location[-1], allowed)}; "
                f"allowed here: {', '.join(allowed)}"
            )
        elif problem["type"] == "missing":
            text = f"{name!r} is missing"
        else:
            message = problem["msg"].removeprefix("Value error, ")
            text = f"{name!r}: found {problem['input']!r}; {message[0].lower()}{message[1:]}"
        lines.append(f"{where(location)}: {text}")
    return "\n".join(lines)


def find_in_yaml(files: Sequence[Path | str], location: Location) -> str:
    """Return ``file, line N`` of a key in the YAML files it may have come from.

    Falls back to the deepest parent that exists, then to the list of files.
    """
    for depth in range(len(location), 0, -1):
        for file in files:
            node: Any = yaml.compose(Path(file).read_text())
            line = _line_of(node, location[:depth])
            if line is not None:
                return f"{file}, line {line}"
    return ", ".join(str(file) for file in files) or "configuration"


def _line_of(node: Any, location: Location) -> int | None:
    line = None
    for part in location:
        if isinstance(node, yaml.MappingNode):
            pairs = {key.value: (key, value) for key, value in node.value}
            if str(part) not in pairs:
                return None
            key, node = pairs[str(part)]
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            if part >= len(node.value):
                return None
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            return None
    return line
