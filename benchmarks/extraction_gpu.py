"""Extraction on a GPU against bare forward passes, against the usual way, and where its time goes.

For each network and arithmetic, over the same pictures:

bare
    Forward passes alone, the input on the device already: the fastest of eager PyTorch with
    batches of 16 and 64, in both memory formats, with cuDNN free to choose its algorithms.
ours
    `extract_features` from files to the verified HDF5 file, everything included; `loop` is what
    is left after start-up, writing and verifying the file.
usual
    What published scripts do (see `extraction_speed.py`), over a few pairs.

Then a profile of one extraction each: how long the device was busy with the network, with
statistics and with copies, and how long it waited. And two jobs that share the device.

Needs neither Snakemake nor the internet. Run: ``python benchmarks/extraction_gpu.py``.
"""

import argparse
import contextlib
import copy
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from extraction_setup import SPEC, Pictures, bare, machine, make_pictures, network, report
from extraction_speed import load, run_usual
from torch import nn

from dissect_iqa.features.extract_features import extract_features
from dissect_iqa.features.extract_features import extract_features as extraction
from dissect_iqa.features.forward.device import PRECISIONS, arithmetic
from dissect_iqa.features.forward.pictures import Loader
from dissect_iqa.models.network import InputPolicy, Layer, Network

NETWORKS = ("vgg16", "resnet50", "vit_b16")
#: What a kernel's name holds, by what it is for; what is left is the network's.
KINDS = {
    "statistics": ("_moments_kernel", "_compare_kernel", "double"),
    "copies": ("Memcpy", "Memset"),
}


def build(name: str) -> tuple[nn.Module, Network]:
    """Return copies of a network as its package builds it, and ready for extraction."""
    module, ready = built(name)
    return copy.deepcopy(module), replace(ready, module=copy.deepcopy(ready.module))


@lru_cache
def built(name: str) -> tuple[nn.Module, Network]:
    if name != "vit_b16":
        return bare(name), network(name)
    import timm

    torch.manual_seed(0)
    module = timm.create_model("vit_base_patch16_224", pretrained=False, dynamic_img_size=True)
    module = module.eval().requires_grad_(False)
    points = tuple(Layer(f"blocks.{i}", (i + 1) / 12, "NLC", 1) for i in range(12))
    return module, Network(name, module, points, InputPolicy(multiple=16), "0" * 64)


def seconds(function: Callable[[], object]) -> float:
    torch.cuda.synchronize()
    began = time.perf_counter()
    function()
    torch.cuda.synchronize()
    return time.perf_counter() - began


def best_bare(name: str, pixels: torch.Tensor, precision: str, rounds: int) -> dict[str, float]:
    """Return ms a picture of forward passes, by way."""
    found = {}
    pixels = pixels.to(PRECISIONS[precision])
    for form in (torch.contiguous_format, torch.channels_last):
        module = build(name)[0].to("cuda", PRECISIONS[precision]).to(memory_format=form)
        for batch in (16, 64):
            parts = [part.contiguous(memory_format=form) for part in pixels.split(batch)]

            def passes(module: nn.Module = module, parts: list = parts) -> None:
                with torch.inference_mode():
                    for part in parts:
                        module(part)

            torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = True, False
            passes()
            way = f"{'plain' if form == torch.contiguous_format else 'channels-last'} {batch}"
            found[way] = 1e3 * min(seconds(passes) for _ in range(rounds)) / len(pixels)
        del module
    return found


