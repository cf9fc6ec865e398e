"""Data sets against each other: networks' and metrics' correlations on both."""

from itertools import combinations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from dissect_iqa.figures import style
from dissect_iqa.figures.looks import draw_points, looks
from dissect_iqa.figures.names import display
from dissect_iqa.figures.select import View, views
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.figures.trends import name_points

#: Up to so many data sets each two have a panel; of more there is a table.
MOST = 4


def draw_datasets(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    label: str | None = None,
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw networks' and metrics' correlations on one data set against those on another.

    Parameters
    ----------
    correlations : DataFrame
        Of all data sets; see `dissect_iqa.figures.select.views`.
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
    found = [view for view in views(correlations, models, None, settings) if _values(view).size]
    if len(found) < 2:
        text = "Fewer than two data sets have correlations, so there is nothing to compare."
        return style.statement(text, label, settings)
    table = pd.concat({view.dataset: _values(view) for view in found}, axis=1)
    names = list(table.columns)
    pairs = list(combinations(names, 2))
    notes = [
        f"Distances: {', '.join(_distance(view) for view in found)}.",
        style.choice_note(found[0]),
        "ρ: rank correlation over networks and metrics that are on both.",
    ]
    few = len(names) <= MOST
    across = min(len(pairs), 2 if len(pairs) in (2, 4) else 3)
    rows = -(-len(pairs) // across)
    side = {1: 95.0, 2: 82.0, 3: 62.0}[across]
    height = side * rows + 12 if few else 7.0 * len(names) + 40
    figure, body = style.sheet(height, notes, label, settings)
    if not few:
        _draw_table(body, table, settings)
        return figure
    # a network that is on one data set only has looks, too
    look = looks(pd.concat([view.models for view in found]).drop_duplicates("id"), settings)
    panels = list(body.subplots(rows, across, squeeze=False).ravel())
    for spare in panels[len(pairs) :]:
        spare.remove()
    labels = {view.dataset: style.short_statistic(view) for view in found}
    for axes, (first, second) in zip(panels, pairs, strict=False):
        own = table[[first, second]].dropna().rename_axis("model").reset_index()
        draw_points(axes, own, first, second, look)
        _finish(axes, own, first, second, labels)
    everyone = [str(name) for name in table.index]
    networks = [name for name in everyone if name in look.of]
    style.legend(body, look.legend(networks, len(networks) < len(everyone)), settings)
    for axes, (first, second) in zip(panels, pairs, strict=False):
        own = table[[first, second]].dropna().rename_axis("model").reset_index()
        titles = [
            name if name in look.of else display(name, baseline=True) for name in own["model"]
        ]
        name_points(axes, own.assign(model=titles), first, second, most=40 // rows)
    return figure


def agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rank correlation of each two data sets over who is on both; NaN for fewer than 3.

    Parameters
    ----------
    table : DataFrame
        A row a network or metric, a column a data set.
    """
    return table.corr(method="spearman", min_periods=3)


def _values(view: View) -> pd.Series:
    parts = [view.judged()["value"]] if len(view.layers) else []
    if len(view.baselines):
        parts.append(view.baselines.set_index("model")["value"])
    return pd.concat(parts) if parts else pd.Series(dtype=float)


def _distance(view: View) -> str:
    return f"{display(view.distance) or 'none'} ({view.dataset})"


def _finish(axes: Axes, own: pd.DataFrame, first: str, second: str, labels: dict[str, str]) -> None:
    axes.set_xlabel(f"{first}: {labels[first]}")
    axes.set_ylabel(f"{second}: {labels[second]}")
    axes.grid(color=style.HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)
    low = max(axes.get_xlim()[0], axes.get_ylim()[0])
    high = min(axes.get_xlim()[1], axes.get_ylim()[1])
    limits = axes.get_xlim(), axes.get_ylim()
    if low < high:
        axes.plot([low, high], [low, high], color=style.MUTED, linewidth=0.6, zorder=1)
    axes.set(xlim=limits[0], ylim=limits[1])
    rho = agreement(own[[first, second]]).iloc[0, 1]
    told = f"ρ = {style.number(rho)}" if np.isfinite(rho) else "too few on both"
    axes.set_title(f"{told}, {len(own)} on both")


def _draw_table(body: FigureBase, table: pd.DataFrame, settings: FigureSettings) -> None:
    found = agreement(table).to_numpy(float)
    names = list(table.columns)
    axes = body.subplots()
    colours = "Greys" if settings.palette == "grey" else "Blues"
    axes.imshow(found, cmap=colours, vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(found):
        if row != column:
            axes.text(
                column, row, style.number(value) if np.isfinite(value) else "–", ha="center",
                va="center", fontsize=style.SMALL, color="white" if value > 0.6 else style.INK,
            )  # fmt: skip
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
