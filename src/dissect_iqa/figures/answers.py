"""What layers answer beside opinions, over depth: thresholds and invariance in one column."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dissect_iqa.claims.answers import join_answers, within_depth
from dissect_iqa.claims.evidence import FEWEST_FAMILIES
from dissect_iqa.figures import style
from dissect_iqa.figures.depth import levels
from dissect_iqa.figures.looks import METRIC, UNTRAINED, Looks, looks
from dissect_iqa.figures.names import display
from dissect_iqa.figures.select import AGREEMENT, View, view_of
from dissect_iqa.figures.settings import FigureSettings

#: Millimetres of one profile.
_PROFILE = 42.0
#: Of more networks than this, single ones step back.
MANY = 12
_GRID = np.linspace(0, 1, 41)


def draw_answers(
    correlations: pd.DataFrame,
    layers: pd.DataFrame,
    invariance: pd.DataFrame,
    models: pd.DataFrame,
    label: str | None = None,
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw over depth what layers answer, and opinions against thresholds.

    Parameters
    ----------
    correlations : DataFrame
        Those of one data set; see `dissect_iqa.figures.select.views`.
    layers : DataFrame
        What `dissect_iqa.thresholds.find_thresholds.find_thresholds` returned, of all data sets.
    invariance : DataFrame
        What `dissect_iqa.invariance.measure_invariance.measure_invariance` returned, of all.
    models, label
        See `dissect_iqa.figures.select.views`.
    settings : FigureSettings, optional
        Look and choices.
    """
    settings = settings or FigureSettings()
    view = view_of(correlations, models, label, settings)
    moved: dict[str, pd.DataFrame] = {}
    if len(invariance):
        own = invariance[invariance["of"] == view.dataset]
        moved = {str(name): rows for name, rows in own.groupby("dataset", sort=False)}
    lights = list(dict.fromkeys(layers["dataset"])) if len(layers) else []
    if not len(view.layers) or not (lights or moved):
        text = (
            "No network was measured on these pictures and on others of thresholds or misaligned."
        )
        return style.statement(text, label, settings)
    tables = {light: _beside(view, layers[layers["dataset"] == light]) for light in lights}
    notes = [*style.facts(view), _words(tables, view, moved)]
    height = _PROFILE * (1 + len(lights) + len(moved)) + 10
    figure, body = style.sheet(height, notes, label, settings)
    look = looks(view.models, settings)
    parts: Any = body.subfigures(1, 2, width_ratios=(1.15, 1)) if lights else [body]
    columns = _columns(parts[0], view, tables, moved, look)
    if lights:
        against = np.atleast_1d(parts[1].subplots(len(lights), 1))
        for i, (light, axes) in enumerate(zip(lights, against, strict=True)):
            _against(axes, tables[light][0], view, look)
            ceiling = _ceiling(layers, light)
            if np.isfinite(ceiling):
                _mark(columns[1 + i], ceiling)
    networks = [str(name) for name in view.models.index]
    style.legend(body, look.legend(networks, metrics=True), settings)
    return figure


def _beside(view: View, seen: pd.DataFrame | None) -> tuple[pd.DataFrame, list[str]]:
    """Return opinions beside thresholds, and in words which metrics are too far off to be drawn."""
    table = join_answers(opinion_of(view), seen)
    if seen is None:
        return table, []
    numbers = table["thresholds"]
    networks = numbers[table["model"].isin(view.models.index)].dropna()
    if networks.empty:
        return table, []
    far = numbers > networks.max() + 0.5 * (networks.max() - networks.min())
    said = [
        f"{display(str(row.model), baseline=True)} {row.thresholds:.0f} dB"
        for row in table[far].itertuples()
    ]
    return table.assign(thresholds=numbers.where(~far)), said


def share_name(statistic: str) -> str:
    """Return what a share is kept of: SRCC, or of triplets the agreement beyond chance."""
    return "agreement beyond chance" if statistic == AGREEMENT else statistic.upper()


