"""Tables that people write, cells with commas, semicolons or tabs between: read strictly."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dissect_iqa.errors import Problems, UserError
from dissect_iqa.files.text_files import read_text

#: What may stand between cells.
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
#: A table of more columns is something else.
MOST_COLUMNS = 500
#: A longer cell is shown by its beginning.
_SHOWN = 60

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_INDEX_NAME = re.compile(r"(unnamed: ?\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class Table:
    """A table as text.

    Attributes
    ----------
    path : Path
        Where it is.
    separator : str
        What stands between its cells.
    header_line : int
        Number of the line with the names, from 1.
    columns : tuple of str
        The names as written, blanks around them off.
    rows : tuple
        (line number, cells) of every line below that isn't empty; cells as many as columns.
    """

    path: Path
    separator: str
    header_line: int
    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]

    def column(self, name: str) -> list[str]:
        """Return the cells of a column; its name in any case."""
        place = [known.lower() for known in self.columns].index(name.lower())
        return [cells[place] for _, cells in self.rows]


def read_delimited(
    path: Path | str,
    what: str,
    wanted: Sequence[str] = (),
    separators: Iterable[str] = SEPARATORS,
) -> Table:
    """Read a table with a header line; names of columns count in any case.

    Parameters
    ----------
    path : path
        See `read_text` for encodings.
    what : str
        What the table is, for errors.
    wanted : sequence of str
        Columns that must be there. They tell which separator is meant, too.
    separators : iterable of str
        What may stand between the cells; the first one with which the header has all `wanted`.

    Returns
    -------
    Table
        Without empty columns that have no name, and without a column of row numbers that has
        none, which pandas and R write on their own.

    Raises
    ------
    UserError
        If a column is missing, has no name or the name of another, or a line isn't whole; all
        such lines at once.
    """
    path = Path(path)
    text = read_text(path, what)
    separator, line, header = _find_header(path, text, wanted, separators)
    check_columns(path, line, header)
    rows, problems = [], Problems()
    for number, cells in records(path, text, separator):
        cells = [cell.strip() for cell in cells]
        if number <= line or not any(cells):
            continue
        if len(cells) != len(header):
            shown = shorten(separator.join(cells))
            problems.add(f"{path}, line {number}: found {shown!r}, expected {len(header)} cells")
        rows.append((number, tuple(cells)))
    problems.raise_all()
    kept = _named(path, line, header, rows)
    return Table(
        path,
        separator,
        line,
        tuple(header[place] for place in kept),
        tuple((number, tuple(cells[place] for place in kept)) for number, cells in rows),
    )


def records(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (number of its line, cells) of every record of a delimited text.

    Raises
    ------
    UserError
        If a quote is left open or a cell is longer than 131,072 characters.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        start = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise UserError(f"{path}, line {start}: {_explain(error)}") from error
        if any("\n" in cell or "\r" in cell for cell in cells):
            raise UserError(
                f"{path}, line {start}: a quote that opens here is closed only on line "
                f"{reader.line_num}; close it, or write a quote that belongs to the text twice"
            )
        yield start, cells


def _explain(error: csv.Error) -> str:
    message = str(error)
    if "field limit" in message:
        return (
            f"a cell has more than {csv.field_size_limit():,} characters; is a quote left open, or "
            "is this another file?"
        )
    if "unexpected end" in message:
        return "a quote that opens here is never closed; close it or take it out"
    return (
        "after a cell in quotes the next cell must follow; write a quote that belongs to the text "
        f"twice ({message})"
    )


def check_columns(path: Path, line: int, header: Sequence[str]) -> None:
    """Check that a header has a sane number of columns, none of them twice in any case.

    Raises
    ------
    UserError
        Naming the columns.
    """
    if len(header) > MOST_COLUMNS:
        raise UserError(
            f"{path}, line {line}: {len(header):,} columns are too many (at most "
            f"{MOST_COLUMNS}); is it the right file?"
        )
    counts = Counter(name.lower() for name in header if name)
    twice = {name for name, count in counts.items() if count > 1}
    if twice:
        names = [repr(name) for name in header if name.lower() in twice]
        raise UserError(
            f"{path}, line {line}: columns {', '.join(names)} have the same name (capital letters "
            "don't count), so which is meant isn't clear; rename or remove one"
        )


def to_number(text: str) -> float | None:
    """Return the number that a cell holds, or None if it holds none.

    Accepted is what every program writes, such as ``-3.5`` or ``1e-3``: ASCII digits and a
    decimal point. Refused are nan and inf, ``1_0``, ``1,000`` and digits of other scripts.
    """
    text = text.strip()
    number = float(text) if _NUMBER.fullmatch(text) else None
    return number if number is not None and abs(number) < float("inf") else None


def decimal_commas(cells: Iterable[str]) -> bool:
    """Tell whether numbers are written with decimal commas, and beyond doubt.

    They are if commas stand between digits, no point does, and they can't be thousands: one of
    them isn't followed by exactly three digits.
    """
    cells = [cell for cell in cells if cell]
    commas = [cell for cell in cells if _COMMA.fullmatch(cell)]
    return (
        bool(commas)
        and not any("." in cell for cell in cells)
        and any(len(cell.partition(",")[2]) != 3 for cell in commas)
    )


def shorten(text: str) -> str:
    """Return a text as it can be shown in a sentence."""
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _find_header(
    path: Path, text: str, wanted: Sequence[str], separators: Iterable[str]
) -> tuple[str, int, list[str]]:
    """Return the separator that gives all wanted columns, the header's line and its names."""
    tried: dict[str, tuple[int, list[str]]] = {}
    fault: UserError | None = None
    for separator in separators:
        try:
            line, header = tried[separator] = _header(path, text, separator)
        except UserError as error:
            fault = fault or error
            continue
        if not _absent(header, wanted):
            return separator, line, header
    if fault and all(len(header) < 2 for _, header in tried.values()):
        raise fault
    raise UserError(_no_header(path, tried, wanted))


