"""Read somebody's table of scores, and find each of its rows among a data set's pairs."""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PureWindowsPath

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from pandas.api.types import is_bool_dtype, is_numeric_dtype, is_string_dtype
from pyarrow import ArrowException

from dissect_iqa.baselines.outside import ScoresEntry
from dissect_iqa.datasets.file_names import folded
from dissect_iqa.errors import Problems, UserError, suggest
from dissect_iqa.files.delimited import (
    SEPARATORS,
    check_columns,
    decimal_commas,
    read_delimited,
    shorten,
    to_number,
)
from dissect_iqa.files.sums import names_of

log = logging.getLogger(__name__)

#: What programs write for an infinite score, such as the PSNR of equal pictures.
_INFINITE = {"inf": np.inf, "+inf": np.inf, "infinity": np.inf, "-inf": -np.inf}
#: What they write where there is none.
_NONE = {"", "nan", "na", "n/a", "none", "null"}


@dataclass(frozen=True)
class OutsideTable:
    """A table of scores, as it is written.

    Attributes
    ----------
    path : Path
        Where it is.
    places : list of str
        Where each row is: "line 2", or "row 1" where there are no lines.
    distorted : list of str
        Each row's distorted picture, as the table names it.
    reference : list of str or None
        Each row's reference, where the entry says which column names it.
    values : dict of str to ndarray, shape (rows,)
        Each metric's scores; NaN where there is none.
    """

    path: Path
    places: list[str]
    distorted: list[str]
    reference: list[str] | None
    values: dict[str, np.ndarray]

    def sum(self, metric: str) -> str:
        """Return the sha256 of one metric's scores with the names of their pictures.

        Neither other columns nor the order of the rows matter.
        """
        references = self.reference or [""] * len(self.distorted)
        rows = zip(references, self.distorted, map(repr, self.values[metric].tolist()), strict=True)
        text = "\n".join(sorted("\t".join(row) for row in rows))
        return hashlib.sha256(text.encode()).hexdigest()


def read_outside(entry: ScoresEntry) -> OutsideTable:
    """Read a table of scores.

    Raises
    ------
    UserError
        If it isn't there or isn't whole, a column is missing, or a score is no number; all such
        cells at once.
    """
    if not entry.table.exists():
        raise UserError(f"{entry.table}: there is no such table of scores")
    is_parquet = entry.table.suffix.lower() in (".parquet", ".pq")
    return _from_parquet(entry) if is_parquet else _from_text(entry)


def match_rows(table: OutsideTable, pairs: pd.DataFrame, where: str) -> np.ndarray:
    """Find the row of every pair.

    A name is that of a picture if it is its path in the data set, else if it is its name without
    folders, else without its ending, too; capital letters never count.

    Parameters
    ----------
    table : OutsideTable
        What `read_outside` returned.
    pairs : DataFrame
        The data set's `reference_file` and `distorted_file`.
    where : str
        The data set, for errors.

    Returns
    -------
    ndarray of int, shape (pairs,)
        Positions of rows. Rows of no pair are left out, with a line in the log.

    Raises
    ------
    UserError
        Naming pairs that have no row or several, and names that several pictures bear.
    """
    problems = Problems()
    several = pairs.groupby("distorted_file", sort=False)["reference_file"].nunique() > 1
    if table.reference is None and several.any():
        raise UserError(
            f"{table.path}: in {where} {several.idxmax()} belongs to several references; say under "
            "'reference' which column names these"
        )
    wanted: dict[tuple[str | None, str], list[int]] = defaultdict(list)
    files = zip(pairs["reference_file"], pairs["distorted_file"], strict=True)
    for number, (reference, distorted) in enumerate(files):
        wanted[None if table.reference is None else reference, distorted].append(number)
    distorted_of = _finder(pairs["distorted_file"], table.path, where, problems)
    reference_of = _finder(pairs["reference_file"], table.path, where, problems)
    rows = np.full(len(pairs), -1)
    unknown = []
    for row, name in enumerate(table.distorted):
        reference = None if table.reference is None else reference_of(table.reference[row])
        numbers = wanted.get((reference, distorted_of(name) or ""), [])
        if not numbers:
            unknown.append(name)
        elif rows[numbers[0]] >= 0:
            first = table.places[rows[numbers[0]]]
            problems.add(f"{table.path}, {table.places[row]}: {name!r} is on {first}, too")
        else:
            rows[numbers] = row
    missing = pairs["distorted_file"][rows < 0]
    if len(missing):
        problems.add(
            f"{table.path}: no row for {len(missing)} of {len(pairs)} pairs of {where}: "
            f"{names_of(missing)}" + (f" (rows of no pair: {names_of(unknown)})" if unknown else "")
        )
    problems.raise_all()
    if unknown:
        log.warning("%s: no pairs of %s, left out: %s", table.path, where, names_of(unknown))
    return rows


