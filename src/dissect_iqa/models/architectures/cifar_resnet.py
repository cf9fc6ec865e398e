"""The small ResNets for 32-pixel pictures (He et al. 2016, section 4.2)."""

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock


class CifarResNet(nn.Module):
    """A 3x3 stem without pooling and three stages of 16, 32 and 64 channels.

    Parameters
    ----------
    blocks : int
        Basic blocks a stage; the network has ``6 * blocks + 2`` weighted layers.
    num_classes : int
        Of the classifier.
    """

    def __init__(self, blocks: int, num_classes: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, kernel_size=3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU()
        self.layer1 = _stage(16, 16, blocks, stride=1)
        self.layer2 = _stage(16, 32, blocks, stride=2)
        self.layer3 = _stage(32, 64, blocks, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return class scores (N, classes) of pictures (N, 3, H, W) of any size."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def _stage(channels: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    shortcut = None
    if stride != 1 or channels != width:
        shortcut = nn.Sequential(
            nn.Conv2d(channels, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width)
        )
    first = BasicBlock(channels, width, stride, shortcut)
    return nn.Sequential(first, *(BasicBlock(width, width) for _ in range(blocks - 1)))


def cifar_resnet(depth: int = 20, num_classes: int = 10) -> nn.Module:
    """Build a CIFAR ResNet.

    Parameters
    ----------
    depth : int
        Weighted layers: 20, 32, 44, 56, ... (6 n + 2).
    num_classes : int
        10 or 100.
    """
    return CifarResNet((depth - 2) // 6, num_classes)
