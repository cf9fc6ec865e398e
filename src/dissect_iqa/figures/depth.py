"""Correlation against relative depth: where in the networks people's opinions are met."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D

from dissect_iqa.baselines.names import BASELINES
from dissect_iqa.figures import looks, style
from dissect_iqa.figures.functions import FUNCTIONS
from dissect_iqa.figures.labels import POINTS, fit, label_places, text_width
from dissect_iqa.figures.looks import Look, Looks
from dissect_iqa.figures.names import display
from dissect_iqa.figures.select import View, view_of
from dissect_iqa.figures.settings import FigureSettings

#: As many metrics as are drawn as levels.
MOST_LEVELS = 6
#: As many lines as can be labelled beside a panel.
MOST_IN_A_PANEL = 6
#: A panel's height, and what all of them may take together; in millimetres.
PANEL_HEIGHT, _PAGE = 46.0, 215.0
#: Of a panel's width, the least that its axes take, and what a name's sample line takes.
_AXES, _SAMPLE = 30.0, 7.0
_DASHES: tuple[Any, ...] = (
    "-",
    (0, (4, 1.2)),
    (0, (1.2, 1)),
    (0, (4, 1, 1, 1)),
    (0, (7, 1.5)),
    (0, (2, 2)),
)
_LEVELS: tuple[Any, ...] = (
    (0, (1, 1)),
    (0, (1, 2.5)),
    (0, (5, 1.5)),
    (0, (3, 1, 1, 1)),
    (0, (6, 3)),
    (0, (2, 1)),
)


@dataclass(frozen=True)
class Panel:
    """One panel: its title, and the lines that are labelled in it, by what they are called."""

    title: str
    lines: Mapping[str, pd.DataFrame]


def draw_depth(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    label: str | None = None,
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw correlation against relative depth: a line a network, a panel a family.

    Parameters
    ----------
    correlations : DataFrame
        Those of one data set; see `dissect_iqa.figures.select.views`.
    models, label
        See `dissect_iqa.figures.select.views`.
    settings : FigureSettings, optional
        Look and choices; `facet` says what the panels stand for.

    Raises
    ------
    UserError
        See `dissect_iqa.figures.select.views`.
    """
    settings = settings or FigureSettings()
    view = view_of(correlations, models, label, settings)
    if not len(with_depth(view.layers)):
        text = "No network layer has a correlation, so there is nothing to draw against depth."
        return style.statement(text, label, settings)
    panels = panels_of(view, settings)
    columns = _columns(panels, settings)
    rows = -(-len(panels) // columns)
    height = min(PANEL_HEIGHT, _PAGE / rows)
    figure, body = style.sheet(height * rows + 16.0, _notes(view, settings), label, settings)
    _draw(body, view, panels, columns, height, settings)
    return figure


def draw_line(
    axes: Axes, rows: pd.DataFrame, look: Look, intervals: bool, dashes: Any = "-"
) -> None:
    """Draw one network's profile with its interval as a light band and its best layer marked."""
    rows = with_depth(rows).sort_values("depth", kind="stable")
    if rows.empty:
        return
    depth, value = rows["depth"].to_numpy(), rows["value"].to_numpy()
    low, high = rows["low"].to_numpy(dtype=float), rows["high"].to_numpy(dtype=float)
    if intervals and np.isfinite(low).any():
        axes.fill_between(depth, low, high, color=look.colour, alpha=0.09, linewidth=0, zorder=2)
    axes.plot(depth, value, color=look.colour, linestyle=dashes, zorder=3)
    best = int(np.argmax(value))
    looks.draw_point(axes, float(depth[best]), float(value[best]), look)


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


def draw_levels(axes: Axes, view: View) -> list[Line2D]:
    """Draw metrics and noise ceiling as horizontal lines; return their legend, with values."""
    handles = []
    for dashes, row in zip(_LEVELS, levels(view).itertuples(), strict=False):
        drawn: dict[str, Any] = {"color": style.MUTED, "linewidth": 0.9, "linestyle": dashes}
        axes.axhline(row.value, zorder=2, **drawn)
        title = display(str(row.model), baseline=True)
        handles.append(Line2D([], [], label=f"{title} {style.number(row.value)}", **drawn))
    if view.ceiling is not None:
        drawn = {"color": style.INK, "linewidth": 0.8}
        axes.axhline(view.ceiling, zorder=2, **drawn)
        said = f"noise ceiling {style.number(view.ceiling)}"
        handles.append(Line2D([], [], label=said, **drawn))
    return handles


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


def label_samples(
    axes: Axes, entries: Sequence[tuple[float, str, Look, Any]], height: float, width: float
) -> None:
    """Write names to the right of the axes, in the order of their lines' ends, each with a sample.

    Parameters
    ----------
    axes : Axes
        With its final limits.
    entries : sequence of (float, str, Look, dashes)
        Where a line ends, what it is called, how it is drawn.
    height, width : float
        Height of the axes (roughly), and room for samples and names, in millimetres.
    """
    places = label_places(axes, [end for end, *_ in entries], height, style.SMALL)
    for (_, name, look, dashes), place in zip(entries, places, strict=True):
        beside = axes.get_yaxis_transform()
        sample = Line2D([1.03, 1.14], [place, place], color=look.colour, linestyle=dashes)
        sample.set(transform=beside, clip_on=False)
        axes.add_artist(sample)
        axes.text(
            1.16, place, fit(name, width - _SAMPLE, style.SMALL), transform=beside, va="center",
            fontsize=style.SMALL,
        )  # fmt: skip


def panels_of(view: View, settings: FigureSettings) -> list[Panel]:
    """Return what each panel shows: at most `MOST_IN_A_PANEL` networks of a group.

    Large groups are cut, functions kept together; groups of one or two networks share a panel.
    """
    if settings.facet == "distance":
        profiled = dict.fromkeys(with_depth(view.layers)["distance"])
        return [Panel(display(name), _lines(view.at(name))) for name in profiled]
    rows, table = _lines(view.at(view.distance)), view.models
    table = table[table.index.isin(rows)]
    of = looks.looks(table, settings).of
    if settings.facet == "function":
        key = pd.Series(of).reindex(table.index)
    else:
        key = table[settings.facet].astype(str).str.strip().replace("", "not stated")
    order = list(FUNCTIONS)
    large: list[tuple[str, list[str]]] = []
    small: list[tuple[str, list[str]]] = []
    for name, members in table.groupby(key, sort=False):
        ids = sorted(members.index, key=lambda id: order.index(of[id]))
        if len(ids) <= 2:
            small.append((str(name), ids))
            continue
        parts = _cut(ids, of)
        titles = [
            f"{name}, {', '.join(dict.fromkeys(of[id] for id in part))}" if len(parts) > 1
            else str(name)
            for part in parts
        ]  # fmt: skip
        for i, (title, part) in enumerate(zip(titles, parts, strict=True)):
            same = titles.count(title)
            which = f" ({titles[: i + 1].count(title)} of {same})" if same > 1 else ""
            large.append((title + which, part))
    shared: list[tuple[list[str], list[str]]] = []
    room = (settings.width_mm / 3 - 8) * POINTS
    for name, ids in small:
        titles, members = shared[-1] if shared else ([], [])
        full = len(members) + len(ids) > MOST_IN_A_PANEL
        wide = text_width(", ".join([*titles, name]), 8.0) > room
        if not shared or full or wide:
            shared.append(([name], list(ids)))
        else:
            titles.append(name)
            members.extend(ids)
    groups = large + [(", ".join(titles), ids) for titles, ids in shared]
    return [Panel(title, {id: rows[id] for id in ids}) for title, ids in groups]


def with_depth(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of single layers; several taken together have no depth."""
    return rows[rows["depth"].notna()]


def _lines(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    groups = with_depth(rows).groupby("model", sort=False)
    return {str(name): line for name, line in groups}


def _cut(ids: list[str], of: Mapping[str, str]) -> list[list[str]]:
    """Cut networks, sorted by function, into parts; a function of three or more stays by itself."""
    if len(ids) <= MOST_IN_A_PANEL:
        return [ids]
    rest: list[str] = []
    parts: list[list[str]] = []
    for function in dict.fromkeys(of[id] for id in ids):
        own = [id for id in ids if of[id] == function]
        if len(own) <= 2:
            rest += own
            continue
        count = -(-len(own) // MOST_IN_A_PANEL)
        parts += [list(part) for part in np.array_split(np.array(own, dtype=object), count)]
    if rest:
        count = -(-len(rest) // MOST_IN_A_PANEL)
        parts += [list(part) for part in np.array_split(np.array(rest, dtype=object), count)]
    return parts


def _columns(panels: list[Panel], settings: FigureSettings) -> int:
    """Return how many panels stand beside each other: as many as leave room for the names."""
    if settings.facet == "distance":
        return min(3, len(panels))
    names = [name for panel in panels for name in panel.lines]
    widest = max(text_width(name, style.SMALL) for name in names) / POINTS
    columns = 3 if settings.width_mm / 3 > _AXES + _SAMPLE + widest + 4 else 2
    # four panels stand better as two by two than as three and one
    return 2 if len(panels) == 4 else min(columns, len(panels))


def _notes(view: View, settings: FigureSettings) -> list[str]:
    notes = style.facts(view)
    if settings.facet != "distance":
        notes.append("Distance: " + style.rule(view))
        notes.append("Grey: all other networks.")
    notes.append("Marker: best layer.")
    if any(view.untrained(str(name)) for name in view.models.index):
        notes.append("Open marker: untrained.")
    if settings.intervals:
        notes += style.interval_note(view, "Bands")
    drawn, metrics = len(levels(view)), len(view.baselines)
    if drawn < metrics:
        notes.append(f"Of {metrics} metrics the best and the usual rivals.")
    return notes


def _draw(
    body: FigureBase,
    view: View,
    panels: list[Panel],
    columns: int,
    height: float,
    settings: FigureSettings,
) -> None:
    rows = -(-len(panels) // columns)
    grid: list[Axes] = list(
        body.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    )
    for spare in grid[len(panels) :]:
        spare.remove()
    grid = grid[: len(panels)]
    shown = pd.concat([line for panel in panels for line in panel.lines.values()])
    labelled = settings.facet != "distance"
    limits = correlation_limits(view, shown, not labelled and settings.intervals)
    known = looks.looks(view.models, settings)
    everyone = _lines(view.at(view.distance)) if labelled else {}
    handles: list[Line2D] = []
    for axes, panel in zip(grid, panels, strict=True):
        for name, line in everyone.items():
            if name not in panel.lines:
                axes.plot(
                    line["depth"], line["value"], color=style.CONTEXT, linewidth=0.5, zorder=1
                )
        handles = draw_levels(axes, view)
        finish_depth_axes(axes, limits)
        axes.set_title(fit(panel.title, settings.width_mm / columns - 8, 8.0))
        entries = _draw_panel(axes, panel, known, labelled, settings)
        if labelled:
            label_samples(axes, entries, height - 10, settings.width_mm / columns - _AXES)
        axes.tick_params(labelbottom=axes in grid[-columns:])
    for axes in grid[-columns:]:
        axes.set_xlabel("relative depth")
    body.supylabel(style.statistic_label(view), fontsize="medium")
    shown_names = list(dict.fromkeys(str(name) for name in shown["model"]))
    style.legend(body, [*known.legend(shown_names, line="-"), *handles], settings)


def _draw_panel(
    axes: Axes, panel: Panel, known: Looks, labelled: bool, settings: FigureSettings
) -> list[tuple[float, str, Look, Any]]:
    """Draw a panel's lines; return what `label_samples` needs."""
    shades = known.shades(panel.lines) if labelled else {name: known[name] for name in panel.lines}
    entries = []
    for i, (name, line) in enumerate(panel.lines.items()):
        dashes = _DASHES[i % len(_DASHES)] if labelled else "-"
        if shades[name].open:
            dashes = style.DASHED
        draw_line(axes, line, shades[name], settings.intervals, dashes)
        ends = line.sort_values("depth", kind="stable")["value"]
        entries.append((float(ends.iloc[-1]), name, shades[name], dashes))
    return entries
