"""Read the line-oriented score tables of the data sets; every fault names file and line."""

from collections.abc import Iterator
from pathlib import Path

from dissect_iqa.errors import UserError
from dissect_iqa.files.delimited import read_delimited, shorten, to_number
from dissect_iqa.files.text_files import read_text, split_lines


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, stripped text) of every line that isn't blank.

    Line ends of any system and a byte-order mark are accepted.
    """
    for number, line in enumerate(split_lines(read_text(path, "table of scores")), 1):
        if line.strip():
            yield number, line.strip()


def bad_line(path: Path, number: int, found: str, expected: str) -> UserError:
    """Return the error of a line that can't be read."""
    return UserError(f"{path}, line {number}: found {shorten(found)!r}, expected {expected}")


def to_float(path: Path, number: int, text: str, name: str, low: float, high: float) -> float:
    """Return a number within its published range.

    Raises
    ------
    UserError
        If it isn't a number or lies outside `low` .. `high`.
    """
    value = to_number(text)
    if value is None:
        raise bad_line(path, number, text, f"a number as {name}")
    if not low <= value <= high:
        raise bad_line(path, number, text, f"a {name} of {low:g} .. {high:g}")
    return value


def numbers(path: Path, name: str, low: float, high: float) -> list[float]:
    """Return a file of one number a line."""
    return [to_float(path, number, text, name, low, high) for number, text in lines(path)]


def rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, row) of a table with commas between its cells and a header.

    Header names are stripped of surrounding blanks and compared without regard to case.

    Raises
    ------
    UserError
        If the file is empty, lacks one of `columns`, or a row has more or fewer cells than the
        header.
    """
    table = read_delimited(path, "table of scores", columns, ",")
    names = [name.lower() for name in table.columns]
    for number, cells in table.rows:
        yield number, dict(zip(names, cells, strict=True))


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
