"""Readouts: channel weights fitted to people's scores from a feature cache, without a GPU.

A plain distance gives every channel the same say. A readout asks how much better a layer's
features could do if their channels were weighted: it fits quality = b - w.x, where x are channel
statistics of a pair that are 0 for identical features, and returns the distance w.x.

Fitted numbers must be earned on pictures that were not fitted to. `fit_readouts` holds out whole
references, fold by fold; `transfer_readouts` fits on one data set and measures on another. The
intercept b is left out of the value: it says nothing about a pair, and since it is higher in just
those folds whose held-out scores are lower, it would make chance look like a negative correlation.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, product
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
from tqdm import tqdm

from dissect_iqa.distances.concatenations import chosen_layers
from dissect_iqa.distances.tables import Measured, check_finite, distance_table, match_pairs
from dissect_iqa.errors import UserError
from dissect_iqa.files.validation import check_names
from dissect_iqa.readouts.settings import METHODS, readout_as_distance
from dissect_iqa.readouts.weights import fit_weights, out_of_fold

log = logging.getLogger(__name__)

#: Columns of one fit; beyond this, a fit on 3000 pairs takes minutes and gigabytes.
_MOST_COLUMNS = 20_000

Arrays = Mapping[str, np.ndarray]


def _descriptor_gaps(arrays: Arrays, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the squared gaps of each channel's mean and of its SD, shape (pairs, 2 C)."""
    mean, std = arrays["mean"], np.sqrt(arrays["var"])
    return np.hstack([(mean[x] - mean[y]) ** 2, (std[x] - std[y]) ** 2])


#: What is weighted: (statistics, rows of references, rows of distorted) -> (pairs, columns).
FEATURES: dict[str, Callable[[Arrays, np.ndarray, np.ndarray], np.ndarray]] = {
    "mse": lambda arrays, x, y: arrays["mse"],
    "unit_mse": lambda arrays, x, y: arrays["unit_mse"],
    "mean_std": _descriptor_gaps,
}


class Readout(NamedTuple):
    """How weights are fitted, and to what."""

    method: str
    features: str


#: All readouts by name, such as ``nnls_unit_mse``: LPIPS's form with weights of one's own.
READOUTS: dict[str, Readout] = {
    f"{method}_{features}": Readout(method, features)
    for method, features in product(METHODS, FEATURES)
}


def fit_readouts(
    features: Mapping[str, Path | str],
    pairs: Mapping[str, pd.DataFrame],
    specs: Mapping[str, str],
    names: Sequence[str],
    **options: Any,
) -> pd.DataFrame:
    """Fit readouts to one model on one data set, and transfer those fitted to others.

    Parameters
    ----------
    features : mapping of str to path
        By data set, the model's feature file: first the data set that is measured, then those
        whose weights are tried on it, too.
    pairs : mapping of str to DataFrame
        Each data set's pairs.
    specs : mapping of str to str
        The spec that each feature file must have been made from.
    names : sequence of str
        Keys of `READOUTS`.
    **options
        `concatenations`, `folds` and `processes`; see `fit_own`.

    Returns
    -------
    DataFrame
        The rows of `fit_own`, then those of `transfer_readouts` from each of the others.
    """
    dataset, *sources = features
    own = features[dataset], pairs[dataset], names, specs[dataset]
    tables = [fit_own(*own, dataset=dataset, **options)]
    for source in sources:
        there, here = ((features[name], pairs[name]) for name in (source, dataset))
        table = transfer_readouts(
            *(*there, *here, names, source),
            train_spec=specs[source],
            spec_expected=specs[dataset],
            **options,
        )
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def fit_own(
    cache_path: Path | str,
    pairs: pd.DataFrame,
    names: Sequence[str],
    spec_expected: str | None = None,
    *,
    dataset: str = "",
    concatenations: Mapping[str, Sequence[str]] | None = None,
    folds: int = 5,
    processes: int = 1,
) -> pd.DataFrame:
    """Fit readouts at every layer, each pair's value from weights that never saw its reference.

    Parameters
    ----------
    cache_path : path
        The HDF5 file that extraction wrote.
    pairs : DataFrame
        The data set's pairs with `quality`, in the order they were extracted in.
    names : sequence of str
        Keys of `READOUTS`.
    spec_expected : str, optional
        The spec the cache must have been made from.
    dataset : str
        Name of the data set, for the table.
    concatenations : mapping of str to sequence of str, optional
        Layers whose columns are fitted together: a name for the table and the layers' names or
        wildcards, e.g. ``{"all layers": ["*"]}``.
    folds : int
        References are dealt out to this many folds (or to one each, if there are fewer).
    processes : int
        Worker processes; each takes one layer at a time.

    Returns
    -------
    DataFrame
        See `dissect_iqa.distances.tables.distance_table`: the readout's name as
        `distance`, `sign` -1; a concatenation has its title as `layer`,
        no depth, and ``{readout} on {title}`` as `distance`.

    Raises
    ------
    UserError
        If a name, layer or score is wrong, the cache is damaged or was made from something else,
        or there are too few references to hold any out.
    """
    check_names("readouts", names, tuple(READOUTS))
    quality, groups = _targets(pairs, names)
    from dissect_iqa.features.file.read import open_cache

    with open_cache(cache_path, spec_expected) as cache:
        rows = match_pairs(cache, pairs, cache_path)
        plan = _plan(cache, concatenations or {}, cache_path)
        tasks = (
            joblib.delayed(out_of_fold)(
                _columns(cache, layers, READOUTS[name].features, rows, cache_path),
                *(quality, groups, READOUTS[name].method, folds),
            )
            for _, _, layers in plan
            for name in names
        )
        labels = [_label(entry, name, dataset) for entry in plan for name in names]
        measured = _run(tasks, labels, processes)
    return _table(measured, pairs, cache_path)


