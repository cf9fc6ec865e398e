"""Read MATLAB files of scores with errors that name file and variable."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from dissect_iqa.errors import UserError

#: Most bytes of a table of scores, packed or not; the largest known has a hundredth.
_MOST = 200 << 20
_COMPRESSED = 15


def variables(path: Path) -> dict[str, Any]:
    """Return the variables of a MATLAB file (version 7.2 or older).

    Raises
    ------
    UserError
        If it can't be read.
    """
    # Imported here: slow to load, and few data sets need it.
    from scipy.io import loadmat

    try:
        _check_extent(path)
        return loadmat(path, squeeze_me=True)
    except Exception as error:  # whatever a damaged file makes of it, zlib.error included
        raise UserError(f"{path}: not a MATLAB file that can be read ({error})") from error


def _check_extent(path: Path) -> None:
    """Refuse a file whose compressed variables would fill the memory.

    Raises
    ------
    ValueError
        If more than `_MOST` bytes come out of it.
    """
    content, total = path.read_bytes() if path.stat().st_size <= _MOST else None, 0
    if content is None:
        raise ValueError(f"larger than {_MOST:,} bytes")
    place = 128  # after the header, each variable has its kind and its size before it
    while place + 8 <= len(content):
        order = "<" if content[126:128] == b"IM" else ">"
        kind, size = struct.unpack_from(f"{order}II", content, place)
        if kind == _COMPRESSED:
            unpacker = zlib.decompressobj()
            rest = content[place + 8 : place + 8 + size]
            while rest and total <= _MOST:
                total += len(unpacker.decompress(rest, 1 << 20))
                rest = unpacker.unconsumed_tail
            if total > _MOST:
                raise ValueError(f"unpacks to more than {_MOST:,} bytes")
        place += 8 + size


def vector(path: Path, content: dict[str, Any], name: str, length: int) -> np.ndarray:
    """Return a numeric variable as float64 of shape (length,).

    Raises
    ------
    UserError
        If it is missing, has another length or isn't made of numbers.
    """
    found = np.asarray(_get(path, content, name))
    if found.dtype.kind not in "iufb":
        raise UserError(f"{path}: {name!r} does not hold numbers, but {found.dtype.name}")
    values = found.astype("float64").ravel()
    if len(values) != length:
        raise UserError(f"{path}: {name!r} has {len(values)} values, expected {length}")
    return values


def names(path: Path, content: dict[str, Any], name: str, length: int) -> list[str]:
    """Return a cell array of texts.

    Raises
    ------
    UserError
        If it is missing or has another length.
    """
    cells = [str(cell).strip() for cell in np.atleast_1d(_get(path, content, name)).ravel()]
    if len(cells) != length:
        raise UserError(f"{path}: {name!r} has {len(cells)} names, expected {length}")
    return cells


def _get(path: Path, content: dict[str, Any], name: str) -> Any:
    if name not in content:
        found = ", ".join(sorted(key for key in content if not key.startswith("__")))
        raise UserError(f"{path}: no variable {name!r}; it has: {found}")
    return content[name]
