"""Build torchvision's classification, segmentation and detection models without downloads."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torchvision.models import detection, segmentation
from torchvision.models.densenet import DenseNet
from torchvision.ops import FrozenBatchNorm2d

from dissect_iqa.errors import UserError, suggest
from dissect_iqa.zoo.foreign import explained
from dissect_iqa.zoo.row import ModelRow

#: Names of a classifier; the first that a model has is what ``head=none`` takes off.
HEADS = ("fc", "classifier", "head", "heads")

#: Detectors whose backbone torchvision freezes as soon as weights are given (in 0.29: those
#: with ``FrozenBatchNorm2d if is_trained`` in their builder).
FROZEN = frozenset(
    {
        "fasterrcnn_resnet50_fpn",
        "fasterrcnn_mobilenet_v3_large_fpn",
        "fasterrcnn_mobilenet_v3_large_320_fpn",
        "maskrcnn_resnet50_fpn",
        "keypointrcnn_resnet50_fpn",
        "retinanet_resnet50_fpn",
        "fcos_resnet50_fpn",
    }
)

#: Weights for which torchvision then sets the batch norms' eps to 0.
EPS_ZERO = frozenset(
    {
        ("fasterrcnn_resnet50_fpn", "COCO_V1"),
        ("maskrcnn_resnet50_fpn", "COCO_V1"),
        ("keypointrcnn_resnet50_fpn", "COCO_V1"),
        ("retinanet_resnet50_fpn", "COCO_V1"),
    }
)

_OPTIONAL = {"weights": None, "weights_backbone": None, "progress": False}


def supported() -> list[str]:
    """Return the names of all torchvision models that take one picture."""
    modules = (torchvision.models, segmentation, detection)
    return sorted(name for module in modules for name in torchvision.models.list_models(module))


def weights_of(row: ModelRow) -> torchvision.models.WeightsEnum:
    """Return torchvision's record of a row's weights: URL, normalisation, accuracy.

    Of a row whose weights do not come from torchvision it is the record of the default ones.

    Raises
    ------
    UserError
        If torchvision has no such model or no such weights of it.
    """
    _check_name(row)
    enum = torchvision.models.get_model_weights(row.name)
    name = row.weights_source if row.weights_kind == "enum" else "DEFAULT"
    if name not in enum.__members__:
        raise UserError(
            f"{row.id}: torchvision {torchvision.__version__} has no weights {name!r} of "
            f"{row.name}{suggest(name, tuple(enum.__members__))}; it has: "
            f"{', '.join(enum.__members__)}"
        )
    return enum[name]


def _check_name(row: ModelRow) -> None:
    if row.name not in supported():
        raise UserError(
            f"{row.id}: torchvision {torchvision.__version__} has no classification, segmentation "
            f"or detection model {row.name!r}{suggest(row.name, supported())}"
        )


def construct(row: ModelRow, initialise: bool) -> nn.Module:
    """Build the architecture that a row with builder ``torchvision`` names.

    Parameters
    ----------
    row : ModelRow
        The configuration.
    initialise : bool
        False skips the slow initialisations that the weights will overwrite.

    Raises
    ------
    UserError
        If torchvision has no such model or it does not take one of the options.
    """
    _check_name(row)
    options = row.options
    head = options.pop("head", "keep")
    builder = torchvision.models.get_model_builder(row.name)
    arguments = {**_arguments(row, builder, initialise), **options}
    with explained(f"{row.id}: torchvision can't build {row.architecture!r}: it"):
        module = builder(**arguments)
    if isinstance(module, DenseNet):
        module.__class__ = OutOfPlaceDenseNet
    if builder.__module__.startswith(detection.__name__):
        _freeze(row, module)
        module = DetectorFeatures(module)
    if head == "none":
        _remove_head(row, module)
    elif head != "keep":
        raise UserError(f"{row.id}: head={head!r}; allowed: none, keep")
    return module


def _arguments(row: ModelRow, builder: Callable[..., nn.Module], initialise: bool) -> dict:
    parameters = inspect.signature(builder).parameters
    arguments: dict[str, Any] = {k: v for k, v in _OPTIONAL.items() if k in parameters}
    if row.name in ("googlenet", "inception_v3"):
        arguments["init_weights"] = initialise
        if row.weights_kind == "enum":
            # torchvision's own files hold the auxiliary heads and expect this re-normalisation
            arguments |= {"aux_logits": True, "transform_input": True}
    elif row.name.startswith("vgg"):
        arguments["init_weights"] = initialise
    elif row.weights_kind == "enum" and "aux_loss" in parameters:
        arguments["aux_loss"] = True
    elif row.weights_kind == "enum" and row.name.startswith("vit_"):
        arguments["image_size"] = min(weights_of(row).meta["min_size"])
    return arguments


def _remove_head(row: ModelRow, module: nn.Module) -> None:
    for name in HEADS:
        if isinstance(getattr(module, name, None), nn.Module):
            setattr(module, name, nn.Identity())
            return
    raise UserError(f"{row.id}: head=none, but {row.name} has none of: {', '.join(HEADS)}")


def _freeze(row: ModelRow, detector: nn.Module) -> None:
    """Do to a detector's batch norms what torchvision does when weights are given."""
    if row.name not in FROZEN or row.weights_kind == "seed":
        return
    eps = 0.0 if (row.name, row.weights_source) in EPS_ZERO else None
    for parent in list(detector.backbone.modules()):  # type: ignore[union-attr]
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                frozen = FrozenBatchNorm2d(
                    child.num_features, eps=child.eps if eps is None else eps
                )
                setattr(parent, name, frozen)


class DetectorFeatures(nn.Module):
    """A detector's parts under their own names, of which only the backbone runs.

    A whole detector resizes its pictures, and its heads depend on what it finds; neither
    belongs in a comparison of features. Its keys stay those of the published weights.

    Parameters
    ----------
    detector : nn.Module
        Any torchvision detection model.
    """

    def __init__(self, detector: nn.Module):
        super().__init__()
        for name, child in detector.named_children():
            self.add_module(name, child)

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the backbone's maps of a batch (N, 3, H, W), by name."""
        return self.backbone(pictures)  # type: ignore[operator]


class OutOfPlaceDenseNet(DenseNet):
    """torchvision's DenseNet, whose last ReLU does not overwrite the output of ``norm5``."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return class scores (N, classes) of a batch (N, 3, H, W)."""
        features = F.relu(self.features(x))
        return self.classifier(torch.flatten(F.adaptive_avg_pool2d(features, (1, 1)), 1))