def transfer_readouts(
    train_cache: Path | str,
    train_pairs: pd.DataFrame,
    cache_path: Path | str,
    pairs: pd.DataFrame,
    names: Sequence[str],
    source: str,
    *,
    train_spec: str | None = None,
    spec_expected: str | None = None,
    concatenations: Mapping[str, Sequence[str]] | None = None,
    folds: int = 5,
    processes: int = 1,
) -> pd.DataFrame:
    """Fit readouts on one data set and measure another with them.

    Parameters
    ----------
    train_cache, train_pairs, train_spec
        Cache, pairs and spec of the data set that is fitted to.
    cache_path, pairs, spec_expected
        Those of the data set that is measured, from the same model.
    source : str
        Name of the data set that is fitted to; distances are called ``{readout}@{source}``.
    names, concatenations, folds, processes
        See `fit_readouts`; `folds` only matters to ridge's choice of its penalty.

    Returns
    -------
    DataFrame
        As of `fit_readouts`, for `pairs`.

    Raises
    ------
    UserError
        As of `fit_readouts`, and if the two caches are not of the same layers.
    """
    check_names("readouts", names, tuple(READOUTS))
    quality, groups = _targets(train_pairs, names)
    from dissect_iqa.features.file.read import open_cache

    with open_cache(train_cache, train_spec) as train, open_cache(cache_path, spec_expected) as new:
        if _shapes(train) != _shapes(new):
            raise UserError(
                f"{train_cache} and {cache_path} hold different layers, so weights of one don't "
                "fit the other; extract both with the same model"
            )
        train_rows = match_pairs(train, train_pairs, train_cache)
        rows = match_pairs(new, pairs, cache_path)
        plan = _plan(new, concatenations or {}, cache_path)
        tasks = (
            joblib.delayed(_transferred)(
                _columns(train, layers, READOUTS[name].features, train_rows, train_cache),
                _columns(new, layers, READOUTS[name].features, rows, cache_path),
                *(quality, groups, READOUTS[name].method, folds),
            )
            for _, _, layers in plan
            for name in names
        )
        labels = [_label(entry, name, source, source) for entry in plan for name in names]
        measured = _run(tasks, labels, processes)
    return _table(measured, pairs, cache_path)


def _transferred(
    train: np.ndarray,
    new: np.ndarray,
    quality: np.ndarray,
    groups: np.ndarray,
    method: str,
    folds: int,
) -> np.ndarray:
    return new.astype(np.float64) @ fit_weights(train, quality, groups, method, folds)


