"""Who beats whom, and by how much: a matrix of the paired tests on a data set."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D

from dissect_iqa.baselines.names import BASELINES
from dissect_iqa.correlation.hold_contests import beats
from dissect_iqa.figures import style
from dissect_iqa.figures.labels import POINTS, fit, text_width
from dissect_iqa.figures.names import display
from dissect_iqa.figures.settings import FigureSettings

#: Names that fit a page; of more, those with most victories are shown.
MOST = 48
#: Largest side of a cell in millimetres; with many names they get smaller.
CELL = 7.0
#: Differences beyond these have the deepest colour.
_REACH = 0.2


def draw_contests(
    contests: pd.DataFrame, label: str | None = None, settings: FigureSettings | None = None
) -> Figure:
    """Draw by how much the row beats the column, or is beaten, and whether that can be told.

    Parameters
    ----------
    contests : DataFrame
        What `dissect_iqa.correlation.hold_contests.hold_contests` returned, with `distance`.
    label : str, optional
        A notice that must accompany the results.
    settings : FigureSettings, optional
        Look and choices.
    """
    settings = settings or FigureSettings()
    if contests.empty:
        text = "No two networks or metrics met on this data set."
        return style.statement(text, label, settings)
    names = list(beats(contests).index)
    shown = names[:MOST]
    margin = max(text_width(_title(name), style.SMALL) for name in shown) / POINTS + 3
    cell = min(CELL, (settings.width_mm - margin - 28) / len(shown))
    notes = _notes(contests, len(names))
    figure, body = style.sheet(margin + cell * len(shown) + 14, notes, label, settings)
    _draw(body, contests, shown, cell, settings)
    return figure


def effects(contests: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return by how much the row's statistic exceeds the column's; NaN where they didn't meet."""
    known = contests[contests["first"].isin(names) & contests["second"].isin(names)]
    there = known.pivot(index="first", columns="second", values="difference")
    back = -known.pivot(index="second", columns="first", values="difference")
    both = there.reindex(index=names, columns=names)
    return both.where(both.notna(), back.reindex(index=names, columns=names)).astype(float)


def _title(name: str) -> str:
    title = display(name, baseline=True) if name in BASELINES else name
    return fit(title, 36, style.SMALL)


def _notes(contests: pd.DataFrame, count: int) -> list[str]:
    first = contests.iloc[0]
    return [
        f"Data set {first['dataset']}: {first['n']} pairs, {first['references']} references.",
        f"Distance: {display(str(first['distance']))}.",
        f"{first['statistic'].upper()} of the row less that of the column, layers chosen on other "
        "references than those they are judged on. Dot: nobody wins by the paired jackknife over "
        f"references after Holm’s correction over {len(contests)} contests. White: they didn’t "
        "meet.",
        f"{MOST} of {count} competitors, those with most victories." if count > MOST else "",
    ]


def _draw(
    body: FigureBase,
    contests: pd.DataFrame,
    names: list[str],
    cell: float,
    settings: FigureSettings,
) -> None:
    effect = effects(contests, names).to_numpy(float)
    verdict = beats(contests).reindex(index=names, columns=names).to_numpy(float)
    axes: Axes = body.subplots()
    colours = "Greys" if settings.palette == "grey" else "PuOr"
    drawn = axes.imshow(effect, cmap=colours, vmin=-_REACH, vmax=_REACH, interpolation="nearest")
    y, x = np.nonzero(verdict == 0)
    axes.scatter(x, y, s=(0.22 * cell * POINTS) ** 2, color=style.INK, linewidths=0)
    for edge in np.arange(len(names) - 1) + 0.5:
        axes.axvline(edge, color="white", linewidth=0.5)
        axes.axhline(edge, color="white", linewidth=0.5)
    texts = [_title(name) for name in names]
    axes.set_yticks(range(len(names)), texts)
    axes.set_xticks(range(len(names)), texts, rotation=90)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = body.colorbar(
        drawn, ax=axes, fraction=0.02, pad=0.01, aspect=30, extend="both", shrink=0.6
    )
    statistic = str(contests["statistic"].iloc[0]).upper()
    bar.set_label(f"{statistic}, row less column")
    bar.outline.set_visible(False)
    handles: list[Any] = [
        Line2D([], [], linestyle="", marker="o", markersize=2.4, color=style.INK,
               label="can’t be told apart")
    ]  # fmt: skip
    style.legend(body, handles, settings)
