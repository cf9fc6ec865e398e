"""Time of extraction against bare forward passes, and against the way it is usually done.

Three ways over the same pictures, in turn, several rounds; the least time of each counts, for
other work on the machine only ever adds:

bare
    The network as torchvision builds it, eager, in batches, the input already in memory; no
    layer is read. Every picture passes once. VGG's classifier is left out.
usual
    What published scripts do: for every pair decode both pictures, pass each alone, copy all
    layers' outputs to numpy by hooks, and take the root mean squared difference of each layer.
ours
    `extract_features` from files to the verified HDF5 file, everything included.

Run: ``python benchmarks/extraction_speed.py [--device cuda] [--networks vgg16,resnet50]``.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from extraction_setup import SPEC, Pictures, bare, layers, machine, make_pictures, network, report
from PIL import Image
from torch import nn

from dissect_iqa.features.extract_features import extract_features
from dissect_iqa.features.file.read import open_cache
from dissect_iqa.features.file.verify import verify_cache
from dissect_iqa.features.forward.input import picture_input
from dissect_iqa.models.network import InputPolicy

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def run_bare(module: nn.Module, batches: list[torch.Tensor]) -> None:
    """Forward passes and nothing else."""
    with torch.inference_mode():
        for batch in batches:
            module(batch)
        if batches[0].is_cuda:
            torch.cuda.synchronize()


def run_usual(module: nn.Module, points: list[str], data: Pictures, device: str) -> np.ndarray:
    """Both pictures of each pair, batch 1, all layers to numpy; returns RMSE (pairs, layers)."""
    kept: dict[str, np.ndarray] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: tuple, output: torch.Tensor) -> None:
            kept[name] = output.detach().cpu().numpy().copy()

        return hook

    def features(file: str) -> dict[str, np.ndarray]:
        pixels = torch.from_numpy(np.array(Image.open(data.path(file)).convert("RGB")))
        picture = (pixels.permute(2, 0, 1).float() / 255 - MEAN) / STD
        module(picture[None].to(device))
        return dict(kept)

    handles = [module.get_submodule(p).register_forward_hook(keep(p)) for p in points]
    rows = []
    with torch.no_grad():
        for pair in data.pairs.itertuples():
            x, y = features(pair.reference_file), features(pair.distorted_file)
            rows.append([np.sqrt(np.mean((x[p] - y[p]) ** 2)) for p in points])
    for handle in handles:
        handle.remove()
    return np.array(rows)


def load(data: Pictures, batch: int, device: str) -> list[torch.Tensor]:
    """Decode everything into contiguous input batches on the device."""
    pixels = [np.array(Image.open(data.path(file))) for file in data.images["file"]]
    stacked = [np.stack(pixels[i : i + batch]) for i in range(0, len(pixels), batch)]
    return [
        picture_input(torch.from_numpy(s), InputPolicy()).contiguous().to(device) for s in stacked
    ]


def timed(function: Callable[[], object]) -> tuple[float, float]:
    """Return wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - cpu


def compare(name: str, data: Pictures, options: argparse.Namespace, folder: Path) -> dict:
    device, path = options.device, folder / f"{name}.h5"
    module = bare(name).to(device)
    points = layers(name, module)
    ready = network(name)
    batches = load(data, options.batch, device)
    ways: dict[str, Callable[[], object]] = {
        "bare": lambda: run_bare(module, batches),
        "ours": lambda: extract_features(
            ready, data, path, SPEC, device, options.batch, progress=False
        ),
    }
    if not options.skip_usual:
        ways["usual"] = lambda: found.append(run_usual(module, points, data, device))
    found: list[np.ndarray] = []
    run_bare(module, batches[:1])
    ways["ours"]()  # compiles loops, warms the disk's cache
    times: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(options.rounds):
        for way, function in ways.items():
            times[way].append(timed(function))
    wall = {way: min(t for t, _ in runs) for way, runs in times.items()}
    cpu = {way: min(t for _, t in runs) for way, runs in times.items()}
    row = {
        "network": name,
        "layers": len(points),
        "bare ms/picture": 1e3 * wall["bare"] / len(data.images),
        "ours ms/picture": 1e3 * wall["ours"] / len(data.images),
        "ours/bare": wall["ours"] / wall["bare"],
        "ours/bare CPU time": cpu["ours"] / cpu["bare"],
        "verification % of ours": 100
        * min(timed(lambda: verify_cache(path))[0] for _ in range(options.rounds))
        / wall["ours"],
    }
    if found:
        with open_cache(path) as cache:
            mine = [np.sqrt(cache.layer(i)["mse"].mean(axis=1)) for i in range(len(points))]
        wrong = np.abs(np.stack(mine, axis=1) / found[-1] - 1).max()
        row |= {
            "usual/bare": wall["usual"] / wall["bare"],
            "usual/ours": wall["usual"] / wall["ours"],
            "usual/ours CPU time": cpu["usual"] / cpu["ours"],
            "largest relative difference": float(wrong),
        }
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--networks", default="vgg16,resnet50,mobilenet_v2,efficientnet_b0")
    parser.add_argument("--pictures", type=int, default=33)
    parser.add_argument("--per-reference", type=int, default=32)
    parser.add_argument("--size", default="384x512")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--skip-usual", action="store_true")
    parser.add_argument("--name", default="extraction_speed")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.backends.cudnn.allow_tf32 = False
    height, width = map(int, options.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        data = make_pictures(root / "p", options.pictures, (height, width), options.per_reference)
        rows = [compare(name, data, options, root) for name in options.networks.split(",")]
    settings = {key: value for key, value in vars(options).items() if key != "name"}
    report(options.name, rows, {"machine": machine(options.device), "settings": settings})


if __name__ == "__main__":
    main()
