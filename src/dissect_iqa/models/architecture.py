"""Build the architecture that a row names, without its weights.

Building never touches the network: every builder is told to download nothing, neither for
the whole model nor for its backbone.
"""

import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dissect_iqa.errors import UserError, suggest
from dissect_iqa.models import torchvision_builders
from dissect_iqa.zoo.foreign import ForeignError, explained
from dissect_iqa.zoo.row import ModelRow, timm_name


def build(row: ModelRow, seed: int | None = None) -> nn.Module:
    """Build a row's architecture without its weights, in eval mode, gradients off.

    Parameters
    ----------
    row : ModelRow
        Columns `builder` and `architecture` say what to build.
    seed : int, optional
        Initialise at random from this seed, the way the architecture initialises itself; the
        global generator is left as it was. Without it the parameters' values mean nothing.

    Returns
    -------
    nn.Module
        Its state dict has exactly the keys that the row's weights must have. In-place
        activations are turned into ordinary ones: same numbers, but a layer's output can be
        kept without being overwritten by the next one.

    Raises
    ------
    UserError
        If the builder, the architecture or one of its options does not exist.
    """
    with torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.manual_seed(seed)
        module = _construct(row, initialise=seed is not None)
    part: Any
    for part in module.modules():
        if getattr(part, "inplace", False) is True:
            part.inplace = False
    return module.eval().requires_grad_(False)


def skeleton(row: ModelRow) -> nn.Module:
    """Build a row's architecture for looking at it only: without memory for values, if possible.

    Returns
    -------
    nn.Module
        On the meta device, where a forward pass gives shapes and no numbers; on the CPU for the
        few architectures that compute something while they are built.
    """
    try:
        with torch.device("meta"):
            return build(row)
    except (NotImplementedError, RuntimeError, ForeignError):
        return build(row)


def _construct(row: ModelRow, initialise: bool) -> nn.Module:
    if row.builder == "torchvision":
        return torchvision_builders.construct(row, initialise)
    if row.builder == "timm":
        return _from_timm(row)
    return _from_function(row)


def _from_timm(row: ModelRow) -> nn.Module:
    import timm

    options = row.options
    if options.pop("head", "keep") == "none":
        options["num_classes"] = 0
    name = timm_name(row)
    with explained(f"{row.id}: timm can't build {row.architecture!r}: it"):
        try:
            return timm.create_model(name, pretrained=False, **options)
        except RuntimeError as error:
            known = [*timm.list_models(), *timm.list_models(pretrained=True)]
            if name in known:
                raise
            raise UserError(
                f"{row.id}: timm {timm.__version__} has no model {name!r}{suggest(name, known)}"
            ) from error


def _from_function(row: ModelRow) -> nn.Module:
    module_name, function_name = row.builder.split(":")
    # A user's own module may lie beside the Snakefile, where a workflow script would not look.
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)
    builder = f"{row.id}: builder {row.builder!r}"
    with explained(f"{builder}: module {module_name!r} can't be imported: it"):
        namespace = importlib.import_module(module_name)
    function = getattr(namespace, function_name, None)
    if not callable(function):
        known = [name for name, value in vars(namespace).items() if inspect.isfunction(value)]
        raise UserError(
            f"{builder}: {module_name} has no function {function_name!r}"
            f"{suggest(function_name, known)}"
        )
    arguments: dict[str, Any] = row.options
    with explained(builder):
        # A builder with a parameter for it learns which architecture the row means.
        if "architecture" in inspect.signature(function).parameters:
            arguments = {"architecture": row.name, **arguments}
        module = function(**arguments)
    if not isinstance(module, nn.Module):
        raise UserError(
            f"{row.id}: builder {row.builder!r} returned {type(module).__name__}, "
            "a torch.nn.Module is needed"
        )
    return module
