"""What an explorer's page holds: names, and where each of its numbers lies."""

from typing import Any

import numpy as np
import pandas as pd

from dissect_iqa.explorer.explored import Explored
from dissect_iqa.explorer.pack import Numbers
from dissect_iqa.explorer.pairs import pairs_of
from dissect_iqa.figures.functions import FUNCTIONS, function_of
from dissect_iqa.figures.names import NAMES, display
from dissect_iqa.figures.select import View, views
from dissect_iqa.figures.settings import STATISTICS, FigureSettings


def contents(
    shown: Explored, numbers: Numbers, settings: FigureSettings, most_thumbnails: int
) -> dict[str, Any]:
    """Return what the page holds as plain data; arrays go into `numbers`, of which it says where.

    Parameters
    ----------
    shown : Explored
        What it holds.
    numbers : Numbers
        Where arrays are added.
    settings : FigureSettings
        Statistic, and distance that it opens with.
    most_thumbnails : int
        Of so many pairs of each data set it holds small pictures.
    """
    found = list(views(shown.correlations, shown.models, None, settings))
    found = [view for view in found if len(view.layers) or len(view.baselines)]
    networks = list(shown.models["id"])
    metrics = _metrics(found, shown)
    names = [*networks, *metrics]
    pictures: list[str] = []
    sets = []
    for view in found:
        own = _dataset(view, shown, names, networks, numbers)
        if view.dataset in shown.predictions:
            own["pairs"] = pairs_of(view.dataset, shown, names, numbers, most_thumbnails, pictures)
        sets.append(own)
    distances = dict.fromkeys(name for view in found for name in view.distances)
    return {
        "study": shown.study,
        "notice": shown.notice,
        "networks": _networks(shown),
        "metrics": [
            {"name": display(name, baseline=True), "kind": "metric",
             "tuned_on": shown.tuned_on.get(name, "")}
            for name in metrics
        ],
        "functions": {name: colour for name, (colour, _, _) in FUNCTIONS.items()},
        "distances": {name: display(name) for name in distances if name in NAMES},
        "psnr": names.index("psnr") if "psnr" in names else -1,
        "sets": sets,
        "pictures": pictures,
    }  # fmt: skip


def _metrics(found: list[View], shown: Explored) -> list[str]:
    """Return the metrics' names: those with correlations, then those that only say something."""
    names = [name for view in found for name in view.baselines["model"]]
    for said in shown.predictions.values():
        names += list(said.loc[said["kind"] == "metric", "model"].unique())
    return list(dict.fromkeys(names))


def _networks(shown: Explored) -> list[dict[str, Any]]:
    sizes = shown.sizes.set_index("model")
    entries = []
    for row in shown.models.to_dict("records"):
        size = sizes.loc[row["id"]] if row["id"] in sizes.index else None
        entries.append(
            {
                "name": str(row["id"]), "kind": "network",
                "function": function_of(row), "family": str(row["family"]),
                "environment": str(row["environment"]),
                "top1": _known(row.get("top1")),
                "parameters": None if size is None else _known(size["parameters"] / 1e6),
                "gflops": None if size is None else _known(size["gflops"]),
            }
        )  # fmt: skip
    return entries


def _known(value: Any) -> float | None:
    """Return a number as JSON can hold it, which knows no NaN."""
    return None if value is None or not np.isfinite(value) else float(value)


def _dataset(
    view: View, shown: Explored, names: list[str], networks: list[str], numbers: Numbers
) -> dict[str, Any]:
    rows = shown.correlations[shown.correlations["dataset"] == view.dataset]
    by_name = dict(iter(view.layers[view.layers["depth"].notna()].groupby("model", sort=False)))
    layers = [_layers_of(by_name[name]) if name in by_name else None for name in networks]
    main = _correlations(view, rows, networks, names, layers, numbers)
    measures = [main]
    for table, what in ((shown.layers, "thresholds"), (shown.invariance, "invariance")):
        measures += _answers(view, table, what, networks, names[len(networks) :], layers, numbers)
    nested = view.nested.drop_duplicates(["model", "distance"])
    nested = nested.set_index(["model", "distance"])["value"]
    honest = [
        nested.get((name, distance), np.nan) for name in networks for distance in main["distances"]
    ]
    return {
        "name": view.dataset,
        "remark": shown.remarks.get(view.dataset, ""),
        "distance": view.distance,
        "ceiling": _known(view.ceiling),
        "layers": [
            None if own is None else {"names": list(own.index), "depths": numbers.add(own)}
            for own in layers
        ],
        "measures": measures,
        "honest": numbers.add(honest),
        "contests": _contests(shown.contests.get(view.dataset), names, numbers),
    }


def _layers_of(rows: pd.DataFrame) -> pd.Series:
    """Return the depths of a network's layers, by their names, the shallowest first."""
    own = rows.drop_duplicates("layer").set_index("layer")["depth"]
    return own.sort_values(kind="stable")


