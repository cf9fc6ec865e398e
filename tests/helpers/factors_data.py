"""Simulated studies whose factors explain known shares of the variance."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import pandas as pd

from dissect_iqa.factors.shares import CELLS, MODELS, Cells, levels

SIZE, DEPTH = 0.015, 0.1
DATASETS, DISTANCES = np.array([0.04, -0.04]), np.array([0.03, 0.01, -0.01, -0.03])
#: Standard deviations: of networks, of cells, and of a single reference.
NETWORK, CELL, REFERENCE = 0.03, 0.02, 0.05
REFERENCES = 25


#: Function, family and scale of the 46 networks of config/paper.yaml, a digit a network: most are
#: of one level each, and some levels are those of one or two networks.
_PAPER = np.array(
    [
        [*"0000000000000001111111112331102110001100000044"],
        [*"0122234445566784444444444999999884444484444388"],
        [*"0000000000000000000000000111111000020000001100"],
    ],
    dtype=int,
)


@dataclass(frozen=True)
class Zoo:
    """Networks to draw from, and what each level of their factors does to the correlation."""

    function: np.ndarray
    architecture: np.ndarray
    environment: np.ndarray
    draw: Callable

    def effect(self, function, family, scale, size, depth):
        """Return what a network's factors make of its mean correlation."""
        of_levels = self.function[function] + self.architecture[family] + self.environment[scale]
        return of_levels + SIZE * size + DEPTH * (depth - 0.5)


def _even(rng, count):
    """Draw networks whose function and family go together; every level has several."""
    function = rng.choice(4, count, p=[0.4, 0.3, 0.2, 0.1])
    family = np.where(rng.random(count) < 0.5, function, rng.choice(4, count))
    return function, family, rng.choice(3, count, p=[0.5, 0.3, 0.2])


def _uneven(rng, count):
    """Draw networks as they are in the paper's study."""
    return tuple(_PAPER[:, rng.integers(0, _PAPER.shape[1], count)])


EVEN = Zoo(
    np.array([0.06, 0, -0.02, -0.05]),
    np.array([0.04, -0.03, 0, 0.02]),
    np.array([0.03, -0.02, -0.03]),
    _even,
)
UNEVEN = Zoo(
    np.array([-0.03, -0.05, -0.01, 0.02, 0.03]),
    np.array([-0.02, -0.01, 0.01, 0.02, 0, 0.03, -0.03, 0.05, -0.04, 0.03]),
    np.array([0, -0.03, 0.04]),
    _uneven,
)


def networks(rng, count, zoo):
    """Draw networks: function, family, scale, size and mean depth, which go together."""
    function, family, scale = zoo.draw(rng, count)
    size = rng.normal(size=count) + 0.5 * (family == 1)
    depth = np.clip(0.5 + 0.1 * rng.normal(size=count) - 0.05 * size, 0, 1)
    return function, family, scale, size, depth


def study(rng, count, zoo=EVEN):
    """Return the cells of a study of so many networks."""
    drawn = networks(rng, count, zoo)
    shape = (count, len(DATASETS), len(DISTANCES))
    deviation = rng.normal(0, 0.1, shape)
    deviation -= deviation.mean(axis=(1, 2), keepdims=True)
    depth = drawn[-1][:, None, None] + deviation
    own = zoo.effect(*drawn) + rng.normal(0, NETWORK, count)
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


def planted(zoo=EVEN, count=40_000):
    """Return the shares that very many networks without noise of references would have.

    The four factors that networks differ by go together, so that their shares are Shapley values,
    here computed from their covariance by the definition: over all orders.
    """
    drawn = networks(np.random.default_rng(99), count, zoo)
    function, family, scale, size, depth = drawn
    y = zoo.effect(*drawn)
    tables = {
        "function": pd.get_dummies(function).to_numpy(float),
        "architecture": pd.get_dummies(family).assign(size=size).to_numpy(float),
        "environment": pd.get_dummies(scale).to_numpy(float),
        "depth": depth[:, None],
    }

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
