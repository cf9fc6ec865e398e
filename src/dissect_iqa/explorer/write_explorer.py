"""Write a study's explorer: a page that holds its numbers and shows what one asks for."""

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dissect_iqa.explorer.pack import Numbers
from dissect_iqa.explorer.thumbnails import most_disputed, thumbnails
from dissect_iqa.figures import looks
from dissect_iqa.figures.select import View, views
from dissect_iqa.figures.settings import STATISTICS, FigureSettings
from dissect_iqa.figures.style import NAMES, display
from dissect_iqa.files.provenance import atomic_path

#: Pairs of a data set that are drawn and ranked; of more, a sample.
MOST_PAIRS = 3000


@dataclass(frozen=True)
class Pairs:
    """A data set's pairs, for the explorer.

    Attributes
    ----------
    table : DataFrame
        `reference_file, distorted_file, distortion, quality`, a row a pair.
    root : path
        The folder that file names are relative to.
    closed : str
        Why pictures can't be shown, as a sentence; empty if they can.
    """

    table: pd.DataFrame
    root: Path
    closed: str = ""


@dataclass(frozen=True)
class Explored:
    """What an explorer shows; networks go by their titles.

    Attributes
    ----------
    study, notice : str
        Its name, and what stands above: remarks that must accompany its numbers.
    correlations, models, sizes : DataFrame
        As figures take them.
    tuned_on : dict of str to str
        What judgements metrics were fitted to.
    contests, predictions : dict of str to DataFrame
        By data set whose pictures were rated.
    pairs : dict of str to Pairs
        By data set whose pictures were rated.
    layers, invariance : DataFrame
        Thresholds and misalignment, of all data sets; may be empty.
    """

    study: str
    notice: str
    correlations: pd.DataFrame
    models: pd.DataFrame
    sizes: pd.DataFrame
    tuned_on: Mapping[str, str] = field(default_factory=dict)
    contests: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    predictions: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    pairs: Mapping[str, Pairs] = field(default_factory=dict)
    layers: pd.DataFrame = field(default_factory=pd.DataFrame)
    invariance: pd.DataFrame = field(default_factory=pd.DataFrame)


def write_explorer(
    shown: Explored, file: Path | str, settings: FigureSettings, most_thumbnails: int = 200
) -> None:
    """Write the page, whole or not at all; it needs nothing but a browser.

    Parameters
    ----------
    shown : Explored
        What it holds.
    file : path
        The page.
    settings : FigureSettings
        Statistic and distance that it opens with.
    most_thumbnails : int
        Of so many pairs of each data set it holds small pictures; 0: of none.
    """
    import vl_convert

    numbers = Numbers()
    header = _header(shown, numbers, settings, most_thumbnails)
    own = files("dissect_iqa.explorer")
    parts = {
        "TITLE": html.escape(f"Study {shown.study}: which deep features predict perceived quality"),
        "STYLE": own.joinpath("explorer.css").read_text("utf-8"),
        "SCRIPT": own.joinpath("explorer.js").read_text("utf-8"),
        # a string in the library must not end the page's script
        "LIBRARY": vl_convert.javascript_bundle()  # type: ignore[call-arg].replace("</script", "<\\/script"),
        "DATA": numbers.packed(header),
    }
    page = own.joinpath("explorer.html").read_text("utf-8")
    for name, content in parts.items():
        page = page.replace(f"@@{name}@@", content)
    with atomic_path(file) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _header(
    shown: Explored, numbers: Numbers, settings: FigureSettings, most_thumbnails: int
) -> dict[str, Any]:
    found = views(shown.correlations, shown.models, None, settings)
    found = [view for view in found if len(view.layers) or len(view.baselines)]
    networks = list(shown.models["id"])
    metrics = list(dict.fromkeys(name for view in found for name in view.baselines["model"]))
    names = [*networks, *metrics]
    pictures: list[str] = []
    sets = []
    for view in found:
        own = _dataset(view, shown, names, networks, numbers)
        if view.dataset in shown.predictions:
            own["pairs"] = _pairs(view, shown, names, numbers, most_thumbnails, pictures)
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
        "functions": {name: colour for name, (colour, _, _) in looks.FUNCTIONS.items()},
        "distances": {name: display(name) for name in distances if name in NAMES},
        "sets": sets,
        "pictures": pictures,
    }  # fmt: skip


