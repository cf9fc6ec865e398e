"""Contrast sensitivity of layers and metrics beside people's."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from dissect_iqa.baselines.names import BASELINES
from dissect_iqa.datasets.thresholds.table import DIRECTIONS
from dissect_iqa.figures import style
from dissect_iqa.figures.names import display
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.thresholds.find_thresholds import closeness

#: Networks whose sensitivity is drawn: those that are closest to people, at their closest layer.
_NETWORKS = 3
_DASHES: tuple[Any, ...] = (
    "-",
    (0, (4, 1.2)),
    (0, (1.2, 1)),
    (0, (4, 1, 1, 1)),
    (0, (7, 1.5)),
    (0, (2, 2)),
    "-",
)


def draw_sensitivity(
    layers: pd.DataFrame,
    stimuli: pd.DataFrame,
    label: str | None = None,
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw contrast sensitivity over frequency: people's, of networks and of a metric.

    Parameters
    ----------
    layers, stimuli : DataFrame
        What `dissect_iqa.thresholds.find_thresholds.find_thresholds` returned of one data set.
    label : str, optional
        A notice that must accompany the results.
    settings : FigureSettings, optional
        Look and choices.
    """
    settings = settings or FigureSettings()
    distance = _distance(layers)
    shown = _shown(layers, distance)
    figure, body = style.sheet(78.0, [_notes(stimuli, distance)], label, settings)
    drawn = [d for d in DIRECTIONS if (stimuli["direction"] == d).any()]
    parts: Any = body.subplots(1, len(drawn), sharey=True)
    looks = dict(zip(shown, style.colours(len(shown), settings), strict=True))
    people = stimuli.drop_duplicates("stimulus")
    for axes, direction in zip(np.atleast_1d(parts), drawn, strict=True):
        _sensitivity(axes, people[people["direction"] == direction], "people", style.INK, True)
        for (who, colour), dashes in zip(looks.items(), _DASHES, strict=False):
            rows = stimuli[(stimuli["model"] == who) & (stimuli["direction"] == direction)]
            rows = rows[(rows["kind"] == "metric") | (rows["distance"] == distance)]
            _sensitivity(axes, rows, "found", colour, False, dashes)
        axes.set_title(direction)
        axes.set_xlabel("cycles per degree")
    np.atleast_1d(parts)[0].set_ylabel("contrast sensitivity (1 / cone contrast)")
    handles = [Line2D([], [], color=style.INK, marker="o", markersize=3, label="people")]
    handles += [
        Line2D([], [], color=colour, linestyle=dashes, label=_title(who, shown[who]))
        for (who, colour), dashes in zip(looks.items(), _DASHES, strict=False)
    ]
    style.legend(body, handles, settings)
    return figure


def _notes(stimuli: pd.DataFrame, distance: str) -> str:
    people = stimuli.drop_duplicates("stimulus")
    return (
        f"{people['study'].nunique()} studies, {len(people)} stimuli. Dots: people's thresholds; "
        "lines: geometric means an octave of frequency, over the same stimuli. "
        f"The {_NETWORKS} networks closest to people, each at its closest layer "
        f"({display(distance)}), the closest metric and PSNR; of each, one criterion for "
        "all stimuli of all colour directions. Uniform patches (0 cycles) stand at the left."
    )


def _sensitivity(
    axes: Axes, rows: pd.DataFrame, column: str, colour: Any, dots: bool, dashes: Any = "-"
) -> None:
    axes.set_xscale("log", base=2)
    style.log_axis(axes.yaxis, 10.0 ** -rows[column].to_numpy(float))
    ticks = (0.25, 1, 4, 16)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    if rows.empty:
        return
    x = rows["frequency"].to_numpy().clip(0.125)
    y = -rows[column].to_numpy(np.float64)
    if dots:
        axes.plot(x, 10**y, "o", color=colour, markersize=1.8, alpha=0.35, markeredgewidth=0)
    octave = np.round(np.log2(x))
    means = pd.DataFrame({"octave": octave, "y": y}).groupby("octave")["y"].agg(["mean", "size"])
    axes.plot(2.0**means.index, 10 ** means["mean"], color=colour, linestyle=dashes,
              linewidth=1.6 if dots else 1.1)  # fmt: skip
    axes.grid(color=style.HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)


def _shown(layers: pd.DataFrame, distance: str) -> dict[str, pd.Series]:
    """Return who is drawn, with the row of the layer: the closest networks, a metric, PSNR."""
    main = closeness(layers)
    networks = main[(main["kind"] == "network") & (main["distance"] == distance)]
    metrics = main[main["kind"] == "metric"]
    anchors = metrics[metrics["model"].map(_sees).astype(bool)]
    metrics = metrics.drop(anchors.index)
    chosen = networks.drop_duplicates("model").head(_NETWORKS)
    others = pd.concat([metrics.head(1), metrics[metrics["model"] == "psnr"], anchors])
    rows = pd.concat([chosen, others.drop_duplicates("model")])
    return {str(row["model"]): row for _, row in rows.iterrows()}


def _title(name: str, row: pd.Series) -> str:
    if row["kind"] == "metric":
        anchor = " (upper anchor: people’s sensitivity inside)" if _sees(name) else ""
        return display(name, baseline=True) + anchor
    return f"{name} (depth {row['depth']:.2f})"


def _sees(name: str) -> bool:
    """Tell whether a metric was found from such thresholds."""
    return name in BASELINES and BASELINES[name].sees


def _distance(layers: pd.DataFrame) -> str:
    """Return the distance whose models, at their closest layers, are closest to people."""
    main = closeness(layers)
    networks = main[main["kind"] == "network"].drop_duplicates(["distance", "model"])
    medians = networks.groupby("distance", sort=True)["value"].median()
    return str(medians.idxmin()) if len(medians) else ""
