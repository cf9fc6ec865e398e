"""Correlation per type of distortion: which distortions a metric sees as people do."""

import textwrap

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.collections import PatchCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, FigureBase
from matplotlib.patches import Rectangle

from dissect_iqa.figures import style
from dissect_iqa.figures.select import Label, View, ranked, views
from dissect_iqa.figures.settings import FigureSettings

GAP = 0.3


def draw_types(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    label: Label = None,
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw a heat map: models at their best layer and classic metrics, by type of distortion.

    The layer is the one that is best over the whole data set, the same in all columns.

    Parameters
    ----------
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
    blocks = views(correlations, models, label, settings)
    if not any(table_by_type(view).shape[1] > 1 for view in blocks):
        text = (
            "The data set doesn’t say which type of distortion a picture has (or correlations per "
            "type are switched off), so there is nothing to show by type."
        )
        return style.statement(text, blocks[0].label if blocks else None, settings)
    return style.compose(
        blocks,
        _height,
        lambda body, view: _draw(body, view, settings),
        _notes,
        settings,
    )


def table_by_type(view: View) -> pd.DataFrame:
    """Return values by model or metric (rows) and type (columns); the first column is all pairs.

    Rows are ranked within models and within metrics; models come first. A type's column is there
    if any row has a value in it.
    """
    rows = ranked(view)
    if rows.empty:
        return pd.DataFrame()
    network = rows["model"].isin(view.models.index)
    rows = pd.concat([rows[network], rows[~network]])
    keys = ["model", "distance", "layer"]
    per_type = view.by_type.drop_duplicates([*keys, "distortion"])
    wide = per_type.pivot(index=keys, columns="distortion", values="value")
    wide = wide[list(dict.fromkeys(per_type["distortion"]))].dropna(axis=1, how="all")
    wide = wide.reindex(pd.MultiIndex.from_frame(rows[keys]))
    wide.insert(0, "all", rows["value"].to_numpy())
    return wide.set_axis(rows["model"].to_numpy(), axis=0).dropna(axis=1, how="all")


def cell_text(value: float) -> str:
    """Return a correlation for a small cell: two digits, no leading zero, a true minus sign."""
    text = f"{value:.2f}"
    if not float(text):
        return ".00"
    return text.replace("0.", ".", 1).replace("-", "\N{MINUS SIGN}")


def _height(view: View) -> float:
    table = table_by_type(view)
    if table.shape[1] < 2:
        return 20.0
    labels = max(len(line) for name in table.columns for line in _wrapped(name))
    return (5.0 if len(table) <= 25 else 4.2) * len(table) + labels * 1.05 + 10.0


def _wrapped(name: str) -> list[str]:
    return textwrap.wrap(name, 20) or [name]


def _notes(view: View) -> list[str]:
    table = table_by_type(view)
    if table.shape[1] < 2:
        return []
    notes = ["Distance: " + style.rule(view)] if view.distance else []
    notes.append("Each model at the layer that is best over all pairs (first column).")
    counts = view.by_type["n"].dropna()
    if len(counts):
        low, high = int(counts.min()), int(counts.max())
        notes.append(f"Pairs a type: {low}." if low == high else f"Pairs a type: {low}–{high}.")
    if table.isna().any(axis=None):
        notes.append("–: no value.")
    return notes


def _draw(body: FigureBase, view: View, settings: FigureSettings) -> None:
    table = table_by_type(view)
    if table.shape[1] < 2:
        style.say(body, "This data set doesn’t say which type of distortion a picture has.")
        return
    networks = int(sum(name in view.models.index for name in table.index))
    x = np.arange(table.shape[1]) + GAP * (np.arange(table.shape[1]) > 0)
    y = np.arange(len(table)) + GAP * (np.arange(len(table)) >= networks) * (networks > 0)
    values = table.to_numpy(dtype=float)
    norm, colours = _scale(values, settings)
    axes = body.subplots()
    size = style.SMALL - (0.5 if table.shape[1] <= 16 else 1.0)
    cells = [Rectangle((left - 0.48, top - 0.47), 0.96, 0.94) for top in y for left in x]
    kept = np.isfinite(values).ravel()
    patches = PatchCollection([cell for cell, keep in zip(cells, kept, strict=True) if keep])
    patches.set(array=values.ravel()[kept], cmap=colours, norm=norm, linewidth=0)
    axes.add_collection(patches)
    for (i, j), value in np.ndenumerate(values):
        missing = not np.isfinite(value)
        shade = style.MUTED if missing else _ink(colours(norm(value)))
        text = "–" if missing else cell_text(value)
        axes.text(
            float(x[j]),
            float(y[i]),
            text,
            ha="center",
            va="center_baseline",
            fontsize=size,
            color=shade,
        )
    names = [
        name if i < networks else style.display(name, baseline=True)
        for i, name in enumerate(table.index)
    ]
    axes.set_yticks(y, names)
    axes.set_xticks(
        x,
        ["\n".join(_wrapped(name)) for name in table.columns],
        rotation=50,
        ha="right",
        va="top",
        rotation_mode="anchor",
        linespacing=0.95,
    )
    axes.set_xlim(-0.5, x[-1] + 0.5)
    axes.set_ylim(y[-1] + 0.5, -0.5)
    axes.tick_params(length=0, pad=3)
    axes.spines[:].set_visible(False)
    if len(table) < 3:
        return  # the numbers in the cells are scale enough
    bar = body.colorbar(patches, ax=axes, fraction=0.025, pad=0.01, aspect=30, shrink=0.9)
    bar.set_label(style.short_statistic(view))
    bar.outline.set_visible(False)


def _scale(values: np.ndarray, settings: FigureSettings) -> tuple[Normalize, mpl.colors.Colormap]:
    """Choose a light-to-dark scale, or one with a white zero if anything is inverted."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    grey = settings.palette == "grey"
    if low < -0.005:
        reach = max(-low, high)
        return Normalize(-reach, reach), mpl.colormaps["Greys" if grey else "RdBu"]
    floor = np.floor(low * 10) / 10
    return Normalize(floor, max(high, floor + 0.1)), mpl.colormaps["Greys" if grey else "Blues"]


def _ink(colour: tuple[float, float, float, float]) -> str:
    """Return white on dark, dark on light, by relative luminance (WCAG 2)."""
    rgb = np.asarray(colour[:3])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return "white" if linear @ (0.2126, 0.7152, 0.0722) < 0.30 else style.INK
