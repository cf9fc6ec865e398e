"""The denoising network DnCNN without batch norm, as released with KAIR (Zhang et al. 2017)."""

import torch
from torch import nn


class DnCNN(nn.Module):
    """3x3 convolutions with ReLUs that estimate a picture's noise.

    Parameters
    ----------
    depth : int
        Number of convolutions.
    width : int
        Their channels.
    channels : int
        Of the picture.
    """

    def __init__(self, depth: int = 20, width: int = 64, channels: int = 3):
        super().__init__()
        widths = [channels, *[width] * (depth - 1), channels]
        parts: list[nn.Module] = []
        for i in range(depth):
            parts += [nn.Conv2d(widths[i], widths[i + 1], kernel_size=3, padding=1), nn.ReLU()]
        self.model = nn.Sequential(*parts[:-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the denoised pictures (N, C, H, W), 0..1."""
        return x - self.model(x)


def dncnn(depth: int = 20) -> nn.Module:
    """Build the colour network for unknown noise strength."""
    return DnCNN(depth)
