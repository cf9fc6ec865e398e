"""Contrast thresholds of layers and metrics beside people's, and beside their opinions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.stats import spearmanr

from dissect_iqa.datasets.thresholds.table import DIRECTIONS
from dissect_iqa.figures import style
from dissect_iqa.figures.labels import MM, wrap
from dissect_iqa.figures.points import Functions, functions, legend_handles
from dissect_iqa.figures.select import View, views
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.thresholds.find_thresholds import BEST, closeness

#: Networks whose sensitivity is drawn: those that are closest to people, at their closest layer.
_NETWORKS = 3
#: Relative depths within which layers of different networks are compared.
_DEPTHS = (0, 0.2, 0.4, 0.6, 0.8, 1.001)
_ANSWERS = ("opinion", "thresholds")
#: Draws of models for the interval of a correlation over them, and the fewest that give one.
_DRAWS, _FEWEST_MODELS = 1000, 6

Labels = Mapping[str, str | None]


def draw_sensitivity(
    layers: pd.DataFrame,
    stimuli: pd.DataFrame,
    labels: Labels,
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw contrast sensitivity over frequency: people's, of networks and of a metric.

    Parameters
    ----------
    layers, stimuli : DataFrame
        What `dissect_iqa.thresholds.find_thresholds.find_thresholds` returned, of all data sets.
    labels : mapping of str to str or None
        By data set, a notice that must accompany its results.
    settings : FigureSettings, optional
        Look and choices.
    """
    settings = settings or FigureSettings()
    names = list(dict.fromkeys(layers["dataset"]))
    figure, bodies = _blocks(names, 78.0, labels, settings)
    for name, (body, foot) in bodies.items():
        own, main = (table[table["dataset"] == name] for table in (stimuli, layers))
        distance = _distance(main)
        shown = _shown(main, distance)
        drawn = [d for d in DIRECTIONS if (own["direction"] == d).any()]
        parts: Any = body.subplots(1, len(drawn), sharey=True)
        looks = dict(zip(shown, style.colours(len(shown), settings), strict=True))
        people = own.drop_duplicates("stimulus")
        for axes, direction in zip(np.atleast_1d(parts), drawn, strict=True):
            _sensitivity(axes, people[people["direction"] == direction], "people", style.INK, True)
            for who, colour in looks.items():
                rows = own[(own["model"] == who) & (own["direction"] == direction)]
                rows = rows[(rows["kind"] == "metric") | (rows["distance"] == distance)]
                _sensitivity(axes, rows, "found", colour, False)
            axes.set_title(direction)
            axes.set_xlabel("cycles per degree")
        np.atleast_1d(parts)[0].set_ylabel("contrast sensitivity (1 / cone contrast)")
        handles = [Line2D([], [], color=style.INK, marker="o", markersize=3, label="people")]
        handles += [
            Line2D([], [], color=colour, label=_title(who, shown[who]))
            for who, colour in looks.items()
        ]
        style.legend(body, handles, settings)
        foot(
            f"{people['study'].nunique()} studies, {len(people)} stimuli. Dots: people's "
            "thresholds; lines: geometric means an octave of frequency, over the same stimuli. "
            f"The {_NETWORKS} networks closest to people, each at its closest layer "
            f"({style.display(distance)}), the closest metric and PSNR; of each, one criterion for "
            "all stimuli of all colour directions. Uniform patches (0 cycles) stand at the left."
        )
    return figure


def _sensitivity(axes: Axes, rows: pd.DataFrame, column: str, colour: Any, dots: bool) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ticks = (0.25, 1, 4, 16)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    if rows.empty:
        return
    x = rows["frequency"].to_numpy().clip(0.125)
    y = -rows[column].to_numpy(np.float64)
    if dots:
        axes.plot(x, 10**y, "o", color=colour, markersize=1.8, alpha=0.35, markeredgewidth=0)
    octave = np.round(np.log2(x))
    means = pd.DataFrame({"octave": octave, "y": y}).groupby("octave")["y"].agg(["mean", "size"])
    axes.plot(2.0**means.index, 10 ** means["mean"], color=colour, linewidth=1.6 if dots else 1.1)
    axes.grid(color=style.HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)


def _shown(layers: pd.DataFrame, distance: str) -> dict[str, pd.Series]:
    """Return who is drawn, with the row of the layer: the closest networks, a metric, PSNR."""
    main = closeness(layers)
    networks = main[(main["kind"] == "network") & (main["distance"] == distance)]
    metrics = main[main["kind"] == "metric"]
    chosen = networks.drop_duplicates("model").head(_NETWORKS)
    others = pd.concat([metrics.head(1), metrics[metrics["model"] == "psnr"]])
    rows = pd.concat([chosen, others.drop_duplicates("model")])
    return {str(row["model"]): row for _, row in rows.iterrows()}


