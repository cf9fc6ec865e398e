"""Time and disk space of extraction against thingsvision, on the same pictures and layers.

thingsvision keeps every activation; we keep the statistics that distances are made of. So the
files answer the same questions about pairs, though not the same questions altogether.

thingsvision wants an environment of its own:
``uv venv /tmp/peer --python 3.11; uv pip install --python /tmp/peer/bin/python thingsvision``.
Run: ``python benchmarks/extraction_thingsvision.py --peer /tmp/peer/bin/python``.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import torch
import torchvision
from extraction_setup import SPEC, bare, layers, machine, make_pictures, network, report

from dissect_iqa.features.extract_features import extract_features
from dissect_iqa.features.file.read import open_cache


def peer(task: dict, python: str) -> dict:
    """Run thingsvision in a process of its own; imports are not counted."""
    script = Path(__file__).with_name("peer_thingsvision.py")
    command = [python, str(script), json.dumps(task)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def save_weights(name: str, path: Path) -> None:
    """Write the same weights for both sides; of VGG only the convolutions are used."""
    torch.manual_seed(0)
    module = getattr(torchvision.models, name)(weights=None)
    used = bare(name)
    part = module.features if name.startswith("vgg") else module
    part.load_state_dict(used.state_dict())
    torch.save(module.state_dict(), path)


def compare(name: str, options: argparse.Namespace, root: Path) -> dict:
    height, width = map(int, options.size.split("x"))
    data = make_pictures(root / name / "p", options.pictures, (height, width), 32, "png")
    weights, cache = root / f"{name}.pt", root / f"{name}.h5"
    save_weights(name, weights)
    task = {
        "network": name,
        "weights": str(weights),
        "layers": layers(name, bare(name)),
        "pictures": str(data.root),
        "out": str(root / name / "out"),
        "threads": options.threads,
        "batch": options.batch,
        "device": options.device,
    }
    ready = network(name)
    extract_features(ready, data, cache, SPEC, options.device, options.batch, progress=False)
    ours, theirs = [], []
    for _ in range(options.rounds):
        start = time.perf_counter()
        extract_features(ready, data, cache, SPEC, options.device, options.batch, progress=False)
        ours.append(time.perf_counter() - start)
        theirs.append(peer(task, options.peer))
    with open_cache(cache) as opened:
        raw = sum(layer.channels * layer.positions * 4 for layer in opened.layers)
    seconds, size = min(run["seconds"] for run in theirs), theirs[0]["bytes"]
    return {
        "network": name,
        "layers": len(task["layers"]),
        "pictures": len(data.images),
        "thingsvision s": seconds,
        "ours s": min(ours),
        "times faster": seconds / min(ours),
        "thingsvision MB": size / 1e6,
        "ours MB": cache.stat().st_size / 1e6,
        "times smaller": size / cache.stat().st_size,
        "raw float32 MB a picture": raw / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", required=True, help="Python of thingsvision's environment")
    parser.add_argument("--networks", default="vgg16,resnet50")
    parser.add_argument("--pictures", type=int, default=17)
    parser.add_argument("--size", default="384x512")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        rows = [compare(name, options, Path(folder)) for name in options.networks.split(",")]
    settings = {key: value for key, value in vars(options).items() if key != "peer"}
    report("extraction_thingsvision", rows, {"machine": machine("cpu"), "settings": settings})


if __name__ == "__main__":
    main()
