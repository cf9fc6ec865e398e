"""What misalignment leaves of the agreement of layers and metrics with people."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dissect_iqa.claims.answers import join_answers
from dissect_iqa.figures import style
from dissect_iqa.figures.answers import MANY, draw_dots, draw_profiles, opinion_of, share_name
from dissect_iqa.figures.labels import text_width
from dissect_iqa.figures.points import Functions, functions, legend_handles
from dissect_iqa.figures.select import AGREEMENT, View, views
from dissect_iqa.figures.settings import FigureSettings

#: Millimetres of one misalignment's two panels.
_HEIGHT = 78.0


def draw_invariance(
    correlations: pd.DataFrame,
    invariance: pd.DataFrame,
    models: pd.DataFrame,
    labels: Mapping[str, str | None],
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw the share of its correlation that each layer keeps, and what is left against what was.

    Parameters
    ----------
    correlations : DataFrame
        The collected correlations.
    invariance : DataFrame
        What `dissect_iqa.invariance.measure_invariance.measure_invariance` returned, of all sets.
    models : DataFrame
        See `dissect_iqa.zoo.row.ModelRow.description`.
    labels : mapping of str to str or None
        By data set, a notice that must accompany its results.
    settings : FigureSettings, optional
        Look and choices.
    """
    settings = settings or FigureSettings()
    names = list(dict.fromkeys(invariance["dataset"]))
    rated = correlations[correlations["dataset"].isin(set(invariance["of"]))]
    of = {view.dataset: view for view in views(rated, models, dict(labels), settings)}
    parts = {}
    for name in names:
        rows = invariance[invariance["dataset"] == name]
        view = of[str(rows["of"].iloc[0])]
        known = len(view.layers) or len(view.baselines)
        table = join_answers(opinion_of(view), invariance=rows) if known else pd.DataFrame()
        parts[name] = (view, table, str(rows["statistic"].iloc[0]))
    notes = {name: _words(table, view, said) for name, (view, table, said) in parts.items()}
    figure, bodies = style.blocks(dict.fromkeys(names, _HEIGHT), notes, labels, settings)
    for name, body in bodies.items():
        view, table, statistic = parts[name]
        if table.empty:
            style.say(body, "Neither a network layer nor a metric has a correlation here.")
            continue
        look = functions(view, settings)
        left, right = body.subplots(1, 2)
        draw_profiles(left, table.dropna(subset=["kept"]), "kept", look)
        left.axhline(1, color=style.INK, linewidth=0.6)
        left.set_xlabel("relative depth")
        left.set_ylabel(f"share of {share_name(statistic)} kept")
        _before_and_after(right, table, view, look, statistic)
        style.legend(body, legend_handles(look, bool(len(view.baselines))), settings)
    return figure


def _before_and_after(
    axes: Axes, table: pd.DataFrame, view: View, look: Functions, statistic: str
) -> None:
    known = table.dropna(subset=["aligned", "misaligned"])
    draw_dots(axes, known, "aligned", "misaligned", look)
    numbers = known[["aligned", "misaligned"]].to_numpy()
    low, high = (float(numbers.min()), float(numbers.max())) if len(known) else (0.0, 1.0)
    axes.plot([low, high], [low, high], color=style.INK, linewidth=0.6, zorder=1)
    name = statistic if statistic == AGREEMENT else statistic.upper()
    axes.set_xlabel(f"{name}, aligned")
    axes.set_ylabel(f"{name}, misaligned")
    _name_metrics(axes, known[~known["model"].isin(view.models.index)])


def _name_metrics(axes: Axes, metrics: pd.DataFrame) -> None:
    """Write each metric beside its diamond, on the side where there is room."""
    left, right = axes.get_xlim()
    for row in metrics.itertuples():
        title = style.display(str(row.model), baseline=True)
        room = (right - row.aligned) / max(right - left, 1e-9) * 190  # points, about
        inside = text_width(title, style.TINY) + 6 < room
        axes.annotate(
            title,
            (row.aligned, row.misaligned),
            xytext=(4 if inside else -4, 0),
            textcoords="offset points",
            ha="left" if inside else "right",
            va="center",
            fontsize=style.TINY,
            color=style.INK,
            path_effects=style.outline(2),
            zorder=5,
        )


def _after(networks: pd.DataFrame, chance: float) -> float:
    """Return the median share that the layer best when misaligned has of the one best before."""
    best = networks.groupby("model")[["aligned", "misaligned"]].max() - chance
    return float((best["misaligned"] / best["aligned"]).median())


def _words(table: pd.DataFrame, view: View, statistic: str) -> str:
    if table.empty:
        return ""
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
