"""YAML that people write: read like PyYAML does, but nothing in it is guessed or overwritten."""

import json
import math
import re
from pathlib import Path
from typing import Any

import yaml

from dissect_iqa.errors import Problems, UserError
from dissect_iqa.files.text_files import read_text

#: A configuration is a few kilobytes; the largest tables of data sets are not much more.
MOST_BYTES = 4 * 2**20
#: Brackets inside brackets, which PyYAML reads by recursion.
_DEEPEST = 50

_PLAIN = {
    "tag:yaml.org,2002:int": re.compile(r"[-+]?(0|[1-9][0-9]*)", re.ASCII),
    "tag:yaml.org,2002:float": re.compile(
        r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", re.ASCII
    ),
}


def read_yaml(path: Path | str, what: str = "YAML file") -> Any:
    """Read one YAML document, or JSON from a file that ends in ``.json``.

    Parameters
    ----------
    path : path
        The file; see `read_text` for encodings.
    what : str
        What the file is, for errors.

    Returns
    -------
    object
        Mappings, lists, texts, numbers, truth values and None.

    Raises
    ------
    UserError
        Naming the line, if it isn't YAML, a key stands twice in one mapping, or a word would be
        taken for a number that nobody sees in it (``1_0``, ``010``, ``1:30``, ``.nan``).
    """
    path = Path(path)
    text = read_text(path, what, MOST_BYTES)
    if path.suffix.lower() == ".json":
        return _read_json(path, text)
    problems = Problems()
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        _check(path, node, problems, set())
        problems.raise_all()
        return None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        reason = " ".join(filter(None, (error.context, error.problem)))
        raise UserError(f"{path}{line}: no valid YAML: {reason}; correct it") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: no valid YAML: {' '.join(str(error).split())}") from error
    except (RecursionError, ValueError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UserError(f"{path}: no valid YAML: {reason}; correct it") from error


def _read_json(path: Path, text: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise UserError(f"{path}: {twice[0]!r} stands twice in one object; keep one of them")
        return dict(pairs)

    def refuse(word: str) -> None:
        raise UserError(f"{path}: found {word}, which is no number that can stand here")

    try:
        return json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}, line {error.lineno}: no valid JSON: {error.msg}") from error
    except RecursionError as error:
        raise UserError(f"{path}: no valid JSON: nested too deeply") from error


def _check(path: Path, node: Any, problems: Problems, seen: set[int], depth: int = 0) -> None:
    """Note keys that stand twice and numbers that don't look like what they are read as."""
    if node is None or id(node) in seen:
        return
    if depth > _DEEPEST:
        raise UserError(f"{path}, line {node.start_mark.line + 1}: nested too deeply")
    seen.add(id(node))
    line = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        form = _PLAIN.get(node.tag)
        if form and not form.fullmatch(node.value):
            value = yaml.safe_load(node.value)
            meant = f"{value}, or put it in quotes" if math.isfinite(value) else "it in quotes"
            problems.add(
                f"{path}, line {line}: found {node.value!r}, which YAML reads as the number "
                f"{value}; write {meant} if it is a name"
            )
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check(path, item, problems, seen, depth + 1)
    else:
        first: dict[tuple[str, str], int] = {}
        for key, value in node.value:
            here = key.start_mark.line + 1
            name = _name(key)
            if name in first:
                problems.add(
                    f"{path}, line {here}: {key.value!r} stands here a second time (first on line "
                    f"{first[name]}); keep one of the two"
                )
            first.setdefault(name, here)
            _check(path, key, problems, seen, depth + 1)
            _check(path, value, problems, seen, depth + 1)


def _name(key: Any) -> tuple[str, str]:
    """Return what tells a key from others: words by their letters, the rest by its meaning."""
    if isinstance(key, yaml.ScalarNode) and key.tag.endswith((":bool", ":null")):
        return key.tag, str(yaml.safe_load(key.value))
    return key.tag, str(key.value)
