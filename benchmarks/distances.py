"""Time all distances of 3000 pairs at the 18 layers of a ResNet-50: at most 20 s on one core.

Run: ``python benchmarks/distances.py [--pairs 3000] [--limit 20]``; ends with status 1 beyond it.
"""

import argparse
import os
import resource
import sys
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from dissect_iqa.distance_tables import Measured, distance_table  # noqa: E402
from dissect_iqa.distances import DISTANCES, measure_layer  # noqa: E402

#: Stem, the 16 blocks of the four stages, pooled features.
WIDTHS = [64] + [256] * 3 + [512] * 4 + [1024] * 6 + [2048] * 3 + [2048]
REFERENCES = 25


def statistics(rng: np.random.Generator, pairs: int, width: int) -> dict[str, np.ndarray]:
    """Random statistics of one layer; each reference has pairs / REFERENCES distorted pictures."""
    shape = (REFERENCES + pairs, width)
    arrays = {"mean": rng.random(shape, "f4"), "var": rng.random(shape, "f4")}
    # A squared difference can't be less than the squared difference of the means.
    reference = np.arange(pairs) % REFERENCES
    gap = arrays["mean"][reference] - arrays["mean"][REFERENCES:]
    arrays["mse"] = gap**2 + rng.random((pairs, width), "f4")
    arrays["unit_mse"] = rng.random((pairs, width), "f4") / width
    return arrays


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3000)
    parser.add_argument("--limit", type=float, default=20.0, help="seconds")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    reference = np.arange(options.pairs) % REFERENCES
    distorted = REFERENCES + np.arange(options.pairs)
    pairs = pd.DataFrame(
        {
            "pair": np.arange(options.pairs),
            "reference": [f"i{k:02d}" for k in reference],
            "distorted_file": [f"i{k}.bmp" for k in range(options.pairs)],
            "distortion": [f"type {k % 24}" for k in range(options.pairs)],
            "level": np.arange(options.pairs) % 5,
        }
    )
    seconds, measured = 0.0, []
    for number, width in enumerate(WIDTHS):
        layer = statistics(rng, options.pairs, width)  # not timed: reading is the cache's business
        start = time.perf_counter()
        values = measure_layer(layer, reference, distorted, list(DISTANCES))
        seconds += time.perf_counter() - start
        measured += [Measured(f"layer{number}", 0.0, name, v) for name, v in values.items()]
    start = time.perf_counter()
    table = distance_table(pairs, measured)
    seconds += time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{options.pairs} pairs x {len(WIDTHS)} layers ({sum(WIDTHS)} channels) x "
        f"{len(DISTANCES)} distances = {len(table)} rows: {seconds:.2f} s on one core "
        f"(limit {options.limit:g} s), {peak:.2f} GiB at most"
    )
    return int(seconds > options.limit)


if __name__ == "__main__":
    sys.exit(main())