def _correlations(
    view: View,
    rows: pd.DataFrame,
    networks: list[str],
    names: list[str],
    layers: list[pd.Series | None],
    numbers: Numbers,
) -> dict[str, Any]:
    """Keep the correlations of all layers, distances and subsets, and of metrics."""
    ours = rows[rows["statistic"] == view.statistic].astype({"subset": object})
    ours = ours[ours["kind"] != "ceiling"]
    subsets = list(dict.fromkeys(["all", *ours["subset"]]))
    profiled = ours[ours["depth"].notna()]
    distances = list(dict.fromkeys(profiled["distance"]))
    by_name = dict(iter(profiled.groupby("model", sort=False)))
    kept: dict[str, list[Any]] = {"values": [], "low": [], "high": []}
    for name, own in zip(networks, layers, strict=True):
        if own is None or name not in by_name:
            for several in kept.values():
                several.append(None)
            continue
        mine = by_name[name]
        mine = mine[mine["layer"].isin(own.index)]
        keys = (
            pd.Index(distances).get_indexer(mine["distance"]),
            pd.Index(subsets).get_indexer(mine["subset"]),
            own.index.get_indexer(mine["layer"]),
        )
        cube = np.full((3, len(distances), len(subsets), len(own)), np.nan)
        for number, column in enumerate(("value", "low", "high")):
            cube[number][keys] = mine[column]
        kept["values"].append(numbers.add(cube[0]))
        kept["low"].append(numbers.add(cube[1, :, 0]))
        kept["high"].append(numbers.add(cube[2, :, 0]))
    metrics = names[len(networks) :]
    wide = ours[ours["kind"] == "metric"].drop_duplicates(["model", "subset"])
    table = wide.pivot(index="model", columns="subset", values="value")
    whole = wide[wide["subset"] == "all"].set_index("model")
    return {
        "title": STATISTICS[view.statistic],
        "axis": STATISTICS[view.statistic],
        "honest": True,
        "distances": distances,
        "subsets": subsets,
        **kept,
        "metrics": {
            "values": numbers.add(table.reindex(index=metrics, columns=subsets)),
            "low": numbers.add(whole["low"].reindex(metrics)),
            "high": numbers.add(whole["high"].reindex(metrics)),
        },
    }


def _answers(
    view: View,
    table: pd.DataFrame,
    what: str,
    networks: list[str],
    metrics: list[str],
    layers: list[pd.Series | None],
    numbers: Numbers,
) -> list[dict[str, Any]]:
    """Keep what layers answer beside opinions: thresholds, the share that misalignment leaves."""
    if table.empty:
        return []
    if what == "thresholds":
        chosen = table["kind"].isin(["network", "metric"]) & (table["direction"] == "all")
        rows = table[chosen & (table["statistic"] == "rmse_db")]
    else:
        rows = table[(table["of"] == view.dataset)].assign(value=lambda one: one["kept"])
    # decibels may be hundreds; a share is seldom far from 0 to 1
    scale = 1e2 if what == "thresholds" else 1e3
    measures = []
    for name, own in rows.groupby("dataset", sort=False):
        known = own[own["depth"].notna()]
        distances = list(dict.fromkeys(known["distance"]))
        values: list[Any] = []
        for network, depths in zip(networks, layers, strict=True):
            if depths is None:
                values.append(None)
                continue
            mine = known[(known["model"] == network) & known["layer"].isin(depths.index)]
            cube = np.full((len(distances), len(depths)), np.nan)
            keys = (
                pd.Index(distances).get_indexer(mine["distance"]),
                depths.index.get_indexer(mine["layer"]),
            )
            cube[keys] = mine["value"]
            values.append(numbers.add(cube, scale))
        kept = own[own["kind"] == "metric"].drop_duplicates("model").set_index("model")["value"]
        axis = {
            "thresholds": "error of thresholds (dB)",
            "invariance": "share kept when misaligned",
        }[what]
        measures.append(
            {"title": f"{axis}: {name}", "axis": axis, "less": what == "thresholds",
             "distances": distances, "subsets": ["all"], "values": values,
             "metrics": {"values": numbers.add(kept.reindex(metrics), scale)}}
        )  # fmt: skip
    return measures


def _contests(
    held: pd.DataFrame | None, names: list[str], numbers: Numbers
) -> dict[str, Any] | None:
    if held is None or held.empty:
        return None
    place, count = pd.Index(names), len(held)
    first = held.iloc[0]
    # who has neither a correlation nor a prediction is not in the page
    held = held[held["first"].isin(place) & held["second"].isin(place)]
    winner = np.where(held["winner"] != "", place.get_indexer(held["winner"]), -1)
    return {
        "first": numbers.add(place.get_indexer(held["first"]), 1),
        "second": numbers.add(place.get_indexer(held["second"]), 1),
        "winner": numbers.add(winner, 1),
        **{name: numbers.add(held[name]) for name in ("difference", "low", "high")},
        "note": f"{str(first['statistic']).upper()}, {display(str(first['distance']))}; layers "
        "chosen on other references than those they are judged on; paired jackknife over "
        f"references, Holm’s correction over {count} contests.",
    }
