"""Networks and metrics whose agreement with people is known, for the tests of the multiverse."""

import numpy as np
import pandas as pd

from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.distances.tables import Measured, distance_table

SETTINGS = StatisticsSettings(draws=60, repeats=10)


def described(names):
    """Return what claims need to know of networks of one family each."""
    return pd.DataFrame(
        {
            "id": list(names), "untrained": False, "function": "supervised classification",
            "supervision": "class labels", "name": list(names), "family": list(names),
            "environment": "ImageNet-1k", "scale": "large and natural", "top1": np.nan,
        }
    )  # fmt: skip


def network(pairs, layers, distances=("rmse", "cosine")):
    """Return the distances of a network from the values of its layers, larger is better."""
    measured = [
        Measured(f"layer{k}", (k + 1) / len(layers), distance, -np.asarray(values, float))
        for distance in distances
        for k, values in enumerate(layers)
    ]
    return distance_table(pairs, measured)


def noisy(pairs, seed, layers=3, noise=0.6, distances=("rmse", "cosine")):
    """Return the distances of a network each layer of which is the scores and some noise."""
    rng = np.random.default_rng(seed)
    quality = pairs["quality"].to_numpy()
    measured = [
        Measured(
            f"layer{k}", (k + 1) / layers, distance,
            -(quality + noise * (1 + 0.2 * k) * rng.normal(size=len(quality))),
        )
        for distance in distances
        for k in range(layers)
    ]  # fmt: skip
    return distance_table(pairs, measured)
