"""Readouts: one layer, layers taken together, and channel weights fitted to the scores."""

import pandas as pd
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D

from dissect_iqa.figures import style
from dissect_iqa.figures.labels import fit
from dissect_iqa.figures.names import display
from dissect_iqa.figures.select import View, view_of
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.figures.value_axes import finish_value_axis, value_limits

#: Networks that a page has room for; the best are shown.
MOST = 54
#: Readouts that are told apart; those with the highest medians are shown.
READOUTS = 6
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def draw_readouts(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    label: str | None = None,
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw, of each network, its honest correlation plain and by every readout.

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
    table = plain_and_read_out(view, correlations)
    if table.empty or table["readout"].nunique() < 2:
        text = "No readout was measured beside a plain distance, so there is nothing to compare."
        return style.statement(text, label, settings)
    names = list(dict.fromkeys(table["model"]))[:MOST]
    told = list(dict.fromkeys(table["readout"]))
    notes = [
        *style.facts(view),
        f"Plain: {style.rule(view)}",
        style.choice_note(view),
        "Fitted readouts are measured on references that their weights weren’t fitted to.",
        *style.interval_note(view, "Lines"),
    ]
    others = correlations[correlations["kind"].isin(["readout", "concatenation"])]
    count = others["distance"].nunique()
    if count > len(told) - 1:
        notes.append(f"{len(told) - 1} of {count} readouts, those with the highest medians.")
    row = 5.0 if len(names) <= 25 else 3.9
    figure, body = style.sheet(row * len(names) + 22, notes, label, settings)
    _draw(body, view, table[table["model"].isin(names)], names, told, settings)
    return figure


def plain_and_read_out(view: View, correlations: pd.DataFrame) -> pd.DataFrame:
    """Return a row a network and readout: `model, readout, value, low, high`; best networks first.

    `readout` is ``plain`` or the readout's name; values are honest where that is known.
    """
    if view.layers.empty:
        return pd.DataFrame(columns=["model", "readout", "value", "low", "high"])
    plain_distance = view.distance
    kinds = correlations.drop_duplicates("distance").set_index("distance")["kind"]
    if kinds.get(plain_distance) != "network":
        plain = [name for name in view.distances if kinds.get(name) == "network"]
        plain_distance = plain[0] if plain else ""
    readouts = [name for name in view.distances if kinds.get(name) in ("readout", "concatenation")]
    honest = view.nested.set_index(["model", "distance"])
    rows = []
    for distance in (plain_distance, *readouts):
        for row in view.best(distance).itertuples() if distance else ():
            key = (row.model, distance)
            known = honest.loc[key] if key in honest.index else None
            numbers = (row.value, row.low, row.high)
            if known is not None:
                numbers = (known["value"], known["low"], known["high"])
            rows.append((row.model, "plain" if distance == plain_distance else distance, *numbers))
    table = pd.DataFrame(rows, columns=["model", "readout", "value", "low", "high"])
    middle = table.groupby("readout")["value"].median().drop("plain", errors="ignore")
    kept = ["plain", *middle.sort_values(ascending=False, kind="stable").index[:READOUTS]]
    table = table[table["readout"].isin(kept)]
    best = table.groupby("model")["value"].transform("max")
    return table.assign(_best=best, _order=table["readout"].map(kept.index)).sort_values(
        ["_best", "model", "_order"], ascending=[False, True, True], kind="stable",
        ignore_index=True,
    )  # fmt: skip


def _draw(
    body: FigureBase,
    view: View,
    table: pd.DataFrame,
    names: list[str],
    told: list[str],
    settings: FigureSettings,
) -> None:
    axes = body.subplots()
    told = ["plain", *(name for name in told if name != "plain")]
    colours = [style.INK, *style.colours(len(told) - 1, settings)]
    handles = []
    for i, (name, colour) in enumerate(zip(told, colours, strict=True)):
        own = table[table["readout"] == name]
        y = own["model"].map(names.index) + (i - (len(told) - 1) / 2) * 0.7 / max(len(told), 2)
        if settings.intervals:
            axes.hlines(y, own["low"], own["high"], color=colour, linewidth=0.6, zorder=2)
        face = "white" if name == "plain" else colour
        look = {"marker": _MARKERS[i], "color": colour, "markerfacecolor": face, "markersize": 3.2,
                "markeredgewidth": 0.8, "linestyle": ""}  # fmt: skip
        axes.plot(own["value"], y, zorder=3, **look)
        words = name if name == "plain" else display(name)
        handles.append(Line2D([], [], label=fit(words, 60, style.SMALL), **look))
    axes.set_yticks(range(len(names)), [fit(name, 45, style.SMALL) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    for edge in range(1, len(names)):
        axes.axhline(edge - 0.5, color=style.HAIRLINE, linewidth=0.4, zorder=0)
    finish_value_axis(axes, value_limits([table], view.ceiling))
    if view.ceiling is not None:
        axes.axvline(view.ceiling, color=style.INK, linewidth=0.8, zorder=1)
        handles.append(Line2D([], [], color=style.INK, linewidth=0.8, label="noise ceiling"))
    axes.set_xlabel(style.statistic_label(view))
    style.legend(body, handles, settings)
