"""The model table: one line a configuration, readable in a spreadsheet.

Reading it needs neither torch nor the network, so that planning a run stays fast.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dissect_iqa.errors import Problems, UserError, suggest
from dissect_iqa.files.delimited import SEPARATORS, check_columns, records, shorten
from dissect_iqa.files.text_files import read_text
from dissect_iqa.zoo.listing import models_table
from dissect_iqa.zoo.row import ModelRow
from dissect_iqa.zoo.select import select

__all__ = ["ModelRow", "models_table", "read_models", "select"]


def read_models(path: Path | str) -> dict[str, ModelRow]:
    """Read and validate a model table.

    Parameters
    ----------
    path : path
        Tab-separated text with a header line. Empty lines and lines that start with ``#`` are
        skipped; columns may stand in any order; an empty cell takes the column's default.

    Returns
    -------
    dict of str to ModelRow
        By id, in the order of the file.

    Raises
    ------
    UserError
        One line a problem, each naming file, line, column, what was found and what is allowed.
    """
    path = Path(path)
    text = read_text(path, "model table")
    numbered = [item for item in records(path, text, "\t") if _is_content(item[1])]
    if not numbered:
        raise UserError(f"{path}: empty; it needs a header line and one line a model")
    header = _read_header(path, *numbered[0])
    models: dict[str, ModelRow] = {}
    lines: dict[str, int] = {}
    titles: dict[str, str] = {}
    problems = Problems()
    for line, cells in numbered[1:]:
        row = _read_row(path, line, header, cells, problems)
        if row is None:
            continue
        if row.id in models:
            problems.add(
                f"{path}, line {line}, column 'id': {row.id!r} is already on line "
                f"{lines[row.id]}; every id must be unique"
            )
        elif row.title in titles:
            other = titles[row.title]
            problems.add(
                f"{path}, line {line}, column 'title': {row.id!r} is called {row.title!r}, as is "
                f"{other!r} on line {lines[other]}; every title must be unique"
            )
        titles.setdefault(row.title, row.id)
        models.setdefault(row.id, row)
        lines.setdefault(row.id, line)
    problems.raise_all()
    return models


def _is_content(cells: list[str]) -> bool:
    return any(cell.strip() for cell in cells) and not cells[0].startswith("#")


def _read_header(path: Path, line: int, cells: list[str]) -> list[str]:
    allowed = tuple(ModelRow.model_fields)
    header = [cell.strip() for cell in cells]
    while header and not header[-1]:
        header.pop()  # what spreadsheets add at the right
    check_columns(path, line, header)
    problems = Problems()
    for place, name in enumerate(header):
        if not name:
            problems.add(f"{path}, line {line}: column {place + 1} has no name")
        elif name not in allowed:
            apart = next((mark for mark in SEPARATORS if mark in name), "")
            hint = f"; are its cells separated by {SEPARATORS[apart]}?" if apart else ""
            problems.add(
                f"{path}, line {line}: unknown column {shorten(name)!r}{suggest(name, allowed)}; "
                f"allowed: {', '.join(allowed)} (separated by tabs){hint}"
            )
    problems.raise_all()
    required = [name for name, field in ModelRow.model_fields.items() if field.is_required()]
    missing = [repr(name) for name in required if name not in header]
    if missing:
        words = "columns {} are" if len(missing) > 1 else "column {} is"
        raise UserError(f"{path}, line {line}: {words.format(', '.join(missing))} missing")
    return header


def _read_row(
    path: Path, line: int, header: list[str], cells: list[str], problems: Problems
) -> ModelRow | None:
    """Validate one line; append what is wrong with it to `problems`."""
    while len(cells) > len(header) and not cells[-1].strip():
        cells = cells[:-1]
    if len(cells) > len(header):
        problems.add(
            f"{path}, line {line}: found {len(cells)} cells, the header has {len(header)} columns; "
            "cells are separated by one tab each"
        )
        return None
    values = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if cell.strip()}
    try:
        return ModelRow.model_validate(values)
    except ValidationError as error:
        for problem in error.errors():
            problems.add(f"{path}, line {line}, {_describe(problem, values)}")
        return None


def _describe(problem: Mapping[str, Any], values: Mapping[str, str]) -> str:
    column = str(problem["loc"][0]) if problem["loc"] else "weights"
    if problem["type"] == "missing":
        return f"column {column!r}: empty; this column must be filled in"
    found = values.get(column, "")
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "literal_error":
        allowed = [word.strip("' ") for word in re.split(r",| or ", problem["ctx"]["expected"])]
        message = f"allowed: {', '.join(allowed)}{suggest(found, allowed)}"
    return f"column {column!r}: found {shorten(found)!r}; {message[0].lower()}{message[1:]}"
