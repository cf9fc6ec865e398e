"""What the benchmarks of extraction share: networks with their layer points, and pictures."""

import hashlib
import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torchvision
from PIL import Image, ImageFilter
from torch import nn

from dissect_iqa.models.network import InputPolicy, Layer, Network
from dissect_iqa.provenance import software_versions, write_json

RESULTS = Path(__file__).parent / "results"
SPEC = '{"benchmark":1}'


@dataclass(frozen=True)
class Pictures:
    """The part of a prepared data set that extraction uses."""

    pairs: pd.DataFrame
    images: pd.DataFrame
    root: Path

    def path(self, file: str) -> Path:
        return self.root / file


def make_pictures(
    root: Path, count: int, size: tuple[int, int], per_reference: int, suffix: str = "bmp"
) -> Pictures:
    """Write `count` pictures: references, and blurs, noises and JPEGs of each."""
    root.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    height, width = size
    pairs, images = [], []
    while len(images) < count:
        number = len(images)
        base = Image.fromarray(rng.integers(0, 256, (height // 16, width // 16, 3), np.uint8))
        reference = base.resize((width, height), Image.Resampling.BICUBIC)
        name = f"r{number}.{suffix}"
        images.append((name, "reference", reference))
        for level in range(min(per_reference, count - len(images))):
            file = f"d{number}_{level}.{suffix}"
            images.append((file, "distorted", _distort(reference, level, rng)))
            pairs.append((name, file, "mixed", level))
    rows = []
    for file, role, picture in images:
        picture.save(root / file)
        digest = hashlib.sha256((root / file).read_bytes()).hexdigest()
        rows.append((file, role, digest, width, height))
    columns = ["file", "role", "sha256", "width", "height"]
    table = pd.DataFrame(rows, columns=columns).sort_values("file", ignore_index=True)
    names = ["reference_file", "distorted_file", "distortion", "level"]
    return Pictures(pd.DataFrame(pairs, columns=names), table, root)


def _distort(picture: Image.Image, level: int, rng: np.random.Generator) -> Image.Image:
    if level % 2:
        return picture.filter(ImageFilter.GaussianBlur(0.5 + level / 4))
    pixels = np.asarray(picture) + rng.normal(0, 4 + 2 * level, (*picture.size[::-1], 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def bare(name: str) -> nn.Module:
    """Build a torchvision network as torchvision does, in-place activations and all."""
    torch.manual_seed(0)
    module = getattr(torchvision.models, name)(weights=None)
    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # one batch sets the statistics, so that features are alive
    if norms:
        with torch.no_grad():
            module.train()(torch.randn(4, 3, 128, 128))
    module = module.eval().requires_grad_(False)
    return module.features if name.startswith("vgg") else module


def layers(name: str, module: nn.Module) -> list[str]:
    """Return a network's layer points in the order in which they run."""
    if name.startswith("vgg"):
        return [n for n, m in module.named_children() if isinstance(m, (nn.ReLU, nn.MaxPool2d))]
    if name.startswith("resnet"):
        blocks = [
            f"{s}.{i}" for s, m in module.named_children() if "layer" in s for i in range(len(m))
        ]
        return ["relu", "maxpool", *blocks]
    if name.startswith("efficientnet"):
        stages = module.features
        return [f"features.{i}.{j}" for i in range(1, 8) for j in range(len(stages[i]))]
    return [f"features.{i}" for i in range(len(module.features))]


def network(name: str) -> Network:
    """Wrap a network for extraction."""
    module = bare(name)
    points = layers(name, module)
    return Network(
        name,
        module,
        tuple(Layer(layer, (i + 1) / len(points)) for i, layer in enumerate(points)),
        InputPolicy(),
        "0" * 64,
    )


def machine(device: str) -> dict[str, Any]:
    """Describe where figures come from."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = models[0].partition(":")[2].strip() if models else cpu
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if device.startswith("cuda") else None,
        "versions": software_versions(),
    }


def report(name: str, rows: list[dict[str, Any]], facts: dict[str, Any]) -> None:
    """Print a table and write it to ``results/<name>.json``."""
    print(pd.DataFrame(rows).to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    write_json({"rows": rows, **json.loads(json.dumps(facts))}, path)
    print(f"written to {path.relative_to(RESULTS.parents[1])}")
