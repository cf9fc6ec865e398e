"""What scatter plots over networks share: a trend with its interval, and names of dots."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from statsmodels.regression.linear_model import OLS

from dissect_iqa.claims.evidence import FEWEST_FAMILIES, rank_correlation
from dissect_iqa.figures import style
from dissect_iqa.figures.labels import text_width


def draw_trend(axes: Axes, table: pd.DataFrame, x: str, log: bool = False) -> None:
    """Draw the line of least squares with its 95 % band, errors clustered by family.

    Drawn only where there are enough families for a band.

    Parameters
    ----------
    axes : Axes
        Where to.
    table : DataFrame
        A row a network: `value`, `family`, `untrained` and the column of `x`.
    x : str
        The column that the value is drawn against.
    log : bool
        Whether the line is one over the logarithm.
    """
    table = _trained(table).dropna(subset=[x])
    if table["family"].nunique() < FEWEST_FAMILIES or table[x].nunique() < 3:
        return
    over = np.log10(table[x]) if log else table[x]
    groups = pd.factorize(table["family"])[0]
    design = np.column_stack([np.ones(len(table)), over])
    fit = OLS(table["value"].to_numpy(float), design).fit(
        cov_type="cluster", cov_kwds={"groups": groups}, use_t=True
    )
    at = np.linspace(over.min(), over.max(), 60)
    told = fit.get_prediction(np.column_stack([np.ones_like(at), at]))
    low, high = told.conf_int(alpha=0.05).T
    places = 10**at if log else at
    axes.fill_between(places, low, high, color=style.CONTEXT, alpha=0.45, linewidth=0, zorder=0)
    axes.plot(places, told.predicted_mean, color=style.MUTED, linewidth=1.0, zorder=1)


def trend_words(table: pd.DataFrame, columns: Mapping[str, str]) -> str:
    """Return in a sentence how far the value goes with each column, over trained networks.

    Parameters
    ----------
    table : DataFrame
        A row a network: `value`, `family`, `untrained` and the columns.
    columns : mapping of str to str
        By what a column is called in a sentence, its name.
    """
    table = _trained(table).dropna(subset=[*columns.values()])
    families = table["family"].nunique()
    if families < FEWEST_FAMILIES:
        return f"Fewer than {FEWEST_FAMILIES} families: no trend can be told."
    said = []
    for words, column in columns.items():
        rho, low, high, _ = rank_correlation(table[column], table["value"], families)
        said.append(f"{words} {_signed(rho)} ({_signed(low)} to {_signed(high)})")
    return (
        f"Rank correlation over {len(table)} trained networks, with 95 % intervals as wide as for "
        f"so many independent ones as there are families, {families}: {', '.join(said)}. Line and "
        "band: least squares, errors by family."
    )


def name_points(axes: Axes, table: pd.DataFrame, x: str, y: str, most: int = 60) -> None:
    """Name dots where there is room beside them, those at the edges of the cloud first.

    Parameters
    ----------
    axes : Axes
        With all that is drawn in it, and its legend; laid out by this.
    table : DataFrame
        `model` and the columns of `x` and `y`.
    x, y : str
        Columns of the coordinates.
    most : int
        So many names at most.
    """
    if table.empty:
        return
    figure: Any = axes.get_figure(root=True)
    figure.draw_without_rendering()
    dots = axes.transData.transform(table[[x, y]].to_numpy(float))
    scale = figure.dpi / 72
    frame = axes.get_window_extent().padded(-2 * scale)
    taken = [_box(place, 2.4 * scale, 2.4 * scale) for place in dots]
    middle = np.median(dots, axis=0)
    far = np.argsort(-np.hypot(*(dots - middle).T), kind="stable")
    height, named = style.SMALL * 1.15 * scale, 0
    for i in far:
        if named == most:
            break
        name = str(table["model"].iloc[i])
        width = text_width(name, style.SMALL) * scale * 1.04
        for side, up in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)):
            away = np.array([side * (width / 2 + 4 * scale), up * (height / 2 + 2.5 * scale)])
            box = _box(dots[i] + away, width / 2, height / 2)
            inside = box[0] > frame.x0 and box[1] > frame.y0 and box[2] < frame.x1
            others = (one for k, one in enumerate(taken) if k != i)
            if inside and box[3] < frame.y1 and not any(_meet(box, other) for other in others):
                taken.append(box)
                axes.annotate(
                    name, tuple(table[[x, y]].iloc[i]), tuple(away / scale),
                    textcoords="offset points", ha="center", va="center", fontsize=style.SMALL,
                    in_layout=False, path_effects=style.outline(1.6), zorder=5,
                )  # fmt: skip
                named += 1
                break


def _trained(table: pd.DataFrame) -> pd.DataFrame:
    return table[~table["untrained"].astype(bool)]


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


def _box(centre: np.ndarray, across: float, up: float) -> tuple[float, float, float, float]:
    return (centre[0] - across, centre[1] - up, centre[0] + across, centre[1] + up)


def _meet(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return not (
        one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    )
