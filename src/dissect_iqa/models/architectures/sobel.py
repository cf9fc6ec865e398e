"""DeepCluster's front end, and its VGG-16 (Caron et al. 2018)."""

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.vgg import cfgs, make_layers


class Sobel(nn.Module):
    """Turn colour pictures (N, 3, H, W) into edge maps (N, 2, H, W) of their mean over colour.

    The filter is fixed; being no weight, it isn't in the state dict.
    """

    def __init__(self) -> None:
        super().__init__()
        across = torch.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]])
        self.register_buffer("filters", torch.stack([across, across.T])[:, None], persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return horizontal and vertical differences."""
        return F.conv2d(x.mean(dim=1, keepdim=True), self.filters, padding=1)  # type: ignore[arg-type]


class SobelVGG16(nn.Module):
    """VGG-16 with batch norm on Sobel edge maps; its layers are those of torchvision's."""

    def __init__(self) -> None:
        super().__init__()
        self.edges = Sobel()
        self.features = make_layers(cfgs["D"], batch_norm=True)
        self.features[0] = nn.Conv2d(2, 64, kernel_size=3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last pooled map of a batch (N, 3, H, W)."""
        return self.features(self.edges(x))


def sobel_vgg16() -> nn.Module:
    """Build DeepCluster's VGG-16."""
    return SobelVGG16()
