"""Scores against distances, with the logistic that maps one to the other."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dissect_iqa.figures import style
from dissect_iqa.figures.labels import fit
from dissect_iqa.figures.looks import Looks, looks
from dissect_iqa.figures.names import display
from dissect_iqa.figures.select import View, ranked, view_of
from dissect_iqa.figures.settings import FigureSettings

#: Networks and metrics that are shown, and how many stand beside each other.
NETWORKS, METRICS, _ACROSS = 8, 4, 4
_HEIGHT = 46.0


def draw_fits(
    predictions: pd.DataFrame,
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    label: str | None = None,
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw each pair's score against the distance, for the best network of each function and more.

    Parameters
    ----------
    predictions : DataFrame
        What `dissect_iqa.correlation.judge_pairs.judge_pairs` returned of one data set.
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
    view = view_of(correlations, models, label, settings)
    shown = chosen(view, predictions, settings)
    if not shown:
        return style.statement("Nothing was measured on this data set.", label, settings)
    rows = -(-len(shown) // _ACROSS)
    first = predictions[predictions["kind"] == "network"]
    distance = f"Distance: {display(str(first['distance'].iloc[0]))}." if len(first) else ""
    notes = [
        *style.facts(view),
        distance,
        "A dot a pair: of networks the distance at the layer with the highest SRCC over all pairs; "
        "of metrics their values, negated where smaller is better. Line: the logistic with 4 "
        "parameters (Sheikh et al. 2006), not drawn where it falls. The best network of each "
        "function and the next best ones, the best metrics, and PSNR.",
    ]
    figure, body = style.sheet(_HEIGHT * rows + 12, notes, label, settings)
    look = looks(view.models, settings)
    grid = list(body.subplots(rows, _ACROSS, sharey=True, squeeze=False).ravel())
    for spare in grid[len(shown) :]:
        spare.remove()
    for axes, name in zip(grid, shown, strict=False):
        own = predictions[predictions["model"] == name]
        _panel(axes, own, name, look, settings)
    body.supylabel("score (larger is better)", fontsize="medium")
    networks = [name for name in shown if name in look.of]
    style.legend(body, look.legend(networks, len(networks) < len(shown)), settings)
    return figure


def chosen(view: View, predictions: pd.DataFrame, settings: FigureSettings) -> list[str]:
    """Return who is shown: networks, the best of each function first, then metrics."""
    of = looks(view.models, settings).of
    known = set(predictions["model"])
    order = [str(name) for name in ranked(view)["model"] if name in known]
    networks = [name for name in order if name in of]
    functions = [of[name] for name in networks]
    leaders = [name for i, name in enumerate(networks) if of[name] not in functions[:i]]
    kept = [*leaders, *(name for name in networks if name not in leaders)][:NETWORKS]
    metrics = [name for name in order if name not in of]
    anchor = [name for name in metrics if name == "psnr"]
    best = [*metrics[: METRICS - len(anchor)], *anchor, *metrics]
    return [
        *sorted(kept, key=order.index),
        *sorted(dict.fromkeys(best[: METRICS + 1]), key=order.index)[:METRICS],
    ]


def _panel(axes: Axes, own: pd.DataFrame, name: str, look: Looks, settings: FigureSettings) -> None:
    mine = look[name]
    network = name in look.of
    # a distance falls as quality rises; what metrics say is drawn as it is
    x = own["predicted"].to_numpy(float) * (-1 if network else 1)
    axes.plot(
        x, own["quality"], "o", color=mine.colour, markersize=1.7, alpha=_alpha(len(own)),
        markeredgewidth=0, rasterized=True,
    )  # fmt: skip
    mapped = own["mapped"].to_numpy(float)
    if np.isfinite(mapped).any():
        order = np.argsort(x, kind="stable")
        axes.plot(
            x[order], mapped[order], color=style.INK, linewidth=1.2,
            path_effects=style.outline(2.4),
        )  # fmt: skip
    title = name if network else display(name, baseline=True)
    axes.set_title(fit(title, settings.width_mm / _ACROSS - 8, 8.0))
    axes.set_xlabel("distance" if network else "value of the metric", fontsize=style.SMALL)
    axes.locator_params(axis="x", nbins=4)
    axes.grid(color=style.HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)


def _alpha(count: int) -> float:
    """Return how faint a dot is: of many thousands they would make one blot."""
    return float(np.clip(300 / max(count, 1), 0.12, 0.6))
