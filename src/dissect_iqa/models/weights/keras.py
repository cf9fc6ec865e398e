"""Keras weights: HDF5 files, read as a state dict in PyTorch's order of axes."""

from pathlib import Path

import h5py
import numpy as np
import torch

from dissect_iqa.errors import DamagedFile, UserError
from dissect_iqa.files.hostile_hdf5 import most_bytes, require_numbers

#: Keras's names of a layer's variables and PyTorch's.
_KERAS = {
    "kernel": "weight",
    "gamma": "weight",
    "bias": "bias",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def read_keras(path: Path) -> dict[str, torch.Tensor]:
    """Read a Keras HDF5 file as ``{layer}.{weight, bias, ...}`` in PyTorch's order of axes.

    Keras 3 (``.weights.h5``) numbers a layer's variables and notes the layer's name; older
    files name each variable. Kernels (height, width, in, out) become (out, in, height, width),
    dense ones (in, out) become (out, in).

    Raises
    ------
    DamagedFile
        If it can't be read, or takes its numbers from elsewhere.
    UserError
        If it holds no layers of Keras's, or such that can't be told apart.
    """
    state: dict[str, torch.Tensor] = {}
    size, seen = path.stat().st_size, []

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
        require_numbers(item, size)
        seen.append(item.nbytes)
        if sum(seen) > most_bytes(size):
            raise OSError(f"declares more than {most_bytes(size):,} bytes of weights")
        if key in state:
            raise UserError(f"{path}: two layers are called {layer!r}; their keys can't be told")
        state[key] = torch.from_numpy(_turned(np.asarray(item[()])))

    try:
        with h5py.File(path, "r", locking=False) as file:
            file.visititems(visit)
    except UserError:
        raise
    except Exception as error:  # a file of unknown origin can fail in any way
        text = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise DamagedFile(f"{path}: a damaged HDF5 file ({text}). Delete it, run again") from error
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
