"""Read a weights file, whatever its format, without executing anything it holds.

The format is told by the first bytes, never by the name: publishers call PyTorch files
``.pth``, ``.torch``, ``.pth.tar``, ``download`` or nothing at all.
"""

import logging
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from dissect_iqa.errors import DamagedFile, UserError
from dissect_iqa.files.regular_files import open_regular
from dissect_iqa.models.weights import inert
from dissect_iqa.models.weights.keras import read_keras

log = logging.getLogger(__name__)

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_MARKUP = (b"<!", b"<h", b"<H", b"<?")


def read_checkpoint(path: Path | str) -> Any:
    """Read what a weights file holds.

    Parameters
    ----------
    path : path
        A PyTorch file (either of its formats), safetensors, Keras HDF5, or a NumPy archive.

    Returns
    -------
    object
        Usually a dict of tensors, or nested dicts with one inside. Everything in a PyTorch
        file that is no tensor, array, number, text or plain container is an empty
        `dissect_iqa.models.weights.inert.Shell`. Keras kernels are turned to PyTorch's order, see
        `dissect_iqa.models.weights.keras.read_keras`.

    Raises
    ------
    UserError
        If the file is of no known format, is damaged, or is a web page.
    """
    path = Path(path)
    try:
        with open_regular(path) as file:
            start = file.read(16)
    except OSError as error:
        raise UserError(f"{path}: can't be read ({error})") from error
    if start.lstrip()[:2] in _MARKUP:
        raise DamagedFile(
            f"{path}: a web page, not a weights file; the address may want a login or a form. "
            "Delete it, fetch the real file by hand and put it there"
        )
    if start[:8] == _HDF5:
        return read_keras(path)
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < path.stat().st_size:
        try:
            return load_file(path)
        except Exception as error:  # what is damaged can fail in any way
            raise DamagedFile(
                f"{path}: a damaged safetensors file ({_first_line(error)}). Delete it, run again"
            ) from error
    if start[:4] == _ZIP:
        check_zip(path)
    return _read_torch(path)


def check_zip(path: Path) -> None:
    """Check that a PyTorch file or a NumPy archive holds what it declares, before it is read.

    Both are zip files whose members are hardly compressed, if at all; readers take the memory
    that the members' sizes ask for.

    Raises
    ------
    DamagedFile
        If they ask for far more than the file has.
    """
    try:
        with zipfile.ZipFile(path) as file:
            declared = sum(member.file_size for member in file.infolist())
    except Exception as error:
        raise _unreadable(path, error) from error
    size = path.stat().st_size
    if declared > 20 * size + (64 << 20):
        raise DamagedFile(
            f"{path}: has {size:,} bytes and declares {declared:,}; no weights file does. "
            "Delete it and fetch it from its publisher"
        )


def _read_torch(path: Path) -> Any:
    # An open file, not its name: torch.load takes a name's ending for the format.
    with open_regular(path) as file:
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            log.info("%s holds more than weights (%s)", path.name, _first_line(error))
        except Exception as error:  # a pickle of unknown origin can fail in any way
            raise _unreadable(path, error) from error
        file.seek(0)
        # No code runs here either: `inert` is the pickle module, and it rebuilds tensors only.
        try:
            checkpoint = torch.load(
                file, map_location="cpu", weights_only=False, pickle_module=inert, encoding="latin1"
            )
        except Exception as error:
            raise _unreadable(path, error) from error
    log.warning("%s: read without executing the objects in it; only its tensors are used", path)
    return checkpoint


def _unreadable(path: Path, error: Exception) -> DamagedFile:
    return DamagedFile(
        f"{path}: neither PyTorch, safetensors nor Keras HDF5 weights, or damaged "
        f"({type(error).__name__}: {_first_line(error)}). Delete it and run again"
    )


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
