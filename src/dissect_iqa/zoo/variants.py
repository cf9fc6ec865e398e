"""Rows of the model table that are the same network, read or fed in another way."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from dissect_iqa.zoo.row import ModelRow

#: What makes two rows the same network with the same weights.
_SAME = ("builder", "architecture", "weights", "unwrap", "strip", "drop")


@dataclass(frozen=True)
class Variant:
    """A row that differs from another one in nothing but its cells `layers` and `input`.

    Attributes
    ----------
    id : str
        The row.
    of : str
        The plain row: the first of the same network in the table.
    reading : str
        What is other than in the plain row: ``size=224``, ``@tokens=class``.
    """

    id: str
    of: str
    reading: str


def find_variants(rows: Iterable[ModelRow]) -> list[Variant]:
    """Find the rows that are another reading of a network that a row before them has.

    Parameters
    ----------
    rows : iterable of ModelRow
        In the order of the table.

    Returns
    -------
    list of Variant
        In that order. A row that is equal in these cells, too, is none.
    """
    plain: dict[tuple[str, ...], ModelRow] = {}
    found = []
    for row in rows:
        first = plain.setdefault(tuple(getattr(row, name) for name in _SAME), row)
        if reading := _other(row, first):
            found.append(Variant(row.id, first.id, reading))
    return found


def _other(row: ModelRow, plain: ModelRow) -> str:
    """Say what a row's cells hold that the plain row's don't, or else what they lack."""
    words = []
    for own, before in ((row.layers, plain.layers), (row.input, plain.input)):
        items, known = _items(own), _items(before)
        words += [item for item in items if item not in known] or [
            f"without {item}" for item in known if item not in items
        ]
    return ", ".join(words)


def _items(cell: str) -> list[str]:
    """Return the parts of a cell: layers and their tokens, or a preset and its settings."""
    return [part.strip() for part in re.split(r"[;,]|(?=@)", cell) if part.strip()]