def opinion_of(view: View) -> pd.DataFrame:
    """Return each layer's and metric's agreement: `model, layer, distance, depth, opinion`."""
    rows = [view.at(view.distance), view.baselines]
    opinion = pd.concat([part for part in rows if len(part)], ignore_index=True)
    opinion = opinion.rename(columns={"value": "opinion"})
    return opinion[["model", "layer", "distance", "depth", "opinion"]]


def _columns(
    body: Any,
    view: View,
    tables: Mapping[str, tuple[pd.DataFrame, list[str]]],
    moved: Mapping[str, pd.DataFrame],
    look: Looks,
) -> list[Axes]:
    """Draw the profiles of all answers in one column."""
    axes = list(np.atleast_1d(body.subplots(1 + len(tables) + len(moved), 1, sharex=True)))
    draw_profiles(axes[0], as_lines(view, opinion_of(view)), "opinion", look)
    axes[0].set_ylabel(f"opinions: {style.short_statistic(view)}")
    for (name, (table, _)), part in zip(tables.items(), axes[1:], strict=False):
        known = as_lines(view, table.dropna(subset=["thresholds"]))
        draw_profiles(part, known, "thresholds", look)
        part.set_ylabel(f"{name if len(tables) > 1 else 'thresholds'}: RMSE (dB)")
        part.invert_yaxis()
    for (name, rows), part in zip(moved.items(), axes[1 + len(tables) :], strict=True):
        kept = join_answers(opinion_of(view), invariance=rows).dropna(subset=["kept"])
        draw_profiles(part, as_lines(view, kept), "kept", look)
        part.axhline(1, color=style.INK, linewidth=0.6)
        of = share_name(str(rows["statistic"].iloc[0]))
        part.set_ylabel(f"{of} kept, {name}" if len(moved) > 1 else f"share of {of} kept")
        part.set_ylim(bottom=min(0.0, *kept["kept"], 0.0))
    axes[-1].set_xlabel("relative depth")
    body.align_ylabels(axes)
    return axes


