"""Who beats whom: a matrix of the paired tests on a data set."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dissect_iqa.baselines.names import BASELINES
from dissect_iqa.correlation.hold_contests import beats
from dissect_iqa.figures import style
from dissect_iqa.figures.labels import MM, fit, text_width, wrap
from dissect_iqa.figures.settings import FigureSettings

#: Names that fit a page; of more, those with most victories are shown.
MOST = 60
#: Largest side of a cell in millimetres; with many names they get smaller.
CELL = 5.0


def draw_contests(
    contests: Mapping[str, pd.DataFrame],
    labels: Mapping[str, str | None],
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw, for each data set, whether the row beats the column.

    Parameters
    ----------
    contests : mapping of str to DataFrame
        By data set, what `hold_contests` returned, with a column `distance`.
    labels : mapping of str to str or None
        By data set, a notice that must accompany its results.
    settings : FigureSettings, optional
        Look and choices.
    """
    settings = settings or FigureSettings()
    shown = {name: table for name, table in contests.items() if len(table)}
    if not shown:
        text = "No two networks or metrics met on a data set whose pictures were rated."
        return style.statement(text, None, settings)
    heads = {name: _head(name, table, labels, settings) for name, table in shown.items()}
    sizes = {name: _size(table, settings) for name, table in shown.items()}
    heights = [part for name in shown for part in (sizes[name], _lines(heads[name]))]
    figure = Figure(figsize=(settings.width_mm * MM, sum(heights) * MM), layout="constrained")
    made: Any = figure.subfigures(len(heights), 1, height_ratios=heights, hspace=0)
    parts = np.atleast_1d(made)
    for i, (name, table) in enumerate(shown.items()):
        _draw(parts[2 * i].subplots(), table, settings)
        handles = _legend(settings)
        parts[2 * i].legend(handles=handles, loc="outside lower center", ncols=len(handles))
        parts[2 * i + 1].text(
            0.01, 0.98, heads[name], va="top", fontsize=style.SMALL, color=style.MUTED
        )
    return figure


def _matrix(table: pd.DataFrame) -> pd.DataFrame:
    matrix = beats(table)
    return matrix.iloc[:MOST, :MOST]


def _name(name: str) -> str:
    return style.display(name, baseline=True) if name in BASELINES else name


def _cell(count: int, margin: float, settings: FigureSettings) -> float:
    return min(CELL, (settings.width_mm - margin - 8) / count)


def _margin(names: list[str]) -> float:
    """Return the room for the longest name, in millimetres."""
    return max(text_width(_name(name), style.TINY) for name in names) / 72 * 25.4 + 2


def _size(table: pd.DataFrame, settings: FigureSettings) -> float:
    names = list(_matrix(table).index)
    margin = _margin(names)
    return margin + _cell(len(names), margin, settings) * len(names) + 12


def _head(
    name: str, table: pd.DataFrame, labels: Mapping[str, str | None], settings: FigureSettings
) -> str:
    first = table.iloc[0]
    count = len({*table["first"], *table["second"]})
    sentences = [
        labels.get(name) or "",
        f"{name}: {first['n']} pairs, {first['references']} references.",
        f"Distance: {style.display(str(first['distance']))}.",
        f"{first['statistic'].upper()}, paired jackknife over references, Holm's correction over "
        f"{len(table)} contests.",
        f"{MOST} of {count} competitors." if count > MOST else "",
    ]
    return wrap(" ".join(text for text in sentences if text), settings.width_mm - 6)


def _lines(text: str) -> float:
    return 3.1 * (text.count("\n") + 1) + 1.5


def _colours(settings: FigureSettings) -> tuple[str, str]:
    """Return the colours of victory and defeat."""
    if settings.palette == "grey":
        return "#222222", "#9a9a9a"
    return style.colours(2, settings)[0], style.colours(2, settings)[1]


def _draw(axes: Axes, table: pd.DataFrame, settings: FigureSettings) -> None:
    matrix = _matrix(table)
    names = list(matrix.index)
    margin = _margin(names)
    # marker sizes are in points: 0.62 of a cell
    side = 0.62 * _cell(len(names), margin, settings) / 25.4 * 72
    won, lost = _colours(settings)
    looks: tuple[tuple[float, dict[str, Any]], ...] = (
        (1.0, {"marker": "s", "s": side**2, "color": won, "linewidths": 0}),
        (-1.0, {"marker": "s", "s": (0.8 * side) ** 2, "facecolors": "none", "edgecolors": lost}),
        (0.0, {"marker": "o", "s": (0.22 * side) ** 2, "color": style.MUTED, "linewidths": 0}),
    )
    for value, look in looks:
        y, x = np.nonzero(matrix.to_numpy() == value)
        axes.scatter(x, y, **({"linewidths": 0.6} | look))
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_aspect("equal")
    texts = [fit(_name(name), 60, style.TINY) for name in names]
    axes.set_yticks(range(len(names)), texts, fontsize=style.TINY)
    axes.set_xticks(range(len(names)), texts, fontsize=style.TINY, rotation=90)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(color=style.HAIRLINE, linewidth=0.4)


def _legend(settings: FigureSettings) -> list[Line2D]:
    won, lost = _colours(settings)
    common: dict[str, Any] = {"linestyle": "none"}
    return [
        Line2D([], [], marker="s", color=won, label="row beats column", **common),
        Line2D([], [], marker="s", mfc="none", mec=lost, label="row is beaten", **common),
        Line2D([], [], marker="o", ms=2, color=style.MUTED, label="can’t be told", **common),
    ]
