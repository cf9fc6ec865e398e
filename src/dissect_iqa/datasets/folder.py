"""A user's own pictures: a CSV of reference, distorted, score; pictures stay where they are."""

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import pandas as pd

from dissect_iqa.datasets.base import Index, Reading
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.text import bad_line, rows
from dissect_iqa.errors import UserError

_TRUE, _FALSE = {"1", "true", "yes"}, {"0", "false", "no", ""}
#: More groups than this are no subsets but a measurement or a name.
_MOST_GROUPS = 50


def read_folder(index: Index, entry: DatasetEntry) -> Reading:
    """Read a user's table of scores.

    Columns that no option names become subsets: one of yes/no values (1, true, yes; 0, false,
    no, empty) becomes the subset of that name, one of words becomes a subset for each word.

    Raises
    ------
    UserError
        Naming file, line and column.
    """
    path = entry.csv_path()
    if not path.is_file():
        raise UserError(f"{path}: no such table of scores ('csv' is relative to 'folder')")
    named = {
        role: name.lower()
        for role in ("reference", "distorted", "score", "score_se", "raters", "distortion", "level")
        if (name := getattr(entry, role)) is not None
    }
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    table = list(rows(path, tuple(named.values()), delimiter))
    records = []
    for number, row in table:
        record: dict[str, Any] = {
            "reference_file": _file(index, row[named["reference"]]),
            "distorted_file": _file(index, row[named["distorted"]]),
            "distortion": row[named["distortion"]] if "distortion" in named else "unspecified",
        }
        for role in ("score", "score_se", "raters", "level"):
            if role in named:
                record[role] = _number(path, number, row[named[role]], named[role], role)
        records.append(record)
    frame = pd.DataFrame.from_records(records)
    if frame.empty:
        raise UserError(f"{path}: no rows below the header")
    frame["reference"] = frame["reference_file"].map(reference_keys(frame["reference_file"]))
    skip = {*named.values(), *(name.lower() for name in entry.ignore_columns)}
    for column in table[0][1]:
        if column not in skip:
            for name, members in _subsets(column, [row[column] for _, row in table], path):
                frame[name] = members
    facts = {"notes": "scores and terms as stated by the user"}
    if entry.score_se:
        facts["score_se_from"] = f"column {entry.score_se!r}"
    return Reading(frame, facts)


def _file(index: Index, text: str) -> str:
    """Return a picture's path relative to the folder; Windows' separators are accepted."""
    name = PureWindowsPath(text).as_posix()
    root = index.root.resolve().as_posix() + "/"
    return index.locate(name.removeprefix(root))


def _number(path: Any, number: int, text: str, column: str, role: str) -> float | None:
    if not text and role != "score":
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise bad_line(path, number, text, f"a number in column {column!r}")
    if role == "level" and value != int(value):
        raise bad_line(path, number, text, f"a whole number in column {column!r}")
    if role in ("score_se", "raters") and value < 0:
        raise bad_line(path, number, text, f"0 or more in column {column!r}")
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
    return [
        (f"subset_{column}={word}", [value == word for value in values])
        for word in sorted({value for value in values if value})
    ]
