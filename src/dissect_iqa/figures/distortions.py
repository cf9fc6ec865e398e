"""Which types of distortion networks see better, or worse, than the best classic metric."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering

from dissect_iqa.figures import style
from dissect_iqa.figures.labels import POINTS, fit, text_width
from dissect_iqa.figures.names import display
from dissect_iqa.figures.select import View, ranked, view_of
from dissect_iqa.figures.settings import FigureSettings

#: Networks and metrics that a page has room for; the best are shown.
MOST = 56
#: Differences beyond these have the deepest colour.
_REACH = 0.3
#: Words of types' names and what is left of them in print.
_SHORT = {
    "additive": "add.", "gaussian": "Gauss.", "multiplicative": "mult.", "compression": "compr.",
    "component": "comp.", "components": "comp.", "colour": "col.", "color": "col.",
    "spatially": "spat.", "correlated": "corr.", "frequency": "freq.", "high-frequency": "high-fr.",
    "quantization": "quant.", "transmission": "transm.", "errors": "err.", "pattern": "patt.",
    "eccentricity": "ecc.", "intensity": "int.", "distortions": "dist.", "distortion": "dist.",
    "saturation": "satur.", "chromatic": "chrom.", "aberrations": "aberr.", "sampling": "samp.",
    "reconstruction": "rec.", "different": "diff.", "with": "w.", "than": "", "more": "more",
    "sparse": "sparse", "denoising": "denois.", "dithering": "dith.", "change": "chg.",
}  # fmt: skip


def draw_types(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    label: str | None = None,
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw a heat map: networks and metrics by type, as difference to the type's best metric.

    Rows and columns are in the order of their clusters (average linkage, Euclidean). The layer is
    the one that is best over the whole data set, the same in all columns.

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
    table = table_by_type(view)
    if table.shape[1] < 2:
        text = (
            "The data set doesn’t say which type of distortion a picture has (or correlations per "
            "type are switched off), so there is nothing to show by type."
        )
        return style.statement(text, label, settings)
    networks = table.index.isin(view.models.index)
    best = table[~networks].max() if (~networks).any() else None
    shown = table.head(MOST) if networks.all() or not networks.any() else _kept(table, networks)
    difference = shown - best if best is not None else shown
    parts = [
        _clustered(difference[shown.index.isin(view.models.index)]),
        _clustered(difference[~shown.index.isin(view.models.index)]),
    ]
    order = [*parts[0], *parts[1]]
    columns = ["all", *_clustered(difference.drop(columns="all").T)]
    difference = difference.loc[order, columns]
    row = 5.0 if len(difference) <= 25 else 3.15
    names = [shorten(name) for name in columns]
    heads = max(text_width(name, style.SMALL) for name in names) / POINTS
    notes = _notes(view, table, shown, best)
    figure, body = style.sheet(row * (len(difference) + 2) + heads + 10, notes, label, settings)
    _draw(body, view, difference, best, names, len(parts[0]), settings)
    return figure


def table_by_type(view: View) -> pd.DataFrame:
    """Return values by network or metric (rows) and type (columns); the first column is all pairs.

    Rows are ranked within networks and within metrics; networks come first. A type's column is
    there if any row has a value in it.
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


def shorten(name: str) -> str:
    """Return a type's name with its long words cut, at most 24 letters."""
    words = [_SHORT.get(word.lower(), word) for word in name.split()]
    short = " ".join(word for word in words if word)
    return short if len(short) <= 24 else short[:23].rstrip() + "…"


def _kept(table: pd.DataFrame, networks: np.ndarray) -> pd.DataFrame:
    """Return as many of the best networks and metrics as there is room for, in their shares."""
    if len(table) <= MOST:
        return table
    ours = max(1, round(MOST * networks.mean()))
    return pd.concat([table[networks].head(ours), table[~networks].head(MOST - ours)])


def _clustered(table: pd.DataFrame) -> list[Any]:
    """Return the rows' names in the order of their clusters; missing values count as the mean."""
    if len(table) < 3:
        return list(table.index)
    values = table.fillna(table.mean()).fillna(0.0).to_numpy(float)
    tree = linkage(values, "average")
    order = leaves_list(optimal_leaf_ordering(tree, values))
    middle, half = values.mean(axis=1)[order], len(order) // 2
    # either direction is the clusters' order: the higher end comes first
    turned = order[::-1] if middle[:half].mean() < middle[-half:].mean() else order
    return list(table.index[turned])