def scores_of(table: OutsideTable, metric: str, rows: np.ndarray) -> np.ndarray:
    """Return a metric's scores of the pairs that `match_rows` found.

    Raises
    ------
    UserError
        Naming the rows that have none, or if all are the same.
    """
    values = table.values[metric][rows]
    absent = [table.places[row] for row in rows[np.isnan(values)]]
    if absent:
        raise UserError(
            f"{table.path}: {metric} has no score for {len(absent)} of {len(rows)} pairs: "
            f"{names_of(absent)}; fill them in, or take {metric} out of 'scores'"
        )
    if len(values) > 1 and (values == values[0]).all():
        raise UserError(
            f"{table.path}: all {len(values)} scores of {metric} are {values[0]:g}, so nothing can "
            "agree or disagree with them; is it the right column?"
        )
    return values


def _from_text(entry: ScoresEntry) -> OutsideTable:
    path = entry.table
    tabs = ("\t",) if path.suffix.lower() == ".tsv" else SEPARATORS
    table = read_delimited(path, "table of scores", entry.columns(), tabs)
    if not table.rows:
        raise UserError(f"{path}: no rows below the header")
    places = [f"line {number}" for number, _ in table.rows]
    cells = {metric: table.column(entry.column(metric)) for metric in entry.metrics}
    commas = decimal_commas(cell for column in cells.values() for cell in column)
    problems, values = Problems(), {}
    for metric, column in cells.items():
        numbers = [_number(cell.replace(",", ".") if commas else cell) for cell in column]
        for place, cell, number in zip(places, column, numbers, strict=True):
            if number is None:
                problems.add(
                    f"{path}, {place}: found {shorten(cell)!r}, expected a number such as 3.5 in "
                    f"column {entry.column(metric)!r}"
                )
        values[metric] = np.array(numbers, dtype=np.float64)
    problems.raise_all()
    reference = table.column(entry.reference) if entry.reference else None
    return OutsideTable(path, places, table.column(entry.distorted), reference, values)


def _number(text: str) -> float | None:
    """Return the score that a cell holds: NaN if it is empty, None if it is something else."""
    lower = text.strip().lower()
    return np.nan if lower in _NONE else _INFINITE.get(lower, to_number(text))


def _from_parquet(entry: ScoresEntry) -> OutsideTable:
    path = entry.table
    try:
        names = pq.read_schema(path).names
        check_columns(path, 1, names)
        spelled = {name.lower(): name for name in names}
        absent = [name for name in entry.columns() if name.lower() not in spelled]
        if absent:
            raise UserError(
                f"{path}: no column {', '.join(map(repr, absent))}; it has: {names_of(names, 20)}"
                f"{suggest(absent[0], names)}"
            )
        wanted = dict.fromkeys(spelled[name.lower()] for name in entry.columns())
        frame = pq.read_table(path, columns=list(wanted)).to_pandas()
    except (ArrowException, OSError) as error:
        raise UserError(f"{path}: can't be read as Parquet ({error})") from error
    if frame.empty:
        raise UserError(f"{path}: holds no rows")
    problems = Problems()

    def column(name: str, holds: Callable[[pd.Series], bool], what: str) -> pd.Series:
        found = frame[spelled[name.lower()]]
        if not holds(found):
            problems.add(f"{path}: column {name!r} holds {found.dtype}, expected {what}")
        return found

    def pictures(name: str) -> list[str]:
        return [str(cell) for cell in column(name, is_string_dtype, "names of pictures")]

    def is_number(found: pd.Series) -> bool:
        return is_numeric_dtype(found) and not is_bool_dtype(found)

    scores = {
        metric: column(entry.column(metric), is_number, "numbers") for metric in entry.metrics
    }
    distorted = pictures(entry.distorted)
    reference = pictures(entry.reference) if entry.reference else None
    problems.raise_all()
    places = [f"row {number}" for number in range(1, len(frame) + 1)]
    values = {
        metric: found.to_numpy(np.float64, na_value=np.nan) for metric, found in scores.items()
    }
    return OutsideTable(path, places, distorted, reference, values)


def _finder(
    files: pd.Series, path: Path, where: str, problems: Problems
) -> Callable[[str], str | None]:
    """Return the function that finds the picture that a table means, None if there is none."""
    lookups: list[tuple[Callable[[str], str], dict[str, set[str]]]] = []
    for form in (_whole, _bare, _stem):
        lookup: dict[str, set[str]] = defaultdict(set)
        for file in files.unique():
            lookup[form(file)].add(file)
        lookups.append((form, lookup))

    def find(name: str) -> str | None:
        for form, lookup in lookups:
            found = lookup.get(form(name), set())
            if len(found) > 1:
                problems.add(
                    f"{path}: {name!r} may be {names_of(sorted(found))} of {where}; name pictures "
                    "by their path in the data set"
                )
            if found:
                return min(found)
        return None

    return cache(find)


def _whole(name: str) -> str:
    return folded(PureWindowsPath(name).as_posix())


def _bare(name: str) -> str:
    return folded(PureWindowsPath(name).name)


def _stem(name: str) -> str:
    return folded(PureWindowsPath(name).stem)
