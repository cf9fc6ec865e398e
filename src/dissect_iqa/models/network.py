"""What the extraction engine needs to know of a model: the module, its layers, its input."""

from dataclasses import dataclass
from typing import Literal

from torch import nn

from dissect_iqa.errors import UserError

Layout = Literal["NCHW", "NHWC", "NLC", "NCL", "LNC", "NC"]


@dataclass(frozen=True)
class Layer:
    """One depth point of a network.

    Attributes
    ----------
    name : str
        Path of the module whose output is read, as in ``module.get_submodule(name)``.
    depth : float
        Relative depth in (0, 1]: position among the network's depth points over their number.
    layout : {"NCHW", "NHWC", "NLC", "NCL", "LNC", "NC"}
        Where the pictures (N) and the channels (C) are. Everything else is a position.
    skip_tokens : int
        Leading tokens (class, registers) that are no positions of the picture; sequences only.
    output : int, str or None
        Which part of a tuple, list or dict output is meant; None for a plain tensor.
    skip_last : int
        Tokens at the end that are no positions of the picture; sequences only.
    """

    name: str
    depth: float
    layout: Layout = "NCHW"
    skip_tokens: int = 0
    output: int | str | None = None
    skip_last: int = 0


@dataclass(frozen=True)
class InputPolicy:
    """How an 8-bit RGB picture becomes the network's input.

    The picture is resized (if the policy says so), scaled to ``0..scale``, its channels put in
    order, and normalised: ``x = (picture / 255 * scale - mean) / std``, with `mean` and `std`
    in the network's own channel order.

    Attributes
    ----------
    size : (int, int) or None
        Height and width to resize to (antialiased bilinear or bicubic); None keeps the native size.
    interpolation : {"bilinear", "bicubic"}
        Filter of that resize.
    scale : float
        Largest value before normalisation: 1 or 255.
    channels : {"rgb", "bgr", "lab_l"}
        Channel order; ``lab_l`` is the single CIELAB lightness channel in 0..scale.
    mean, std : tuple of float
        One value a channel.
    multiple : int
        The native height and width are cropped (centre) to a multiple of this; 1 crops nothing.
    """

    size: tuple[int, int] | None = None
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    scale: float = 1.0
    channels: Literal["rgb", "bgr", "lab_l"] = "rgb"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    multiple: int = 1

    def seen(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of what the network sees of a picture.

        Raises
        ------
        UserError
            If nothing would be left: a side is smaller than the multiple. Whoever knows the
            model's id or the picture's name adds it.
        """
        if self.size is not None:
            return self.size
        seen = height - height % self.multiple, width - width % self.multiple
        if min(seen) < 1:
            raise UserError(
                f"a picture of {height} x {width} is smaller than the {self.multiple} pixels a "
                "side that the network needs (multiple in the column 'input'); leave out the "
                "picture or the model"
            )
        return seen


@dataclass(frozen=True)
class Network:
    """A built network in eval mode with its weights loaded, ready to be read layer by layer.

    Attributes
    ----------
    id : str
        The configuration's id in the model table.
    module : nn.Module
        Called with a float32 tensor (N, C, H, W) made by `features.forward.input.picture_input`.
    layers : tuple of Layer
        Ordered by depth.
    input : InputPolicy
        Part of the spec: it changes numbers.
    weights_sha256 : str
        Of all tensors: names, dtypes, shapes and bytes; see `weights_file.tensors_sha256`.
    left_out : tuple of str
        What the preset of layers found and doesn't read, each with the reason.
    """

    id: str
    module: nn.Module
    layers: tuple[Layer, ...]
    input: InputPolicy
    weights_sha256: str
    left_out: tuple[str, ...] = ()
