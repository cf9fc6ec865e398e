"""From pictures to a network's input, on the device the network is on."""

import torch
import torch.nn.functional as F

from dissect_iqa.features.statistics.in_torch import on_device
from dissect_iqa.models.network import InputPolicy

#: Luminance Y of linear sRGB under D65 (IEC 61966-2-1).
_LUMINANCE = (0.2126729, 0.7151522, 0.0721750)


def picture_input(pictures: torch.Tensor, policy: InputPolicy) -> torch.Tensor:
    """Turn RGB pictures into a network's input.

    Parameters
    ----------
    pictures : Tensor of uint8 or uint16, shape (N, H, W, 3)
        RGB, 0..255 or 0..65535, on any device.
    policy : InputPolicy
        What the network expects.

    Returns
    -------
    Tensor of float32, shape (N, C, h, w)
        In channels-last memory format: `pictures` has it already, and convolutions like it.
        Height and width are those of `policy.seen`.

    Raises
    ------
    UserError
        If the pictures are too small for the network.
    """
    x = pictures.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.channels_last)
    white = float(torch.iinfo(pictures.dtype).max)
    if policy.size is None:
        x = _crop(x, policy.seen(*x.shape[2:]))
    elif tuple(x.shape[2:]) != tuple(policy.size):
        # Bicubic overshoots; a picture resized and stored again would be clipped, too.
        x = F.interpolate(x, policy.size, mode=policy.interpolation, antialias=True).clamp_(
            0, white
        )
    x = _channels(x.div_(white), policy.channels)
    mean, std = (
        on_device(values, x.device).view(1, -1, 1, 1) for values in (policy.mean, policy.std)
    )
    x = x.mul_(policy.scale).sub_(mean).div_(std)
    return x.contiguous(memory_format=torch.channels_last)


def _crop(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Cut (N, C, H, W) to a centred window."""
    height, width = size
    top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
    return x[:, :, top : top + height, left : left + width]


def _channels(x: torch.Tensor, channels: str) -> torch.Tensor:
    """Reorder or reduce RGB in 0..1; lightness comes out in 0..1, too."""
    if channels == "bgr":
        return x.flip(1)
    if channels == "lab_l":
        return _lightness(x)
    return x


def _lightness(rgb: torch.Tensor) -> torch.Tensor:
    """CIELAB lightness L*/100 of sRGB in 0..1 (CIE 15, IEC 61966-2-1); one channel, 0..1."""
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055).pow(2.4), rgb / 12.92)
    weights = on_device(_LUMINANCE, rgb.device).view(1, 3, 1, 1)
    y = (linear * weights).sum(1, keepdim=True)
    root = torch.where(y > (6 / 29) ** 3, y.pow(1 / 3), y / (3 * (6 / 29) ** 2) + 4 / 29)
    return 1.16 * root - 0.16
