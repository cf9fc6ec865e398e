"""Read MATLAB files of scores with errors that name file and variable."""

from pathlib import Path
from typing import Any

import numpy as np

from dissect_iqa.errors import UserError


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
        return loadmat(path, squeeze_me=True)
    except Exception as error:  # whatever a damaged file makes of it, zlib.error included
        raise UserError(f"{path}: not a MATLAB file that can be read ({error})") from error


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
