"""The short table for people: each model's best layer, naively and honestly, and its last layer."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from dissect_iqa.correlation.clusters import FEW_REFERENCES
from dissect_iqa.correlation.jackknife import FEWEST
from dissect_iqa.errors import UserError

#: The statistic by which layers are chosen, for correlations and for triplets.
CHOSEN_BY = ("srcc", "agreement")

COLUMNS = [
    *("dataset", "model", "kind", "tuned_on", "distance", "fitted_on", "statistic"),
    *("best_layer", "best_depth", "best", "best_low", "best_high"),
    *("honest", "honest_low", "honest_high", "honest_share"),
    *("last_layer", "last", "last_low", "last_high", "rise"),
    *("chosen_on", "chosen_layer", "transferred", "transferred_low", "transferred_high"),
    *(
        "plcc",
        "krcc",
        "plcc4",
        "plcc5",
        "within_reference",
        "types_mean",
        "types_min",
        "types_worst",
    ),
    *("layers", "n", "references", "note"),
]


def summarise(
    correlations: pd.DataFrame,
    opinions: Collection[str] | None = None,
    tuned_on: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Summarise collected correlations, one row a data set, model and distance.

    Parameters
    ----------
    correlations : DataFrame
        Tables of `correlate`, concatenated.
    opinions : collection of str, optional
        The data sets of people's opinions, each picture once: only between these is a layer's
        choice transferred. All by default.

    Returns
    -------
    DataFrame
        `COLUMNS`, highest `best` first within a data set. All numbers are SRCC (or agreement on
        triplets, see `statistic`) but for `plcc`, `krcc`, `plcc4`, `plcc5`, which are those of
        `best_layer`.

        - `best_layer`, `best`: chosen and judged on the same pairs, which flatters;
        - `honest`: chosen without the references it is judged on; `honest_share` is the share of
          the divisions in which `best_layer` was the one chosen;
        - `last`: the deepest layer; `rise`: rank correlation of all layers' numbers with their
          depth;
        - `transferred`: the layer that is best on another data set, `chosen_on`, judged here. Of
          several other data sets, the one with most references, then by name;
        - `within_reference`, `types_mean`, `types_min`, `types_worst`: of `best_layer`; mean and
          minimum over types of distortion, and the type of the minimum;
        - `note`: says when intervals are rough or missing.

    Raises
    ------
    UserError
        If there is nothing to summarise.
    """
    whole = correlations[correlations["subset"] == "all"]
    whole = whole[whole["kind"] != "ceiling"]
    main = whole[whole["statistic"].isin(CHOSEN_BY)]
    if main.empty:
        raise UserError("the correlations hold no SRCC and no agreement; nothing to summarise")
    main = main.sort_values("depth", kind="stable")
    keys = ["dataset", "model", "distance"]
    best = _first_best(main, keys)
    table = _renamed(best, "best").set_index(keys)
    for name in ("kind", "fitted_on", "statistic", "n", "references"):
        table[name] = best[name].to_numpy()
    table["tuned_on"] = [(tuned_on or {}).get(name, "") for name in best["model"]]
    table["layers"] = main.groupby(keys, sort=False).size()
    table["rise"] = _rise(main, keys)
    table = table.join(_renamed(main.drop_duplicates(keys, keep="last"), "last").set_index(keys))
    table = table.join(_honest(whole, table)).join(_transferred(main, table, opinions))
    table = table.join(_at_best(correlations, table)).reset_index()
    table["note"] = [_note(row) for row in table.itertuples()]
    # for a metric there is no layer to choose
    single = table["layers"] == 1
    table.loc[single, ["last_layer", "last", "last_low", "last_high"]] = np.nan
    order = {name: i for i, name in enumerate(dict.fromkeys(correlations["dataset"]))}
    table = table.sort_values(
        ["dataset", "best", "model", "distance"],
        ascending=[True, False, True, True],
        key=lambda column: column.map(order) if column.name == "dataset" else column,
        kind="stable",
    )
    return table[COLUMNS].reset_index(drop=True)


def best_layers(correlations: pd.DataFrame) -> pd.DataFrame:
    """Return what `common_distance` needs, from the correlations themselves.

    Parameters
    ----------
    correlations : DataFrame
        Rows of networks on one data set.

    Returns
    -------
    DataFrame
        `kind, model, distance, best, honest`: SRCC, or agreement, one row a model and distance.
    """
    whole = correlations[correlations["subset"] == "all"]
    keys = ["kind", "model", "distance"]
    best = whole[whole["statistic"].isin(CHOSEN_BY)].groupby(keys, sort=False)["value"].max()
    honest = whole[whole["statistic"] == "srcc_nested"].groupby(keys, sort=False)["value"].max()
    return pd.DataFrame({"best": best, "honest": honest}).reindex(best.index).reset_index()


def common_distance(best: pd.DataFrame) -> str:
    """Return the distance that suits a data set's models best: the one to compare them all with.

    Parameters
    ----------
    best : DataFrame
        `kind, distance, best, honest`, one row a model and distance of one data set: rows
        of `summarise` or `best_layers`.

    Returns
    -------
    str
        Of those that aren't fitted to scores, the one with the highest median `honest` (`best`
        where there was no layer to choose); the first by name if no value is defined; empty if
        there is none.
    """
    return highest_median(best[best["kind"] == "network"])


