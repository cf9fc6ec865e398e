"""How much of the honest correlation each factor explains."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dissect_iqa.factors.shares import CELLS, MODELS
from dissect_iqa.figures import style
from dissect_iqa.figures.settings import FigureSettings

_ROW, _ENDS = 7.0, 24.0
#: Intervals may reach beyond this; what is farther out is in the table.
_FIRST, _LAST = -0.3, 1.05


def draw_factors(
    table: pd.DataFrame,
    label: str | None = None,
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw each factor's share of the variance of the honest correlation, the largest on top.

    Parameters
    ----------
    table : DataFrame
        What `dissect_iqa.factors.explain_factors.explain_factors` returned.
    label : str, optional
        A notice that must accompany the results.
    settings : FigureSettings, optional
        Look and choices.
    """
    settings = settings or FigureSettings()
    if not table["share"].notna().any():
        why = str(table["note"].iloc[0]) if len(table) else "nothing was measured"
        return style.statement(f"No share of a factor can be told: {why}.", label, settings)
    rest = table["factor"].isin([MODELS, CELLS])
    rows = pd.concat([table[~rest].sort_values("share", ascending=False), table[rest]])
    figure, top = style.sheet(_ROW * len(rows) + _ENDS, _notes(rows), label, settings)
    _draw(top.subplots(), rows, settings)
    handles = [
        Line2D([], [], color=style.INK, marker="o", linestyle="-", label="share, with interval"),
        Line2D([], [], color=style.MUTED, marker="|", linestyle="", label="added to all others"),
        Line2D([], [], color=style.MUTED, marker="o", markerfacecolor="white", linestyle="",
               label="by itself"),
    ]  # fmt: skip
    top.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, settings: FigureSettings) -> None:
    colours = style.colours(2, settings)
    for y, row in enumerate(rows.itertuples()):
        unexplained = row.factor in (MODELS, CELLS)
        colour = style.MUTED if unexplained else colours[0]
        axes.barh(y, max(row.share, 0), height=0.62, color=colour, alpha=0.25, zorder=1)
        if settings.intervals and np.isfinite(row.low):
            axes.plot([row.low, row.high], [y, y], color=colour, zorder=3)
        axes.plot(row.share, y, "o", color=colour, zorder=4)
        if not unexplained:
            axes.plot(row.alone, y, "o", color=style.MUTED, markerfacecolor="white", zorder=2)
            axes.plot(row.last, y, "|", color=style.MUTED, markersize=9, zorder=2)
        axes.annotate(f"{100 * row.share:.0f} %".replace("-", "−"), (1.01, y), va="center",
                      xycoords=("axes fraction", "data"), fontsize=style.SMALL)  # fmt: skip
    axes.set_yticks(range(len(rows)), list(rows["factor"]))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    shown = rows[["share", "alone", "last", *(["low", "high"] if settings.intervals else [])]]
    lowest, highest = float(shown.min(axis=None)), float(shown.max(axis=None))
    axes.set_xlim(max(min(lowest, 0.0), _FIRST) - 0.005, min(highest, _LAST) + 0.02)
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %".replace("-", "−"))
    axes.axvline(0, color=style.MUTED, linewidth=0.6)
    axes.grid(axis="x", color=style.HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("Share of the variance of the honest correlation")


def _notes(rows: pd.DataFrame) -> list[str]:
    return [
        "Shapley values: what a factor adds to those before it, on average over all orders; they "
        "add up to all that is explained.",
        *(f"{note[0].upper()}{note[1:]}." for note in dict.fromkeys(rows["note"]) if _vital(note)),
    ]


def _vital(note: str) -> bool:
    return "identifiable" in note or "left out" in note
