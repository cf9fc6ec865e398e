"""A model's weights file: safetensors with a sum of every tensor, proven whenever it is read."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from dissect_iqa.errors import UserError
from dissect_iqa.files.provenance import atomic_path, canonical_json, fingerprint

_KEY = "dissect_iqa"


class Weights(NamedTuple):
    """What a weights file holds.

    Attributes
    ----------
    state : dict of str to Tensor
        Every tensor by its name.
    sha256 : str
        `tensors_sha256` of them.
    facts : dict
        What was noted beside them; see `weights_provenance`.
    """

    state: dict[str, torch.Tensor]
    sha256: str
    facts: dict[str, Any]


def tensors_sha256(state: Mapping[str, torch.Tensor]) -> str:
    """Return one sum of all tensors: of their names, dtypes, shapes and bytes, 64 hex digits."""
    total = hashlib.sha256()
    for name in sorted(state):
        value = state[name]
        head = canonical_json([name, str(value.dtype), list(value.shape)])
        total.update(head.encode())
        total.update(_bytes(value))
    return total.hexdigest()


def write_weights(
    state: Mapping[str, torch.Tensor], path: Path | str, facts: Mapping[str, Any]
) -> None:
    """Write tensors with facts and sums beside them, atomically.

    Parameters
    ----------
    state : mapping of str to Tensor
        They may share memory; each gets its own copy.
    path : path
        The safetensors file; appears only when it is whole and reads back.
    facts : mapping
        Plain data. `sha256` (see `tensors_sha256`) and `tensors` (short sums of all kernels and
        matrices, whatever they are called) are added.
    """
    # Tied parameters share memory, which safetensors refuses.
    state = {name: value.detach().clone().contiguous() for name, value in state.items()}
    noted = {**facts, "sha256": tensors_sha256(state), "tensors": _short_sums(state)}
    with atomic_path(path) as temporary:
        # One entry only: the order of several would differ from run to run.
        save_file(state, temporary, metadata={_KEY: canonical_json(noted)})
        # safetensors shuts everybody else out; colleagues on a shared disk are to read it.
        temporary.chmod(0o666 & ~_umask())
        read_weights(temporary)


def read_weights(path: Path | str, expect: str | None = None) -> Weights:
    """Read a weights file that `write_weights` wrote, and prove every byte of it.

    Parameters
    ----------
    path : path
        The safetensors file.
    expect : str, optional
        The spec it must have been made from.

    Raises
    ------
    UserError
        If the file is damaged in any bit, not one of ours, or made from another spec.
    """
    facts = weights_provenance(path, expect)
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: can't be read ({error}). Delete it and run again") from error
    if "sha256" not in facts:
        raise UserError(
            f"{path}: made by an older version, which noted no sum of its tensors. Delete it and "
            "run again"
        )
    found = tensors_sha256(state)
    if found != facts["sha256"]:
        raise UserError(
            f"{path}: damaged, its tensors have sha256 {found[:12]} instead of "
            f"{facts['sha256'][:12]}. Delete it and run again"
        )
    return Weights(state, found, facts)


def weights_provenance(path: Path | str, expect: str | None = None) -> dict[str, Any]:
    """Return what was noted in a weights file, without reading its tensors.

    Parameters
    ----------
    path : path
        The safetensors file.
    expect : str, optional
        The spec it must have been made from.

    Returns
    -------
    dict
        ``model``, ``spec``, ``fingerprint``, ``source``, ``source_sha256`` (None for a seed),
        ``sha256`` of all tensors, and ``tensors`` (short sums of all kernels and matrices).

    Raises
    ------
    UserError
        If the file is damaged, not one of ours, or made from another spec.
    """
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads((file.metadata() or {})[_KEY])
    except (OSError, SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise UserError(
            f"{path}: not a whole weights file of this pipeline ({error}). Delete it and run again"
        ) from error
    if expect is not None and facts["fingerprint"] != fingerprint(expect):
        raise UserError(
            f"{path}: made with other settings (fingerprint {facts['fingerprint'][:12]}, wanted "
            f"{fingerprint(expect)[:12]}). Delete it and run again"
        )
    return facts


def _short_sums(state: Mapping[str, torch.Tensor]) -> list[str]:
    return sorted(
        hashlib.sha256(_bytes(value)).hexdigest()[:16]
        for value in state.values()
        if value.ndim >= 2 and value.is_floating_point()
    )


def _bytes(value: torch.Tensor) -> memoryview:
    """Return a tensor's bytes, without copying them where they are contiguous."""
    return value.contiguous().reshape(-1).view(torch.uint8).numpy().data


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