def as_lines(view: View, table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of networks, and of metrics those that are drawn as levels."""
    shown = {*view.models.index, *levels(view)["model"]}
    return table[table["model"].isin(shown)]


def draw_profiles(axes: Axes, table: pd.DataFrame, column: str, look: Looks) -> None:
    """Draw a column over depth: a line a network, a dotted level a metric.

    Of more than `MANY` networks the lines are faint, and each function's median is drawn over them.

    Parameters
    ----------
    axes : Axes
        Where to.
    table : DataFrame
        `model, depth` and the column; metrics have no depth.
    column : str
        What is drawn.
    look : Looks
        Of the networks' functions.
    """
    many = len(look.of) > MANY
    thin: dict[str, Any] = {"linewidth": 0.5, "alpha": 0.4} if many else {}
    profiles: dict[str, list[np.ndarray]] = {}
    for model, rows in table.groupby("model", sort=False):
        group = look.of.get(str(model))
        if group is None:
            level = rows[column].iloc[0]
            axes.axhline(level, color=style.MUTED, linewidth=0.7, linestyle=style.DOTTED)
            continue
        rows = rows.sort_values("depth", kind="stable")
        line = style.DASHED if group == UNTRAINED else "-"
        colour = look.function(group).colour
        axes.plot(rows["depth"], rows[column], color=colour, linestyle=line, **thin)
        profile = np.interp(_GRID, rows["depth"], rows[column], left=np.nan, right=np.nan)
        profiles.setdefault(group, []).append(profile)
    for group, several in profiles.items() if many else ():
        known = np.isfinite(several).sum(axis=0) > len(several) / 2
        middle = np.nanmedian(np.array(several)[:, known], axis=0)
        bold: dict[str, Any] = {"linewidth": 1.8, "path_effects": style.outline(3)}
        axes.plot(_GRID[known], middle, color=look.function(group).colour, **bold)
    axes.grid(axis="y", color=style.HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)


def draw_dots(axes: Axes, table: pd.DataFrame, x: str, y: str, look: Looks) -> None:
    """Draw one column against another: a dot a layer, the larger the deeper, a diamond a metric.

    Parameters
    ----------
    axes, table, look
        As of `draw_profiles`.
    x, y : str
        Columns of the table.
    """
    many = len(look.of) > MANY
    function = table["model"].map(lambda name: look.of.get(name, METRIC))
    for name, rows in table.groupby(function, sort=False):
        mine = look.function(str(name))
        depth = rows["depth"].fillna(1.0)
        network = name != METRIC
        size = (1 + 2 * depth if many else 2 + 3 * depth) if network else 5.0
        axes.scatter(
            rows[x], rows[y], s=size**2, marker=mine.marker, edgecolors=mine.colour,
            facecolors=mine.face, linewidths=0.4 if many and network else 0.7,
            alpha=0.5 if many and network else 0.8, zorder=3 if network else 4,
        )  # fmt: skip
    axes.grid(color=style.HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)


def _against(axes: Axes, table: pd.DataFrame, view: View, look: Looks) -> None:
    draw_dots(axes, table.dropna(subset=["thresholds"]), "thresholds", "opinion", look)
    axes.invert_xaxis()
    axes.set_xlabel("thresholds: RMSE (dB)")
    axes.set_ylabel(f"opinions: {style.short_statistic(view)}")


def _mark(axes: Axes, ceiling: float) -> None:
    axes.axhline(ceiling, color=style.INK, linewidth=0.8)
    axes.annotate(
        "one observer", (1, ceiling), xycoords=("axes fraction", "data"), ha="right",
        va="bottom", fontsize=style.SMALL, xytext=(0, 1), textcoords="offset points",
    )  # fmt: skip


def _ceiling(layers: pd.DataFrame, dataset: str) -> float:
    rows = layers[
        (layers["dataset"] == dataset) & (layers["kind"] == "ceiling")
        & (layers["direction"] == "all") & (layers["statistic"] == "rmse_db")
    ]  # fmt: skip
    return float(rows["value"].iloc[0]) if len(rows) else np.nan


def _words(
    tables: Mapping[str, tuple[pd.DataFrame, list[str]]],
    view: View,
    moved: Mapping[str, pd.DataFrame],
) -> str:
    said = []
    for light, (table, _) in tables.items():
        trained = view.models[~view.models["untrained"].astype(bool)]
        own = table[table["model"].isin(trained.index)].dropna(subset=["depth", "thresholds"])
        models = own["model"].nunique()
        rho, low, high = within_depth(own, trained["family"])
        text = f"Over {models} trained networks, within fifths of the depth, the rank correlation "
        text += f"of opinions and thresholds ({light}) "
        text += f"is {rho:+.2f}" if np.isfinite(rho) else "can't be told"
        if np.isfinite(low):
            text += f" (95 % over families: {low:+.2f} to {high:+.2f})"
        elif np.isfinite(rho):
            text += f" (no interval: fewer than {FEWEST_FAMILIES} families)"
        said.append(f"{text}; positive: layers that follow opinions see like people.")
    said.append(f"Distance: {style.rule(view)}")
    if tables:
        said.append(
            "Thresholds: each study by a criterion fitted to the others; less error is up and to "
            "the right."
        )
    if far := [name for _, names in tables.values() for name in names]:
        said.append(f"Further off than is drawn: {', '.join(far)}.")
    if moved:
        said.append("Share kept: misaligned over aligned agreement with opinions.")
    dots = "Larger dots: deeper layers. " if tables else ""
    if len(view.models) > MANY:
        dots += "Thick: the median network of a function. "
    return f"{' '.join(said)} {dots}Dotted: metrics; dashed, open: untrained."
