"""Specification curves: the effect of each finding in every universe, and the choices behind it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from dissect_iqa.claims.evidence import FAILS, HOLDS, OPEN
from dissect_iqa.figures import style
from dissect_iqa.figures.labels import POINTS, fit, text_width, wrap
from dissect_iqa.figures.names import display
from dissect_iqa.figures.settings import STATISTICS, FigureSettings
from dissect_iqa.multiverse.choices import CHOICES
from dissect_iqa.multiverse.count_verdicts import VERDICTS, shares_by_option

#: Findings that are shown of a data set, and how many stand beside each other.
MOST, _ACROSS = 8, 4
#: Heights in millimetres: of an option's row, of the curve, and of what stands around them.
_ROW, _CURVE, _AROUND = 2.7, 24.0, 24.0
#: How options are written where their name alone doesn't say it.
_WORDS = {
    ("layer", "honest"): "layer chosen honestly",
    ("layer", "flattering"): "layer chosen on the same pairs",
    ("layer", "last"): "last layer",
    ("pairs", "all"): "over all pairs",
    ("pairs", "types"): "mean over types",
    ("references", "all"): "all references",
    ("references", "natural only"): "without the artificial one",
    ("identical", "kept"): "identical pairs kept",
    ("identical", "left out"): "identical pairs left out",
    ("reading", "plain"): "networks read as listed",
}


def draw_multiverse(
    universes: pd.DataFrame, label: str | None = None, settings: FigureSettings | None = None
) -> Figure:
    """Draw the specification curves of the findings that have an effect.

    After Simonsohn, Simmons and Nelson (Nature Human Behaviour 2020).

    Parameters
    ----------
    universes : DataFrame
        What `dissect_iqa.multiverse.walk_multiverse.walk_multiverse` returned of one data set.
    label : str, optional
        A notice that must accompany the results.
    settings : FigureSettings, optional
        Look and choices.
    """
    settings = settings or FigureSettings()
    claims = _shown(universes) if len(universes) else []
    if not claims:
        text = "No finding has an effect in any universe: too few networks or metrics for all."
        return style.statement(text, label, settings)
    options = _options(universes)
    notes = [_notes(universes, claims)]
    height = _height(len(options), len(claims), settings)
    figure, body = style.sheet(height, notes, label, settings)
    _draw(body, universes, claims, options, settings)
    return figure


def _shown(table: pd.DataFrame) -> list[str]:
    """Return the findings with an effect somewhere, the most disputed ones of too many."""
    known = table[np.isfinite(table["effect"].astype(float))]
    claims = list(dict.fromkeys(known["claim"]))
    agreed = known.groupby("claim")["verdict"].value_counts(normalize=True).groupby("claim").max()
    kept = sorted(claims, key=lambda claim: agreed[claim])[:MOST]
    return [claim for claim in claims if claim in kept]


def _options(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return choice and option of each row: only of choices that can be made here."""
    known = {choice: list(dict.fromkeys(table[choice])) for choice in CHOICES}
    return [(choice, one) for choice, found in known.items() if len(found) > 1 for one in found]


