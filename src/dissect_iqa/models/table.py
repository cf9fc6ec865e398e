"""The model table: one line a configuration, readable in a spreadsheet.

Reading it needs neither torch nor the network, so that planning a run stays fast.
"""

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dissect_iqa.errors import UserError
from dissect_iqa.models.listing import models_table
from dissect_iqa.models.row import ModelRow
from dissect_iqa.models.select import select
from dissect_iqa.validation import suggest

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
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no such model table") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 ({error}); save it as UTF-8 text") from error
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t", strict=True)
    numbered = [(reader.line_num, cells) for cells in reader if _is_content(cells)]
    if not numbered:
        raise UserError(f"{path}: empty; it needs a header line and one line a model")
    header = _read_header(path, *numbered[0])
    models: dict[str, ModelRow] = {}
    lines: dict[str, int] = {}
    problems: list[str] = []
    for line, cells in numbered[1:]:
        row = _read_row(path, line, header, cells, problems)
        if row is None:
            continue
        if row.id in models:
            problems.append(
                f"{path}, line {line}, column 'id': {row.id!r} is already on line "
                f"{lines[row.id]}; every id must be unique"
            )
        models.setdefault(row.id, row)
        lines.setdefault(row.id, line)
    if problems:
        raise UserError("\n".join(problems))
    return models


def _is_content(cells: list[str]) -> bool:
    return any(cell.strip() for cell in cells) and not cells[0].startswith("#")


def _read_header(path: Path, line: int, cells: list[str]) -> list[str]:
    allowed = tuple(ModelRow.model_fields)
    header = [cell.strip() for cell in cells]
    for name in header:
        if name not in allowed:
            raise UserError(
                f"{path}, line {line}: unknown column {name!r}{suggest(name, allowed)}; "
                f"allowed: {', '.join(allowed)} (separated by tabs)"
            )
        if header.count(name) > 1:
            raise UserError(f"{path}, line {line}: column {name!r} appears twice")
    required = [name for name, field in ModelRow.model_fields.items() if field.is_required()]
    missing = [name for name in required if name not in header]
    if missing:
        raise UserError(f"{path}, line {line}: column {missing[0]!r} is missing")
    return header


def _read_row(
    path: Path, line: int, header: list[str], cells: list[str], problems: list[str]
) -> ModelRow | None:
    """Validate one line; append what is wrong with it to `problems`."""
    if len(cells) > len(header):
        problems.append(
            f"{path}, line {line}: found {len(cells)} cells, the header has {len(header)} columns; "
            "cells are separated by one tab each"
        )
        return None
    values = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if cell.strip()}
    try:
        return ModelRow.model_validate(values)
    except ValidationError as error:
        for problem in error.errors():
            problems.append(f"{path}, line {line}, {_describe(problem, values)}")
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
    return f"column {column!r}: found {found!r}; {message[0].lower()}{message[1:]}"
