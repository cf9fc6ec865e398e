"""What the benchmarks of extraction share: networks with their layer points, and pictures."""

import hashlib
import json
import os
import platform
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torchvision
from PIL import Image, ImageFilter
from torch import nn

from dissect_iqa.files.provenance import software_versions, write_json
from dissect_iqa.models.network import InputPolicy, Layer, Network

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
    pairs, tasks = [], []
    while len(tasks) < count:
        number = len(tasks)
        name = f"r{number}.{suffix}"
        tasks.append((name, "reference", number, None))
        for level in range(min(per_reference, count - len(tasks))):
            file = f"d{number}_{level}.{suffix}"
            tasks.append((file, "distorted", number, level))
            pairs.append((name, file, "mixed", level))

    def make(task: tuple[str, str, int, int | None]) -> tuple:
        file, role, number, level = task
        _picture(size, number, level).save(root / file)
        return file, role, hashlib.sha256((root / file).read_bytes()).hexdigest(), *size[::-1]

    with ThreadPoolExecutor() as pool:
        rows = list(pool.map(make, tasks))
    columns = ["file", "role", "sha256", "width", "height"]
    table = pd.DataFrame(rows, columns=columns).sort_values("file", ignore_index=True)
    names = ["reference_file", "distorted_file", "distortion", "level"]
    return Pictures(pd.DataFrame(pairs, columns=names), table, root)


def _picture(size: tuple[int, int], number: int, level: int | None) -> Image.Image:
    height, width = size
    rng = np.random.default_rng(number)
    base = Image.fromarray(rng.integers(0, 256, (height // 16, width // 16, 3), np.uint8))
    reference = base.resize((width, height), Image.Resampling.BICUBIC)
    if level is None:
        return reference
    if level % 2:
        return reference.filter(ImageFilter.GaussianBlur(0.5 + level / 4))
    noise = np.random.default_rng((number, level)).normal(0, 4 + 2 * level, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(reference) + noise, 0, 255).astype(np.uint8))


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
    return [f"features.{name}" for name, _ in module.features.named_children()]


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
