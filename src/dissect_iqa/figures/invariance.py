"""What misalignment leaves of the agreement of layers and metrics with people."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dissect_iqa.claims.answers import join_answers
from dissect_iqa.figures import style
from dissect_iqa.figures.answers import (
    MANY,
    as_lines,
    draw_dots,
    draw_profiles,
    opinion_of,
    share_name,
)
from dissect_iqa.figures.looks import Looks, looks
from dissect_iqa.figures.names import display
from dissect_iqa.figures.select import AGREEMENT, View, view_of
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.figures.trends import name_points

#: Millimetres of one misalignment's two panels.
_HEIGHT = 78.0


def draw_invariance(
    correlations: pd.DataFrame,
    invariance: pd.DataFrame,
    models: pd.DataFrame,
    label: str | None = None,
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw the share of its correlation that each layer keeps, and what is left against what was.

    Parameters
    ----------
    correlations : DataFrame
        Those of the data set whose pictures are displaced; see
        `dissect_iqa.figures.select.views`.
    invariance : DataFrame
        What `dissect_iqa.invariance.measure_invariance.measure_invariance` returned of one data
        set.
    models, label
        See `dissect_iqa.figures.select.views`.
    settings : FigureSettings, optional
        Look and choices.
    """
    settings = settings or FigureSettings()
    view = view_of(correlations, models, label, settings)
    known = len(view.layers) or len(view.baselines)
    table = join_answers(opinion_of(view), invariance=invariance) if known else pd.DataFrame()
    if table.empty:
        text = "Neither a network layer nor a metric has a correlation here."
        return style.statement(text, label, settings)
    statistic, name = str(invariance["statistic"].iloc[0]), str(invariance["dataset"].iloc[0])
    notes = [f"{name}, of the pictures of {view.dataset}", _words(table, view, statistic)]
    figure, body = style.sheet(_HEIGHT, notes, label, settings)
    look = looks(view.models, settings)
    left, right = body.subplots(1, 2)
    draw_profiles(left, as_lines(view, table.dropna(subset=["kept"])), "kept", look)
    left.axhline(1, color=style.INK, linewidth=0.6)
    left.set_xlabel("relative depth")
    left.set_ylabel(f"share of {share_name(statistic)} kept")
    _before_and_after(right, table, look, statistic)
    networks = [str(name) for name in view.models.index]
    style.legend(body, look.legend(networks, bool(len(view.baselines))), settings)
    metrics = table.dropna(subset=["aligned", "misaligned"])
    metrics = metrics[~metrics["model"].isin(view.models.index)]
    titles = [display(str(name), baseline=True) for name in metrics["model"]]
    name_points(right, metrics.assign(model=titles), "aligned", "misaligned")
    return figure


def _before_and_after(axes: Axes, table: pd.DataFrame, look: Looks, statistic: str) -> None:
    known = table.dropna(subset=["aligned", "misaligned"])
    draw_dots(axes, known, "aligned", "misaligned", look)
    numbers = known[["aligned", "misaligned"]].to_numpy()
    low, high = (float(numbers.min()), float(numbers.max())) if len(known) else (0.0, 1.0)
    axes.plot([low, high], [low, high], color=style.INK, linewidth=0.6, zorder=1)
    name = statistic if statistic == AGREEMENT else statistic.upper()
    axes.set_xlabel(f"{name}, aligned")
    axes.set_ylabel(f"{name}, misaligned")


def _after(networks: pd.DataFrame, chance: float) -> float:
    """Return the median share that the layer best when misaligned has of the one best before."""
    best = networks.groupby("model")[["aligned", "misaligned"]].max() - chance
    return float((best["misaligned"] / best["aligned"]).median())


def _words(table: pd.DataFrame, view: View, statistic: str) -> str:
    trained = view.models.index[~view.models["untrained"].astype(bool)]
    networks = table[table["model"].isin(trained)]
    best = networks.dropna(subset=["aligned", "kept"]).sort_values("aligned", kind="stable")
    best = best.drop_duplicates("model", keep="last")
    known = networks[networks["model"].isin(best["model"])]
    said = []
    if len(best):
        after = _after(known, 0.5 if statistic == AGREEMENT else 0.0)
        said.append(
            f"Of their aligned {share_name(statistic)} {len(best)} trained networks keep "
            f"{best['kept'].median():.2f} (median; {best['kept'].min():.2f} to "
            f"{best['kept'].max():.2f}) at the layer that is best when aligned, and "
            f"{after:.2f} of it by changing to the layer that is best when misaligned."
        )
    said.append(f"Distance: {style.rule(view)}")
    said.append(
        "Only layers and metrics whose aligned value exceeds chance for sure have a share. On "
        "the line, nothing is lost. Larger dots: deeper layers; dotted lines: metrics; dashed, "
        "open: untrained."
    )
    if len(view.models) > MANY:
        said.append("Thick: the median network of a function.")
    return " ".join(said)
