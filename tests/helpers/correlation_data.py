"""Simulated scores and distances whose true correlations are known, for the tests of statistics."""

import numpy as np
import pandas as pd

from dissect_iqa.distances.measure_distances import Measured, distance_table


def pairs(references=6, types=4, levels=5, seed=0, se=None):
    """Return a table of pairs with normal scores, larger is better."""
    rng = np.random.default_rng(seed)
    count = references * types * levels
    names = [f"i{r:02d}" for r in range(references)]
    reference = np.repeat(names, types * levels)
    distortion = np.tile(np.repeat([f"type {t}" for t in range(types)], levels), references)
    level = np.tile(np.arange(1, levels + 1), references * types)
    quality = rng.normal(size=count)
    table = pd.DataFrame(
        {
            "pair": np.arange(count),
            "reference": reference,
            "reference_file": reference + ".png",
            "distorted_file": [f"{name}_{k}.png" for k, name in enumerate(reference)],
            "distortion": distortion,
            "level": pd.array(level, dtype="Int64"),
            "score": quality,
            "quality": quality,
            "subset_mild": level < 3,
        }
    )
    return table if se is None else table.assign(score_se=se)


def distances(table, layers=3, noise=(1.0,), seed=1):
    """Return distances of layers whose noise differs by `noise`, repeated as need be."""
    rng = np.random.default_rng(seed)
    quality = table["quality"].to_numpy()
    measured = []
    for i in range(layers):
        values = -quality + noise[i % len(noise)] * rng.normal(size=len(quality))
        measured.append(Measured(f"layer{i}", (i + 1) / layers, "rmse", np.exp(values)))
    return distance_table(table, measured)


def metric(table, values, sign=1, name="psnr"):
    """Return the distances table of a metric."""
    return distance_table(
        table, [Measured("", np.nan, name, np.asarray(values, float), "metric")], sign
    )


def clustered(rng, references, each, columns, offset=0.0, gain=0.0, noise=1.0):
    """Draw a data set with effects of the reference: codes, quality, values.

    A reference shifts all its values by an offset of this SD, and stretches them by the
    exponential of a normal of SD `gain`; both are drawn for each column anew.
    """
    codes = np.repeat(np.arange(references), each)
    quality = rng.normal(size=references * each)
    shift = offset * rng.normal(size=(references, columns))
    factor = np.exp(gain * rng.normal(size=(references, columns)))
    values = factor[codes] * quality[:, None] + shift[codes]
    return codes, quality, values + noise * rng.normal(size=values.shape)
