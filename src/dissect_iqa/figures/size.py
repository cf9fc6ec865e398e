"""Size of networks against correlation with opinion scores: parameters, operations, layers."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from dissect_iqa.figures import style
from dissect_iqa.figures.looks import draw_points, looks
from dissect_iqa.figures.select import view_of
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.figures.trends import draw_trend, trend_words

_HEIGHT = 72.0
#: What is drawn against: column, words on the axis, words in a sentence.
_SIZES = (
    ("parameters", "million parameters", "parameters"),
    ("gflops", "billion operations a picture", "operations"),
    ("layers", "layers that are read", "the number of layers"),
)


def draw_size(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    sizes: pd.DataFrame,
    label: str | None = None,
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw each network's correlation against its parameters, its operations and its layers.

    Parameters
    ----------
    correlations : DataFrame
        Those of one data set; see `dissect_iqa.figures.select.views`.
    models, label
        See `dissect_iqa.figures.select.views`.
    sizes : DataFrame
        What `dissect_iqa.study.size_networks.size_networks` returned.
    settings : FigureSettings, optional
        Look and choices.

    Raises
    ------
    UserError
        See `dissect_iqa.figures.select.views`.
    """
    settings = settings or FigureSettings()
    view = view_of(correlations, models, label, settings)
    if view.layers.empty:
        return style.statement("No network layer has a correlation.", label, settings)
    table = view.judged().merge(sizes, on="model", validate="1:1")
    table = table.assign(parameters=table["parameters"] / 1e6)
    unknown = list(table.loc[table["gflops"].isna(), "model"])
    notes = [
        *style.facts(view),
        f"Of unknown size: {', '.join(unknown)}." if unknown else "",
        f"Distance: {style.rule(view)}",
        style.choice_note(view),
        "Operations: multiplications and additions up to the last layer that is read, of a picture "
        "of 512 × 384 pixels as the network takes it.",
        trend_words(table, {words: column for column, _, words in _SIZES}),
    ]
    figure, body = style.sheet(_HEIGHT, notes, label, settings)
    look = looks(view.models, settings)
    panels = body.subplots(1, len(_SIZES), sharey=True)
    for axes, (column, words, _) in zip(panels, _SIZES, strict=True):
        style.log_axis(axes.xaxis, table[column])
        draw_trend(axes, table, column, log=True)
        interval: dict[str, Any] = {"yerr": ("low", "high")} if settings.intervals else {}
        draw_points(axes, table, column, "value", look, **interval)
        axes.set_xlabel(words)
        axes.grid(color=style.HAIRLINE, linewidth=0.5)
        axes.set_axisbelow(True)
    panels[0].set_ylabel(style.statistic_label(view))
    style.draw_best_metric(panels[-1], view, _HEIGHT - 20)
    for axes in panels[:-1]:
        style.draw_best_metric(axes, view, _HEIGHT - 20, named=False)
    style.legend(body, look.legend(list(table["model"])), settings)
    return figure
