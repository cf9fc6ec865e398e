"""The encoder that all Taskonomy task networks share (Zamir et al. 2018)."""

import torch
from torch import nn
from torchvision.models.resnet import Bottleneck

#: Blocks, width and stride of each stage; the stride sits in a stage's last block.
_STAGES = ((3, 64, 2), (4, 128, 2), (6, 256, 1), (3, 512, 1))


class TaskonomyEncoder(nn.Module):
    """ResNet-50 variant that ends in eight channels at a sixteenth of the picture's size.

    It differs from torchvision's ResNet-50 in four ways: the first pooling is not padded and
    rounds up, each stage reduces its resolution in its last block instead of its first (with a
    strided identity as the shortcut), the last two stages keep the resolution, and a
    convolution compresses the output. The parameter-free group norm that the authors put
    behind it when they feed the code to a policy is left out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
        channels = 64
        for i, (blocks, width, stride) in enumerate(_STAGES, start=1):
            setattr(self, f"layer{i}", _stage(channels, blocks, width, stride))
            channels = width * Bottleneck.expansion
        self.compress1 = nn.Conv2d(channels, 8, kernel_size=3, padding=1, bias=False)
        self.compress_bn = nn.BatchNorm2d(8)
        self.relu1 = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the code (N, 8, H / 16, W / 16) of pictures (N, 3, H, W) in -1..1."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))  # type: ignore[operator]
        return self.relu1(self.compress_bn(self.compress1(x)))


def _stage(channels: int, blocks: int, width: int, stride: int) -> nn.Sequential:
    out = width * Bottleneck.expansion
    widen = nn.Sequential(nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out))
    shortcut = nn.Sequential(nn.MaxPool2d(kernel_size=1, stride=stride)) if stride > 1 else None
    return nn.Sequential(
        Bottleneck(channels, width, downsample=widen),
        *(Bottleneck(out, width) for _ in range(blocks - 2)),
        Bottleneck(out, width, stride=stride, downsample=shortcut),
    )


def taskonomy_encoder() -> nn.Module:
    """Build the Taskonomy encoder."""
    return TaskonomyEncoder()
