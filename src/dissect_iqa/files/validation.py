"""What people write is checked here: one sentence a problem, with its place and what is allowed."""

import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from dissect_iqa.errors import LISTED, UserError, suggest
from dissect_iqa.files.delimited import to_number
from dissect_iqa.files.plain_text import is_text
from dissect_iqa.files.text_files import read_text

Location = tuple[str | int, ...]

#: Shows what was found; a value that refers to itself many times would fill the memory.
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxdict, _SHORT.maxlist = 2, 6, 6
_SHORT.maxstring = _SHORT.maxother = 120


class Settings(BaseModel):
    """Options as people write them: unknown ones are refused, and a number is a number.

    Pydantic takes `true` for 1 and ``1_0`` for 10. Here a number is written as every program
    writes it, possibly as text, which is what the command line gives for what stands in braces.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="after")
    @classmethod
    def _texts_are_text(cls, value: Any) -> Any:
        """Refuse what YAML's escapes let people write: it makes figures that nothing opens."""
        if isinstance(value, str) and not is_text(value):
            raise ValueError(f"{value!a} has control characters; take them out")
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        annotation = cls.model_fields[str(info.field_name)].annotation
        kinds = {annotation, *get_args(annotation)} & {int, float}
        if not kinds or value is None or get_origin(annotation) in (tuple, dict):
            return value
        if isinstance(value, str):
            number = to_number(value)
        else:
            number = None if isinstance(value, bool) else value
        if number is None or number != number or abs(number) == float("inf"):
            raise ValueError(f"a {'whole ' * (kinds == {int})}number is needed")
        return number


def check_names(what: str, names: Sequence[str], allowed: Sequence[str]) -> None:
    """Check that every name is an allowed one.

    Raises
    ------
    UserError
        Naming the unknown ones, the closest allowed ones, and all of them.
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
        Naming those that are wrong, and the allowed ones.
    """
    unknown = [name for name in dict.fromkeys(names) if name not in allowed]
    if unknown:
        found = ", ".join(f"{name!r}{suggest(name, allowed)}" for name in unknown)
        many = "unknown names" if len(unknown) > 1 else "unknown name"
        raise ValueError(f"{many} {found}; allowed: {', '.join(allowed)}")
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise ValueError(f"name {twice[0]!r} appears twice")
    return names


def _fields_at(model: type[BaseModel], location: Location) -> list[str]:
    """Return the names of the fields allowed at the place where an unknown one was found."""
    for part in location:
        field = model.model_fields.get(str(part))
        kinds = (field.annotation, *get_args(field.annotation)) if field else ()
        below = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not below:
            break
        model = below[0]
    return sorted(model.model_fields)


def explain(
    error: ValidationError, model: type[BaseModel], where: Callable[[Location], str]
) -> str:
    """Describe the problems of a Pydantic validation, one line each; of many the first 20.

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
                f"unknown option {name!r}{suggest(str(location[-1]), allowed)}; "
                f"allowed here: {', '.join(allowed)}"
            )
        elif problem["type"] == "missing":
            text = f"{name!r} is missing"
        elif not location:
            text = problem["msg"].removeprefix("Value error, ")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            found = _SHORT.repr(problem["input"])
            if problem["type"] == "tuple_type" and isinstance(problem["input"], str):
                message = f"a list is needed; write [{problem['input']}]"
            text = f"{name!r}: found {found}; {message[0].lower()}{message[1:]}"
            if problem["type"] == "literal_error":
                words = problem["ctx"]["expected"].split("'")[1::2]
                text += suggest(str(problem["input"]), words)
        lines.append(f"{where(location)}: {text}")
    if len(lines) > LISTED:
        lines[LISTED:] = [f"... and {len(lines) - LISTED} more problems like these"]
    return "\n".join(lines)


@dataclass(frozen=True)
class Origin:
    """Where a configuration's values come from, to name the place of an error.

    Attributes
    ----------
    files : tuple of path
        The YAML files, first the one that wins.
    command_line : mapping
        What was given with ``--config``; it wins over the files.
    """

    files: tuple[Path | str, ...] = ()
    command_line: Mapping[str, Any] = field(default_factory=dict)

    def place(self, location: Location) -> str:
        """Return ``file, line N`` of a key, or that it was given on the command line."""
        value: Any = self.command_line
        for depth, part in enumerate(location):
            if isinstance(value, Mapping) and part in value:
                value = value[part]
            elif depth and not isinstance(value, Mapping):
                break  # an item of a list, or a part of a value of the wrong kind
            else:
                return find_in_yaml(self.files, location)
        return "command line (--config)" if location else find_in_yaml(self.files, location)


def find_in_yaml(files: Sequence[Path | str], location: Location) -> str:
    """Return ``file, line N`` of a key in the YAML files it may have come from.

    Falls back to the deepest parent that exists, then to the list of files.
    """
    for depth in range(len(location), 0, -1):
        for file in files:
            try:
                node: Any = yaml.compose(read_text(file), yaml.SafeLoader)
            except (UserError, yaml.YAMLError):
                continue  # gone or changed meanwhile
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
