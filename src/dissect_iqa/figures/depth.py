"""Correlation against relative depth: where in the networks people's opinions are met."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D

from dissect_iqa.baselines.names import BASELINES
from dissect_iqa.figures import style
from dissect_iqa.figures.labels import POINTS, fit, label_lines, text_width
from dissect_iqa.figures.select import Label, View, twins, views
from dissect_iqa.figures.settings import FigureSettings

#: As many models as one panel can hold and a reader can tell apart.
MOST_IN_A_PANEL = 8
#: As many metrics as can be labelled beside the networks of a panel.
MOST_LEVELS = 6
#: As many lines as can be labelled beside a facet, next to the baselines.
MOST_IN_A_FACET = 6
PANEL_HEIGHT, FACET_HEIGHT = 44.0, 40.0


@dataclass(frozen=True)
class LineStyle:
    """How one model is drawn, the same in every panel of a figure."""

    colour: Any
    marker: str
    dashed: bool


def draw_depth(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    label: Label = None,
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw correlation against relative depth, one line a model.

    While a panel can hold all models there is one panel a distance. With more models the panels
    are groups of models (see `FigureSettings.facet`) under one distance, with all other models
    in light grey behind.

    Parameters
    ----------
    correlations, models, label
        See `dissect_iqa.figures.select.views`.
    settings : FigureSettings, optional
        Look and choices.

    Raises
    ------
    UserError
        See `dissect_iqa.figures.select.views`.
    """
    settings = settings or FigureSettings()
    blocks = views(correlations, models, label, settings)
    if not any(len(_with_depth(view.layers)) for view in blocks):
        text = "No network layer has a correlation, so there is nothing to draw against depth."
        return style.statement(text, blocks[0].label if blocks else None, settings)
    return style.compose(
        blocks,
        lambda view: _height(view, settings),
        lambda body, view: _draw(body, view, settings),
        lambda view: _notes(view, settings),
        settings,
    )


def line_styles(view: View, ids: Sequence[str], settings: FigureSettings) -> dict[str, LineStyle]:
    """Give each model its colour and marker; an untrained model is its first twin's, dashed."""
    leaders = {name: group.trained[0] for group in twins(view) for name in group.untrained}
    keys = {name: leaders.get(name, name) for name in ids}
    order = list(dict.fromkeys(keys.values()))
    palette = dict(zip(order, style.colours(len(order), settings), strict=True))
    return {
        name: LineStyle(
            palette[key],
            style.MARKERS[order.index(key) % len(style.MARKERS)],
            view.untrained(name),
        )
        for name, key in keys.items()
    }


def draw_line(
    axes: Axes, rows: pd.DataFrame, look: LineStyle, intervals: bool, zorder: float = 3
) -> None:
    """Draw one model's profile with its interval as a light band and its best layer marked."""
    rows = _with_depth(rows).sort_values("depth", kind="stable")
    if rows.empty:
        return
    depth, value = rows["depth"].to_numpy(), rows["value"].to_numpy()
    low, high = rows["low"].to_numpy(dtype=float), rows["high"].to_numpy(dtype=float)
    if intervals and np.isfinite(low).any():
        axes.fill_between(
            depth, low, high, color=look.colour, alpha=0.09, linewidth=0, zorder=zorder - 1
        )
    line = (0, (3.2, 1.4)) if look.dashed else "-"
    axes.plot(depth, value, color=look.colour, linestyle=line, zorder=zorder)
    best = int(np.argmax(value))
    axes.plot(
        depth[best],
        value[best],
        look.marker,
        color=look.colour,
        markerfacecolor="white" if look.dashed else look.colour,
        markeredgewidth=0.9,
        zorder=zorder + 1,
    )


def levels(view: View) -> pd.DataFrame:
    """Return the metrics that are drawn as lines: all, if few; else the best, and the rivals.

    Rivals are those that the paper compares with, one a family: its better form.
    """
    metrics = view.baselines
    if len(metrics) <= MOST_LEVELS:
        return metrics
    known = [BASELINES.get(name) for name in metrics["model"]]
    family = [(metric.family or metric.title) if metric else "" for metric in known]
    rival = pd.Series([bool(metric and metric.rival) for metric in known], index=metrics.index)
    first = rival & ~pd.Series(family, index=metrics.index).where(rival).duplicated()
    first.iloc[0] = True  # the best of all
    return metrics[first].head(MOST_LEVELS)


