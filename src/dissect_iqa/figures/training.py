"""Trained against untrained networks: what learning adds to an architecture."""

from itertools import takewhile

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from dissect_iqa.figures import style
from dissect_iqa.figures.depth import (
    correlation_limits,
    draw_levels,
    draw_line,
    finish_depth_axes,
    label_samples,
    with_depth,
)
from dissect_iqa.figures.looks import Looks, draw_point, looks
from dissect_iqa.figures.names import display
from dissect_iqa.figures.select import View, twins, view_of
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.figures.value_axes import finish_value_axis, value_limits
from dissect_iqa.zoo.twins import Twins

ROW_HEIGHT = 44.0
#: As many trained networks of one architecture as are drawn each with its interval and name.
MOST_TRAINED = 5
#: Architectures that a page has room for.
MOST = 5
_LABELS = 46.0


def draw_training(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    label: str | None = None,
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw, for each architecture that has both, trained against untrained networks.

    Left: correlation over relative depth under one distance. Right: the best layer under every
    distance. Which networks belong together: see `dissect_iqa.zoo.twins.find_twins`.

    Parameters
    ----------
    correlations : DataFrame
        Those of one data set; see `dissect_iqa.figures.select.views`.
    models, label
        See `dissect_iqa.figures.select.views`.
    settings : FigureSettings, optional
        Look and choices.

    Raises
    ------
    UserError
        See `dissect_iqa.figures.select.views`.
    """
    settings = settings or FigureSettings()
    view = view_of(correlations, models, label, settings)
    groups = twins(view)
    if not groups:
        text = (
            "No architecture of this study has both a trained and an untrained network. To compare "
            "them, add a line with weights seed:0 to the model table for an architecture that is "
            "studied."
        )
        return style.statement(text, label, settings)
    notes = _notes(view, groups, settings)
    shown = groups[:MOST]
    figure, body = style.sheet(ROW_HEIGHT * len(shown) + 14, notes, label, settings)
    _draw(body, view, shown, settings)
    return figure


def _notes(view: View, groups: list[Twins], settings: FigureSettings) -> list[str]:
    notes = [*style.facts(view), "Left: " + style.rule(view)]
    notes.append("Right: the best layer under every distance.")
    notes.append("Dashed, open marker: untrained.")
    if any(not group.exact for group in groups):
        notes.append("“Family”: the trained network’s architecture is not exactly the same.")
    if any(len(group.trained) > MOST_TRAINED for group in groups):
        notes.append("Thin: one line a trained network; highest and lowest are named.")
    if settings.intervals:
        notes += style.interval_note(view, "Bands and lines")
    if len(groups) > MOST:
        notes.append(f"{MOST} of {len(groups)} architectures.")
    return notes


def _draw(body: FigureBase, view: View, groups: list[Twins], settings: FigureSettings) -> None:
    grid = body.subplots(
        len(groups), 2, sharex="col", squeeze=False, gridspec_kw={"width_ratios": [1.15, 1]}
    )
    known = looks(view.models, settings)
    drawn = [name for group in groups for name in (*group.trained, *group.untrained)]
    rows = view.at(view.distance)
    rows = with_depth(rows[rows["model"].isin(drawn)])
    limits = correlation_limits(view, rows, settings.intervals)
    best = view.layers[view.layers["model"].isin(drawn)]
    best = best.loc[best.groupby(["model", "distance"])["value"].idxmax()]
    right_limits = value_limits([best], None)
    handles = []
    for (left, right), group in zip(grid, groups, strict=True):
        left.set_title(_title(group))
        handles = draw_levels(left, view)
        finish_depth_axes(left, limits)
        _draw_profiles(left, rows, group, known, settings)
        _draw_best(right, view, group, known, best, settings)
        finish_value_axis(right, right_limits)
    grid[-1, 0].set_xlabel("relative depth")
    grid[-1, 1].set_xlabel(style.short_statistic(view) + ", best layer")
    body.supylabel(style.statistic_label(view), fontsize="medium")
    style.legend(body, [*known.legend(drawn), *handles], settings)


def _title(group: Twins) -> str:
    """Return the words that begin all titles of an architecture's networks, or else its name."""
    if not group.exact:
        return f"{group.title} family"
    words = zip(*(name.split() for name in (*group.trained, *group.untrained)), strict=False)
    shared = takewhile(lambda same: len(set(same)) == 1, words)
    return " ".join(same[0] for same in shared) or group.title


def _draw_profiles(
    axes: Axes, rows: pd.DataFrame, group: Twins, known: Looks, settings: FigureSettings
) -> None:
    names = [name for name in (*group.trained, *group.untrained) if name in set(rows["model"])]
    many = len(group.trained) > MOST_TRAINED
    shades = known.shades(names)
    ends = {}
    for name in names:
        line = rows[rows["model"] == name].sort_values("depth", kind="stable")
        look = known[name] if many else shades[name]
        dashes = style.DASHED if look.open else "-"
        if many and not look.open:
            axes.plot(line["depth"], line["value"], color=look.colour, linewidth=0.5, alpha=0.6)
        else:
            draw_line(axes, line, look, settings.intervals, dashes)
        ends[name] = (float(line["value"].iloc[-1]), name, look, dashes)
    if many:
        trained = [name for name in names if name in group.trained]
        named = {max(trained, key=lambda name: ends[name][0]),
                 min(trained, key=lambda name: ends[name][0]), *group.untrained}  # fmt: skip
        ends = {name: end for name, end in ends.items() if name in named}
    label_samples(axes, list(ends.values()), ROW_HEIGHT - 10, _LABELS)


def _draw_best(
    axes: Axes,
    view: View,
    group: Twins,
    known: Looks,
    best: pd.DataFrame,
    settings: FigureSettings,
) -> None:
    """Draw the best layers, one row a distance, joined from the untrained to the best trained."""
    names = (*group.trained, *group.untrained)
    offsets = np.linspace(-0.17, 0.17, len(names)) if len(names) <= MOST_TRAINED + 1 else None
    shades = known.shades(names)
    for y, distance in enumerate(view.distances):
        here = best[best["distance"] == distance].set_index("model")
        trained = here.reindex(group.trained)["value"].max()
        untrained = here.reindex(group.untrained)["value"].max()
        axes.plot([untrained, trained], [y, y], color=style.CONTEXT, linewidth=2.5, zorder=1)
        for i, name in enumerate(names):
            if name not in here.index:
                continue
            row, look = here.loc[name], shades[name] if offsets is not None else known[name]
            at = y + (offsets[i] if offsets is not None else 0.0)
            if settings.intervals and offsets is not None and np.isfinite(row["low"]):
                axes.plot([row["low"], row["high"]], [at, at], color=look.colour, linewidth=0.7)
            draw_point(axes, row["value"], at, look, 3.6)
    axes.set_yticks(range(len(view.distances)), [display(name) for name in view.distances])
    axes.set_ylim(len(view.distances) - 0.5, -0.5)
