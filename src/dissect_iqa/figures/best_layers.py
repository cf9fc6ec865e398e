"""Where in the networks the best layers lie, by family."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure, FigureBase

from dissect_iqa.figures import style
from dissect_iqa.figures.labels import fit
from dissect_iqa.figures.looks import draw_points, looks
from dissect_iqa.figures.select import View, view_of
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.figures.value_axes import finish_value_axis

_ROW = 7.0
#: Families that a page has room for; smaller ones share the last row.
MOST = 25


def draw_best_layers(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    label: str | None = None,
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw the relative depth of each network's best layer, a row a family, deepest at the bottom.

    Beside it, how far the last layer falls below the best one.

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
    table = best_and_last(view)
    if table.empty:
        text = "No network layer has a correlation, so there is no best one."
        return style.statement(text, label, settings)
    families = list(dict.fromkeys(table["row"]))
    notes = [
        *style.facts(view),
        f"Distance: {style.rule(view)}",
        "Each network at its best layer; its last layer is the deepest that is read. Bars: medians "
        "of a family's trained networks.",
    ]
    figure, body = style.sheet(_ROW * len(families) + 20, notes, label, settings)
    _draw(body, view, table, families, settings)
    return figure


def best_and_last(view: View) -> pd.DataFrame:
    """Return a row a network: `model, family, row, depth, fall`, families by their median depth.

    `depth` is the best layer's, `fall` the last layer's correlation less the best one's; `row` is
    the family with the number of its networks.
    """
    rows = view.at(view.distance).dropna(subset=["depth"])
    if rows.empty:
        return pd.DataFrame(columns=["model", "family", "row", "depth", "fall"])
    best = rows.loc[rows.groupby("model")["value"].idxmax()].set_index("model")
    last = rows.groupby("model")["value"].last()
    family = view.models["family"].reindex(best.index)
    table = pd.DataFrame(
        {"family": family, "depth": best["depth"], "fall": last.reindex(best.index) - best["value"]}
    ).reset_index()
    counts = table["family"].value_counts()
    kept = counts.index[:MOST]
    table["row"] = table["family"].where(table["family"].isin(kept), "other families")
    table["row"] = (
        table["row"] + " (" + table.groupby("row")["row"].transform("size").map(str) + ")"
    )
    middle = table.groupby("row")["depth"].transform("median")
    return table.assign(_middle=middle).sort_values(
        ["_middle", "row", "depth", "model"], kind="stable", ignore_index=True
    )


def _draw(
    body: FigureBase,
    view: View,
    table: pd.DataFrame,
    families: list[str],
    settings: FigureSettings,
) -> None:
    look = looks(view.models, settings)
    left, right = body.subplots(1, 2, sharey=True, gridspec_kw={"width_ratios": [1.4, 1]})
    table = table.assign(y=table["row"].map(families.index) + _beside(table, families))
    trained = table[[not view.untrained(name) for name in table["model"]]]
    for axes, column in ((left, "depth"), (right, "fall")):
        for y, family in enumerate(families):
            own = trained.loc[trained["row"] == family, column]
            if len(own):
                axes.plot([own.median()] * 2, [y - 0.4, y + 0.4], color=style.CONTEXT, linewidth=4)
        draw_points(axes, table, column, "y", look)
    finish_value_axis(left, (-0.02, 1.03))
    finish_value_axis(right, (min(float(table["fall"].min()), -0.05) * 1.06, 0.02))
    left.set_yticks(range(len(families)), [fit(name, 45, style.SMALL) for name in families])
    left.set_ylim(len(families) - 0.45, -0.55)
    left.set_xlabel("relative depth of the best layer")
    right.set_xlabel(f"last layer less best one ({style.short_statistic(view)})")
    for axes in (left, right):
        for y in range(1, len(families)):
            axes.axhline(y - 0.5, color=style.HAIRLINE, linewidth=0.5, zorder=0)
    style.legend(body, look.legend(list(table["model"])), settings)


def _beside(table: pd.DataFrame, families: list[str]) -> np.ndarray:
    """Return how far each network's dot is moved up or down, so that none covers another."""
    moved = np.zeros(len(table))
    for family in families:
        places = np.flatnonzero(table["row"] == family)
        if len(places) > 1:
            moved[places] = np.linspace(-0.32, 0.32, len(places))
    return moved
