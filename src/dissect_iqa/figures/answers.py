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
from dissect_iqa.figures.points import Functions, functions, legend_handles
from dissect_iqa.figures.select import AGREEMENT, View, views
from dissect_iqa.figures.settings import FigureSettings

Labels = Mapping[str, str | None]
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
    labels: Labels,
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw over depth what layers answer, and opinions against thresholds.

    Parameters
    ----------
    correlations : DataFrame
        The collected correlations.
    layers : DataFrame
        What `dissect_iqa.thresholds.find_thresholds.find_thresholds` returned, of all data sets.
    invariance : DataFrame
        What `dissect_iqa.invariance.measure_invariance.measure_invariance` returned, of all.
    models : DataFrame
        See `dissect_iqa.zoo.row.ModelRow.description`.
    labels : mapping of str to str or None
        By data set, a notice that must accompany its results.
    settings : FigureSettings, optional
        Look and choices.
    """
    settings = settings or FigureSettings()
    lights = list(dict.fromkeys(layers["dataset"])) if len(layers) else []
    opinions = _opinions(correlations, layers, invariance, models, labels, settings)
    blocks: dict[str, tuple[View, str, dict[str, pd.DataFrame]]] = {}
    for view in opinions:
        moved: dict[str, pd.DataFrame] = {}
        if len(invariance):
            own = invariance[invariance["of"] == view.dataset]
            moved = {str(name): rows for name, rows in own.groupby("dataset", sort=False)}
        for light in lights or [""]:
            title = ", ".join(name for name in (view.dataset, light, *moved) if name)
            if light or moved:
                blocks[title] = (view, light, moved)
    if not blocks:
        text = (
            "No network was measured on rated pictures and on thresholds or misaligned ones, too."
        )
        return style.statement(text, None, settings)
    heights = {
        title: _PROFILE * (1 + bool(light) + len(moved)) + 10
        for title, (_, light, moved) in blocks.items()
    }
    tables = {
        title: _beside(view, layers[layers["dataset"] == light] if light else None)
        for title, (view, light, _) in blocks.items()
    }
    notes = {
        title: _words(*tables[title], view, light, moved)
        for title, (view, light, moved) in blocks.items()
    }
    figure, bodies = style.blocks(heights, notes, labels, settings)
    for title, body in bodies.items():
        view, light, moved = blocks[title]
        table, _ = tables[title]
        look = functions(view, settings)
        left, right = body.subfigures(1, 2, width_ratios=(1.15, 1)) if light else (body, None)
        parts = _columns(left, view, table, moved, look)
        if right is not None:
            _against(right.subplots(), table, view, look)
            ceiling = _ceiling(layers, light)
            if np.isfinite(ceiling):
                _mark(parts[1], ceiling)
        style.legend(body, legend_handles(look, baselines=True), settings)
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
        f"{style.display(str(row.model), baseline=True)} {row.thresholds:.0f} dB"
        for row in table[far].itertuples()
    ]
    return table.assign(thresholds=numbers.where(~far)), said


def _opinions(
    correlations: pd.DataFrame,
    layers: pd.DataFrame,
    invariance: pd.DataFrame,
    models: pd.DataFrame,
    labels: Labels,
    settings: FigureSettings,
) -> list[View]:
    """Return the views of data sets that people rated, each picture once."""
    tables = [table for table in (layers, invariance) if len(table)]
    others = {name for table in tables for name in table["dataset"].unique()}
    rated = correlations[~correlations["dataset"].isin(others)]
    found = views(rated, models, dict(labels), settings) if len(rated) else []
    return [view for view in found if len(view.layers)]


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
    table: pd.DataFrame,
    moved: Mapping[str, pd.DataFrame],
    look: Functions,
) -> list[Axes]:
    """Draw the profiles of all answers in one column."""
    light = "thresholds" in table
    axes = list(np.atleast_1d(body.subplots(1 + light + len(moved), 1, sharex=True)))
    draw_profiles(axes[0], table, "opinion", look)
    axes[0].set_ylabel(f"opinions: {style.short_statistic(view)}")
    if light:
        draw_profiles(axes[1], table.dropna(subset=["thresholds"]), "thresholds", look)
        axes[1].set_ylabel("thresholds: RMSE (dB)")
        axes[1].invert_yaxis()
    for (name, rows), part in zip(moved.items(), axes[1 + light :], strict=True):
        kept = join_answers(opinion_of(view), invariance=rows).dropna(subset=["kept"])
        draw_profiles(part, kept, "kept", look)
        part.axhline(1, color=style.INK, linewidth=0.6)
        of = share_name(str(rows["statistic"].iloc[0]))
        part.set_ylabel(f"{of} kept, {name}" if len(moved) > 1 else f"share of {of} kept")
        part.set_ylim(bottom=min(0.0, *kept["kept"], 0.0))
    axes[-1].set_xlabel("relative depth")
    return axes


def draw_profiles(axes: Axes, table: pd.DataFrame, column: str, look: Functions) -> None:
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
    look : Functions
        Colours of the networks' functions.
    """
    many = len(look.of) > MANY
    thin: dict[str, Any] = {"linewidth": 0.5, "alpha": 0.4} if many else {}
    profiles: dict[str, list[np.ndarray]] = {}
    for model, rows in table.groupby("model", sort=False):
        group = look.of.get(str(model))
        if group is None:
            level = rows[column].iloc[0]
            axes.axhline(level, color=style.MUTED, linewidth=0.7, linestyle=(0, (1, 1.6)))
            continue
        rows = rows.sort_values("depth", kind="stable")
        line = (0, (3.2, 1.4)) if group == "untrained" else "-"
        axes.plot(rows["depth"], rows[column], color=look.colours[group], linestyle=line, **thin)
        profile = np.interp(_GRID, rows["depth"], rows[column], left=np.nan, right=np.nan)
        profiles.setdefault(group, []).append(profile)
    for group, several in profiles.items() if many else ():
        known = np.isfinite(several).sum(axis=0) > len(several) / 2
        middle = np.nanmedian(np.array(several)[:, known], axis=0)
        bold: dict[str, Any] = {"linewidth": 1.8, "path_effects": style.outline(3)}
        axes.plot(_GRID[known], middle, color=look.colours[group], **bold)
    axes.grid(axis="y", color=style.HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)


