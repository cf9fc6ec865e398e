"""Simulated studies whose factors explain known shares of the variance."""

import numpy as np
import pandas as pd

from dissect_iqa.factors.shares import CELLS, MODELS, Cells, levels

FUNCTION = np.array([0.06, 0, -0.02, -0.05])
ARCHITECTURE = np.array([0.04, -0.03, 0, 0.02])
ENVIRONMENT = np.array([0.03, -0.02, -0.03])
SIZE, DEPTH = 0.015, 0.1
DATASETS, DISTANCES = np.array([0.04, -0.04]), np.array([0.03, 0.01, -0.01, -0.03])
#: Standard deviations: of networks, of cells, and of a single reference.
NETWORK, CELL, REFERENCE = 0.03, 0.02, 0.05
REFERENCES = 25


def networks(rng, count):
    """Draw networks whose function, family and size go together, as those of a real zoo do."""
    function = rng.choice(4, count, p=[0.4, 0.3, 0.2, 0.1])
    family = np.where(rng.random(count) < 0.5, function, rng.choice(4, count))
    scale = rng.choice(3, count, p=[0.5, 0.3, 0.2])
    size = rng.normal(size=count) + 0.5 * (family == 1)
    depth = np.clip(0.5 + 0.1 * rng.normal(size=count) - 0.05 * size, 0, 1)
    return function, family, scale, size, depth


def effect(function, family, scale, size, depth):
    """Return what a network's factors make of its mean correlation."""
    return (
        FUNCTION[function] + ARCHITECTURE[family] + ENVIRONMENT[scale]
        + SIZE * size + DEPTH * (depth - 0.5)
    )  # fmt: skip


def study(rng, count):
    """Return the cells of a study of so many networks."""
    drawn = networks(rng, count)
    shape = (count, len(DATASETS), len(DISTANCES))
    deviation = rng.normal(0, 0.1, shape)
    deviation -= deviation.mean(axis=(1, 2), keepdims=True)
    depth = drawn[-1][:, None, None] + deviation
    own = effect(*drawn) + rng.normal(0, NETWORK, count)
    truth = own[:, None, None] + DATASETS[:, None] + DISTANCES + DEPTH * deviation
    truth += rng.normal(0, CELL, shape)
    value, without = np.empty(shape), []
    for number in range(len(DATASETS)):
        noise = rng.normal(0, REFERENCE, (REFERENCES, count, len(DISTANCES)))
        noise += rng.normal(0, REFERENCE, (REFERENCES, 1, 1))  # what all networks find hard
        value[:, number] = truth[:, number] + noise.mean(axis=0)
        without.append(truth[:, number] + (noise.sum(axis=0) - noise) / (REFERENCES - 1))
    function, family, scale, size, mean_depth = drawn
    columns = {
        "function": levels(pd.Series(function)),
        "architecture": levels(pd.Series(family)).assign(size=size),
        "environment": levels(pd.Series(scale)),
        "depth": pd.DataFrame({"depth": mean_depth}),
    }
    return Cells(value, depth, without, columns)


def planted(count=40_000):
    """Return the shares that very many networks without noise of references would have.

    The four factors that networks differ by go together, so that their shares are Shapley values,
    here computed from their covariance by the definition: over all orders.
    """
    from itertools import permutations

    drawn = networks(np.random.default_rng(99), count)
    function, family, scale, size, depth = drawn
    y = effect(*drawn)
    tables = {
        "function": np.eye(4)[function], "architecture": np.column_stack([np.eye(4)[family], size]),
        "environment": np.eye(3)[scale], "depth": depth[:, None],
    }  # fmt: skip

    def explained(names):
        columns = np.column_stack([np.ones(count), *(tables[name] for name in names)])
        fitted = columns @ np.linalg.lstsq(columns, y, rcond=None)[0]
        return fitted.var()

    shares = dict.fromkeys(tables, 0.0)
    orders = list(permutations(tables))
    known = {}
    for order in orders:
        for place, name in enumerate(order):
            before, after = frozenset(order[:place]), frozenset(order[: place + 1])
            for names in (before, after):
                known.setdefault(names, explained(sorted(names)))
            shares[name] += (known[after] - known[before]) / len(orders)
    cells = len(DATASETS) * len(DISTANCES)
    single = CELL**2 + REFERENCE**2 / REFERENCES
    shares["depth"] += DEPTH**2 * 0.1**2 * (1 - 1 / cells)
    shares["distance"], shares["data set"] = DISTANCES.var(), DATASETS.var()
    shares[MODELS] = NETWORK**2 + single / cells
    shares[CELLS] = single * (1 - 1 / cells)
    total = sum(shares.values())
    return {name: value / total for name, value in shares.items()}