def at_one_distance(
    tables: Mapping[str, pd.DataFrame], summary: pd.DataFrame, models: Collection[str]
) -> tuple[dict[str, pd.DataFrame], str]:
    """Take of each competitor what enters the contests: of all models the same distance.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        By model or metric, its distances on a data set.
    summary : DataFrame
        The data set's rows of what `summarise` returned.
    models : collection of str
        Which of the competitors are models; a metric has its own distance only.

    Returns
    -------
    competitors : dict of str to DataFrame
        For `hold_contests`.
    distance : str
        See `common_distance`.
    """
    distance = common_distance(summary[summary["model"].isin(models)])
    wanted = {name: distance if name in models else name for name in tables}
    rows = {name: table[table["distance"] == wanted[name]] for name, table in tables.items()}
    return rows, distance


def highest_median(best: pd.DataFrame) -> str:
    """Return the same as `common_distance`, but of all rows, readouts included."""
    if best.empty:
        return ""
    value = best["honest"].fillna(best["best"])
    # of equal ones the first by name, whatever the order of the rows
    medians = value.groupby(best["distance"], sort=True).median()
    return str(medians.idxmax() if medians.notna().any() else medians.index[0])


def _first_best(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the highest row of each group, of ties the shallowest; undefined ones come last."""
    ranked = rows.sort_values("value", ascending=False, kind="stable", na_position="last")
    chosen = ranked.drop_duplicates(keys)
    return chosen.sort_index()


def _rise(main: pd.DataFrame, keys: list[str]) -> pd.Series:
    """Return the rank correlation of layers' values with their depth, from three layers on."""
    groups = main[main["depth"].notna()].groupby(keys, sort=False)
    ranks = groups[["depth", "value"]].rank().assign(**{key: main[key] for key in keys})
    by_model = ranks.groupby(keys, sort=False)
    both = by_model[["depth", "value"]].corr().xs("depth", level=-1)["value"]
    return both.where(by_model.size() > 2)


def _renamed(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    columns = {
        "layer": f"{name}_layer", "depth": f"{name}_depth",
        "value": name, "low": f"{name}_low", "high": f"{name}_high",
    }  # fmt: skip
    return rows[["dataset", "model", "distance", *columns]].rename(columns=columns)


def _honest(whole: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    keys = table.index.names
    nested = whole[whole["statistic"] == "srcc_nested"].set_index(keys)
    result = nested[["value", "low", "high"]].set_axis(
        ["honest", "honest_low", "honest_high"], axis=1
    )
    shares = whole[whole["statistic"] == "srcc_chosen"].set_index([*keys, "layer"])["value"]
    best = pd.MultiIndex.from_frame(table.reset_index()[[*keys, "best_layer"]])
    result = result.reindex(table.index)
    found = shares.reindex(best).to_numpy()
    has_honest = result["honest"].notna().to_numpy()
    result["honest_share"] = np.where(has_honest, np.nan_to_num(found), np.nan)
    return result


def _transferred(
    main: pd.DataFrame, table: pd.DataFrame, opinions: Collection[str] | None
) -> pd.DataFrame:
    """Judge on each data set the layer that is best on another one."""
    columns = ["chosen_on", "chosen_layer", "transferred", "transferred_low", "transferred_high"]
    sizes = main.groupby("dataset")["references"].max()
    known = [name for name in sizes.index if opinions is None or name in opinions]
    ranking = sorted(known, key=lambda name: (-sizes[name], name))
    values = main.set_index(["dataset", "model", "distance", "layer"])[["value", "low", "high"]]
    rows = []
    for (dataset, model, distance), best in table.iterrows():
        row: list[object] = [None, None, np.nan, np.nan, np.nan]
        for other in ranking:
            source = (other, model, distance)
            if (
                other == dataset
                or dataset not in known
                or best["layers"] < 2
                or source not in table.index
            ):
                continue
            layer = table.loc[source, "best_layer"]
            if (dataset, model, distance, layer) in values.index:
                row = [other, layer, *values.loc[(dataset, model, distance, layer)]]
                break
        rows.append(row)
    result = pd.DataFrame(rows, columns=columns, index=table.index)
    return result.astype(dict.fromkeys(columns[2:], float))


def _at_best(correlations: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Look up what else is known of each best layer."""
    keys = [*table.index.names, "layer"]
    wanted = table.reset_index()[[*table.index.names, "best_layer"]]
    rows = correlations.merge(wanted.rename(columns={"best_layer": "layer"}), on=keys)
    rows = rows.set_index(table.index.names)
    result = pd.DataFrame(index=table.index)
    whole = rows[rows["subset"] == "all"]
    for name in ("plcc", "krcc", "plcc4", "plcc5"):
        result[name] = whole.loc[whole["statistic"] == name, "value"]
    main = rows[rows["statistic"].isin(CHOSEN_BY)]
    result["within_reference"] = main.loc[main["subset"] == "within_reference", "value"]
    types = main[(main["distortion"] != "") & main["value"].notna()]
    groups = types.groupby(level=list(range(3)))["value"]
    result["types_mean"], result["types_min"] = groups.mean(), groups.min()
    worst = types.sort_values("value", kind="stable")
    worst = worst[~worst.index.duplicated()]["distortion"]
    result["types_worst"] = worst
    return result


def _note(row: Any) -> str:
    if not np.isfinite(row.best):
        return "undefined: constant values or scores"
    if not np.isfinite(row.best_low):
        if row.references >= FEWEST:
            return "no interval"
        count = "one reference" if row.references == 1 else f"{row.references} references"
        return f"no interval: {count}"
    if row.references < FEW_REFERENCES:
        return f"{row.references} references: intervals are a rough guide"
    return ""
