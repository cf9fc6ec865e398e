"""Trained against untrained networks: what learning adds to an architecture."""

from itertools import takewhile
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from dissect_iqa.figures import points, style
from dissect_iqa.figures.depth import (
    LineStyle,
    correlation_limits,
    draw_levels,
    draw_line,
    finish_depth_axes,
    line_styles,
)
from dissect_iqa.figures.labels import label_lines
from dissect_iqa.figures.select import Label, Twins, View, twins, views
from dissect_iqa.figures.settings import FigureSettings

ROW_HEIGHT = 46.0
#: As many trained networks of one architecture as are drawn each in its own colour.
MOST_TRAINED = 5


def draw_training(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    label: Label = None,
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw, for each architecture that has both, trained against untrained networks.

    Left: correlation over relative depth under one distance. Right: the best layer under every
    distance. Which networks belong together: see `dissect_iqa.figures.select.twins`.

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
    if not any(twins(view) for view in blocks):
        text = (
            "No architecture of this study has both a trained and an untrained network. To compare "
            "them, add a line with weights seed:0 to the model table for an architecture that is "
            "studied."
        )
        return style.statement(text, blocks[0].label if blocks else None, settings)
    return style.compose(
        blocks,
        lambda view: max(ROW_HEIGHT * len(twins(view)), 20.0) + 4.0,
        lambda body, view: _draw(body, view, settings),
        lambda view: _notes(view, settings),
        settings,
    )


def _notes(view: View, settings: FigureSettings) -> list[str]:
    groups = twins(view)
    if not groups:
        return []
    notes = ["Left: " + style.rule(view)]
    notes.append("Right: the best layer under every distance.")
    notes.append("Dashed, open marker: untrained.")
    if any(not group.exact for group in groups):
        notes.append("“Family”: the trained network’s architecture is not exactly the same.")
    if any(len(group.trained) > MOST_TRAINED for group in groups):
        notes.append("Thin: one line a trained network; highest and lowest are named.")
    if settings.intervals:
        notes += style.interval_note(view, "Bands and lines")
    return notes


def _draw(body: FigureBase, view: View, settings: FigureSettings) -> None:
    groups = twins(view)
    if not groups:
        style.say(body, "No architecture has both a trained and an untrained network here.")
        return
    grid = body.subplots(
        len(groups), 2, sharex="col", squeeze=False, gridspec_kw={"width_ratios": [1.25, 1]}
    )
    looks = [_looks(view, group, settings) for group in groups]
    drawn = [name for group in groups for name in (*group.trained, *group.untrained)]
    rows = view.at(view.distance)
    rows = rows[rows["model"].isin(drawn)]
    limits = correlation_limits(view, rows, settings.intervals)
    best = view.layers[view.layers["model"].isin(drawn)]
    best = best.loc[best.groupby(["model", "distance"])["value"].idxmax()]
    right_limits = points.value_limits([best], None)
    for (left, right), group, look in zip(grid, groups, looks, strict=True):
        left.set_title(_title(group))
        _draw_profiles(left, view, group, look, settings)
        finish_depth_axes(left, limits)
        _label(left, view, group, look, settings)
        _draw_best(right, view, group, look, best, settings)
        points.finish_value_axis(right, right_limits)
    grid[-1, 0].set_xlabel("Relative depth")
    grid[-1, 1].set_xlabel(style.short_statistic(view) + ", best layer")
    body.supylabel(style.statistic_label(view), fontsize="medium")


def _title(group: Twins) -> str:
    """Return the words that begin all titles of an architecture's networks, or else its name."""
    if not group.exact:
        return f"{group.title} family"
    words = zip(*(name.split() for name in (*group.trained, *group.untrained)), strict=False)
    shared = takewhile(lambda same: len(set(same)) == 1, words)
    return " ".join(same[0] for same in shared) or group.title


def _looks(view: View, group: Twins, settings: FigureSettings) -> dict[str, LineStyle]:
    """Give colours: one each while there are few, else one for all trained networks."""
    if len(group.trained) <= MOST_TRAINED and len(view.models) <= len(style.MARKERS):
        # the same colours as in the figure over depth
        chosen = line_styles(view, list(view.models.index), settings)
        return {name: chosen[name] for name in (*group.trained, *group.untrained)}
    many = len(group.trained) > MOST_TRAINED
    palette = style.colours(1 if many else len(group.trained), settings)
    looks = {
        name: LineStyle(palette[0 if many else i], style.MARKERS[0 if many else i], False)
        for i, name in enumerate(group.trained)
    }
    return looks | {name: LineStyle(style.INK, "o", True) for name in group.untrained}


def _draw_profiles(
    axes: Axes,
    view: View,
    group: Twins,
    looks: dict[str, LineStyle],
    settings: FigureSettings,
) -> None:
    rows = view.at(view.distance)
    many = len(group.trained) > MOST_TRAINED
    for name, look in looks.items():
        line = rows[rows["model"] == name]
        if many and name in group.trained:
            axes.plot(line["depth"], line["value"], color=look.colour, linewidth=0.5, alpha=0.6)
        else:
            draw_line(axes, line, look, settings.intervals)


def _label(
    axes: Axes,
    view: View,
    group: Twins,
    looks: dict[str, LineStyle],
    settings: FigureSettings,
) -> None:
    rows = view.at(view.distance).dropna(subset=["depth"])
    ends = rows[rows["model"].isin(looks)].groupby("model", sort=False)["value"].last()
    if len(group.trained) > MOST_TRAINED:
        trained = ends[ends.index.isin(group.trained)]
        named = {trained.idxmax(), trained.idxmin(), *group.untrained}
        ends = ends[ends.index.isin(named)]
    labels: list[tuple[float, str, Any]] = draw_levels(axes, view)
    labels += [(float(value), str(name), looks[str(name)].colour) for name, value in ends.items()]
    label_lines(axes, labels, ROW_HEIGHT - 12, style.TINY)


def _draw_best(
    axes: Axes,
    view: View,
    group: Twins,
    looks: dict[str, LineStyle],
    best: pd.DataFrame,
    settings: FigureSettings,
) -> None:
    """Draw the best layers, one row a distance, joined from the untrained to the best trained."""
    offsets = np.linspace(-0.17, 0.17, len(looks)) if len(looks) <= MOST_TRAINED + 1 else None
    for y, distance in enumerate(view.distances):
        here = best[best["distance"] == distance].set_index("model")
        trained = here.reindex(group.trained)["value"].max()
        untrained = here.reindex(group.untrained)["value"].max()
        axes.plot([untrained, trained], [y, y], color=style.CONTEXT, linewidth=2.5, zorder=1)
        for i, (name, look) in enumerate(looks.items()):
            if name not in here.index:
                continue
            row = here.loc[name]
            at = y + (offsets[i] if offsets is not None else 0.0)
            if settings.intervals and offsets is not None and np.isfinite(row["low"]):
                axes.plot([row["low"], row["high"]], [at, at], color=look.colour, linewidth=0.7)
            axes.plot(
                row["value"],
                at,
                look.marker,
                color=look.colour,
                markerfacecolor="white" if look.dashed else look.colour,
                markersize=3.6,
                markeredgewidth=0.8,
                zorder=3,
            )
    axes.set_yticks(range(len(view.distances)), [style.display(name) for name in view.distances])
    axes.set_ylim(len(view.distances) - 0.5, -0.5)
