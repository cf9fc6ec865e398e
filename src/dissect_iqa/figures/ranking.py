"""The ranking of the models' best layers, with intervals, beside the classic metrics."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D

from dissect_iqa.figures import points, style
from dissect_iqa.figures.select import Label, View, ranked, views
from dissect_iqa.figures.settings import FigureSettings

LONGEST_LAYER = 30


def draw_ranking(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    label: Label = None,
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw each model's best layer under one distance, highest first, among the classic metrics.

    The best layer is chosen and judged on the same pairs, which flatters. Where the nested choice
    is known (layer chosen on other references than those it is judged on) it stands beneath.

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
    if not any(len(view.layers) or len(view.baselines) for view in blocks):
        text = "Neither a network layer nor a metric has a correlation, so there is no ranking."
        return style.statement(text, blocks[0].label if blocks else None, settings)
    return style.compose(
        blocks,
        _height,
        lambda body, view: _draw(body, view, settings),
        lambda view: _notes(view, settings),
        settings,
    )


def shorten(layer: str, longest: int = LONGEST_LAYER) -> str:
    """Return a layer's path with its middle left out if it is long; its end tells most."""
    if len(layer) <= longest:
        return layer
    return f"{layer[: longest // 3]}…{layer[-(longest - longest // 3 - 1) :]}"


def _height(view: View) -> float:
    rows = len(ranked(view))
    return (5.0 if rows <= 25 else 4.0) * max(rows, 1) + 22.0


def _notes(view: View, settings: FigureSettings) -> list[str]:
    if not len(view.layers) and not len(view.baselines):
        return []
    notes = []
    if view.distance:
        notes.append("Distance: " + style.rule(view))
        notes.append("Each model at its best layer, chosen and judged on the same pairs.")
    if len(_nested(view)):
        notes.append("Squares: the layer chosen on other references than those it is judged on.")
    if settings.intervals:
        notes += style.interval_note(view, "Lines")
    return notes


def _nested(view: View) -> pd.DataFrame:
    return view.nested[view.nested["distance"] == view.distance].set_index("model")


def _draw(body: FigureBase, view: View, settings: FigureSettings) -> None:
    rows = ranked(view)
    if rows.empty:
        style.say(body, "Neither a network layer nor a metric has a correlation on this data set.")
        return
    look = points.functions(view, settings)
    nested = _nested(view)
    axes = body.subplots()
    shift = 0.14 if len(nested) else 0.0
    for y, row in enumerate(rows.itertuples()):
        points.draw_point(axes, row, y - shift, look, settings.intervals)
        if row.model in look.of and row.model in nested.index:
            _draw_nested(axes, nested.loc[row.model], y + 0.24, look.colours[look.of[row.model]])
        _write(axes, row, y, row.model in look.of, style.SMALL)
    names = [
        row.model if row.model in look.of else style.display(row.model, baseline=True)
        for row in rows.itertuples()
    ]
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    shown = [rows, nested] if len(nested) else [rows]
    points.finish_value_axis(axes, points.value_limits(shown, view.ceiling))
    axes.set_xlabel(style.statistic_label(view))
    _head(axes, view, style.SMALL)
    handles = points.legend_handles(look, bool(len(view.baselines)))
    if len(nested):
        handles.append(
            Line2D(
                [],
                [],
                linestyle="",
                marker="s",
                color=style.INK,
                markerfacecolor="white",
                markersize=3,
                markeredgewidth=0.7,
                label="layer chosen on other references",
            )
        )
    if view.ceiling is not None:
        axes.axvline(view.ceiling, color=style.INK, linewidth=0.8, zorder=1)
        handles.append(Line2D([], [], color=style.INK, linewidth=0.8, label="noise ceiling"))
    style.legend(body, handles, settings)


def _draw_nested(axes: Axes, row: pd.Series, y: float, colour: Any) -> None:
    if pd.notna(row["low"]) and pd.notna(row["high"]):
        axes.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=0.5, zorder=2)
    axes.plot(
        row["value"],
        y,
        "s",
        color=colour,
        markerfacecolor="white",
        markersize=2.8,
        markeredgewidth=0.7,
        zorder=3,
    )


def _write(axes: Axes, row: Any, y: float, network: bool, size: float) -> None:
    """Write the value, and for a network the layer and its depth, to the right of the axes."""
    place: dict[str, Any] = {
        "xycoords": ("axes fraction", "data"),
        "va": "center",
        "fontsize": size,
    }
    axes.annotate(minus(row.value), (1.06, y), ha="right", **place)
    if network:
        depth = f"  ({row.depth:.2f})" if pd.notna(row.depth) else ""
        axes.annotate(shorten(row.layer) + depth, (1.085, y), color=style.MUTED, **place)


def _head(axes: Axes, view: View, size: float) -> None:
    place: dict[str, Any] = {
        "xycoords": ("axes fraction", "axes fraction"),
        "va": "bottom",
        "fontsize": size,
    }
    axes.annotate(style.short_statistic(view), (1.06, 1.005), ha="right", **place)
    if len(view.layers):
        text = "best layer (relative depth)"
        axes.annotate(text, (1.085, 1.005), color=style.MUTED, **place)


def minus(value: float) -> str:
    """Return a value with two digits and a true minus sign."""
    text = f"{value:.2f}"
    return text.replace("-", "\N{MINUS SIGN}") if float(text) else "0.00"
