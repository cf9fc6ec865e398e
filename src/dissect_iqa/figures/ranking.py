"""The ranking of the networks' best layers, with intervals, beside the classic metrics."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D

from dissect_iqa.figures import style
from dissect_iqa.figures.labels import fit
from dissect_iqa.figures.looks import Looks, draw_points, looks
from dissect_iqa.figures.names import display
from dissect_iqa.figures.select import View, ranked, view_of
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.figures.value_axes import finish_value_axis, value_limits

LONGEST_LAYER = 30
#: As many networks and metrics as a page has room for; the best are shown.
MOST = 70


def draw_ranking(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    label: str | None = None,
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw each network's best layer under one distance, highest first, among the metrics.

    The best layer is chosen and judged on the same pairs, which flatters. Where the nested choice
    is known (layer chosen on other references than those it is judged on) it stands beneath.

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
    rows = ranked(view)
    if rows.empty:
        text = "Neither a network layer nor a metric has a correlation, so there is no ranking."
        return style.statement(text, label, settings)
    shown = rows.head(MOST)
    row_height = 5.0 if len(shown) <= 25 else 3.1
    height = row_height * len(shown) + 22.0
    figure, body = style.sheet(height, _notes(view, rows, settings), label, settings)
    _draw(body, view, shown, settings)
    return figure


def shorten(layer: str, longest: int = LONGEST_LAYER) -> str:
    """Return a layer's path with its middle left out if it is long; its end tells most."""
    if len(layer) <= longest:
        return layer
    return f"{layer[: longest // 3]}…{layer[-(longest - longest // 3 - 1) :]}"


def _notes(view: View, rows: pd.DataFrame, settings: FigureSettings) -> list[str]:
    notes = style.facts(view)
    if view.distance:
        notes.append("Distance: " + style.rule(view))
        notes.append("Each network at its best layer, chosen and judged on the same pairs.")
    if view.is_honest:
        notes.append(
            "Small squares: the layer chosen on other references than those it is judged on."
        )
    if settings.intervals:
        notes += style.interval_note(view, "Lines")
    if len(rows) > MOST:
        notes.append(f"The {MOST} best of {len(rows)}; all of them are in summary.csv.")
    return notes


def _draw(body: FigureBase, view: View, rows: pd.DataFrame, settings: FigureSettings) -> None:
    look = looks(view.models, settings)
    nested = view.nested[view.nested["distance"] == view.distance].set_index("model")
    axes = body.subplots()
    honest = rows["model"].isin(nested.index)
    table = rows.assign(y=range(len(rows)))
    table["at"] = table["y"] - 0.14 * honest.any()
    interval: dict[str, Any] = {"xerr": ("low", "high")} if settings.intervals else {}
    draw_points(axes, table, "value", "at", look, 4.2 if len(rows) <= 25 else 3.4, **interval)
    _draw_nested(axes, table[honest], nested, look, settings)
    for row in table.itertuples():
        _write(axes, row, float(row.y), row.model in look.of, settings)
    names = [
        fit(str(row.model), 45, style.SMALL)
        if row.model in look.of
        else display(str(row.model), baseline=True)
        for row in table.itertuples()
    ]
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    shown = [rows, nested.loc[rows["model"][honest]]] if honest.any() else [rows]
    finish_value_axis(axes, value_limits(shown, view.ceiling))
    axes.set_xlabel(style.statistic_label(view))
    _head(axes, view)
    networks = [name for name in rows["model"] if name in look.of]
    handles = look.legend(networks, len(networks) < len(rows))
    if honest.any():
        handles.append(
            Line2D(
                [], [], linestyle="", marker="s", color=style.INK, markerfacecolor="white",
                markersize=3, markeredgewidth=0.7, label="layer chosen on other references",
            )
        )  # fmt: skip
    if view.ceiling is not None:
        axes.axvline(view.ceiling, color=style.INK, linewidth=0.8, zorder=1)
        handles.append(Line2D([], [], color=style.INK, linewidth=0.8, label="noise ceiling"))
    style.legend(body, handles, settings)


def _draw_nested(
    axes: Axes, rows: pd.DataFrame, nested: pd.DataFrame, look: Looks, settings: FigureSettings
) -> None:
    for row in rows.itertuples():
        own, colour, y = nested.loc[row.model], look[str(row.model)].colour, float(row.y) + 0.26
        if settings.intervals and pd.notna(own["low"]) and pd.notna(own["high"]):
            axes.plot([own["low"], own["high"]], [y, y], color=colour, linewidth=0.5, zorder=2)
        axes.plot(
            own["value"], y, "s", color=colour, markerfacecolor="white", markersize=2.4,
            markeredgewidth=0.6, zorder=3,
        )  # fmt: skip


def _write(axes: Axes, row: Any, y: float, network: bool, settings: FigureSettings) -> None:
    """Write the value, and for a network the layer and its depth, to the right of the axes."""
    place: dict[str, Any] = {
        "transform": axes.get_yaxis_transform(),
        "va": "center",
        "fontsize": style.SMALL,
    }
    axes.text(1.06, y, style.number(row.value), ha="right", **place)
    if network:
        depth = f"  ({row.depth:.2f})" if pd.notna(row.depth) else ""
        layer = fit(shorten(row.layer) + depth, 0.26 * settings.width_mm, style.SMALL)
        axes.text(1.085, y, layer, color=style.MUTED, **place)


def _head(axes: Axes, view: View) -> None:
    place: dict[str, Any] = {
        "transform": axes.transAxes,
        "va": "bottom",
        "fontsize": style.SMALL,
    }
    axes.text(1.06, 1.005, style.short_statistic(view), ha="right", **place)
    if len(view.layers):
        axes.text(1.085, 1.005, "best layer (relative depth)", color=style.MUTED, **place)