#: Name of a layer or title of several, relative depth (None for several), positions in the file.
Entry = tuple[str, float | None, list[int]]


def _label(entry: Entry, name: str, fitted_on: str, transferred: str = "") -> Measured:
    """Describe one fit whose values aren't there yet."""
    title, depth, _ = entry
    distance = readout_as_distance(name, transferred, title if depth is None else "")
    depth = float("nan") if depth is None else depth
    return Measured(title, depth, distance, np.empty(0), "readout", fitted_on)


def _plan(
    cache: Any, concatenations: Mapping[str, Sequence[str]], where: Path | str
) -> list[Entry]:
    """Return every layer and every concatenation."""
    known = [layer.name for layer in cache.layers]
    depths = [float(layer.depth) for layer in cache.layers]
    plan: list[Entry] = [(*layer, [i]) for i, layer in enumerate(zip(known, depths, strict=True))]
    for title, chosen in chosen_layers(known, concatenations, where).items():
        count = sum(int(cache.layers[i].channels) for i in chosen)
        if count > _MOST_COLUMNS:
            raise UserError(
                f"concatenation {title!r}: {len(chosen)} layers of {where} have {count} channels, "
                f"and at most {_MOST_COLUMNS} can be fitted together; name fewer layers"
            )
        plan.append((title, None, chosen))
    return plan


def _columns(
    cache: Any,
    layers: Sequence[int],
    features: str,
    rows: tuple[np.ndarray, np.ndarray],
    where: Path | str,
) -> np.ndarray:
    """Return what is weighted at some layers, side by side: float32, shape (pairs, columns)."""
    parts = [FEATURES[features](cache.layer(index), *rows) for index in layers]
    for index, part in zip(layers, parts, strict=True):
        if not np.isfinite(part).all():
            name = cache.layers[index].name
            raise UserError(f"{where}, layer {name!r}: {features} has values that are not finite")
    return parts[0] if len(parts) == 1 else np.hstack(parts)


def _shapes(cache: Any) -> list[tuple[str, int]]:
    return [(layer.name, int(layer.channels)) for layer in cache.layers]


def _run(tasks: Iterator[Any], labels: Sequence[Measured], processes: int) -> list[Measured]:
    """Run the fits, as many at a time as there are processes, and label what comes out."""
    measured: list[Measured] = []
    with (
        joblib.Parallel(n_jobs=processes) as parallel,
        tqdm(total=len(labels), desc="readouts", unit="fit", disable=None) as bar,
    ):
        # Tasks are drawn here, not in joblib's threads, where a file's error would be lost.
        while batch := list(islice(tasks, processes)):
            for values in parallel(batch):
                measured.append(labels[len(measured)]._replace(values=values))
            bar.update(len(batch))
    return measured


def _table(measured: list[Measured], pairs: pd.DataFrame, where: Path | str) -> pd.DataFrame:
    for item in measured:
        check_finite(item.values, f"{where}, layer {item.layer!r}, {item.distance}", pairs)
    log.info("%s: %d readouts fitted", where, len(measured))
    return distance_table(pairs, measured)


def _targets(pairs: pd.DataFrame, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return quality and reference of each pair, or say why nothing can be fitted to them."""
    if "triplet" in pairs:
        raise UserError("readouts are fitted to ratings of pairs; this data set has triplets")
    quality = pairs["quality"].to_numpy("float64")
    missing = np.flatnonzero(~np.isfinite(quality))
    if len(missing):
        file = pairs["distorted_file"].iloc[missing[0]]
        raise UserError(f"readouts: {len(missing)} pairs have no score, first {file}")
    groups = pd.factorize(pairs["reference"])[0]
    # Ridge holds out references once more among those that are left.
    needed = 3 if any(READOUTS[name].method == "ridge" for name in names) else 2
    found = len(np.unique(groups))
    if found < needed:
        raise UserError(
            f"readouts need at least {needed} references to hold some out, and there "
            f"{'is' if found == 1 else 'are'} {found}; leave readouts out of the config"
        )
    return quality, groups