@contextlib.contextmanager
def stopwatch() -> Iterator[dict[str, float]]:
    """Note how long the loop of an extraction takes, and the writing of the file."""
    times: dict[str, float] = {}
    run, write = extraction.Engine.run, extraction.write_cache

    def timed(name: str, function: Callable) -> Callable:
        def call(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                times[name] = time.perf_counter() - began

        return call

    extraction.Engine.run = timed("loop", run)
    extraction.write_cache = timed("file", write)
    try:
        yield times
    finally:
        extraction.Engine.run, extraction.write_cache = run, write


def ours(name: str, data: Pictures, precision: str, batch: int, path: Path) -> dict[str, float]:
    """Return ms a picture of an extraction: all of it, its loop, and its file."""
    ready = build(name)[1]
    with stopwatch() as times:
        total = seconds(
            lambda: extract_features(
                ready, data, path, SPEC, "cuda:0", batch, precision, progress=False
            )
        )
    times["all"] = total
    return {key: 1e3 * value / len(data.images) for key, value in times.items()}


def compare(
    name: str, precision: str, data: Pictures, pixels: torch.Tensor, options: Any, path: Path
) -> dict:
    """Time one network in one arithmetic."""
    with arithmetic(precision):
        ways = best_bare(name, pixels, precision, options.rounds)
    fastest = min(ways, key=ways.get)
    ours(name, data, precision, options.batch, path)  # compiles kernels
    runs = [ours(name, data, precision, options.batch, path) for _ in range(options.rounds)]
    mine = {key: min(run[key] for run in runs) for key in runs[0]}
    row = {
        "network": name,
        "precision": precision,
        "bare ms/picture": ways[fastest],
        "bare way": fastest,
        "bare ways": ways,
        "ours ms/picture": mine["all"],
        "loop ms/picture": mine["loop"],
        "file ms/picture": mine["file"],
        "ours/bare": mine["all"] / ways[fastest],
        "loop/bare": mine["loop"] / ways[fastest],
    }
    if precision == "float32":
        few = replace(data, pairs=data.pairs.head(options.usual))
        module = build(name)[0].to("cuda")
        points = [layer.name for layer in build(name)[1].layers]
        with arithmetic(precision):
            run_usual(module, points, replace(data, pairs=data.pairs.head(2)), "cuda")
            taken = seconds(lambda: run_usual(module, points, few, "cuda"))
        pairs = len(few.pairs)
        row["usual ms/pair"] = 1e3 * taken / pairs
        row["usual/ours"] = row["usual ms/pair"] / (
            mine["all"] * len(data.images) / len(data.pairs)
        )
    return row


def profile(name: str, precision: str, data: Pictures, batch: int, path: Path) -> dict:
    """Tell what the device did while an extraction's loop ran, in ms a picture."""
    from torch.profiler import ProfilerActivity

    ready = build(name)[1]
    run = extraction.Engine.run
    found: dict[str, Any] = {}

    def profiled(engine: Any, progress: bool) -> None:
        with torch.profiler.profile(activities=[ProfilerActivity.CUDA]) as profiler:
            began = time.perf_counter()
            run(engine, progress)
            torch.cuda.synchronize()
            found["loop"] = time.perf_counter() - began
        busy = dict.fromkeys((*KINDS, "network"), 0.0)
        names: dict[str, float] = {}
        count = 0
        for event in profiler.events():
            if event.device_type != torch.autograd.DeviceType.CUDA:
                continue
            count += 1
            span = event.time_range.elapsed_us() / 1e6
            names[event.name[:70]] = names.get(event.name[:70], 0.0) + span
            for kind, parts in KINDS.items():
                if any(part in event.name for part in parts):
                    busy[kind] += span
                    break
            else:
                busy["network"] += span
        found.update(busy, launches=count, names=names)

    extraction.Engine.run = profiled
    try:
        extract_features(ready, data, path, SPEC, "cuda:0", batch, precision, progress=False)
    finally:
        extraction.Engine.run = run
    each = 1e3 / len(data.images)
    times = {key: found[key] * each for key in ("loop", "network", *KINDS)}
    largest = sorted(found["names"].items(), key=lambda item: -item[1])[:12]
    return {
        "network": name,
        "precision": precision,
        **{f"{key} ms/picture": value for key, value in times.items()},
        "idle %": 100 * (1 - sum(times[key] for key in ("network", *KINDS)) / times["loop"]),
        "launches/picture": found["launches"] / len(data.images),
        "largest": {key: round(value * each, 4) for key, value in largest},
    }


def decoding(data: Pictures) -> dict[str, float]:
    """Return ms a picture that decoding takes with some threads, the check of sums included."""
    rows = [np.arange(i, min(i + 16, len(data.images))) for i in range(0, len(data.images), 16)]
    found = {}
    for workers in (1, 4, 16):
        with Loader(data, workers=workers) as loader:
            began = time.perf_counter()
            for _ in loader.stream(rows):
                pass
            found[f"{workers} threads"] = 1e3 * (time.perf_counter() - began) / len(data.images)
    return found


def together(data_size: int, folder: Path) -> dict[str, float]:
    """Return seconds of two extractions, one after the other and at once; start-up included."""
    command = [sys.executable, __file__, "--one", str(data_size), "--folder"]
    began = time.perf_counter()
    for number in range(2):
        subprocess.run([*command, str(folder / f"one{number}")], check=True)
    alone = time.perf_counter() - began
    began = time.perf_counter()
    jobs = [subprocess.Popen([*command, str(folder / f"both{number}")]) for number in range(2)]
    for job in jobs:
        if job.wait():
            raise SystemExit("a job that shared the device failed")
    return {"one after the other s": alone, "at once s": time.perf_counter() - began}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--precisions", default=",".join(PRECISIONS))
    parser.add_argument("--pictures", type=int, default=780)
    parser.add_argument("--per-reference", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--usual", type=int, default=8, help="pairs that go the usual way")
    parser.add_argument("--profile", default="float32,bfloat16", help="precisions")
    parser.add_argument("--no-sharing", action="store_true")
    parser.add_argument("--name", default="extraction_gpu")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        data = make_pictures(options.folder, options.one, (384, 512), 64)
        ours("resnet50", data, "float32", options.batch, options.folder / "f.h5")
        return
    torch.set_num_threads(4)  # what a job of a cluster usually has
    rows, profiles = [], []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        data = make_pictures(root / "p", options.pictures, (384, 512), options.per_reference)
        decoded = decoding(data)
        print("decoding ms/picture", decoded, flush=True)
        few = replace(data, images=data.images.head(256))
        pixels = load(few, 256, "cuda")[0]
        for name in options.networks.split(","):
            for precision in options.precisions.split(","):
                row = compare(name, precision, data, pixels, options, root / "f.h5")
                rows.append(row)
                print({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()})
                if precision in options.profile.split(","):
                    profiles.append(profile(name, precision, data, options.batch, root / "f.h5"))
                    print(json.dumps(profiles[-1]), flush=True)
        shared = None if options.no_sharing else together(options.pictures, root)
        print(shared)
    settings = {key: value for key, value in vars(options).items() if key not in ("one", "folder")}
    facts = {"decoding ms/picture": decoded, "profiles": profiles, "sharing": shared}
    report(options.name, rows, {"machine": machine("cuda"), "settings": settings, **facts})


if __name__ == "__main__":
    main()
