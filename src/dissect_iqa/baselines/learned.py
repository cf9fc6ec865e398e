"""LPIPS and DISTS, from torchmetrics, with a trunk from the project's own weights.

torchmetrics ships what was calibrated on human judgements (LPIPS's channel weights v0.1, DISTS's
alpha and beta); the trunk is an ImageNet-1k network of torchvision. The library would download
that. Here the trunk comes from a safetensors file, and nothing ever touches the network.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torchmetrics.functional.image import dists as _dists
from torchmetrics.functional.image import lpips as _lpips
from torchvision import models
from torchvision.transforms.functional import resize

from dissect_iqa.baselines.names import check_baseline
from dissect_iqa.errors import UserError
from dissect_iqa.models.weights.file import read_weights

_NETS = {"lpips_alex": "alex", "lpips_vgg": "vgg", "lpips_squeeze": "squeeze"}
#: Short side, in pixels, at which DISTS was published.
_DISTS_SIDE = 256


def load_trunk(architecture: str, path: Path | str, expect: str | None = None) -> nn.Sequential:
    """Build the convolutional part of a torchvision network from a safetensors file.

    Parameters
    ----------
    architecture : {"alexnet", "vgg16", "squeezenet1_1"}
    path : path
        What `fetch_weights` made of torchvision's; the classifier may be there or not.
    expect : str, optional
        The spec that it must have been made from.

    Raises
    ------
    UserError
        If the file is missing, damaged or made from another spec, or doesn't fit; lists the
        parameters.
    """
    state = read_weights(path, expect).state
    with torch.device("meta"):  # no time spent on, and no random numbers drawn for, values
        features = getattr(models, architecture)(weights=None).features
    found = {key.removeprefix("features."): value for key, value in state.items() if _kept(key)}
    wanted = features.state_dict()
    wrong = sorted(
        {*wanted} ^ {*found}
        | {key for key in {*wanted} & {*found} if wanted[key].shape != found[key].shape}
    )
    if wrong:
        raise UserError(
            f"{path}: not the weights of torchvision's {architecture}; missing, superfluous or "
            f"of another shape: {', '.join(wrong[:8])}{' ...' if len(wrong) > 8 else ''}"
        )
    features.load_state_dict(found, strict=True, assign=True)
    return features


def _kept(key: str) -> bool:
    return not key.startswith("classifier.")


@contextmanager
def _replaced(module: ModuleType, name: str, value: Any) -> Iterator[None]:
    """Let `module` find `value` under `name`: the libraries take no trunk as an argument."""
    original = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, original)


def lpips_network(net: str, trunk: nn.Sequential) -> nn.Module:
    """Return torchmetrics's LPIPS with calibrated weights v0.1 over a given trunk.

    Parameters
    ----------
    net : {"alex", "vgg", "squeeze"}
    trunk : nn.Sequential
        What `load_trunk` returned for alexnet, vgg16 or squeezenet1_1.

    Returns
    -------
    nn.Module
        Called with two float32 tensors (N, 3, H, W) in -1..1; gives (N, 1, 1, 1).
    """
    with _replaced(_lpips, "_get_tv_model_features", lambda net, pretrained: trunk):
        return _lpips._NoTrainLpips(net=net).eval()  # type: ignore[arg-type]


def dists_network(trunk: nn.Sequential) -> nn.Module:
    """Return torchmetrics's DISTS with calibrated weights over a given VGG-16 trunk.

    Returns
    -------
    nn.Module
        Called with two float32 tensors (N, 3, H, W) in 0..1; gives (N,).
    """
    with _replaced(_dists, "vgg16", lambda weights: SimpleNamespace(features=trunk)):
        return _dists.DISTSNetwork().eval()


def learned_metric(
    name: str, trunk_path: Path | str, device: str = "cpu", expect: str | None = None
) -> Callable[[np.ndarray, np.ndarray], float]:
    """Return LPIPS or DISTS as a function of two RGB pictures, 0..255.

    Parameters
    ----------
    name : str
        A metric of `dissect_iqa.baselines.names.BASELINES` that has a trunk.
    trunk_path : path
        Safetensors file of that trunk.
    device : str
        Where the network runs.
    expect : str, optional
        The spec that the trunk must have been made from.

    Returns
    -------
    callable
        ``metric(reference, distorted) -> float``; 0 for identical pictures.
    """
    trunk = load_trunk(str(check_baseline(name).trunk), trunk_path, expect)
    if name in _NETS:
        network, low = lpips_network(_NETS[name], trunk).to(device), -1.0
    else:
        network, low = dists_network(trunk).to(device), 0.0
    side = _DISTS_SIDE if name == "dists_256" else None

    def tensor(picture: np.ndarray) -> torch.Tensor:
        picture = _short_side(picture, side) if side else picture
        planes = torch.from_numpy(picture.transpose(2, 0, 1)[None].copy()).to(device)
        return low + (1.0 - low) * planes.float() / 255

    def metric(reference: np.ndarray, distorted: np.ndarray) -> float:
        if np.array_equal(reference, distorted):
            return 0.0  # which the networks give only to their rounding error
        with torch.inference_mode():
            return float(network(tensor(reference), tensor(distorted)))

    return metric


def _short_side(picture: np.ndarray, side: int) -> np.ndarray:
    """Shrink a picture to that short side, bilinear with antialias, as the authors of DISTS do."""
    if min(picture.shape[:2]) <= side:
        return picture
    if picture.dtype != np.uint8:  # what Pillow would round
        planes = torch.from_numpy(picture.transpose(2, 0, 1).copy())
        return resize(planes, [side], antialias=True).numpy().transpose(1, 2, 0)
    return np.asarray(resize(Image.fromarray(picture), [side]))