def _networks(shown: Explored) -> list[dict[str, Any]]:
    sizes = shown.sizes.set_index("model")
    entries = []
    for row in shown.models.to_dict("records"):
        size = sizes.loc[row["id"]] if row["id"] in sizes.index else None
        top1 = row.get("top1")
        entries.append(
            {
                "name": str(row["id"]), "kind": "network",
                "function": looks.function_of(row), "family": str(row["family"]),
                "environment": str(row["environment"]),
                "top1": None if top1 is None or pd.isna(top1) else float(top1),
                "parameters": None if size is None else float(size["parameters"]) / 1e6,
                "gflops": None if size is None else float(size["gflops"]),
            }
        )  # fmt: skip
    return entries


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
    nested = view.nested.set_index(["model", "distance"])["value"]
    honest = [
        nested.get((name, distance), np.nan) for name in networks for distance in main["distances"]
    ]
    return {
        "name": view.dataset,
        "distance": view.distance,
        "ceiling": view.ceiling,
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
    place = pd.Index(names)
    winner = np.where(held["winner"] != "", place.get_indexer(held["winner"]), -1)
    first = held.iloc[0]
    return {
        "first": numbers.add(place.get_indexer(held["first"]), 1),
        "second": numbers.add(place.get_indexer(held["second"]), 1),
        "winner": numbers.add(winner, 1),
        **{name: numbers.add(held[name]) for name in ("difference", "low", "high")},
        "note": f"{str(first['statistic']).upper()}, {display(str(first['distance']))}; layers "
        "chosen on other references than those they are judged on; paired jackknife over "
        f"references, Holm’s correction over {len(held)} contests.",
    }


def _pairs(
    view: View,
    shown: Explored,
    names: list[str],
    numbers: Numbers,
    most_thumbnails: int,
    pictures: list[str],
) -> dict[str, Any]:
    """Keep what competitors say of pairs, and add the pictures of some to those of the study."""
    given, predictions = shown.pairs[view.dataset], shown.predictions[view.dataset]
    table = given.table
    with_pictures = [] if given.closed else most_disputed(predictions, most_thumbnails)
    rest = np.setdiff1d(np.arange(len(table)), with_pictures)
    sample = np.random.default_rng(0).permutation(rest)[: max(MOST_PAIRS - len(with_pictures), 0)]
    kept = np.sort(np.concatenate([np.array(with_pictures, dtype=int), sample]))
    small, of = thumbnails(table, given.root, with_pictures)
    before = len(pictures)
    pictures += small
    places = {int(place): number for number, place in enumerate(kept)}
    by_name = dict(iter(predictions.groupby("model", sort=False)))
    said = [by_name.get(name) for name in names]
    types = list(dict.fromkeys(table["distortion"].astype(str)))
    networks = predictions[predictions["kind"] == "network"]
    count = (
        f"{len(kept)} of {len(table)} pairs" if len(kept) < len(table) else f"{len(table)} pairs"
    )
    why = given.closed or "there are no small pictures of this pair."
    return {
        "predicted": [
            None if own is None else numbers.add_spread(own["predicted"].to_numpy()[kept])
            for own in said
        ],
        "layers": ["" if own is None else str(own["layer"].iloc[0]) for own in said],
        "distance": "" if networks.empty else str(networks["distance"].iloc[0]),
        "quality": numbers.add_spread(table["quality"].to_numpy(float)[kept]),
        "reference": [str(name) for name in table["reference_file"].iloc[kept]],
        "distorted": [str(name) for name in table["distorted_file"].iloc[kept]],
        "types": types,
        "type": [types.index(str(name)) for name in table["distortion"].iloc[kept]],
        "thumbs": {
            places[place]: [before + reference, before + distorted]
            for place, (reference, distorted) in of.items()
        },
        "without": why,
        "note": f"{count}, networks at the layer with the highest SRCC over all pairs. Small "
        f"pictures: of the {len(of)} on which networks and people disagree most."
        if of
        else f"{count}, networks at the layer with the highest SRCC over all pairs.",
    }
