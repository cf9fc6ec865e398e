"""Read the line-oriented score tables of the data sets; every fault names file and line."""

import csv
from collections.abc import Iterator
from pathlib import Path

from dissect_iqa.errors import UserError


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, stripped text) of every line that isn't blank.

    Line ends of any system and a byte-order mark are accepted.
    """
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield number, line.strip()


def bad_line(path: Path, number: int, found: str, expected: str) -> UserError:
    """Return the error of a line that can't be read."""
    return UserError(f"{path}, line {number}: found {found!r}, expected {expected}")


def to_float(path: Path, number: int, text: str, name: str, low: float, high: float) -> float:
    """Return a number within its published range.

    Raises
    ------
    UserError
        If it isn't a number or lies outside `low` .. `high`.
    """
    try:
        value = float(text)
    except ValueError:
        raise bad_line(path, number, text, f"a number as {name}") from None
    if not low <= value <= high:
        raise bad_line(path, number, text, f"a {name} of {low:g} .. {high:g}")
    return value


def numbers(path: Path, name: str, low: float, high: float) -> list[float]:
    """Return a file of one number a line."""
    return [to_float(path, number, text, name, low, high) for number, text in lines(path)]


def rows(path: Path, columns: tuple[str, ...], delimiter: str = ",") -> Iterator[tuple[int, dict]]:
    """Yield (line number, row) of a delimited table with a header.

    Header names are stripped of surrounding blanks and compared without regard to case.

    Raises
    ------
    UserError
        If the file is empty, lacks one of `columns`, or a row has more or fewer cells than the
        header.
    """
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        reader = csv.reader(file, delimiter=delimiter)
        header = [name.strip().lower() for name in next(reader, [])]
        absent = [name for name in columns if name.lower() not in header]
        if absent:
            raise UserError(
                f"{path}, line 1: no column {absent[0]!r}; it has: {', '.join(header) or 'none'}"
            )
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise bad_line(path, reader.line_num, delimiter.join(cells), f"{len(header)} cells")
            yield reader.line_num, dict(zip(header, map(str.strip, cells), strict=True))


def waterloo_rows(path: Path, low: float, high: float) -> Iterator[tuple[int, str, str, float]]:
    """Yield (line, distorted file, reference file, score) of a table of the Waterloo copies.

    Paths there start with the copy's own top folder; only the file names are kept.
    """
    for number, row in rows(path, ("dis_img_path", "ref_img_path", "score")):
        yield (
            number,
            row["dis_img_path"].rpartition("/")[2],
            row["ref_img_path"].rpartition("/")[2],
            to_float(path, number, row["score"], "score", low, high),
        )
