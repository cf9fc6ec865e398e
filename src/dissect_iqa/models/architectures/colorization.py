"""VISSL's ResNet-50 for colorization (Zhang et al. 2016, as trained by Goyal et al. 2019)."""

import torchvision
from torch import nn


def resnet50_lightness() -> nn.Module:
    """Build a ResNet-50 that takes CIELAB lightness alone.

    It has one input channel, no classifier, and its last stage keeps the resolution of the one
    before (stride 16 instead of 32).
    """
    network = torchvision.models.resnet50(weights=None)
    network.conv1 = nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
    first = network.layer4[0]
    first.conv2.stride = (1, 1)
    first.downsample[0].stride = (1, 1)
    network.fc = nn.Identity()
    return network
