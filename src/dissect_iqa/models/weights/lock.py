"""The lock table: sha256 sums of files whose publisher names none, pinned when first fetched.

It is part of the study, not of a machine: commit it, and everybody who repeats the study gets
the very same weights or a clear message that the publisher has changed them.
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from dissect_iqa.errors import UserError
from dissect_iqa.files.provenance import atomic_path

#: Beside the model table, relative to the folder the workflow runs in.
LOCK_TABLE = Path("config/weights.lock.tsv")

_HEADER = ["source", "sha256", "size"]


@dataclass(frozen=True)
class Pin:
    """What a source gave when it was first fetched.

    Attributes
    ----------
    sha256 : str
        64 hex digits.
    size : int
        In bytes.
    """

    sha256: str
    size: int


def read_pins(table: Path) -> dict[str, Pin]:
    """Return the pinned sums by source; an absent table has none.

    Raises
    ------
    UserError
        If a line is malformed or a source stands on two lines.
    """
    try:
        text = table.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter="\t") if row]
    if not rows or rows[0] != _HEADER:
        raise UserError(f"{table}, line 1: must be the header {' '.join(_HEADER)}, tab-separated")
    pins: dict[str, Pin] = {}
    for line, row in enumerate(rows[1:], 2):
        well_formed = len(row) == 3 and row[2].isdigit() and len(row[1]) == 64
        if not well_formed or set(row[1]) - set("0123456789abcdef"):
            raise UserError(
                f"{table}, line {line}: found {row}; a source, 64 hex digits and a size in bytes "
                "are needed. Correct the line or delete it to have the file pinned afresh"
            )
        if row[0] in pins:
            raise UserError(f"{table}, line {line}: {row[0]} is pinned twice; delete one line")
        pins[row[0]] = Pin(row[1], int(row[2]))
    return pins


def pin(table: Path, source: str, found: Pin, guard: Path) -> bool:
    """Record a source's sum if it isn't pinned yet; safe with several jobs at once.

    Parameters
    ----------
    table : path
        The lock table; made if it isn't there.
    source : str
        The address, or ``wheel:NAME==VERSION``.
    found : Pin
        What the source gave.
    guard : path
        File by which jobs wait for each other; not beside the table, which is under version
        control.

    Returns
    -------
    bool
        Whether a line was added.

    Raises
    ------
    UserError
        If another sum is pinned for this source.
    """
    guard.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(guard):
        pins = read_pins(table)
        if source in pins:
            if pins[source].sha256 == found.sha256:
                return False
            raise UserError(
                f"{source} gives another file than when it was first fetched: sha256 "
                f"{found.sha256}, pinned {pins[source].sha256} in {table}. If the publisher has "
                "replaced it and you want the new one, delete that line"
            )
        pins[source] = found
        buffer = io.StringIO()
        writer = csv.writer(buffer, delimiter="\t", lineterminator="\n")
        writer.writerow(_HEADER)
        writer.writerows((name, item.sha256, item.size) for name, item in sorted(pins.items()))
        with atomic_path(table) as temporary:
            temporary.write_text(buffer.getvalue(), encoding="utf-8")
    return True
