"""Small data sets and networks for the tests of feature extraction.

The large packages are imported where they are needed: some tests start new processes.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn

from dissect_iqa.models.network import InputPolicy, Layer, Network

SPEC = '{"stage":"extract_features","version":1}'


@dataclass(frozen=True)
class Pictures:
    """The part of a prepared data set that extraction uses."""

    pairs: pd.DataFrame
    images: pd.DataFrame
    root: Path

    def path(self, file: str) -> Path:
        return self.root / file


def make_dataset(root: Path, references=2, levels=3, size=(48, 64), seed=0) -> Pictures:
    """Write references with blurs, noises and one identical copy each; sizes may be a list."""
    root.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    sizes = size if isinstance(size, list) else [size] * references
    pairs, images = [], []
    for number, (height, width) in enumerate(sizes):
        coarse = rng.uniform(30, 225, (height // 8 + 1, width // 8 + 1, 3))
        smooth = np.kron(coarse, np.ones((8, 8, 1)))[:height, :width]
        name = f"r{number}.png"
        images.append(_write(root, name, smooth, "reference"))
        changes = [rng.normal(0, 6 + 6 * level, smooth.shape) for level in range(levels)]
        for level, change in enumerate([*changes, np.zeros_like(smooth)]):
            file = f"d{number}_{level}.png"
            images.append(_write(root, file, smooth + change, "distorted"))
            pairs.append((name, file, "noise", level))
    frame = pd.DataFrame(pairs, columns=["reference_file", "distorted_file", "distortion", "level"])
    table = pd.DataFrame(images, columns=["file", "role", "sha256", "width", "height"])
    return Pictures(frame, table.sort_values("file", ignore_index=True), root)


def shuffled(dataset: Pictures, seed: int) -> Pictures:
    """Return the same pairs in another order."""
    return replace(
        dataset, pairs=dataset.pairs.sample(frac=1, random_state=seed, ignore_index=True)
    )


def _write(root: Path, file: str, values: np.ndarray, role: str) -> tuple:
    pixels = np.clip(values, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(root / file)
    digest = hashlib.sha256((root / file).read_bytes()).hexdigest()
    return file, role, digest, pixels.shape[1], pixels.shape[0]


def _network(name, module, layers, layout="NCHW", skip=0, policy=None) -> Network:
    points = tuple(
        Layer(layer, (i + 1) / len(layers), layout, skip) for i, layer in enumerate(layers)
    )
    module = module.eval().requires_grad_(False)
    return Network(name, module, points, policy or InputPolicy(), "0" * 64)


def vgg(layers=("1", "4", "9", "30")) -> Network:
    """The untrained convolutions of a VGG-16, its ReLUs in place as torchvision has them."""
    from torchvision.models.vgg import cfgs, make_layers

    torch.manual_seed(0)
    module = make_layers(cfgs["D"])
    for part in module:
        if isinstance(part, nn.Conv2d):  # else differences would fade away from layer to layer
            nn.init.kaiming_normal_(part.weight, mode="fan_in", nonlinearity="relu")
    return _network("vgg16", module, layers)


def resnet() -> Network:
    """An untrained ResNet-18 with batch norms that do something."""
    from torchvision.models import resnet18

    torch.manual_seed(1)
    module = resnet18(weights=None)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.2)
            part.running_var.uniform_(0.5, 2)
            part.weight.data.uniform_(0.5, 1.5)
            part.bias.data.normal_(0, 0.2)
    blocks = [f"layer{i}.{j}" for i in range(1, 5) for j in range(2)]
    return _network("resnet18", module, ["relu", "maxpool", *blocks][1:])


def vit() -> Network:
    """A tiny untrained vision transformer with a class token that is no position."""
    import timm

    torch.manual_seed(2)
    module = timm.create_model("vit_tiny_patch16_224", pretrained=False, depth=3)
    policy = InputPolicy(size=(224, 224), interpolation="bicubic", mean=(0.5,) * 3, std=(0.5,) * 3)
    return _network("vit_tiny", module, [f"blocks.{i}" for i in range(3)], "NLC", 1, policy)


def stripes() -> Network:
    """A network of a handful of operations, for tests of everything but networks."""
    torch.manual_seed(3)
    module = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Conv2d(8, 12, 3, 2), nn.ReLU())
    return _network("stripes", module, ["1", "3"])


NETWORKS = {"vgg": vgg, "resnet": resnet, "vit": vit}
