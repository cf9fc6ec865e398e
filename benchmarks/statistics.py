"""Time and memory of the statistics on synthetic tables of TID2013's size.

    python benchmarks/statistics.py [--models 1] [--processes 2] [--draws 2000]

The goal: 46 models, 18 layers and 6 distances each, 3000 pairs of 25 references, 2000 draws, in
under 15 minutes on 2 cores and under 4 GB. One model is one job of the rule `correlate`, with all
of its statistics: SRCC, KRCC and PLCC with intervals overall, in 24 types and 7 subsets, within
references, both logistic fits, and the honest best layer. Prints a table, writes JSON.
"""

import argparse
import json
import os
import platform
import resource
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # as many jobs as cores, one thread each

import joblib  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from dissect_iqa.correlation.ceiling import noise_ceiling  # noqa: E402
from dissect_iqa.correlation.contests import contests  # noqa: E402
from dissect_iqa.correlation.correlate import correlate  # noqa: E402
from dissect_iqa.correlation.hold_contests import hold_contests  # noqa: E402
from dissect_iqa.correlation.settings import StatisticsSettings  # noqa: E402
from dissect_iqa.correlation.summary import summarise  # noqa: E402
from dissect_iqa.distances.measure_distances import Measured, distance_table  # noqa: E402

MODELS, LAYERS, DISTANCES = 46, 18, 6
SHAPES = {"tid2013": (25, 24, 5), "kadid10k": (81, 25, 5)}


def make_pairs(references: int, types: int, levels: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    count = references * types * levels
    reference = np.repeat([f"i{r:02d}" for r in range(references)], types * levels)
    kind = np.tile(np.repeat(np.arange(types), levels), references)
    level = np.tile(np.arange(1, levels + 1), references * types)
    quality = np.round(7 - level + rng.normal(size=types)[kind] + 0.6 * rng.normal(size=count), 4)
    pairs = pd.DataFrame(
        {
            "pair": np.arange(count), "reference": reference,
            "distorted_file": [f"{k}.png" for k in range(count)],
            "distortion": [f"type {k}" for k in kind],
            "level": pd.array(level, dtype="Int64"), "quality": quality, "score_se": 0.13,
        }
    )  # fmt: skip
    for number in range(7):
        pairs[f"subset_s{number}"] = rng.random(types)[kind] < 0.4
    return pairs


def make_distances(pairs: pd.DataFrame, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    quality = pairs["quality"].to_numpy()
    measured = []
    for i in range(LAYERS):
        spread = 1.0 + abs(i - LAYERS / 2) / LAYERS
        for k in range(DISTANCES):
            values = np.exp(-(quality + spread * rng.normal(size=len(quality))) / 4)
            measured.append(Measured(f"layer{i}", (i + 1) / LAYERS, f"distance{k}", values))
    return distance_table(pairs, measured)


def one_model(pairs: pd.DataFrame, seed: int, draws: int) -> tuple[pd.DataFrame, tuple, float]:
    """Return the correlations, seconds (by the clock, and busy), and peak memory in GB."""
    distances = make_distances(pairs, seed)
    begin, busy = time.perf_counter(), time.process_time()
    table = correlate(
        distances, pairs, dataset_name="synthetic", model=f"model{seed:02d}",
        settings=StatisticsSettings(draws=draws),
    )  # fmt: skip
    spent = time.perf_counter() - begin, time.process_time() - busy
    return table, spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def time_rest(pairs: pd.DataFrame, tables: list[pd.DataFrame], draws: int) -> dict[str, float]:
    """Seconds of what is done once a data set: summary, ceiling, who beats whom."""
    settings = StatisticsSettings(draws=draws)
    spent = {}
    begin = time.perf_counter()
    repeated = [tables[i % len(tables)].assign(model=f"model{i:02d}") for i in range(MODELS)]
    summarise(pd.concat(repeated, ignore_index=True))
    spent["summary of 46 models"] = time.perf_counter() - begin
    begin = time.perf_counter()
    noise_ceiling(pairs, dataset_name="synthetic", settings=settings)
    spent["noise ceiling"] = time.perf_counter() - begin
    begin = time.perf_counter()
    rng = np.random.default_rng(7)
    quality = pairs["quality"].to_numpy()[:, None]
    networks = {
        f"model{i:02d}": quality + 2 * rng.normal(size=(len(pairs), LAYERS)) for i in range(MODELS)
    }
    metrics = {name: quality[:, 0] + 2 * rng.normal(size=len(pairs)) for name in ("ssim", "dists")}
    held = contests(list(networks), list(metrics), [])
    hold_contests({**networks, **metrics}, pairs, settings, contests=held)
    spent[f"{len(held)} contests of 46 models"] = time.perf_counter() - begin
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", type=int, default=1, help="of the 46, how many to run")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--dataset", choices=SHAPES, default="tid2013", help="whose size")
    results = Path(__file__).parent / "results" / "statistics.json"
    parser.add_argument("--json", type=Path, default=results)
    options = parser.parse_args()
    pairs = make_pairs(*SHAPES[options.dataset])
    begin = time.perf_counter()
    jobs = (joblib.delayed(one_model)(pairs, i, options.draws) for i in range(options.models))
    found = joblib.Parallel(n_jobs=options.processes)(jobs)
    wall = time.perf_counter() - begin
    each, busy = (np.median([spent[k] for _, spent, _ in found]) for k in (0, 1))
    peak = max(memory for _, _, memory in found)
    result = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "size": f"{len(pairs)} pairs, {LAYERS} layers x {DISTANCES} distances",
        "draws": options.draws,
        "models run": options.models,
        "processes": options.processes,
        "seconds a model, median": float(each),
        "of these busy (the machine may be shared)": float(busy),
        "seconds wall": wall,
        "peak memory of a process, GB": peak,
        "minutes for 46 models on 2 cores, extrapolated": float(busy) * MODELS / 2 / 60,
        "memory of 2 processes, GB": 2 * peak,
        "seconds once a data set": time_rest(pairs, [t for t, _, _ in found], options.draws),
    }
    for name, value in result.items():
        parts = value.items() if isinstance(value, dict) else [(name, value)]
        for label, number in parts:
            print(
                f"{label:50} {number:.2f}" if isinstance(number, float) else f"{label:50} {number}"
            )
    options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