def _title(name: str, row: pd.Series) -> str:
    if row["kind"] == "metric":
        return style.display(name, baseline=True)
    return f"{name} (depth {row['depth']:.2f})"


def _distance(layers: pd.DataFrame) -> str:
    """Return the distance whose models, at their closest layers, are closest to people."""
    main = closeness(layers)
    networks = main[main["kind"] == "network"].drop_duplicates(["distance", "model"])
    medians = networks.groupby("distance", sort=True)["value"].median()
    return str(medians.idxmin()) if len(medians) else ""


def draw_answers(
    correlations: pd.DataFrame,
    layers: pd.DataFrame,
    models: pd.DataFrame,
    labels: Labels,
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw over depth how layers follow opinions and thresholds, and one against the other.

    Parameters
    ----------
    correlations : DataFrame
        The collected correlations.
    models : DataFrame
        See `dissect_iqa.zoo.row.ModelRow.description`.
    layers, labels, settings
        As of `draw_sensitivity`.
    """
    settings = settings or FigureSettings()
    names = list(dict.fromkeys(layers["dataset"]))
    rated = correlations[~correlations["dataset"].isin(names)]
    opinions = views(rated, models, dict(labels), settings) if len(rated) else []
    opinions = [view for view in opinions if len(view.layers)]
    pairs = [(view, name) for name in names for view in opinions]
    if not pairs:
        text = "No network was measured both on rated pictures and on thresholds."
        return style.statement(text, None, settings)
    titles = {f"{view.dataset} and {name}": (view, name) for view, name in pairs}
    figure, bodies = _blocks(list(titles), 92.0, labels, settings)
    for title, (body, foot) in bodies.items():
        view, name = titles[title]
        table = _beside(view, layers[layers["dataset"] == name])
        look = functions(view, settings)
        left, right = body.subfigures(1, 2, width_ratios=(1.15, 1))
        above, below = left.subplots(2, 1, sharex=True)
        _profiles(above, table, "opinion", look)
        _profiles(below, table, "thresholds", look)
        above.set_ylabel(f"opinions: {style.short_statistic(view)}")
        below.set_ylabel("thresholds: RMSE (dB)")
        below.set_xlabel("relative depth")
        below.invert_yaxis()
        ceiling = _ceiling(layers, name)
        if np.isfinite(ceiling):
            below.axhline(ceiling, color=style.INK, linewidth=0.8)
            below.annotate(
                "one observer", (1, ceiling), xycoords=("axes fraction", "data"), ha="right",
                va="bottom", fontsize=style.TINY, xytext=(0, 1), textcoords="offset points",
            )  # fmt: skip
        _against(right.subplots(), table, view, look)
        style.legend(body, legend_handles(look, baselines=True), settings)
        foot(_words(table, view, name))
    return figure


def _beside(view: View, layers: pd.DataFrame) -> pd.DataFrame:
    """Return each layer's and metric's two answers: `model, depth, opinion, thresholds`."""
    main = layers[
        (layers["statistic"] == "rmse_db") & (layers["direction"] == "all")
        & (layers["layer"] != BEST)
    ]  # fmt: skip
    keys = ["model", "layer", "distance"]
    thresholds = main.set_index(keys)["value"].rename("thresholds")
    rows = [view.at(view.distance), view.baselines]
    opinion = pd.concat([part for part in rows if len(part)], ignore_index=True)
    opinion = opinion.rename(columns={"value": "opinion"})[[*keys, "depth", "opinion"]]
    return opinion.join(thresholds, on=keys).dropna(subset=["thresholds"])


def _profiles(axes: Axes, table: pd.DataFrame, column: str, look: Functions) -> None:
    for model, rows in table.groupby("model", sort=False):
        group = look.of.get(str(model))
        if group is None:
            axes.axhline(
                rows[column].iloc[0], color=style.MUTED, linewidth=0.7, linestyle=(0, (1, 1.6))
            )
            continue
        rows = rows.sort_values("depth", kind="stable")
        line = (0, (3.2, 1.4)) if group == "untrained" else "-"
        axes.plot(rows["depth"], rows[column], color=look.colours[group], linestyle=line)
    axes.grid(axis="y", color=style.HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)


def _against(axes: Axes, table: pd.DataFrame, view: View, look: Functions) -> None:
    for row in table.itertuples():
        group = look.of.get(str(row.model))
        colour = look.colours[group] if group else style.MUTED
        depth = 1.0 if np.isnan(row.depth) else row.depth
        axes.plot(
            row.thresholds,
            row.opinion,
            "o" if group else "D",
            color=colour,
            markerfacecolor="white" if group == "untrained" else colour,
            markersize=2 + 3 * depth,
            markeredgewidth=0.7,
            alpha=0.8,
        )
    axes.invert_xaxis()
    axes.set_xlabel("thresholds: RMSE (dB), better to the right")
    axes.set_ylabel(f"opinions: {style.short_statistic(view)}")
    axes.grid(color=style.HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)


def within_depth(table: pd.DataFrame, seed: int = 0) -> tuple[float, float, float]:
    """Return how opinions and thresholds go together over models at the same depth.

    Parameters
    ----------
    table : DataFrame
        `model, depth, opinion, thresholds` (an error: less is better).
    seed : int
        Of the draws.

    Returns
    -------
    rho, low, high : float
        Spearman's correlation of what is left of opinion and of minus thresholds when a straight
        line in each fifth of the depth is taken off; 95 % percentiles over draws of whole models,
        NaN with fewer than 6 models. Positive: layers that follow opinions see like people.
    """
    table = table[table["depth"].notna()]
    rng = np.random.default_rng(seed)
    groups = [rows for _, rows in table.groupby("model", sort=True)]
    rho = _partial(table)
    if len(groups) < _FEWEST_MODELS:
        return rho, np.nan, np.nan
    draws = [
        _partial(pd.concat([groups[i] for i in rng.integers(len(groups), size=len(groups))]))
        for _ in range(_DRAWS)
    ]
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return rho, float(low), float(high)


def _residual(values: pd.Series, depth: pd.Series) -> np.ndarray:
    """Return what is left of values when a straight line over depth is taken off."""
    x, y = depth - depth.mean(), values - values.mean()
    square = float((x**2).sum())
    return (y - x * (float((x * y).sum()) / square if square > 0 else 0.0)).to_numpy()


def _partial(table: pd.DataFrame) -> float:
    place = np.digitize(table["depth"], _DEPTHS)
    parts = [
        pd.DataFrame({name: _residual(rows[name], rows["depth"]) for name in _ANSWERS})
        for _, rows in table.groupby(place)
    ]
    left = pd.concat(parts).round(12)
    if left["opinion"].nunique() < 3 or left["thresholds"].nunique() < 3:
        return np.nan
    return float(spearmanr(left["opinion"], -left["thresholds"]).statistic)


def _ceiling(layers: pd.DataFrame, dataset: str) -> float:
    rows = layers[
        (layers["dataset"] == dataset) & (layers["kind"] == "ceiling")
        & (layers["direction"] == "all") & (layers["statistic"] == "rmse_db")
    ]  # fmt: skip
    return float(rows["value"].iloc[0]) if len(rows) else np.nan


def _words(table: pd.DataFrame, view: View, name: str) -> str:
    rho, low, high = within_depth(table)
    models = table.loc[table["depth"].notna(), "model"].nunique()
    said = f"Over {models} networks, within fifths of the depth, the rank correlation of the two "
    said += f"answers is {rho:+.2f}" if np.isfinite(rho) else "answers can't be told"
    if np.isfinite(low):
        said += f" (95 % over models: {low:+.2f} to {high:+.2f})"
    elif np.isfinite(rho):
        said += f" (no interval: fewer than {_FEWEST_MODELS} models)"
    return (
        f"{said}; positive: layers that follow opinions see like people. Distance: "
        f"{style.rule(view)} Thresholds: {name}, each study by a criterion fitted to the others; "
        "less error is up and to the right. Larger dots: deeper layers. Dotted: metrics; dashed, "
        "open: untrained."
    )


def _blocks(
    names: list[str], height: float, labels: Labels, settings: FigureSettings
) -> tuple[Figure, dict[str, tuple[Any, Any]]]:
    """Return a figure with a block for each name, and what writes the notes under it."""
    notes = 20.0
    heights = [part for _ in names for part in (height, notes)]
    figure = Figure(figsize=(settings.width_mm * MM, sum(heights) * MM), layout="constrained")
    made: Any = figure.subfigures(len(heights), 1, height_ratios=heights, hspace=0)
    bodies: dict[str, tuple[Any, Any]] = {}
    for i, name in enumerate(names):
        body, foot = made[2 * i], made[2 * i + 1]
        if len(names) > 1:
            body.suptitle(name, x=0.01, ha="left", fontweight="bold")
        label = " ".join(text for part in name.split(" and ") if (text := labels.get(part)))

        def write(text: str, foot: Any = foot, label: str = label) -> None:
            text = wrap(f"{label} {text}".strip(), settings.width_mm - 6)
            foot.text(0.01, 0.98, text, va="top", fontsize=style.SMALL, color=style.MUTED)

        bodies[name] = (body, write)
    return figure, bodies
