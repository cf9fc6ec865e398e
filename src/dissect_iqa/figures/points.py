"""What dot plots share: which colour and marker a model or metric gets, and the legend for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from dissect_iqa.figures import style
from dissect_iqa.figures.select import View
from dissect_iqa.figures.settings import FigureSettings

#: As many functions as get a colour of their own; the rest share one.
MOST_FUNCTIONS = 7


@dataclass(frozen=True)
class Functions:
    """The colours of the functions that the models of a figure were trained for.

    Attributes
    ----------
    of : mapping of str to str
        Each model's function as the legend has it; ``untrained`` for untrained models.
    colours : mapping of str to colour
        By function, in the order of the legend.
    """

    of: Mapping[str, str]
    colours: Mapping[str, Any]


def functions(view: View, settings: FigureSettings) -> Functions:
    """Give each function its colour, the most frequent ones first; untrained models are dark."""
    groups = view.models["group"]
    of = {
        name: "untrained" if view.untrained(name) else group
        for name, group in zip(view.models.index, groups, strict=True)
    }
    counts = pd.Series(list(of.values()), dtype=str).value_counts(sort=False)
    counts = counts.drop("untrained", errors="ignore").sort_values(ascending=False, kind="stable")
    kept = list(counts.index[:MOST_FUNCTIONS])
    of = {
        name: group if group in (*kept, "untrained") else "other functions"
        for name, group in of.items()
    }
    palette = dict(zip(kept, style.colours(len(kept), settings), strict=True))
    if len(counts) > len(kept):
        palette["other functions"] = style.MUTED
    if "untrained" in of.values():
        palette["untrained"] = style.INK
    return Functions(of, palette)


def draw_point(
    axes: Axes,
    row: Any,
    y: float,
    look: Functions,
    intervals: bool,
) -> None:
    """Draw one value with its interval: filled for trained, open for untrained, grey diamond for
    a classic metric.
    """  # noqa: D205
    group = look.of.get(row.model)
    colour = look.colours[group] if group else style.MUTED
    if intervals and np.isfinite(row.low) and np.isfinite(row.high):
        axes.plot([row.low, row.high], [y, y], color=colour, linewidth=1.0, zorder=2)
    axes.plot(
        row.value,
        y,
        "o" if group else "D",
        color=colour,
        markerfacecolor="white" if group == "untrained" else colour,
        markersize=4.2 if group else 3.6,
        markeredgewidth=0.9,
        zorder=3,
    )


def legend_handles(look: Functions, baselines: bool) -> list[Line2D]:
    """Return the legend's entries: functions, untrained, classic metrics."""
    handles = [
        Line2D(
            [],
            [],
            linestyle="",
            marker="o",
            color=colour,
            markerfacecolor="white" if name == "untrained" else colour,
            markeredgewidth=0.9,
            label=name,
        )
        for name, colour in look.colours.items()
    ]
    if baselines:
        handles.append(
            Line2D(
                [],
                [],
                linestyle="",
                marker="D",
                color=style.MUTED,
                markersize=3.6,
                label="classic metric",
            )
        )
    return handles


def value_limits(frames: list[pd.DataFrame], ceiling: float | None) -> tuple[float, float]:
    """Return limits that hold all values and intervals of the frames, and the ceiling."""
    numbers = np.concatenate(
        [frame[name].to_numpy(dtype=float) for frame in frames for name in ("value", "low", "high")]
        + [np.array([np.nan if ceiling is None else ceiling])]
    )
    numbers = numbers[np.isfinite(numbers)]
    margin = 0.03 * max(np.ptp(numbers), 0.1)
    return max(numbers.min() - margin, -1.02), min(numbers.max() + margin, 1.02)


def finish_value_axis(axes: Axes, limits: tuple[float, float]) -> None:
    """Give a horizontal axis of values its limits, light vertical grid and zero line."""
    axes.set_xlim(*limits)
    axes.grid(axis="x", color=style.HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    if limits[0] < 0 < limits[1]:
        axes.axvline(0, color=style.MUTED, linewidth=0.6, zorder=1)
