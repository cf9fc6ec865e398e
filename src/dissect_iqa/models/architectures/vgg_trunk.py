"""The convolutional part of VGG networks, module for module as torchvision numbers it."""

from collections.abc import Sequence

import torch
from torch import nn

POOL = "pool"


class VGGTrunk(nn.Module):
    """A VGG network that ends with its last wanted convolution.

    Parameters
    ----------
    plan : sequence of int or "pool"
        Output channels of each 3x3 convolution, and where the map is halved.
    batch_norm : bool
        Whether a batch norm stands between each convolution and its ReLU.
    ceil_mode : bool
        Whether pooling keeps a last odd row and column instead of dropping them.

    Attributes
    ----------
    features : nn.Sequential
        Numbered like ``torchvision.models.vgg16(_bn).features``, so that the same layer paths
        mean the same depth.
    """

    def __init__(self, plan: Sequence[int | str], batch_norm: bool, ceil_mode: bool = False):
        super().__init__()
        parts: list[nn.Module] = []
        channels = 3
        for step in plan:
            if step == POOL:
                parts.append(nn.MaxPool2d(kernel_size=2, stride=2, ceil_mode=ceil_mode))
                continue
            parts.append(nn.Conv2d(channels, int(step), kernel_size=3, padding=1))
            channels = int(step)
            if batch_norm:
                parts.append(nn.BatchNorm2d(channels))
            parts.append(nn.ReLU())
        self.features = nn.Sequential(*parts)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the last layer's map of a batch (N, 3, H, W)."""
        return self.features(pictures)