def draw_dots(axes: Axes, table: pd.DataFrame, x: str, y: str, look: Functions) -> None:
    """Draw one column against another: a dot a layer, the larger the deeper, a diamond a metric.

    Parameters
    ----------
    axes, table, look
        As of `draw_profiles`.
    x, y : str
        Columns of the table.
    """
    many = len(look.of) > MANY
    for row in table.sort_values("depth", kind="stable").to_dict("records"):
        group = look.of.get(str(row["model"]))
        colour = look.colours[group] if group else style.MUTED
        depth = 1.0 if np.isnan(row["depth"]) else row["depth"]
        axes.plot(
            row[x],
            row[y],
            "o" if group else "D",
            color=colour,
            markerfacecolor="white" if group == "untrained" else colour,
            markersize=(1 + 2 * depth if many else 2 + 3 * depth) if group else 5,
            markeredgewidth=0.4 if many and group else 0.7,
            alpha=0.5 if many and group else 0.8,
        )
    axes.grid(color=style.HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)


def _against(axes: Axes, table: pd.DataFrame, view: View, look: Functions) -> None:
    draw_dots(axes, table.dropna(subset=["thresholds"]), "thresholds", "opinion", look)
    axes.invert_xaxis()
    axes.set_xlabel("thresholds: RMSE (dB), better to the right")
    axes.set_ylabel(f"opinions: {style.short_statistic(view)}")


def _mark(axes: Axes, ceiling: float) -> None:
    axes.axhline(ceiling, color=style.INK, linewidth=0.8)
    axes.annotate(
        "one observer", (1, ceiling), xycoords=("axes fraction", "data"), ha="right",
        va="bottom", fontsize=style.TINY, xytext=(0, 1), textcoords="offset points",
    )  # fmt: skip


def _ceiling(layers: pd.DataFrame, dataset: str) -> float:
    rows = layers[
        (layers["dataset"] == dataset) & (layers["kind"] == "ceiling")
        & (layers["direction"] == "all") & (layers["statistic"] == "rmse_db")
    ]  # fmt: skip
    return float(rows["value"].iloc[0]) if len(rows) else np.nan


def _words(
    table: pd.DataFrame, far: list[str], view: View, light: str, moved: Mapping[str, pd.DataFrame]
) -> str:
    said = []
    if light:
        trained = view.models[~view.models["untrained"].astype(bool)]
        own = table[table["model"].isin(trained.index)].dropna(subset=["depth", "thresholds"])
        models = own["model"].nunique()
        rho, low, high = within_depth(own, trained["family"])
        text = f"Over {models} trained networks, within fifths of the depth, the rank correlation "
        text += "of opinions and thresholds "
        text += f"is {rho:+.2f}" if np.isfinite(rho) else "can't be told"
        if np.isfinite(low):
            text += f" (95 % over families: {low:+.2f} to {high:+.2f})"
        elif np.isfinite(rho):
            text += f" (no interval: fewer than {FEWEST_FAMILIES} families)"
        said.append(f"{text}; positive: layers that follow opinions see like people.")
    said.append(f"Distance: {style.rule(view)}")
    if light:
        said.append(
            f"Thresholds: {light}, each study by a criterion fitted to the others; less error is "
            "up and to the right."
        )
    if far:
        said.append(f"Further off than is drawn: {', '.join(far)}.")
    if moved:
        said.append("Share kept: misaligned over aligned agreement with opinions.")
    dots = "Larger dots: deeper layers. " if light else ""
    if len(view.models) > MANY:
        dots += "Thick: the median network of a function. "
    return f"{' '.join(said)} {dots}Dotted: metrics; dashed, open: untrained."
