"""Where the channels and the positions of a layer's output are."""

import re

from torch import nn

from dissect_iqa.models.network import Layout

_TOKEN = re.compile(r"(class|cls|dist)_token(_?\d+)?")


def layout_of(shape: tuple[int, ...], size: tuple[int, int]) -> Layout | None:
    """Tell the layout of an output from its shape and the size of the picture.

    Parameters
    ----------
    shape : tuple of int
        With the batch first; 2 to 4 axes.
    size : (int, int)
        Height and width of the picture that passed.

    Returns
    -------
    {"NCHW", "NHWC", "NLC", "NC"} or None
        Of four axes the spatial two are neighbours in the picture's proportion. None if neither
        or, with equal sizes, both pairs could be meant.
    """
    if len(shape) == 2:
        return "NC"
    if len(shape) == 3:
        return "NLC"
    first = _is_map(shape[2], shape[3], size)
    last = _is_map(shape[1], shape[2], size)
    if first and last:
        # Both fit: the exact stride decides, and three equal axes are taken as channels first.
        return "NHWC" if _error(shape[1], shape[2], size) < _error(*shape[2:], size) else "NCHW"
    return "NCHW" if first else "NHWC" if last else None


def prefix_tokens(module: nn.Module) -> int:
    """Return how many class, distillation and register tokens a transformer puts in front."""
    known = getattr(module, "num_prefix_tokens", None)
    if isinstance(known, int):
        return known
    tokens = {name: value for name, value in module.named_parameters() if _TOKEN.fullmatch(name)}
    # one class token per scale or branch is still one in front of each sequence
    kinds = {name.split("_")[0]: value.shape[-2] for name, value in tokens.items()}
    return sum(kinds.values())


def skipped_tokens(length: int, prefix: int, size: tuple[int, int]) -> int:
    """Return how many leading tokens of a sequence are no positions of the picture.

    A sequence whose length is itself a grid in the picture's proportion (a patch embedding)
    has none in front.
    """
    if prefix == 0 or _is_grid(length, size) or not _is_grid(length - prefix, size):
        return 0
    return prefix


def _is_grid(length: int, size: tuple[int, int]) -> bool:
    return any(
        length % height == 0 and _is_map(height, length // height, size)
        for height in range(1, length + 1)
    )


def _is_map(height: int, width: int, size: tuple[int, int]) -> bool:
    """Tell whether height x width is the picture at some stride, up to rounding and padding."""
    stride = max(size[0] / height, size[1] / width)
    # unpadded convolutions take a few pixels off both axes
    slack = max(1.0, 0.02 * max(height, width))
    return abs(height - size[0] / stride) <= slack and abs(width - size[1] / stride) <= slack


def _error(height: int, width: int, size: tuple[int, int]) -> float:
    return abs(size[0] / height - size[1] / width) * min(height, width)
