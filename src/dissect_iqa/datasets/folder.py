"""A user's own pictures: a CSV of reference, distorted, score; pictures stay where they are."""

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import pandas as pd

from dissect_iqa.datasets.base import Index, Reading
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.public.text import bad_line
from dissect_iqa.errors import Problems, UserError, suggest
from dissect_iqa.files.delimited import SEPARATORS, Table, decimal_commas, read_delimited, to_number

_TRUE, _FALSE = {"1", "true", "yes"}, {"0", "false", "no", ""}
#: More groups than this are no subsets but a measurement or a name.
_MOST_GROUPS = 50
#: Columns of file names, words and numbers; a column can have one of these roles only.
_NUMBERS = ("score", "score_se", "raters", "level")
_ROLES = ("reference", "distorted", "distortion", *_NUMBERS)
#: No score and no level is larger, and larger ones would not be kept exactly.
_LARGEST = 1e12


def read_folder(index: Index, entry: DatasetEntry) -> Reading:
    """Read a user's table of scores.

    Columns that no option names become subsets: one of yes/no values (1, true, yes; 0, false,
    no, empty) becomes the subset of that name, one of words becomes a subset for each word.

    Cells are separated by commas, semicolons or tabs, whichever gives the named columns; a
    file that ends in .tsv is read with tabs. Decimal commas are read as such where they can't
    mean anything else.

    Raises
    ------
    UserError
        Naming file, line and column of all that is wrong.
    """
    path = entry.csv_path()
    if not path.exists():
        raise UserError(f"{path}: no such table of scores ('csv' is relative to 'folder')")
    named = {role: name for role in _ROLES if (name := getattr(entry, role)) is not None}
    tabs = ("\t",) if path.suffix.lower() == ".tsv" else SEPARATORS
    table = read_delimited(path, "table of scores", tuple(named.values()), tabs)
    if not table.rows:
        raise UserError(f"{path}: no rows below the header")
    cells = {role: table.column(name) for role, name in named.items()}
    commas = decimal_commas(cell for role in _NUMBERS for cell in cells.get(role, ()))
    problems = Problems()
    frame = pd.DataFrame(
        {
            "reference_file": _files(index, cells["reference"], problems),
            "distorted_file": _files(index, cells["distorted"], problems),
            "distortion": cells.get("distortion", "unspecified"),
        }
    )
    numbers = [number for number, _ in table.rows]
    for role in _NUMBERS:
        if role not in cells:
            continue
        values = []
        for number, text in zip(numbers, cells[role], strict=True):
            with problems.caught():
                text = text.replace(",", ".") if commas else text
                values.append(_number(path, number, text, named[role], role))
        if len(values) == len(frame):
            frame[role] = values
    frame["reference"] = frame["reference_file"].map(reference_keys(frame["reference_file"]))
    for column in _subset_columns(table, entry, named, problems):
        with problems.caught():
            for name, members in _subsets(column.lower(), table.column(column), path):
                frame[name] = members
    if len(frame) > 1 and frame.get("score", pd.Series([0, 1])).nunique() == 1:
        problems.add(
            f"{path}, column {entry.score!r}: all {len(frame)} scores are {frame['score'][0]:g}, "
            "so nothing can agree or disagree with them; is it the right column?"
        )
    problems.raise_all()
    facts = {"notes": "scores and terms as stated by the user"}
    if entry.score_se:
        facts["score_se_from"] = f"column {entry.score_se!r}"
    return Reading(frame, facts)


def _subset_columns(
    table: Table, entry: DatasetEntry, named: dict[str, str], problems: Problems
) -> list[str]:
    """Return the columns that become subsets; note names under `ignore_columns` that are none."""
    known = {name.lower() for name in table.columns}
    for name in entry.ignore_columns:
        if name.lower() not in known:
            problems.add(
                f"{table.path}, line {table.header_line}: no column {name!r}, which "
                f"'ignore_columns' names{suggest(name, table.columns)}"
            )
    skip = {name.lower() for name in (*named.values(), *entry.ignore_columns)}
    return [name for name in table.columns if name.lower() not in skip]


def _files(index: Index, names: Iterable[str], problems: Problems) -> list[str]:
    """Return each picture's path; note the names that several pictures bear."""
    found = []
    for name in names:
        found.append(name)
        with problems.caught():
            found[-1] = _file(index, name)
    return found


def _file(index: Index, text: str) -> str:
    """Return a picture's path relative to the folder; Windows' separators are accepted."""
    name = PureWindowsPath(text).as_posix()
    root = index.root.resolve().as_posix() + "/"
    return index.locate(name.removeprefix(root))


def _number(path: Any, number: int, text: str, column: str, role: str) -> float | None:
    if not text and role != "score":
        return None
    value = to_number(text)
    if value is None:
        hint = " (an empty cell, if there is none)" if role != "score" else ""
        raise bad_line(path, number, text, f"a number such as 3.5 in column {column!r}{hint}")
    if role in ("level", "raters") and not value.is_integer():
        raise bad_line(path, number, text, f"a whole number in column {column!r}")
    if role in ("score_se", "raters") and value < 0:
        raise bad_line(path, number, text, f"0 or more in column {column!r}")
    if abs(value) > _LARGEST:
        raise bad_line(path, number, text, f"at most {_LARGEST:g} in column {column!r}")
    return value


def reference_keys(files: Iterable[str]) -> dict[str, str]:
    """Return a key for each reference file, no two the same.

    Its lower-case stem; where files share that, the path without its ending, and where they share
    that, too (``a.png`` and ``a.bmp``, ``a.png`` and ``A.png``), the whole path as it is written.

    Examples
    --------
    >>> reference_keys(["One.png", "a/two.png", "b/two.png", "three.png", "three.bmp"])
    {'One.png': 'one', 'a/two.png': 'a/two', 'b/two.png': 'b/two', 'three.png': 'three.png', \
'three.bmp': 'three.bmp'}
    """
    keys = dict.fromkeys(files, "")
    pending = list(keys)
    for name in (_stem, _without_ending, str):
        shared = Counter(map(name, pending))
        keys |= {file: name(file) for file in pending if shared[name(file)] == 1}
        pending = [file for file in pending if shared[name(file)] > 1]
    # the path of a.png may be the stem of a.png.bmp; a leading ./ is in no other key
    taken = Counter(keys.values())
    return {
        file: f"./{file}" if key == file and taken[key] > 1 else key for file, key in keys.items()
    }


def _stem(file: str) -> str:
    return PurePosixPath(file).stem.lower()


def _without_ending(file: str) -> str:
    return PurePosixPath(file).with_suffix("").as_posix().lower()


def _subsets(column: str, values: list[str], path: Any) -> list[tuple[str, list[bool]]]:
    words = {value.lower() for value in values}
    if words <= _TRUE | _FALSE:
        return [(f"subset_{column}", [value.lower() in _TRUE for value in values])]
    if len(words) > _MOST_GROUPS:
        raise UserError(
            f"{path}: column {column!r} has {len(words)} different values, too many for subsets "
            f"(at most {_MOST_GROUPS}); name it under 'ignore_columns' or give it a role"
        )
    if len(values) > 1 and len(words) == len(values):
        raise UserError(
            f"{path}: column {column!r} is different in every row, so it makes no subsets; name it "
            "under 'ignore_columns' or give it a role"
        )
    return [
        (f"subset_{column}={word}", [value == word for value in values])
        for word in sorted({value for value in values if value})
    ]