def _across(settings: FigureSettings) -> int:
    """Return how many findings stand beside each other: as many as leave room for three shares."""
    return max(1, min(_ACROSS, int((settings.width_mm - 52) // 33)))


def _height(options: int, claims: int, settings: FigureSettings) -> float:
    return -(-claims // _across(settings)) * (options * _ROW + _CURVE + _AROUND) + 8


def _words(choice: str, option: str) -> str:
    if choice == "statistic":
        words = {"plcc": "PLCC, raw", "plcc4": "PLCC after logistic"}
        return words.get(option, option.upper() if option in STATISTICS else option)
    return display(option) if choice == "distance" else _WORDS.get((choice, option), option)


def _notes(table: pd.DataFrame, claims: list[str]) -> str:
    count = len(table[list(CHOICES)].drop_duplicates())
    text = (
        f"{count} universes. Above each curve in what shares the finding holds, does not hold, and "
        "can’t be told; below it the options of every universe, and at the right in how many per "
        "cent of an option’s universes it holds. Black line: as the study reports it."
    )
    others = table.loc[~table["claim"].isin(claims), "claim"].nunique()
    return text + (f" Not shown: {others} findings, see multiverse.csv." if others else "")


def _colours(settings: FigureSettings) -> dict[str, Any]:
    if settings.palette == "grey":
        return {HOLDS: "#222222", FAILS: "#8a8a8a", OPEN: style.CONTEXT}
    first, second = style.colours(2, settings)
    return {HOLDS: first, FAILS: second, OPEN: "#bdbdbd"}


def _draw(
    body: SubFigure,
    table: pd.DataFrame,
    claims: list[str],
    options: list[tuple[str, str]],
    settings: FigureSettings,
) -> None:
    colours = _colours(settings)
    across = _across(settings)
    rows = -(-len(claims) // across)
    grid = body.subplots(
        2 * rows,
        across,
        squeeze=False,
        gridspec_kw={"height_ratios": [_CURVE, _ROW * len(options)] * rows},
    )
    names = [fit(_words(*option), 40, style.SMALL) for option in options]
    margin = max(text_width(name, style.SMALL) for name in names) / 72 * 25.4
    width = (settings.width_mm - margin - 12) / across - 14
    for place in range(rows * across):
        row, column = divmod(place, across)
        curve, matrix = grid[2 * row, column], grid[2 * row + 1, column]
        if place >= len(claims):
            curve.remove()
            matrix.remove()
            continue
        own = _sorted(table[table["claim"] == claims[place]])
        _curve(curve, own, colours, width, settings)
        _matrix(matrix, own, options, colours)
        matrix.set_yticks(range(len(options)), names if column == 0 else [], fontsize=style.SMALL)
    handles = [
        Line2D([], [], color=colours[verdict], marker="s", linestyle="", label=verdict)
        for verdict in VERDICTS
    ]
    style.legend(body, handles, settings)


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    """Return a finding's universes by effect; equal ones by verdict, unknown ones last."""
    order = table.assign(_verdict=table["verdict"].map(VERDICTS.index))
    return order.sort_values(["effect", "_verdict", *CHOICES], kind="stable", ignore_index=True)


def _curve(
    axes: Axes,
    table: pd.DataFrame,
    colours: Mapping[str, Any],
    width: float,
    settings: FigureSettings,
) -> None:
    x, effect = np.arange(len(table)), table["effect"].to_numpy(float)
    shades = np.array([to_rgb(colours[verdict]) for verdict in table["verdict"]])
    low, high = table["low"].to_numpy(float), table["high"].to_numpy(float)
    known = np.isfinite(low) & np.isfinite(high)
    if settings.intervals and known.any():
        ends = np.stack([np.stack([x, low], axis=1), np.stack([x, high], axis=1)], axis=1)
        # of very many universes they would hide the effects
        thick = min(0.4, 0.5 * width * POINTS / len(table))
        lines = LineCollection(list(ends[known]), colors=shades[known], alpha=0.35)
        lines.set_linewidth(thick)
        axes.add_collection(lines)
    axes.scatter(x, effect, s=2.2, c=shades, linewidths=0, zorder=3)
    axes.set_xlim(-0.5, len(table) - 0.5)
    axes.axhline(0, color=style.MUTED, linewidth=0.5, zorder=1)
    _mark(axes, table)
    shares = table["verdict"].value_counts(normalize=True)
    told = ", ".join(f"{100 * shares.get(name, 0):.0f} %" for name in VERDICTS)
    finding = _lines(str(table["finding"].iloc[0]), width + 3, 4)
    axes.set_title(f"{finding}\n{told}", fontsize=style.SMALL)
    named = table.loc[table["default"] & (table["effect_name"] != ""), "effect_name"]
    name = str(named.iloc[0] if len(named) else table["effect_name"].max())
    # findings speak of SRCC, which is one of several statistics here
    axes.set_ylabel(
        _lines(name.replace("SRCC", "correlation"), _CURVE + 2, 4), fontsize=style.SMALL
    )
    axes.set_xticks([])
    axes.tick_params(labelsize=style.SMALL)
    axes.locator_params(axis="y", nbins=4)
    _unclip(axes)


def _lines(text: str, width: float, most: int) -> str:
    """Break text into so many lines at most; the last is cut if need be."""
    lines = wrap(text, width, style.SMALL).split("\n")
    kept = [*lines[: most - 1], " ".join(lines[most - 1 :])]
    return "\n".join(fit(line, width, style.SMALL) for line in kept if line)


def _mark(axes: Axes, table: pd.DataFrame) -> None:
    for place in np.flatnonzero(table["default"].to_numpy(bool)):
        axes.axvline(float(place), color=style.INK, linewidth=0.7, zorder=4)


def _matrix(
    axes: Axes,
    table: pd.DataFrame,
    options: list[tuple[str, str]],
    colours: Mapping[str, Any],
) -> None:
    shades = np.array([to_rgb(colours[verdict]) for verdict in table["verdict"]])
    cells = np.ones((len(options), len(table), 3))
    for row, (choice, option) in enumerate(options):
        taken = (table[choice] == option).to_numpy()
        cells[row, taken] = shades[taken]
    # each universe has a column of the picture, however many there are
    axes.imshow(cells, aspect="auto", interpolation="nearest")
    _mark(axes, table)
    for row, (choice, option) in enumerate(options):
        if row and options[row - 1][0] != choice:
            axes.axhline(row - 0.5, color=style.MUTED, linewidth=0.5)
        elif row:
            axes.axhline(row - 0.5, color="white", linewidth=0.8)
        shares = shares_by_option(table, choice)
        text = f"{100 * shares.loc[option, HOLDS]:.0f}" if option in shares.index else "–"
        axes.annotate(text, (1.02, row), xycoords=("axes fraction", "data"), va="center",
                      fontsize=style.SMALL, color=style.MUTED)  # fmt: skip
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    _unclip(axes)


def _unclip(axes: Axes) -> None:
    """Draw without clipping, of which there is no need.

    A clip's name in the SVG is made of places to the last bit, in which two runs can differ.
    """
    for artist in (*axes.lines, *axes.collections, *axes.images):
        artist.set_clip_on(False)
