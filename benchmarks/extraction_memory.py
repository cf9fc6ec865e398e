"""Size of the cache against raw features, and peak memory against plain inference.

Every figure comes from a process of its own. Plain inference passes two batches and reads no
layer. The limit for extraction is 1.3 times plain inference at the same batch size plus the
features of one reference; and its peak must not grow with the number of pictures.

Run: ``python benchmarks/extraction_memory.py [--device cuda] [--networks vgg16,resnet50]``.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from extraction_setup import SPEC, bare, layers, machine, make_pictures, network, report

from dissect_iqa.features.extract_features import extract_features
from dissect_iqa.features.file.read import open_cache


def peak(device: str) -> float:
    """Return this process's peak memory so far in MB, on the device it works on."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated() / 1e6
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1e3


def plain(name: str, size: tuple[int, int], options: argparse.Namespace) -> dict:
    """Two batches through the network and nothing else; and the size of one picture's features."""
    module = bare(name).to(options.device)
    found: list[int] = []
    batch = torch.randn(options.batch, 3, *size, device=options.device)
    with torch.inference_mode():
        for _ in range(2):
            module(batch)
        result = peak(options.device)
        for point in layers(name, module):
            module.get_submodule(point).register_forward_hook(
                lambda _m, _i, output: found.append(output.nelement() * output.element_size())
            )
        module(batch[:1])
    return {"peak": result, "features": sum(found) / 1e6}


def extraction(name: str, size: tuple[int, int], count: int, options: argparse.Namespace) -> dict:
    """Extract `count` pictures of four references or fewer."""
    with tempfile.TemporaryDirectory() as folder:
        data = make_pictures(Path(folder) / "p", count, size, max(9, count // 4))
        path = Path(folder) / "f.h5"
        net = network(name)
        extract_features(net, data, path, SPEC, options.device, options.batch, progress=False)
        with open_cache(path) as cache:
            raw = sum(layer.channels * layer.positions * 4 for layer in cache.layers)
        share = path.stat().st_size / (raw * count)
        return {"peak": peak(options.device), "bytes": path.stat().st_size, "share": share}


def measure(what: str, *arguments: object, options: argparse.Namespace) -> dict:
    """Run one of the above in a new process."""
    settings = ["--device", options.device, "--batch", str(options.batch)]
    task = [str(argument) for argument in (what, *arguments)]
    command = [sys.executable, __file__, *settings, "--task", *task]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        sys.exit(result.stderr)
    return json.loads(result.stdout.splitlines()[-1])


def run_task(task: list[str], options: argparse.Namespace) -> dict:
    what, name, size, *count = task
    height, width = map(int, size.split("x"))
    if what == "plain":
        return plain(name, (height, width), options)
    return extraction(name, (height, width), int(count[0]), options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--networks", default="vgg16,resnet50")
    parser.add_argument("--size", default="384x512")
    parser.add_argument("--pictures", type=int, default=34)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--growth", default="10,100,1000", help="numbers of small pictures")
    parser.add_argument("--growth-size", default="96x128")
    parser.add_argument("--name", default="extraction_memory")
    parser.add_argument("--task", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        print(json.dumps(run_task(options.task, options)))
        return
    rows = []
    for name in options.networks.split(","):
        base = measure("plain", name, options.size, options=options)
        ours = measure("extraction", name, options.size, options.pictures, options=options)
        limit = 1.3 * base["peak"] + base["features"]
        rows.append(
            {
                "network": name,
                "pictures": options.pictures,
                "size": options.size,
                "plain MB": base["peak"],
                "limit MB": limit,
                "extraction MB": ours["peak"],
                "within": ours["peak"] <= limit,
                "cache % of raw": 100 * ours["share"],
            }
        )
    for count in map(int, options.growth.split(",")):
        ours = measure("extraction", "resnet50", options.growth_size, count, options=options)
        rows.append(
            {
                "network": "resnet50",
                "pictures": count,
                "size": options.growth_size,
                "extraction MB": ours["peak"],
                "cache % of raw": 100 * ours["share"],
            }
        )
    settings = {key: value for key, value in vars(options).items() if key not in ("name", "task")}
    report(options.name, rows, {"machine": machine(options.device), "settings": settings})


if __name__ == "__main__":
    main()
