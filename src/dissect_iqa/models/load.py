"""From a row and its weights file to a network that can be read: what extraction starts with."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dissect_iqa.errors import UserError
from dissect_iqa.models.architecture import build
from dissect_iqa.models.input import input_policy
from dissect_iqa.models.layers import choose_layers
from dissect_iqa.models.network import Network
from dissect_iqa.models.weights.file import read_weights
from dissect_iqa.zoo.row import ModelRow


def load_network(row: ModelRow, weights_path: Path | str, expect: str | None = None) -> Network:
    """Build a network, load its weights, and name its layers.

    Parameters
    ----------
    row : ModelRow
        The configuration.
    weights_path : path
        What `fetch_weights` made: a safetensors file that fits the architecture exactly.
    expect : str, optional
        The spec that the weights must have been made from.

    Raises
    ------
    UserError
        If the file is damaged or made from another spec, a key is missing or left over, a shape
        differs, a value isn't finite, or a layer can't be read.
    """
    module = build(row)
    try:
        weights = read_weights(weights_path, expect)
    except UserError as error:
        raise UserError(f"{row.id}: {error}") from error
    load_strictly(row, module, weights.state)
    policy = input_policy(row, module)
    choice = choose_layers(module, row, policy)
    return Network(
        id=row.id,
        module=module,
        layers=choice.layers,
        input=policy,
        weights_sha256=weights.sha256,
        left_out=choice.left_out,
    )


def load_strictly(row: ModelRow, module: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Copy a state dict into a module; every key must fit.

    Raises
    ------
    UserError
        Naming the keys that are missing, left over, of another shape, or not finite.
    """
    wanted: Any = module.state_dict()
    # Files converted from caffe2 have no batch counters; nothing in eval mode reads them.
    missing = [k for k in wanted if k not in state and not k.endswith(".num_batches_tracked")]
    unexpected = [key for key in state if key not in wanted]
    shapes = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(value.shape)}"
        for key, value in wanted.items()
        if key in state and state[key].shape != value.shape
    ]
    infinite = [key for key, value in state.items() if not _is_finite(value)]
    for what, keys in (
        ("lack the keys", missing),
        ("have keys that the architecture has not", unexpected),
        ("have keys of another shape", shapes),
        ("have values that are not finite in", infinite),
    ):
        if keys:
            shown = ", ".join(keys[:5]) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")
            raise UserError(
                f"{row.id}: the weights {what}: {shown}. Check the columns architecture, unwrap, "
                "strip and drop of this model"
            )
    fitting: Any = OrderedDict(state)
    # Of the modules' versions, which some ask for: these are the shapes and names of today's.
    fitting._metadata = wanted._metadata
    module.load_state_dict(fitting, strict=False)


def _is_finite(value: torch.Tensor) -> bool:
    if value.is_floating_point() and value.numel():
        # NaN comes through; to look at each number would take 25 times as long
        value = torch.stack(torch.aminmax(value))
    return bool(torch.isfinite(value).all())
