"""ImageNet accuracy against correlation with opinion scores."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from dissect_iqa.figures import style
from dissect_iqa.figures.looks import draw_points, looks
from dissect_iqa.figures.select import view_of
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.figures.trends import draw_trend, name_points, trend_words

_HEIGHT = 95.0


def draw_accuracy(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    label: str | None = None,
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw each network's correlation against its published ImageNet-1k top-1 accuracy.

    Parameters
    ----------
    correlations : DataFrame
        Those of one data set; see `dissect_iqa.figures.select.views`.
    models : DataFrame
        See `dissect_iqa.figures.select.views`; with `top1`, in per cent, where it is published.
    label : str, optional
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
    table = view.judged() if len(view.layers) else view.models.assign(value=[])
    if "top1" not in table or table["top1"].notna().sum() < 2:
        text = (
            "Fewer than two networks of this study have a published ImageNet accuracy (column top1 "
            "of the model table), so there is nothing to draw against it."
        )
        return style.statement(text, label, settings)
    known = table[table["top1"].notna()].assign(top1=lambda rows: rows["top1"].astype(float))
    notes = [
        *style.facts(view),
        f"Distance: {style.rule(view)}",
        f"{len(known)} of {len(table)} networks have a published accuracy.",
        style.choice_note(view),
        trend_words(known, {"accuracy": "top1"}),
        *style.interval_note(view, "Lines"),
    ]
    figure, body = style.sheet(_HEIGHT, notes, label, settings)
    axes = body.subplots()
    look = looks(view.models, settings)
    draw_trend(axes, known, "top1")
    interval: dict[str, Any] = {"yerr": ("low", "high")} if settings.intervals else {}
    draw_points(axes, known, "top1", "value", look, **interval)
    style.draw_best_metric(axes, view, _HEIGHT - 20)
    axes.set_xlabel("ImageNet-1k top-1 accuracy (%), as published")
    axes.set_ylabel(style.statistic_label(view))
    axes.grid(color=style.HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)
    style.legend(body, look.legend(list(known["model"])), settings)
    name_points(axes, known, "top1", "value")
    return figure