def draw_levels(axes: Axes, view: View) -> list[tuple[float, str, Any]]:
    """Draw baselines and noise ceiling as horizontal lines; return what their labels need."""
    labels: list[tuple[float, str, Any]] = []
    for row in levels(view).itertuples():
        axes.axhline(row.value, color=style.MUTED, linewidth=0.7, linestyle=(0, (1, 1.6)), zorder=2)
        labels.append((row.value, style.display(row.distance, baseline=True), style.MUTED))
    if view.ceiling is not None:
        axes.axhline(view.ceiling, color=style.INK, linewidth=0.8, zorder=2)
        labels.append((view.ceiling, "noise ceiling", style.INK))
    return labels


def correlation_limits(view: View, rows: pd.DataFrame, intervals: bool) -> tuple[float, float]:
    """Return limits that hold every value and nearly all of the intervals, with a small margin."""
    values = np.concatenate([rows["value"], levels(view)["value"], [view.ceiling or np.nan]])
    low, high = np.nanmin(values), np.nanmax(values)
    if intervals:
        # one very wide interval must not squeeze all lines together
        lows, highs = rows["low"].dropna(), rows["high"].dropna()
        low = min(low, lows.quantile(0.02)) if len(lows) else low
        high = max(high, highs.quantile(0.98)) if len(highs) else high
    margin = 0.04 * max(high - low, 0.1)
    return max(low - margin, -1.02), min(high + margin, 1.02)


def finish_depth_axes(axes: Axes, limits: tuple[float, float]) -> None:
    """Give an axes of correlation against depth its limits, ticks, grid and zero line."""
    axes.set_xlim(0, 1.015)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
    axes.set_ylim(*limits)
    axes.grid(axis="y", color=style.HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)
    if limits[0] < 0 < limits[1]:
        axes.axhline(0, color=style.MUTED, linewidth=0.6, zorder=1)


def facets(view: View, settings: FigureSettings) -> list[tuple[str, list[str]]]:
    """Group the models into panels of at most `MOST_IN_A_FACET`.

    Groups too large for a panel are cut, families kept together; groups of one or two models
    share a panel.
    """
    table, factor = view.models, _factor(settings)
    if factor == "function":
        key = table["group"]
        key = key.where([not view.untrained(name) for name in table.index], "untrained")
    else:
        key = table[factor].astype(str).str.strip().replace("", "not stated")
    large: list[tuple[str, list[str]]] = []
    small: list[tuple[str, list[str]]] = []
    for name, rows in table.groupby(key, sort=False):
        ids = list(rows.sort_values("family", kind="stable").index)
        if len(ids) <= 2:
            small.append((str(name), ids))
            continue
        parts = int(np.ceil(len(ids) / MOST_IN_A_FACET))
        for i, part in enumerate(np.array_split(np.array(ids, dtype=object), parts)):
            title = f"{name} ({i + 1} of {parts})" if parts > 1 else str(name)
            large.append((title, list(part)))
    shared: list[tuple[list[str], list[str]]] = []
    for name, ids in small:
        titles, members = shared[-1] if shared else ([], [])
        full = len(members) + len(ids) > MOST_IN_A_FACET
        wide = text_width(", ".join([*titles, name]), 8.0) > (settings.width_mm / 2 - 11) * POINTS
        if not shared or full or wide:
            shared.append(([name], list(ids)))
        else:
            titles.append(name)
            members.extend(ids)
    return large + [(", ".join(names), ids) for names, ids in shared]


def _with_depth(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["depth"].notna()]


def _profiled(view: View) -> list[str]:
    """Return the distances of single layers; one over several has no depth."""
    return list(dict.fromkeys(_with_depth(view.layers)["distance"]))


def _by_distance(view: View, settings: FigureSettings) -> bool:
    return settings.facet == "auto" and len(view.models) <= MOST_IN_A_PANEL


def _factor(settings: FigureSettings) -> str:
    return "function" if settings.facet == "auto" else settings.facet


def _height(view: View, settings: FigureSettings) -> float:
    if not len(_with_depth(view.layers)):
        return 20.0
    if _by_distance(view, settings):
        entries = int(np.ceil((len(view.models) + 1) / 4))
        return PANEL_HEIGHT * _grid(len(_profiled(view)), 3)[0] + 4.0 + 4.0 * entries
    return FACET_HEIGHT * _grid(len(facets(view, settings)), 2)[0] + 4.0


