"""Time all distances of 3000 pairs at the 18 layers of a ResNet-50: at most 20 s on one core.

From a real feature file (its pictures are tiny: only the number of pairs and channels counts)
to the table, beside the time that reading the same file takes, checksums included. What is left
beyond reading is arithmetic.

Run: ``python benchmarks/distances.py [--pairs 3000] [--limit 20]``; ends with status 1 beyond it.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import torch  # noqa: E402
from extraction_setup import SPEC, machine, make_pictures, network, report  # noqa: E402

from dissect_iqa.distances.measure_distances import DISTANCES, measure_distances  # noqa: E402
from dissect_iqa.features.extract_features import extract_features  # noqa: E402
from dissect_iqa.features.file.read import open_cache  # noqa: E402

REFERENCES = 25


def read(path: Path) -> None:
    """Read every statistic of every layer, and do nothing with it."""
    with open_cache(path, SPEC) as cache:
        for number in range(len(cache.layers)):
            cache.layer(number)


def least(function: Callable[[], object], rounds: int) -> float:
    """Return the least seconds of several runs: other work only ever adds."""
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3000)
    parser.add_argument("--limit", type=float, default=20.0, help="seconds")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    each = options.pairs // REFERENCES
    with tempfile.TemporaryDirectory() as folder:
        data = make_pictures(Path(folder) / "p", options.pairs + REFERENCES, (32, 32), each)
        pairs = data.pairs.assign(pair=range(len(data.pairs)), reference=data.pairs.reference_file)
        path = Path(folder) / "f.h5"
        extract_features(network("resnet50"), data, path, SPEC, "cpu", progress=False)
        names = list(DISTANCES)
        reading = least(lambda: read(path), options.rounds)
        seconds = least(lambda: measure_distances(path, pairs, names, SPEC), options.rounds)
        with open_cache(path) as cache:
            channels, layers = sum(layer.channels for layer in cache.layers), len(cache.layers)
        row = {
            "pairs": len(pairs),
            "layers": layers,
            "channels": channels,
            "distances": len(names),
            "file MB": path.stat().st_size / 1e6,
            "reading s": reading,
            "all distances s": seconds,
            "limit s": options.limit,
            "peak GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        }
    report("distances", [row], {"machine": machine("cpu")})
    return int(seconds > options.limit)


if __name__ == "__main__":
    sys.exit(main())
