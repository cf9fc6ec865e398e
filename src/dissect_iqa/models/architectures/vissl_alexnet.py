"""The five AlexNets behind self-supervised weights that VISSL publishes (Goyal et al. 2019).

They share a name and little else: width, groups, normalisation, the first stride and the
number of input channels differ, so comparing them confounds function with architecture.
"""

from dataclasses import dataclass

import torch
from torch import nn

from dissect_iqa.errors import UserError, suggest
from dissect_iqa.models.architectures.sobel import Sobel


@dataclass(frozen=True)
class _Plan:
    """What tells one AlexNet from another.

    Attributes
    ----------
    channels : int
        Of the input.
    widths : tuple of int
        Channels of the five convolutions.
    groups : int
        Of the second, fourth and fifth convolution.
    stride, padding : int
        Of the first convolution.
    batch_norms : tuple of bool
        Which convolutions are followed by a batch norm.
    local_norm : {"", "before", "after"}
        Local response norm before or after the first two poolings.
    """

    channels: int = 3
    widths: tuple[int, ...] = (96, 256, 384, 384, 256)
    groups: int = 1
    stride: int = 4
    padding: int = 0
    batch_norms: tuple[bool, ...] = (True,) * 5
    local_norm: str = ""


PLANS = {
    "alexnet_bvlc": _Plan(groups=2, batch_norms=(False,) * 5, local_norm="before"),
    "alexnet_jigsaw": _Plan(
        groups=2, stride=2, batch_norms=(False, False, True, True, True), local_norm="after"
    ),
    "alexnet_colorization": _Plan(channels=1, groups=2),
    "alexnet_rotnet": _Plan(widths=(64, 192, 384, 256, 256), padding=2),
    "alexnet_deepcluster": _Plan(channels=2, padding=2),
}


class VisslAlexNet(nn.Module):
    """Five convolutions and three poolings, named ``features.0`` to ``features.7``.

    Parameters
    ----------
    plan : _Plan
        Which of the five.
    """

    def __init__(self, plan: _Plan):
        super().__init__()
        # Two input channels are edge maps; the filter is fixed and not among the weights.
        self.edges = Sobel() if plan.channels == 2 else nn.Identity()
        self.features = nn.Sequential(
            _convolution(plan, 0, kernel_size=11, stride=plan.stride, padding=plan.padding),
            _pooling(plan.local_norm),
            _convolution(plan, 1, kernel_size=5, padding=2, groups=plan.groups),
            _pooling(plan.local_norm),
            _convolution(plan, 2, kernel_size=3, padding=1),
            _convolution(plan, 3, kernel_size=3, padding=1, groups=plan.groups),
            _convolution(plan, 4, kernel_size=3, padding=1, groups=plan.groups),
            _pooling(""),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last pooled map of a batch (N, C, H, W)."""
        return self.features(self.edges(x))


def _convolution(plan: _Plan, index: int, **options: int) -> nn.Sequential:
    channels = plan.widths[index - 1] if index else plan.channels
    parts: list[nn.Module] = [nn.Conv2d(channels, plan.widths[index], **options)]  # type: ignore[arg-type]
    if plan.batch_norms[index]:
        parts.append(nn.BatchNorm2d(plan.widths[index]))
    return nn.Sequential(*parts, nn.ReLU())


def _pooling(local_norm: str) -> nn.Module:
    pool = nn.MaxPool2d(kernel_size=3, stride=2)
    if not local_norm:
        return pool
    norm = nn.LocalResponseNorm(size=5, alpha=1e-4, beta=0.75)
    return nn.Sequential(norm, pool) if local_norm == "before" else nn.Sequential(pool, norm)


def vissl_alexnet(architecture: str) -> nn.Module:
    """Build one of the five AlexNets.

    Parameters
    ----------
    architecture : str
        A key of `PLANS`.

    Raises
    ------
    UserError
        If there is none of that name.
    """
    if architecture not in PLANS:
        close = suggest(architecture, tuple(PLANS))
        raise UserError(
            f"vissl_alexnet: no architecture {architecture!r}{close}; allowed: {', '.join(PLANS)}"
        )
    return VisslAlexNet(PLANS[architecture])
