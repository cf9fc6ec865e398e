"""The zoo as a table for people: `dissect-iqa models`."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import pandas as pd

from dissect_iqa.errors import UserError, suggest
from dissect_iqa.zoo.licence import licence_flag
from dissect_iqa.zoo.row import ModelRow


def models_table(
    models: Iterable[ModelRow], filters: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """List configurations, one a line.

    Parameters
    ----------
    models : iterable of ModelRow
        What to list.
    filters : mapping of str to str, optional
        Column of the model table to text: a row is kept if the cell contains it, whatever the
        case; ``*`` stands for any text.

    Returns
    -------
    DataFrame
        Columns id, title, set, architecture, function, family, environment, top1 (percent,
        missing where none is published), licence, restricted (``non-commercial``,
        ``not stated`` or empty).

    Raises
    ------
    UserError
        If a filter names no column.
    """
    allowed = tuple(ModelRow.model_fields)
    for column in filters or {}:
        if column not in allowed:
            raise UserError(
                f"models: no column {column!r} to filter by{suggest(column, allowed)}; "
                f"columns: {', '.join(allowed)}"
            )
    rows = [
        {
            "id": row.id,
            "title": row.title,
            "set": row.set,
            "architecture": row.name,
            "function": row.function,
            "family": row.family,
            "environment": row.environment,
            "top1": row.top1,
            "licence": row.licence,
            "restricted": licence_flag(row.licence) if row.weights_kind != "seed" else "",
        }
        for row in models
        if all(_contains(row, column, text) for column, text in (filters or {}).items())
    ]
    columns = "id title set architecture function family environment top1 licence restricted"
    return pd.DataFrame(rows, columns=columns.split())


#: What the abbreviations of `brief` stand for, and where the rest is.
LEGEND = (
    "terms: NC = weights for non-commercial use only, ? = licence not stated",
    "--all-columns and --csv have titles, sets, families and licences, too",
)
_TERMS = {"non-commercial": "NC", "not stated": "?", "": ""}


def brief(table: pd.DataFrame, narrow: bool = False) -> pd.DataFrame:
    """Return the columns of `models_table` that matter most.

    Parameters
    ----------
    table : DataFrame
        What `models_table` returned.
    narrow : bool
        Put the architecture on a second line under the id, so that 80 characters are enough.

    Returns
    -------
    DataFrame
        Columns id, function, architecture, environment, top-1 (percent) and terms, see
        `LEGEND`; if narrow, "id, architecture" instead of the two.
    """
    chosen = table[["id", "function", "architecture", "environment"]].copy()
    chosen["top-1"] = table["top1"].astype(float)
    chosen["terms"] = table["restricted"].map(_TERMS)
    if narrow:
        stacked = chosen.pop("id") + "\n  " + chosen.pop("architecture")
        chosen.insert(0, "id, architecture", stacked)
    return chosen


def _contains(row: ModelRow, column: str, text: str) -> bool:
    value = getattr(row, column)
    return fnmatchcase("" if value is None else str(value).lower(), f"*{text.lower()}*")
