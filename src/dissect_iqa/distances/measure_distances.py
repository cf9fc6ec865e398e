"""Distances between reference and distorted picture, from the channel statistics of one layer.

With x and y the features of reference and distorted picture at C channels and P positions, the
cache holds per channel the mean and variance over positions of each picture, the mean squared
difference (`mse`) of each pair, and the same after dividing each position's channel vector by its
L2 norm (`unit_mse`). Every distance here follows exactly from these; P cancels out of all of them.

Each is a pure function of a `Block` in float64, returns one value a pair that is 0 or more, and
exactly 0 for a pair whose features are identical.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from dissect_iqa.distances.concatenations import Together, chosen_layers
from dissect_iqa.distances.tables import Measured, check_finite, distance_table, match_pairs
from dissect_iqa.files.validation import check_names

log = logging.getLogger(__name__)

Measure = Callable[["Block"], np.ndarray]


@dataclass(frozen=True)
class Distance:
    """A distance, and what is said of it.

    Attributes
    ----------
    measure : callable
        Takes a `Block` and returns one value a pair.
    words : str
        What it is, within a sentence.
    cites : str
        Key in claims/methods.bib of the paper that it follows, if it follows one.
    """

    measure: Measure
    words: str
    cites: str = ""


#: All distances by name, in the order of the manual.
DISTANCES: dict[str, Distance] = {}

#: Stabilising constants of DISTS (Ding et al. 2022, after equation 5).
_C1 = _C2 = 1e-6
#: Numbers in one array of a block; a handful of these fit a processor's cache.
_BLOCK_NUMBERS = 1 << 17


@dataclass(frozen=True)
class Block:
    """The statistics of some pairs at one layer, all float64.

    Attributes
    ----------
    mean_x, var_x, mean_y, var_y : ndarray, shape (pairs, C)
        Mean and variance over positions; x is the reference, y the distorted picture.
    mse, unit_mse : ndarray, shape (pairs, C)
        Mean squared difference over positions, of features and of unit-length features.
    mse_scale : ndarray, shape (C,)
        Mean of `mse` over all pairs of the data set, not only of this block.
    """

    mean_x: np.ndarray
    var_x: np.ndarray
    mean_y: np.ndarray
    var_y: np.ndarray
    mse: np.ndarray
    unit_mse: np.ndarray
    mse_scale: np.ndarray

    @cached_property
    def mean_gap(self) -> np.ndarray:
        """(mean_x - mean_y)^2, which can't exceed `mse`; shape (pairs, C).

        Held to that bound, so that identical features whose means were rounded differently, in
        batches of different size, still give 0.
        """
        return np.minimum((self.mean_x - self.mean_y) ** 2, self.mse)


def distance(words: str, cites: str = "") -> Callable[[Measure], Measure]:
    """Enter a function into `DISTANCES` under its own name; see `Distance`."""

    def enter(measure: Measure) -> Measure:
        DISTANCES[measure.__name__] = Distance(measure, words, cites)
        return measure

    return enter


@distance("the root mean squared difference (Euclidean distance)")
def rmse(block: Block) -> np.ndarray:
    """Root of the mean squared difference over channels and positions.

    This is the Euclidean distance divided by sqrt(C P), so that layers of any size and pictures
    of any size can be compared.
    """
    return np.sqrt(block.mse.mean(axis=1))


@distance("the same with each channel divided by its mean over the data set")
def normalized_rmse(block: Block) -> np.ndarray:
    """RMSE with each channel's squared difference divided by its mean over the data set's pairs.

    Channels that differ in no pair at all carry nothing and are left out of the mean. The value
    of a pair depends on the data set that it is in.
    """
    alive = block.mse_scale > 0
    weights = np.divide(1.0, block.mse_scale, out=np.zeros_like(block.mse_scale), where=alive)
    return np.sqrt(block.mse @ weights / max(1, np.count_nonzero(alive)))


@distance("the cosine distance")
def cosine(block: Block) -> np.ndarray:
    """One minus the cosine of the angle between the flattened features; range 0 to 2.

    Written as (|x-y|^2 - (|x|-|y|)^2) / (2 |x| |y|), which doesn't lose its digits for nearly
    identical pairs as 1 - x.y/(|x| |y|) does. What stays is the float32 of the statistics: for
    features that only grew or shrank, whose cosine distance is 0, values up to 1e-7 times the
    relative growth. If one of the two is zero everywhere, there is no angle, and the value is
    that of a right one: 1.
    """
    norm_x = np.sqrt((block.var_x + block.mean_x**2).mean(axis=1))
    norm_y = np.sqrt((block.var_y + block.mean_y**2).mean(axis=1))
    return _angle(block.mse.mean(axis=1), norm_x, norm_y)


@distance("one minus Pearson’s correlation of the features")
def correlation(block: Block) -> np.ndarray:
    """One minus Pearson's correlation of the flattened features; range 0 to 2.

    The cosine distance after each picture's features are centred by their mean over all channels
    and positions. If one of the two is constant, the value is 1.
    """
    centre_x = block.mean_x.mean(axis=1, keepdims=True)
    centre_y = block.mean_y.mean(axis=1, keepdims=True)
    spread_x = np.sqrt((block.var_x + (block.mean_x - centre_x) ** 2).mean(axis=1))
    spread_y = np.sqrt((block.var_y + (block.mean_y - centre_y) ** 2).mean(axis=1))
    mse = block.mse.mean(axis=1)
    return _angle(mse - np.minimum(((centre_x - centre_y) ** 2)[:, 0], mse), spread_x, spread_y)


@distance("the form of LPIPS with uniform channel weights", "zhang2018unreasonable")
def lpips_uniform(block: Block) -> np.ndarray:
    """LPIPS with every channel's weight 1: the *sum* of `unit_mse` over channels; range 0 to 4.

    Zhang et al. 2018, equation 1 with w = 1 and one layer. A sum and no root, as in LPIPS, so
    that adding up the layers of AlexNet, SqueezeNet or VGG-16 gives that paper's unweighted form.
    """
    return block.unit_mse.sum(axis=1)


@distance("the form of DISTS with uniform weights", "ding2022dists")
def dists(block: Block) -> np.ndarray:
    """DISTS's form with equal weights: 1 - mean over channels of (texture + structure) / 2.

    Ding et al. 2022, equations 5 to 7, one layer and alpha = beta = 1 / (2 C). With the
    covariance derived from the statistics, 2 cov = var_x + var_y + (mean_x - mean_y)^2 - mse, the
    terms are summed as 1 - texture and 1 - structure, which don't cancel for near-identical pairs.
    """
    texture = block.mean_gap / (block.mean_x**2 + block.mean_y**2 + _C1)
    structure = (block.mse - block.mean_gap) / (block.var_x + block.var_y + _C2)
    return (texture.mean(axis=1) + structure.mean(axis=1)) / 2


@distance("the Euclidean distance between channel means and standard deviations")
def mean_std(block: Block) -> np.ndarray:
    """Euclidean distance between the pictures' descriptors (mean and SD of each channel).

    Where in the picture something changed doesn't matter to it, only the channels' statistics.
    """
    std_gap = (np.sqrt(block.var_x) - np.sqrt(block.var_y)) ** 2
    # The variance of x - y bounds it; see Block.mean_gap for why that is enforced.
    std_gap = np.minimum(std_gap, block.mse - block.mean_gap)
    return np.sqrt(block.mean_gap.sum(axis=1) + std_gap.sum(axis=1))


def _angle(mse: np.ndarray, norm_x: np.ndarray, norm_y: np.ndarray) -> np.ndarray:
    """Return 1 - cos from the mean squared difference and the root mean squares of both."""
    # The triangle inequality holds but for rounding, which must not make a distance negative.
    excess = np.maximum(mse - (norm_x - norm_y) ** 2, 0.0)
    product = 2 * norm_x * norm_y
    undefined = np.where(mse > 0, 1.0, 0.0)
    return np.divide(excess, product, out=undefined, where=product > 0)


def measure_layer(
    statistics: Mapping[str, np.ndarray],
    reference: np.ndarray,
    distorted: np.ndarray,
    names: Sequence[str],
) -> dict[str, np.ndarray]:
    """Compute distances of all pairs at one layer.

    Parameters
    ----------
    statistics : mapping
        ``mean`` and ``var`` of shape (images, C), ``mse`` and ``unit_mse`` of shape (pairs, C).
    reference, distorted : ndarray of int, shape (pairs,)
        Each pair's rows in ``mean`` and ``var``.
    names : sequence of str
        Keys of `DISTANCES`.

    Returns
    -------
    dict of str to ndarray
        float64, shape (pairs,); not finite where the statistics aren't.
    """
    names = list(dict.fromkeys(names))
    check_names("distances", names, tuple(DISTANCES))
    values = {name: np.empty(len(reference)) for name in names}
    with np.errstate(invalid="ignore", over="ignore"):
        for rows, block in _blocks(statistics, reference, distorted):
            for name in names:
                values[name][rows] = DISTANCES[name].measure(block)
    return values


def _blocks(
    statistics: Mapping[str, np.ndarray], reference: np.ndarray, distorted: np.ndarray
) -> Iterator[tuple[slice, Block]]:
    """Yield all pairs in blocks small enough for the processor's cache."""
    mean, var, mse = statistics["mean"], statistics["var"], statistics["mse"]
    scale = mse.mean(axis=0, dtype=np.float64)
    step = max(1, _BLOCK_NUMBERS // mse.shape[1])
    for start in range(0, len(mse), step):
        rows = slice(start, start + step)
        x, y = reference[rows], distorted[rows]
        parts = (mean[x], var[x], mean[y], var[y], mse[rows], statistics["unit_mse"][rows])
        a, b, c, d, e, f = (part.astype(np.float64) for part in parts)
        yield rows, Block(a, b, c, d, e, f, scale)


def measure_distances(
    cache_path: Path | str,
    pairs: pd.DataFrame,
    names: Sequence[str],
    spec_expected: str | None = None,
    concatenations: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """Compute distances at every layer of a feature cache.

    Parameters
    ----------
    cache_path : path
        The HDF5 file that extraction wrote.
    pairs : DataFrame
        The data set's pairs, in the order they were extracted in.
    names : sequence of str
        Keys of `DISTANCES`.
    spec_expected : str, optional
        The spec the cache must have been made from.
    concatenations : mapping of str to sequence of str, optional
        Titles of several layers, and their names or wildcards: see `concatenations`.

    Returns
    -------
    DataFrame
        See `dissect_iqa.distances.tables.distance_table`; `value` is 0 for identical features, and
        `sign` is -1.

    Raises
    ------
    UserError
        If a name is unknown, the cache is damaged or was made from other settings or pairs, a
        layer's features were not finite, or the network has some of a title's layers only.
    """
    check_names("distances", names, tuple(DISTANCES))
    from dissect_iqa.features.file.read import open_cache

    measured = []
    with open_cache(cache_path, spec_expected) as cache:
        reference, distorted = match_pairs(cache, pairs, cache_path)
        known = [layer.name for layer in cache.layers]
        chosen = chosen_layers(known, concatenations or {}, cache_path)
        together = Together(chosen, len(pairs))
        layers = tqdm(cache.layers, desc="distances", unit="layer", disable=None)
        for index, layer in enumerate(layers):
            needed = [*names, "rmse"] if index in together.layers else names
            values = measure_layer(cache.layer(index), reference, distorted, needed)
            for name, array in values.items():
                check_finite(array, f"{cache_path}, layer {layer.name!r}, {name}", pairs)
            measured += [Measured(layer.name, layer.depth, name, values[name]) for name in names]
            if index in together.layers:
                positions = cache.grid(index).prod(axis=1)[reference]
                together.add(index, values["rmse"], layer.channels * positions)
        measured += together.measured()
    log.info("%s: %d layers, %d distances", cache_path, len(known), len(names))
    return distance_table(pairs, measured)