def _notes(
    view: View, table: pd.DataFrame, shown: pd.DataFrame, best: pd.Series | None
) -> list[str]:
    notes = style.facts(view)
    if view.distance:
        notes.append("Distance: " + style.rule(view))
    notes.append(
        "Each network at the layer that is best over all pairs (first column); rows and columns "
        "are sorted into clusters."
    )
    if best is not None:
        notes.append(
            f"Colour: {style.short_statistic(view)} less that of the best metric of the same "
            "column, whose own value stands above it. Dots, where no numbers are written: better "
            "than that metric."
        )
    counts = view.by_type["n"].dropna()
    if len(counts):
        low, high = int(counts.min()), int(counts.max())
        notes.append(f"Pairs a type: {low}." if low == high else f"Pairs a type: {low}–{high}.")
    if shown.isna().any(axis=None):
        notes.append("White: no value.")
    if len(shown) < len(table):
        notes.append(f"{len(shown)} of {len(table)} networks and metrics, the best of each.")
    return notes


def _draw(
    body: FigureBase,
    view: View,
    table: pd.DataFrame,
    best: pd.Series | None,
    names: list[str],
    networks: int,
    settings: FigureSettings,
) -> None:
    values = table.to_numpy(float)
    grey = settings.palette == "grey"
    axes = body.subplots()
    if best is None:
        look: dict[str, Any] = {"cmap": "Greys" if grey else "Blues", "vmin": 0, "vmax": 1}
    else:
        look = {"cmap": "PuOr" if not grey else "Greys", "vmin": -_REACH, "vmax": _REACH}
    drawn = axes.imshow(values, aspect="auto", interpolation="nearest", **look)
    for edge in np.arange(values.shape[1] - 1) + 0.5:
        axes.axvline(edge, color="white", linewidth=2.4 if edge < 1 else 0.5)
    for edge in np.arange(len(values) - 1) + 0.5:
        wide = networks and edge == networks - 0.5
        axes.axhline(edge, color="white", linewidth=2.4 if wide else 0.5)
    titles = [
        fit(str(name), 40, style.SMALL)
        if name in view.models.index
        else display(str(name), baseline=True)
        for name in table.index
    ]
    axes.set_yticks(range(len(titles)), titles)
    top = -0.5
    if best is not None:
        for column, name in enumerate(table.columns):
            axes.text(column, -1.1, style.number(best[name]), ha="center", va="center",
                      fontsize=style.SMALL)  # fmt: skip
        axes.text(-0.7, -1.1, "best metric", ha="right", va="center", fontsize=style.SMALL,
                  color=style.MUTED)  # fmt: skip
        top = -1.8
    axes.set_ylim(len(values) - 0.5, top)
    axes.xaxis.tick_top()
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.tick_params(length=0, pad=2)
    axes.spines[:].set_visible(False)
    _write_values(axes, values, drawn, settings)
    bar = body.colorbar(
        drawn, ax=axes, fraction=0.02, pad=0.01, aspect=30,
        extend="neither" if best is None else "both", shrink=0.6,
    )  # fmt: skip
    words = style.short_statistic(view) + ("" if best is None else " less that of the best metric")
    bar.set_label(words)
    bar.outline.set_visible(False)


def _write_values(axes: Axes, values: np.ndarray, drawn: Any, settings: FigureSettings) -> None:
    """Write each value into its cell, where cells are wide enough for it."""
    room = (settings.width_mm - 55) / values.shape[1] * POINTS
    if text_width("−.55", style.SMALL) > 0.95 * room or len(values) > 25:
        # printed in grey, the two sides of the scale would look alike
        y, x = np.nonzero(values > 0.005)
        axes.scatter(x, y, s=2.5, color=style.INK, linewidths=0)
        return
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            axes.text(
                column, row, style.number(value), ha="center", va="center_baseline",
                fontsize=style.SMALL, color=_ink(drawn.cmap(drawn.norm(value))),
            )  # fmt: skip


def _ink(colour: tuple[float, float, float, float]) -> str:
    """Return white on dark, dark on light, by relative luminance (WCAG 2)."""
    rgb = np.asarray(colour[:3])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return "white" if linear @ (0.2126, 0.7152, 0.0722) < 0.30 else style.INK
