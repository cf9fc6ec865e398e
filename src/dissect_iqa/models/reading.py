"""Read a weights file, whatever its format, without executing anything it holds.

The format is told by the first bytes, never by the name: publishers call PyTorch files
``.pth``, ``.torch``, ``.pth.tar``, ``download`` or nothing at all.
"""

import logging
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from dissect_iqa.errors import UserError
from dissect_iqa.models import inert
from dissect_iqa.regular_files import open_regular

log = logging.getLogger(__name__)

_HDF5 = b"\x89HDF\r\n\x1a\n"
_MARKUP = (b"<!", b"<h", b"<H", b"<?")

#: Keras's names of a layer's variables and PyTorch's.
_KERAS = {
    "kernel": "weight",
    "gamma": "weight",
    "bias": "bias",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


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
        `dissect_iqa.models.inert.Shell`. Keras kernels are turned to PyTorch's order, see
        `_read_keras`.

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
        raise UserError(
            f"{path}: a web page, not a weights file; the address may want a login or a form. "
            "Delete it, fetch the real file by hand and put it there"
        )
    if start[:8] == _HDF5:
        return _read_keras(path)
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < path.stat().st_size:
        try:
            return load_file(path)
        except SafetensorError as error:
            raise UserError(f"{path}: a damaged safetensors file ({error})") from error
    return _read_torch(path)


def _read_torch(path: Path) -> Any:
    # An open file, not its name: torch.load takes a name's ending for the format.
    with open_regular(path) as file:
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            log.info("%s holds more than weights (%s)", path.name, _first_line(error))
        except (EOFError, OSError, RuntimeError, ValueError, KeyError) as error:
            raise _unreadable(path, error) from error
        file.seek(0)
        # No code runs here either: `inert` is the pickle module, and it rebuilds tensors only.
        try:
            checkpoint = torch.load(
                file, map_location="cpu", weights_only=False, pickle_module=inert, encoding="latin1"
            )
        except Exception as error:  # a pickle of unknown origin can fail in any way
            raise _unreadable(path, error) from error
    log.warning("%s: read without executing the objects in it; only its tensors are used", path)
    return checkpoint


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path}: neither PyTorch, safetensors nor Keras HDF5 weights, or damaged "
        f"({type(error).__name__}: {_first_line(error)}). Delete it and run again"
    )


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__


def _read_keras(path: Path) -> dict[str, torch.Tensor]:
    """Read a Keras HDF5 file as ``{layer}.{weight, bias, ...}`` in PyTorch's order of axes.

    Keras 3 (``.weights.h5``) numbers a layer's variables and notes the layer's name; older
    files name each variable. Kernels (height, width, in, out) become (out, in, height, width),
    dense ones (in, out) become (out, in).
    """
    state: dict[str, torch.Tensor] = {}

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if not isinstance(item, h5py.Dataset) or name.startswith("optimizer"):
            return
        leaf = name.rsplit("/", 1)[-1].split(":")[0]
        if leaf.isdigit():
            layer, parameter = _numbered(path, name, item)
        elif leaf in _KERAS:
            layer, parameter = name.split("/")[-2], _KERAS[leaf]
        else:
            return
        key = f"{layer}.{parameter}"
        if key in state:
            raise UserError(f"{path}: two layers are called {layer!r}; their keys can't be told")
        state[key] = torch.from_numpy(_turned(np.asarray(item[()])))

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except OSError as error:
        raise UserError(f"{path}: a damaged HDF5 file ({error}). Delete it, run again") from error
    if not state:
        raise UserError(f"{path}: an HDF5 file without Keras weights in it")
    return state


def _numbered(path: Path, name: str, item: h5py.Dataset) -> tuple[str, str]:
    """Tell layer and parameter of a variable that Keras 3 only numbered."""
    group = item.parent
    layer = str(group.attrs.get("name", name.split("/")[-3]))
    kinds = {"0": (2, 4), "1": (1,)}
    leaf = name.rsplit("/", 1)[-1]
    if item.ndim not in kinds.get(leaf, ()) or len(group) > 2 or "depthwise" in name:
        raise UserError(
            f"{path}: variable {name!r} of shape {item.shape} belongs to neither a convolution nor "
            "a dense layer; only those can be read from a Keras 3 file. Convert it to safetensors"
        )
    return layer, "weight" if leaf == "0" else "bias"


def _turned(values: np.ndarray) -> np.ndarray:
    axes = {4: (3, 2, 0, 1), 2: (1, 0)}.get(values.ndim)
    return np.ascontiguousarray(values.transpose(axes) if axes else values)