def _grid(count: int, columns: int) -> tuple[int, int]:
    # four panels stand better as two by two than as three and one
    columns = 2 if count == 4 else min(columns, count)
    return int(np.ceil(count / columns)), columns


def _notes(view: View, settings: FigureSettings) -> list[str]:
    if not len(_with_depth(view.layers)):
        return []
    notes = []
    if not _by_distance(view, settings):
        notes.append("Distance: " + style.rule(view))
        notes.append("Grey: all other models.")
    notes.append("Marker: best layer.")
    if any(view.untrained(name) for name in view.models.index):
        notes.append("Dashed, open marker: untrained.")
    if settings.intervals:
        notes += style.interval_note(view, "Bands")
    drawn, metrics = len(levels(view)), len(view.baselines)
    if drawn < metrics:
        notes.append(f"Dotted: {drawn} of {metrics} metrics, the best and the usual rivals.")
    elif drawn:
        notes.append("Dotted: classic metrics.")
    return notes


def _draw(body: FigureBase, view: View, settings: FigureSettings) -> None:
    if not len(_with_depth(view.layers)):
        style.say(body, "No network layer has a correlation on this data set.")
    elif _by_distance(view, settings):
        _draw_distances(body, view, settings)
    else:
        _draw_facets(body, view, settings)


def _panels(body: FigureBase, count: int, columns: int) -> list[Axes]:
    rows, columns = _grid(count, columns)
    grid = body.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for spare in grid[count:]:
        spare.remove()
    for axes in grid[max(count - columns, 0) : count]:
        axes.tick_params(labelbottom=True)
    return list(grid[:count])


def _draw_distances(body: FigureBase, view: View, settings: FigureSettings) -> None:
    looks = line_styles(view, list(view.models.index), settings)
    limits = correlation_limits(view, view.layers, settings.intervals)
    distances = _profiled(view)
    columns = _grid(len(distances), 3)[1]
    panels = _panels(body, len(distances), 3)
    for i, (axes, distance) in enumerate(zip(panels, distances, strict=True)):
        rows = view.at(distance)
        for name, look in looks.items():
            draw_line(axes, rows[rows["model"] == name], look, settings.intervals)
        labels = draw_levels(axes, view)
        finish_depth_axes(axes, limits)
        axes.set_title(style.display(distance))
        if i % columns == columns - 1:
            label_lines(axes, labels, PANEL_HEIGHT - 10, style.TINY)
    for axes in panels[-columns:]:
        axes.set_xlabel("Relative depth")
    body.supylabel(style.statistic_label(view), fontsize="medium")
    handles = [_handle(name, look) for name, look in looks.items()]
    style.legend(body, handles, settings)


def _draw_facets(body: FigureBase, view: View, settings: FigureSettings) -> None:
    groups = facets(view, settings)
    rows = view.at(view.distance)
    shown = rows[rows["model"].isin([name for _, ids in groups for name in ids])]
    limits = correlation_limits(view, shown, False)
    panels = _panels(body, len(groups), 2)
    for axes, (title, ids) in zip(panels, groups, strict=True):
        for _, line in _with_depth(rows[~rows["model"].isin(ids)]).groupby("model"):
            axes.plot(line["depth"], line["value"], color=style.CONTEXT, linewidth=0.5, zorder=1)
        looks = line_styles(view, ids, settings)
        labels = draw_levels(axes, view)
        for name, look in looks.items():
            line = rows[rows["model"] == name]
            draw_line(axes, line, look, settings.intervals)
            ends = _with_depth(line)["value"]
            if len(ends):
                labels.append((float(ends.iloc[-1]), name, look.colour))
        finish_depth_axes(axes, limits)
        axes.set_title(fit(title, settings.width_mm / 2 - 11, 8.0))
        label_lines(axes, labels, FACET_HEIGHT - 8, style.TINY)
    for axes in panels[-2:]:
        axes.set_xlabel("Relative depth")
    body.supylabel(style.statistic_label(view), fontsize="medium")


def _handle(name: str, look: LineStyle) -> Line2D:
    return Line2D(
        [],
        [],
        color=look.colour,
        linestyle=(0, (3.2, 1.4)) if look.dashed else "-",
        marker=look.marker,
        markerfacecolor="white" if look.dashed else look.colour,
        markeredgewidth=0.9,
        label=name,
    )
