"""How often intervals hold the truth, and contests find a winner where there is none.

    python benchmarks/interval_coverage.py [--sims 500] [--references 3 6 ...] [--designs ...]

Simulated studies with known truth. A reference has T types of distortion at L levels; its pictures'
true quality is that of type and level, plus an offset of the reference (SD .35) and of the type on
this reference (.25); scores have an error (.25). A predictor adds offsets of its own to types (.3)
and references (.6), stretches qualities by reference (.1), adds an offset of the type on this
reference (.2), and noise (.3). Eight such layers share the offsets of types, so they are equally
good, and a metric is a ninth. The truth is the value over 9000 references, from which a study's are
drawn. `DESIGNS` varies this.

Beside what the package does stand the candidates it was chosen from. Intervals of one predictor:
the bootstrap's percentiles, widened as Hesterberg (2015) does; a studentized bootstrap; the
jackknife with Student's t on Fisher's scale. The best of eight layers: the naive one, what five
folds of references find it loses, Harrell's optimism. Prints a table, writes JSON.
"""

import argparse
import json
import os
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402
from scipy.special import ndtr  # noqa: E402
from scipy.stats import rankdata  # noqa: E402
from scipy.stats import t as student  # noqa: E402

from dissect_iqa.correlation import forms  # noqa: E402
from dissect_iqa.correlation.best_layer import choose_honestly, honest_interval  # noqa: E402
from dissect_iqa.correlation.hold_contests import paired_p, standard_error  # noqa: E402
from dissect_iqa.correlation.jackknife import interval, make_plan, restore, spread, stabilise  # noqa: E402
from dissect_iqa.correlation.settings import StatisticsSettings  # noqa: E402

POPULATION, POPULATIONS, LAYERS, LEVEL = 9000, 5, 8, 0.95
#: Draws of the plain, and of the studentized bootstrap.
DRAWS, STUDENTIZED = 1000, 100
STRONG = {
    "types": 24, "levels": 5, "spread": 1.0, "quality": (0.35, 0.25), "error": 0.25,
    "predictor": (0.3, 0.6, 0.1, 0.2, 0.3), "worse": 0.0,
}  # fmt: skip
#: What differs from the first, in which references differ strongly.
DESIGNS = {
    "strong": STRONG,
    "one layer is best": {**STRONG, "worse": 0.1},
    "narrow range of quality": {**STRONG, "spread": 0.5},
    "references differ less": {**STRONG, "types": 13, "spread": 0.7, "quality": (0.2, 0.25),
                               "predictor": (0.3, 0.3, 0.1, 0.3, 0.3)},
    "references hardly differ": {**STRONG, "spread": 0.7, "quality": (0.05, 0.1),
                                 "predictor": (0.3, 0.05, 0.02, 0.2, 0.5)},
    "12 pairs a reference": {**STRONG, "types": 4, "levels": 3, "spread": 0.7},
}  # fmt: skip


