"""What each fast way of extraction on a CPU gains: everything on, and each alone turned off.

in_numba
    Statistics in compiled loops instead of PyTorch's expressions.
channels last
    Maps in that order in memory.
small batches
    A few pictures a pass instead of `--batch`.
kept memory
    glibc keeps what a batch has freed.

In turn, several rounds; the least time counts. "gain" is the time without it over that with all.

Run: ``python benchmarks/extraction_ablation.py``.
"""

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from extraction_setup import SPEC, machine, make_pictures, network, report

from dissect_iqa.features import extract_features as stage
from dissect_iqa.features.forward import runner
from dissect_iqa.features.statistics import chosen, in_torch

WAYS: dict[str, tuple[Any, str, Any]] = {
    "in_numba": (chosen, "choose_backend", lambda _device: in_torch),
    "channels last": (runner, "memory_format", lambda *_: torch.contiguous_format),
    "small batches": (runner.Runner, "most", lambda *_: sys.maxsize),
    "kept memory": (stage, "kept_memory", contextlib.nullcontext),
}


@contextlib.contextmanager
def without(*names: str) -> Iterator[None]:
    """Turn fast ways off while the block runs."""
    with contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(mock.patch.object(*WAYS[name]))
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--networks", default="vgg16,resnet50,mobilenet_v2,efficientnet_b0,densenet121"
    )
    parser.add_argument("--pictures", type=int, default=17)
    parser.add_argument("--size", default="384x512")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--name", default="extraction_ablation")
    options = parser.parse_args()
    height, width = map(int, options.size.split("x"))
    off: dict[str, tuple[str, ...]] = {"all on": (), **{name: (name,) for name in WAYS}}
    off["all off"] = tuple(WAYS)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        data = make_pictures(root / "p", options.pictures, (height, width), 32)
        for name in options.networks.split(","):
            ready = network(name)
            times: dict[str, list[float]] = {way: [] for way in off}
            for _ in range(options.rounds + 1):  # the first warms up
                for way, names in off.items():
                    with without(*names):
                        began = time.perf_counter()
                        stage.extract_features(
                            *(ready, data, root / "f.h5", SPEC, "cpu", options.batch),
                            progress=False,
                        )
                        times[way].append(time.perf_counter() - began)
            least = {way: min(found[1:]) for way, found in times.items()}
            everything = least.pop("all on")
            rows.append(
                {"network": name, "all on ms/picture": 1e3 * everything / options.pictures}
                | {f"gain of {way}": found / everything for way, found in least.items()}
            )
            print(rows[-1], flush=True)
    settings = {key: value for key, value in vars(options).items() if key != "name"}
    report(options.name, rows, {"machine": machine("cpu"), "settings": settings})


if __name__ == "__main__":
    main()
