"""From what a publisher's file holds to the state dict that an architecture takes.

Three columns of the model table say how, and nothing else is guessed: ``unwrap`` (where the
state dict is), ``strip`` (how its keys are renamed), ``drop`` (which keys are left out).
"""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import torch
from torch import nn

from dissect_iqa.errors import UserError
from dissect_iqa.zoo.row import ModelRow

State = dict[str, torch.Tensor]

#: Kind of step in the column ``strip``: the n-th key of the file is the n-th of the architecture.
IN_ORDER = "in-order"
_SHOWN = 8

#: Keys of torchvision's DenseNet files, which torchvision itself renames while loading.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")


def select_state(row: ModelRow, checkpoint: Any) -> State:
    """Unwrap, rename and drop as a row says.

    Parameters
    ----------
    row : ModelRow
        Columns ``unwrap``, ``strip`` and ``drop`` are applied in this order.
    checkpoint : object
        What `dissect_iqa.models.weights.reading.read_checkpoint` returned.

    Returns
    -------
    dict of str to Tensor
        With the attribute ``_metadata`` of PyTorch's own state dicts if no key was renamed.

    Raises
    ------
    UserError
        If a key to follow is not there, two keys become one, nothing is left, or something
        that is left is no tensor.
    """
    mapping = _unwrap(row, checkpoint)
    renamed: dict[str, Any] = {}
    for key, value in mapping.items():
        if not isinstance(key, str | int):  # the text of a nested key can be of any length
            raise UserError(f"{row.id}: a key of the file is {type(key).__name__}, not a name")
        new = _rename(row, str(key))
        if new is None or any(fnmatchcase(new, glob) for glob in row.drop_globs):
            continue
        if new in renamed:
            raise UserError(f"{row.id}: column strip turns two keys of the file into {new!r}")
        renamed[new] = value
    if not renamed:
        raise UserError(
            f"{row.id}: columns strip and drop leave no key of the file; it has: {_shown(mapping)}"
        )
    state = {key: _tensor(row, key, value, renamed) for key, value in renamed.items()}
    return _keep_versions(mapping, state)


def load_into(row: ModelRow, module: nn.Module, state: State) -> None:
    """Copy a state dict into a module; not one key may be missing or left over.

    Modules may bring a file of an older version of themselves up to date, as torchvision's
    feature pyramids do.

    Raises
    ------
    UserError
        Naming the keys that are missing, left over, of another shape, or not finite.
    """
    if any(kind == IN_ORDER for kind, _, _ in row.strip_steps):
        state = _in_order(row, module, state)
    try:
        result = module.load_state_dict(state, strict=False)
    except (RuntimeError, ValueError) as error:
        shapes = re.findall(r"size mismatch for (\S+?):.*?(\[.*?\]).*?(\[.*?\])", str(error))
        problem = [f"{key} {found} instead of {wanted}" for key, found, wanted in shapes]
        raise _misfit(row, "keys of another shape", problem or [str(error)]) from error
    # A batch norm's counter is for training only; files converted from Caffe2 lack them.
    missing = [key for key in result.missing_keys if not key.endswith("num_batches_tracked")]
    unexpected = result.unexpected_keys
    if missing or unexpected:
        parts = [f"missing {len(missing)} ({_shown(missing)})"] if missing else []
        parts += [f"left over {len(unexpected)} ({_shown(unexpected)})"] if unexpected else []
        raise _misfit(row, "keys", parts)
    infinite = [key for key, value in module.state_dict().items() if not value.isfinite().all()]
    if infinite:
        raise _misfit(row, "values that are not finite in", infinite)


def _misfit(row: ModelRow, what: str, items: list[str]) -> UserError:
    return UserError(
        f"{row.id}: the weights don't fit architecture {row.architecture!r}, {what}: "
        f"{_shown(items)}. Correct the columns architecture, unwrap, strip or drop of this model"
    )


def _unwrap(row: ModelRow, checkpoint: Any) -> Mapping[str, Any]:
    """Follow the path of the column ``unwrap``; a part that ends in ``?`` may be absent."""
    current = checkpoint
    for part in row.unwrap_path:
        name = part.removesuffix("?")
        if isinstance(current, Mapping) and name in current:
            current = current[name]
        elif name == part:
            raise UserError(
                f"{row.id}: column unwrap: the file has no {name!r} at this place; it has: "
                f"{_shown(current) if isinstance(current, Mapping) else type(current).__name__}"
            )
    if not isinstance(current, Mapping):
        raise UserError(
            f"{row.id}: the file holds {type(current).__name__} where a dict of tensors should be; "
            "a state dict is needed. Check the column unwrap"
        )
    return current


def _rename(row: ModelRow, key: str) -> str | None:
    """Apply the steps of the column ``strip`` to one key; None drops it."""
    for kind, old, new in row.strip_steps:
        if kind == IN_ORDER:
            continue
        if kind == "replace":
            key = key.replace(old, new)
        elif key.startswith(old):
            key = key.removeprefix(old)
        elif kind == "only":
            return None
    if row.weights_kind == "enum" and row.name.startswith("densenet"):
        key = _OLD_DENSENET.sub(r"\1\2", key)
    return key


def _tensor(row: ModelRow, key: str, value: Any, mapping: Mapping[str, Any]) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value.detach()
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "fiub":
        return torch.as_tensor(np.asarray(value))
    nested = [name for name, item in mapping.items() if isinstance(item, Mapping)]
    hint = f"; the tensors may be in one of: {_shown(nested)}" if nested else ""
    raise UserError(
        f"{row.id}: {key!r} in the file is {type(value).__name__}, not a tensor{hint}. Name the "
        "state dict's place in the column unwrap, or the key in the column drop"
    )


def _keep_versions(mapping: Mapping[str, Any], state: State) -> State:
    """Keep the module versions that PyTorch notes beside a state dict, if its keys still fit."""
    versions = getattr(mapping, "_metadata", None)
    if not isinstance(versions, Mapping) or not set(state) <= set(mapping):
        return state

    class Versioned(dict):
        """A dict that can hold PyTorch's attribute."""

        _metadata: Mapping[str, Any]

    versioned = Versioned(state)
    versioned._metadata = versions
    return versioned


def _in_order(row: ModelRow, module: nn.Module, state: State) -> State:
    """Give the n-th tensor of a file the name of the n-th of the architecture.

    Count, shapes and the last part of each name must agree, or nothing is loaded.
    """
    wanted = module.state_dict()
    if len(wanted) != len(state):
        raise _misfit(
            row, "number of keys in order", [f"{len(state)} in the file instead of {len(wanted)}"]
        )
    for (old, value), (new, place) in zip(state.items(), wanted.items(), strict=True):
        if value.shape != place.shape or old.rpartition(".")[2] != new.rpartition(".")[2]:
            found = f"{old} {list(value.shape)} instead of {new} {list(place.shape)}"
            raise _misfit(row, "keys in order", [found])
    return dict(zip(wanted, state.values(), strict=True))


def _shown(items: Mapping[str, Any] | list[str]) -> str:
    names = [str(item)[:100] if isinstance(item, str | int) else "?" for item in items]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