def population(design: dict, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores (references, pairs) and predictions (references, pairs, layers and the metric)."""
    rng = np.random.default_rng(seed)
    shape = (POPULATION, design["types"], design["levels"])
    by_reference, by_type = (shape[0], 1, 1), (shape[0], shape[1], 1)
    level = np.linspace(-1, 1, design["levels"])
    quality = design["spread"] * (level / level.std() + rng.normal(size=(shape[1], 1)))
    one, other = design["quality"]
    quality = quality + one * rng.normal(size=by_reference) + other * rng.normal(size=by_type)
    scores = quality + design["error"] * rng.normal(size=shape)
    types, references, gain, both, noise = design["predictor"]
    offsets = types * rng.normal(size=(shape[1], 1))
    found = np.empty((*shape, LAYERS + 1))
    for k in range(LAYERS + 1):
        more = design["worse"] * (k % LAYERS)
        found[..., k] = (
            quality * (1 + gain * rng.normal(size=by_reference)) + offsets
            + np.hypot(references, more) * rng.normal(size=by_reference)
            + both * rng.normal(size=by_type) + np.hypot(noise, more) * rng.normal(size=shape)
        )  # fmt: skip
    return scores.reshape(POPULATION, -1), found.reshape(POPULATION, -1, LAYERS + 1)


def true_values(scores: np.ndarray, found: np.ndarray) -> np.ndarray:
    """SRCC of every column over the whole population."""
    table = np.column_stack([scores.ravel(), found.reshape(-1, found.shape[-1])])
    table = rankdata(table, axis=0)
    return np.corrcoef(table, rowvar=False)[0, 1:]


class Sample:
    """One study: some references of the population, with all statistics that methods need."""

    def __init__(self, scores: np.ndarray, found: np.ndarray, count: int, seed: list[int]):
        self.rng = np.random.default_rng(seed)
        rows = self.rng.choice(POPULATION, count, replace=False)
        self.count, self.size = count, scores[rows].size
        codes = np.repeat(np.arange(count), scores.shape[1])
        self.pairs = forms.Pairs(codes, scores[rows].ravel(), count)
        self.values = found[rows].reshape(-1, LAYERS + 1)
        self.plan = make_plan(count, StatisticsSettings())
        self.results = self.evaluate(self.plan.weights)
        self.draws = self.evaluate(self.multiplicities(DRAWS))

    def evaluate(self, weights: np.ndarray, columns: slice | list[int] = slice(None)) -> np.ndarray:
        return forms.spearman(self.pairs, self.values[:, columns], weights)

    def multiplicities(self, draws: int) -> np.ndarray:
        chances = np.full(self.count, 1 / self.count)
        return self.rng.multinomial(self.count, chances, size=draws).astype(float)


def percentile(sample: Sample, column: int) -> tuple[float, float]:
    """The bootstrap's percentiles, taken further out for few references."""
    return _percentile(sample.draws[:, column], sample.count)


def _percentile(draws: np.ndarray, count: int) -> tuple[float, float]:
    widened = np.sqrt(count / (count - 1)) * student.ppf((1 - LEVEL) / 2, count - 1)
    tail = float(ndtr(widened))
    low, high = np.nanquantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def studentized(sample: Sample, column: int) -> tuple[float, float]:
    """The bootstrap of z over its jackknife standard error, which each draw estimates anew."""
    draws = sample.multiplicities(STUDENTIZED)
    count = sample.count
    # each draw without one of each reference in it: rows (draws, references, references)
    rows = draws[:, None, :] - np.eye(count) * (draws > 0)[:, :, None]
    z = stabilise(sample.evaluate(draws, [column])[:, 0], sample.size)
    without = stabilise(sample.evaluate(rows.reshape(-1, count), [column])[:, 0], sample.size)
    without = without.reshape(len(draws), count)
    mean = (draws * without).sum(axis=1) / count
    squares = (draws * (without - mean[:, None]) ** 2).sum(axis=1)
    error = np.sqrt((count - 1) / count * squares)
    own, plain = _plain(sample, column)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = (z - own) / error
    low, high = np.quantile(t[np.isfinite(t)], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    ends = restore(np.array([own - high * plain, own - low * plain]), sample.size)
    return float(ends[0]), float(ends[1])


def _plain(sample: Sample, column: int) -> tuple[float, float]:
    """z, and its jackknife standard error without anything added."""
    z = stabilise(sample.results[:, column], sample.size)
    ones = z[sample.plan.without_one]
    squares = np.sum((ones - ones.mean()) ** 2)
    return float(z[0]), float(np.sqrt((sample.count - 1) / sample.count * squares))


def jackknife_t(sample: Sample, column: int) -> tuple[float, float]:
    """Student's t on Fisher's scale around the value less its bias."""
    z, error = _plain(sample, column)
    one = stabilise(sample.results[:, [column]], sample.size)
    centre = z - spread(one, sample.plan).bias[0]
    reach = student.ppf((1 + LEVEL) / 2, sample.count - 1) * error
    ends = restore(np.array([centre - reach, centre + reach]), sample.size)
    return float(ends[0]), float(ends[1])


def chosen(sample: Sample, column: int) -> tuple[float, float]:
    """What the package does."""
    low, high = interval(sample.results[:, [column]], sample.plan, sample.size, LEVEL)
    return float(low[0]), float(high[0])


def by_folds(sample: Sample) -> tuple[float, np.ndarray]:
    """The naive best less what it is better by, in five folds, than the best of the others."""
    count, rows = sample.count, []
    if count <= 5:
        rows = np.eye(count)
    else:
        for _ in range(20):
            for group in np.array_split(sample.rng.permutation(count), 5):
                rows.append(np.isin(np.arange(count), group).astype(float))
        rows = np.array(rows)
    layers = slice(0, LAYERS)
    training, testing = (sample.evaluate(part, layers) for part in (1 - rows, rows))
    value = sample.results[0, layers]
    naive, picked = int(value.argmax()), training.argmax(axis=1)
    loss = testing[:, naive] - testing[np.arange(len(rows)), picked]
    return float(value[naive] - np.nanmean(loss)), picked


def by_optimism(sample: Sample) -> float:
    """Harrell's: a draw's best layer, there and in the sample, on average over the draws."""
    value, draws = sample.results[0, :LAYERS], sample.draws[:, :LAYERS]
    draws = draws[np.isfinite(draws).all(axis=1)]
    picked = draws.argmax(axis=1)
    gain = draws[np.arange(len(draws)), picked] - value[picked]
    # what any layer's draws exceed it by is no optimism of choosing
    return float(value.max() - gain.mean() + (draws - value).mean())


def one_study(sample: Sample, truth: np.ndarray) -> dict[str, float]:
    """All that is counted, from one simulated study."""
    found: dict[str, float] = {}
    for method in (percentile, studentized, jackknife_t, chosen):
        ends = [method(sample, column) for column in (0, LAYERS)]
        hits = [a <= truth[k] <= b for (a, b), k in zip(ends, (0, LAYERS), strict=True)]
        found[f"coverage, {method.__name__}"] = float(np.mean(hits))
        found[f"too high, {method.__name__}"] = float(ends[0][0] > truth[0])
        found[f"width, {method.__name__}"] = ends[0][1] - ends[0][0]
    layers, plan = sample.results[:, :LAYERS], sample.plan
    choice = choose_honestly(layers, plan, sample.size)
    wanted = float(truth[:LAYERS] @ choice.shares)
    low, high = honest_interval(choice, layers, plan, sample.size, LEVEL)
    found["coverage of the honest layer, chosen"] = float(low <= wanted <= high)
    value, picked = by_folds(sample)
    turn = picked[np.arange(DRAWS) % len(picked)]
    around = value + sample.draws[np.arange(DRAWS), turn] - sample.results[0, turn]
    low, high = _percentile(around, sample.count)
    found["coverage of the honest layer, five folds"] = float(low <= wanted <= high)
    reached = truth[choice.naive]
    found["bias of a single layer"] = float(np.mean(layers[0] - truth[:LAYERS]))
    found["optimism, naive"] = float(layers[0].max() - reached)
    found["optimism, five folds"] = value - reached
    found["optimism, Harrell"] = by_optimism(sample) - reached
    found["optimism, chosen"] = choice.value - reached
    metric = sample.results[:, LAYERS]
    ones, freedom = plan.without_one, sample.count - 1
    # tested against the true difference, which is 0 where the layers are equally good
    without = layers[ones][:, choice.chosen] - metric[ones, None]
    difference = choice.value - metric[0] - (wanted - truth[LAYERS])
    found["type I, honest layer, chosen"] = paired_p(difference, standard_error(without), freedom)
    around = around - sample.draws[:, LAYERS]
    error = np.nanstd(around, ddof=1) * np.sqrt(sample.count / freedom)
    difference = value - metric[0] - (wanted - truth[LAYERS])
    found["type I, honest layer, bootstrap"] = paired_p(difference, error, freedom)
    without = layers[ones, :1] - metric[ones, None]
    difference = layers[0, 0] - metric[0] - (truth[0] - truth[LAYERS])
    found["type I, single layer, chosen"] = paired_p(difference, standard_error(without), freedom)
    for name in [name for name in found if name.startswith("type I")]:
        found[name] = float(found[name] < 1 - LEVEL)
    return found


def run_design(name: str, counts: list[int], sims: int) -> dict[int, dict[str, float]]:
    """Means over the studies of one design, by number of references."""
    studies: dict[int, list[dict[str, float]]] = {count: [] for count in counts}
    for number in range(POPULATIONS):
        scores, found = population(DESIGNS[name], number)
        truth = true_values(scores, found)
        for count in counts:
            for k in range(number, sims, POPULATIONS):
                sample = Sample(scores, found, count, [count, number, k])
                studies[count].append(one_study(sample, truth))
    return {
        count: {key: round(float(np.mean([s[key] for s in rows])), 4) for key in rows[0]}
        for count, rows in studies.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sims", type=int, default=500, help="studies a cell")
    parser.add_argument("--references", type=int, nargs="+", default=[3, 6, 10, 25])
    parser.add_argument("--designs", nargs="+", choices=DESIGNS, default=list(DESIGNS))
    results = Path(__file__).parent / "results" / "interval_coverage.json"
    parser.add_argument("--json", type=Path, default=results)
    options = parser.parse_args()
    # what was run before and isn't run again stays
    known = json.loads(options.json.read_text())["cells"] if options.json.is_file() else {}
    table: dict[str, dict] = {"designs": DESIGNS, "cells": known}
    for name in options.designs:
        begin = time.perf_counter()
        cells = run_design(name, options.references, options.sims)
        print(f"{name} ({time.perf_counter() - begin:.0f} s)")
        print(" " * 45, *(f"{count:7d}" for count in cells), "references")
        for key in cells[options.references[0]]:
            print(f"{key:45}", *(f"{cell[key]:7.3f}" for cell in cells.values()), flush=True)
        for count, cell in cells.items():
            table["cells"][f"{name}, {count} references"] = {"studies": options.sims, **cell}
        options.json.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
