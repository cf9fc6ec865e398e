"""Where the pictures, the channels and the positions of a layer's output are."""

from dissect_iqa.models.network import Layout

#: Which axis is what, by number of axes: N pictures, P positions, C channels.
_AXES: dict[str, Layout] = {
    "NC": "NC",
    "NPC": "NLC",
    "NCP": "NCL",
    "PNC": "LNC",
    "NCPP": "NCHW",
    "NPPC": "NHWC",
}

#: The axes of the positions of each layout.
POSITION_AXES: dict[Layout, tuple[int, ...]] = {
    "NCHW": (2, 3),
    "NHWC": (1, 2),
    "NLC": (1,),
    "NCL": (2,),
    "LNC": (0,),
    "NC": (),
}

#: The axis of the pictures of each layout.
BATCH_AXIS: dict[Layout, int] = {layout: int(layout == "LNC") for layout in POSITION_AXES}


def followed_layout(
    first: tuple[int, ...], second: tuple[int, ...], counts: tuple[int, int]
) -> Layout | None:
    """Tell the layout of an output from its shapes for two pictures' sizes.

    Parameters
    ----------
    first, second : tuple of int
        Shapes for two batches of pictures of different sizes.
    counts : (int, int)
        How many pictures were in each batch.

    Returns
    -------
    {"NCHW", "NHWC", "NLC", "NCL", "LNC", "NC"} or None
        The axis that follows the number of pictures is N, those that follow their size are
        positions, what stays is the channels. None if that fits no layout.
    """
    batch = next((i for i, pair in enumerate(zip(first, second, strict=True)) if pair == counts), 9)
    roles = "".join(
        "N" if axis == batch else "C" if a == b else "P"
        for axis, (a, b) in enumerate(zip(first, second, strict=True))
    )
    return _AXES.get(roles)


def layout_of(shape: tuple[int, ...], size: tuple[int, int]) -> Layout | None:
    """Tell the layout of an output from one shape and the size of the picture.

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
    first = is_map(shape[2], shape[3], size)
    last = is_map(shape[1], shape[2], size)
    if first and last:
        # Both fit: the exact stride decides, and three equal axes are taken as channels first.
        return (
            "NHWC"
            if _error(shape[1], shape[2], size) < _error(shape[2], shape[3], size)
            else "NCHW"
        )
    return "NCHW" if first else "NHWC" if last else None


def is_grid(length: int, size: tuple[int, int]) -> bool:
    """Tell whether so many positions can be a grid in the proportion of the picture."""
    return any(
        length % height == 0 and is_map(height, length // height, size)
        for height in range(1, length + 1)
    )


def is_map(height: int, width: int, size: tuple[int, int]) -> bool:
    """Tell whether height x width is the picture at some stride, up to rounding and padding."""
    stride = max(size[0] / height, size[1] / width)
    # unpadded convolutions take a few pixels off both axes
    slack = max(1.0, 0.02 * max(height, width))
    return abs(height - size[0] / stride) <= slack and abs(width - size[1] / stride) <= slack


def _error(height: int, width: int, size: tuple[int, int]) -> float:
    return abs(size[0] / height - size[1] / width) * min(height, width)