def _header(path: Path, text: str, separator: str) -> tuple[int, list[str]]:
    for number, cells in records(path, text, separator):
        if any(cell.strip() for cell in cells):
            return number, [cell.strip() for cell in cells]
    raise UserError(f"{path}: empty; it needs a header line and lines below it")


def _absent(header: Sequence[str], wanted: Sequence[str]) -> list[str]:
    known = {name.lower() for name in header}
    return [name for name in wanted if name.lower() not in known]


def _no_header(path: Path, tried: dict[str, tuple[int, list[str]]], wanted: Sequence[str]) -> str:
    """Say what is missing, with the separator that makes most of the header."""
    from dissect_iqa.errors import suggest

    separator = max(tried, key=lambda key: len(tried[key][1]))
    line, header = tried[separator]
    absent = _absent(header, wanted)
    names = ", ".join(header[:20]) + (" ..." if len(header) > 20 else "")
    many = f"columns {', '.join(map(repr, absent))}" if len(absent) > 1 else f"column {absent[0]!r}"
    return (
        f"{path}, line {line}: no {many}; it has: {shorten(names) if len(header) == 1 else names}"
        f"{suggest(absent[0], header)} (cells are separated by {SEPARATORS[separator]})"
    )


def _named(
    path: Path, line: int, header: list[str], rows: list[tuple[int, tuple[str, ...]]]
) -> list[int]:
    """Return the places of the columns that count."""
    kept = []
    for place, name in enumerate(header):
        if not _INDEX_NAME.fullmatch(name):
            kept.append(place)
            continue
        cells = [cells[place] for _, cells in rows]
        index = any(cells == [str(n + start) for n in range(len(cells))] for start in (0, 1))
        if index or not any(cells):
            continue
        if name:
            kept.append(place)
            continue
        raise UserError(
            f"{path}, line {line}: column {place + 1} has no name, but holds {shorten(cells[0])!r} "
            "and more; name it, or remove it"
        )
    return kept
