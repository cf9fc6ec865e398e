"""How much of the honest correlation function, architecture, environment, ... explain."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dissect_iqa.correlation import forms
from dissect_iqa.correlation.clusters import Clusters, check_pairs, read_columns
from dissect_iqa.correlation.correlate import BEST
from dissect_iqa.correlation.jackknife import grouped, make_plan
from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.factors.shares import (
    CELLS,
    FEWEST_LEFT,
    MODELS,
    Cells,
    Model,
    entangled,
    estimate,
    levels,
)
from dissect_iqa.files.sums import names_of

log = logging.getLogger(__name__)

COLUMNS = ["factor", "what", "share", "low", "high", "alone", "last", "note"]
#: What each factor is made of, in words.
WHAT = {
    "function": "what the network was trained to do, without particulars",
    "architecture": "family, parameters (log), layers (log)",
    "environment": "scale of what it was trained on",
    "depth": "relative depth of the layers chosen",
    "distance": "how features are compared",
    "data set": "whose opinions",
    MODELS: "what is special about single networks",
    CELLS: "what is special about a network on one data set with one distance",
}
_KEYS = ["model", "dataset", "distance"]
#: Correlations that lie as close as this are one but for rounding.
_SAME = 1e-12


@dataclass(frozen=True)
class Measured:
    """The honest correlations of some models, every one on every data set with every distance.

    Attributes
    ----------
    models, datasets, distances : list of str
        Names along the three axes.
    value, depth : ndarray, shape (models, data sets, distances)
        Honest SRCC, and the mean relative depth of the layers that were chosen for it.
    chosen : DataFrame
        `model, dataset, distance, layer, value`: in which share of the choices a layer was chosen.
    left_out : list of str
        Models without a defined value somewhere.
    """

    models: list[str]
    datasets: list[str]
    distances: list[str]
    value: np.ndarray
    depth: np.ndarray
    chosen: pd.DataFrame
    left_out: list[str]


def honest_cells(correlations: pd.DataFrame, models: Iterable[str]) -> Measured:
    """Arrange the honest correlations of some models.

    Parameters
    ----------
    correlations : DataFrame
        Collected tables of `correlate`, of data sets whose pictures were rated.
    models : iterable of str
        Ids of those that count.
    """
    rows = correlations[
        (correlations["subset"] == "all")
        & (correlations["kind"] == "network")
        & correlations["model"].isin(list(models))
    ]
    honest = rows[(rows["statistic"] == "srcc_nested") & (rows["layer"] == BEST)]
    chosen = rows.loc[rows["statistic"] == "srcc_chosen", [*_KEYS, "layer", "depth", "value"]]
    names = [list(dict.fromkeys(rows[key])) for key in _KEYS]
    grid = pd.MultiIndex.from_product(names, names=_KEYS)
    shape = tuple(map(len, names))
    weighted = (chosen["depth"] * chosen["value"]).groupby([chosen[key] for key in _KEYS]).sum()
    value = honest.set_index(_KEYS)["value"].reindex(grid).to_numpy().reshape(shape)
    depth = weighted.reindex(grid).to_numpy().reshape(shape)
    known = (np.isfinite(value) & np.isfinite(depth)).all(axis=(1, 2))
    return Measured(
        models=[name for name, whole in zip(names[0], known, strict=True) if whole],
        datasets=names[1],
        distances=names[2],
        value=value[known],
        depth=depth[known],
        chosen=chosen,
        left_out=[name for name, whole in zip(names[0], known, strict=True) if not whole],
    )


def factor_columns(
    models: pd.DataFrame, parameters: pd.Series, layers: pd.Series
) -> dict[str, pd.DataFrame]:
    """Return each factor's columns, a row a model: see `WHAT`.

    Parameters
    ----------
    models : DataFrame
        Columns `group`, `family` and `scale` of `dissect_iqa.zoo.row.ModelRow.description`, by id.
    parameters, layers : Series
        By model: its number of parameters, and of layers that were measured.
    """
    size = pd.DataFrame(
        {
            "parameters": np.log10([parameters[name] for name in models.index]),
            "layers": np.log10([layers[name] for name in models.index]),
        },
        index=models.index,
    )
    return {
        "function": levels(models["group"]),
        "architecture": pd.concat([levels(models["family"]), size], axis=1),
        "environment": levels(models["scale"].replace("", "not stated")),
    }


def explain_factors(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    sizes: pd.DataFrame,
    distances: Iterable[tuple[str, str, pd.DataFrame]],
    pairs: Mapping[str, pd.DataFrame],
    settings: StatisticsSettings,
) -> pd.DataFrame:
    """Estimate each factor's share of the variance of the honest correlation.

    Parameters
    ----------
    correlations : DataFrame
        Collected tables of `correlate`, of data sets whose pictures were rated.
    models : DataFrame
        See `dissect_iqa.zoo.row.ModelRow.description`; untrained ones don't count.
    sizes : DataFrame
        `model, parameters`: each model's number of parameters.
    distances : iterable of (str, str, DataFrame)
        Data set, model and its distances there, for intervals over references; may be empty.
    pairs : mapping of str to DataFrame
        Each data set's pairs.
    settings : StatisticsSettings
        Level and seed; without draws no reference is left out.

    Returns
    -------
    DataFrame
        `COLUMNS`, a row a factor, or several together that this study's models can't tell apart
        (`note` says why), then what no factor explains. `share` is the Shapley value, `alone` what
        the factor explains by itself, `last` what it adds to all others; NaN, with the reason in
        `note`, where there are too few models or all correlations are the same.
    """
    trained = models[~models["untrained"].astype(bool)].set_index("id")
    found = honest_cells(correlations, trained.index)
    notes = []
    if found.left_out:
        notes.append(f"without a value everywhere, left out: {names_of(found.left_out)}")
    if len(found.models) < 2:
        return _untold([*notes, f"{len(found.models)} trained networks have nothing to compare"])
    if np.ptp(found.value) < _SAME:
        return _untold([*notes, "every honest correlation is the same: no variance to explain"])
    counts = correlations[correlations["statistic"] == "srcc"].groupby("model")["layer"].nunique()
    parameters = sizes.set_index("model")["parameters"]
    columns = factor_columns(trained.loc[found.models], parameters, counts)
    columns["depth"] = pd.DataFrame(
        {"depth": found.depth.mean(axis=(1, 2))}, columns["function"].index
    )
    groups, aliases = entangled(columns)
    left = Model(Cells(found.value, found.depth, [], columns), groups).left
    if left < FEWEST_LEFT:
        taken = len(found.models) - 1 - left
        return _untold(
            [
                *notes,
                f"not identifiable: {len(found.models)} trained networks are too few for {taken} "
                f"columns of factors; at least {taken + 1 + FEWEST_LEFT} are needed",
            ]
        )
    without = _without_references(found, distances, pairs, settings)
    cells = Cells(found.value, found.depth, without, columns)
    table = estimate(cells, groups, settings.level)
    notes += [*aliases, *_single_members(columns)]
    return _told(table, notes)


def _without_references(
    found: Measured,
    distances: Iterable[tuple[str, str, pd.DataFrame]],
    pairs: Mapping[str, pd.DataFrame],
    settings: StatisticsSettings,
) -> list[np.ndarray]:
    """Return, for each data set, the honest correlations without each of its references."""
    blocks, results = {}, {}
    for name in found.datasets:
        check_pairs(pairs[name], name)
        codes, count = grouped(Clusters.of(pairs[name]).codes, settings)
        plan = make_plan(count, settings, twos=False)
        quality = pairs[name]["quality"].to_numpy(np.float64)
        blocks[name] = forms.Pairs(codes, quality, count), plan.weights[: plan.without_one.stop]
        place = found.datasets.index(name)
        whole = np.repeat(found.value[None, :, place], len(blocks[name][1]) - 1, axis=0)
        results[name] = whole.copy()
    shares = {
        key: rows.set_index("layer")["value"]
        for key, rows in found.chosen.groupby(_KEYS, sort=False, observed=True)
    }
    for dataset, model, table in distances:
        if model not in found.models or dataset not in results:
            continue
        block, weights = blocks[dataset]
        rows = table[(table["kind"] == "network") & table["distance"].isin(found.distances)]
        columns = read_columns(rows, pairs[dataset], dataset=dataset, model=model)
        for k, distance in enumerate(found.distances):
            own = shares[model, dataset, distance]
            places = columns.keys.index[columns.keys["distance"] == distance]
            wanted = places[columns.keys.loc[places, "layer"].isin(own.index[own > 0])]
            weight = own.loc[columns.keys.loc[wanted, "layer"]].to_numpy()
            found_here = forms.spearman(block, columns.values[:, wanted], weights)
            change = (found_here[1:] - found_here[0]) @ (weight / weight.sum())
            results[dataset][:, found.models.index(model), k] += change
        log.info("%s on %s: without each reference", model, dataset)
    return [results[name] for name in found.datasets]


def _single_members(columns: Mapping[str, pd.DataFrame]) -> list[str]:
    """Say which levels have one model each, whose own peculiarities they can't be told from."""
    notes = []
    for name, table in columns.items():
        single = [
            level for level in table if set(table[level]) <= {0, 1} and table[level].sum() == 1
        ]
        if single:
            notes.append(f"{name}: one network each of {names_of(single, 8)}")
    return notes


def _told(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    rows = table.rename_axis("factor").reset_index()
    parts = rows["factor"].str.split(" or ")
    rows["what"] = ["; ".join(WHAT[part] for part in names) for names in parts]
    rows["note"] = ["; ".join(note for note in notes if _concerns(note, n)) for n in parts]
    general = [note for note in notes if not any(_concerns(note, n) for n in parts)]
    rows.loc[rows["factor"] == MODELS, "note"] = "; ".join(general)
    return rows[COLUMNS]


def _concerns(note: str, factors: list[str]) -> bool:
    return any(note.startswith((f"{name}:", f"not identifiable: {name} ")) for name in factors)


def _untold(notes: list[str]) -> pd.DataFrame:
    """Return the table of a study that can't tell: all factors, no share, and why."""
    rows = pd.DataFrame({"factor": list(WHAT), "what": list(WHAT.values())})
    return rows.assign(note="; ".join(notes)).reindex(columns=COLUMNS)
