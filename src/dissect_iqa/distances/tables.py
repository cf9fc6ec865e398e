"""The tidy table that distances, baselines and readouts share, and the checks before it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dissect_iqa.errors import UserError

#: What a row of a table is of: a layer's distance, one over several layers, a metric, a distance
#: whose weights are fitted to scores, or (among correlations) how high any predictor can get.
KINDS = ("network", "concatenation", "metric", "readout", "ceiling")

#: What tells one measured distance from another, in these tables and in all made of them.
KEYS = ("kind", "layer", "depth", "distance", "fitted_on")


class Measured(NamedTuple):
    """One distance of all pairs at one layer.

    Attributes
    ----------
    layer : str
        The layer, or the title of several; "" for a metric.
    depth : float
        Relative depth, 0 to 1; NaN for a metric, and for several layers together.
    distance : str
        Its name.
    values : ndarray, shape (pairs,)
        In the order of the data set's pairs.
    kind : str
        One of `KINDS`.
    fitted_on : str
        The data set to whose scores a readout is fitted; "" for what isn't fitted.
    """

    layer: str
    depth: float
    distance: str
    values: np.ndarray
    kind: str = "network"
    fitted_on: str = ""


def distance_table(
    pairs: pd.DataFrame, measured: Sequence[Measured], sign: int = -1
) -> pd.DataFrame:
    """Put measured values into the tidy form that all tables of distances share.

    Parameters
    ----------
    pairs : DataFrame
        The data set's pairs: `pair`, `reference`, `distorted_file`, `distortion`, `level`.
    measured : sequence of Measured
        Values in the order of `pairs`.
    sign : {-1, 1}
        1 if a larger value means better quality, -1 for distances.

    Returns
    -------
    DataFrame
        One row a pair, layer and distance, with columns `pair`, `reference`, `distorted`,
        `distortion`, `level`, `KEYS`, `value`, `sign`. Text is categorical: millions of rows repeat
        a few names.
    """
    count = len(measured)

    def tiled(column: str) -> pd.Categorical:
        codes, names = pd.factorize(pairs[column])
        return pd.Categorical.from_codes(np.tile(codes, count), names)

    def repeated(names: list[str]) -> pd.Categorical:
        codes, categories = pd.factorize(np.array(names, dtype=object))
        return pd.Categorical.from_codes(np.repeat(codes, len(pairs)), categories)

    return pd.DataFrame(
        {
            "pair": np.tile(pairs["pair"].to_numpy("int64"), count),
            "reference": tiled("reference"),
            "distorted": tiled("distorted_file"),
            "distortion": tiled("distortion"),
            "level": pd.concat([pairs["level"].astype("Int64")] * count, ignore_index=True),
            "kind": repeated([item.kind for item in measured]),
            "layer": repeated([item.layer for item in measured]),
            "depth": np.repeat([float(item.depth) for item in measured], len(pairs)),
            "distance": repeated([item.distance for item in measured]),
            "fitted_on": repeated([item.fitted_on for item in measured]),
            "value": np.concatenate([item.values for item in measured]),
            "sign": np.int8(sign),
        }
    )


def match_pairs(
    cache: Any, pairs: pd.DataFrame, where: Path | str
) -> tuple[np.ndarray, np.ndarray]:
    """Return each pair's rows in the cache's tables of pictures: reference, distorted.

    Raises
    ------
    UserError
        If the cache's pairs are not those of the table, in the same order.
    """
    files = np.asarray(cache.images["name"], dtype=object)
    reference = np.asarray(cache.pairs["reference"], dtype=np.int64)
    distorted = np.asarray(cache.pairs["distorted"], dtype=np.int64)
    same = (
        len(reference) == len(pairs)
        and np.array_equal(files[reference], pairs["reference_file"].to_numpy(object))
        and np.array_equal(files[distorted], pairs["distorted_file"].to_numpy(object))
    )
    if not same:
        raise UserError(
            f"{where}: holds {len(reference)} pairs that are not the {len(pairs)} pairs of the "
            "data set in their order; delete it and extract again"
        )
    return reference, distorted


def check_finite(values: np.ndarray, what: str, pairs: pd.DataFrame) -> None:
    """Check that every pair has a finite value.

    Raises
    ------
    UserError
        Naming `what` it is the value of, and the first pair without.
    """
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        first = pairs.iloc[bad[0]]
        raise UserError(
            f"{what}: not a finite number for {len(bad)} of {len(values)} pairs, first "
            f"{first['reference_file']} / {first['distorted_file']}; the network's features "
            "overflowed there: check the model's input convention or use precision float32"
        )
