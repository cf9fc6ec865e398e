"""Networks that differ in one factor: function, architecture or environment."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from dissect_iqa.errors import UserError
from dissect_iqa.figures import style
from dissect_iqa.figures.labels import fit, text_width
from dissect_iqa.figures.looks import Looks, looks
from dissect_iqa.figures.names import display
from dissect_iqa.figures.select import view_of
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.figures.value_axes import finish_value_axis

FACTORS = ("function", "architecture", "environment")
_ROW, _HEAD = 3.6, 13.0


@dataclass(frozen=True)
class Group:
    """A comparison whose first member met others: `differences` has a row for each of these.

    Its columns are `model`, `difference` to the first member, `low`, `high` and `told`: whether
    Holm's correction leaves it.
    """

    title: str
    factor: str
    first: str
    differences: pd.DataFrame


def draw_comparisons(
    contests: pd.DataFrame,
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    comparisons: Any,
    label: str | None = None,
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw how far each member of a comparison is from its first one, a panel a factor.

    Parameters
    ----------
    contests : DataFrame
        What `dissect_iqa.correlation.hold_contests.hold_contests` returned, with `distance`.
    correlations, models
        See `dissect_iqa.figures.select.views`.
    comparisons : iterable or mapping of mappings, or None
        Each with `title`, `factor` and `members`. Members that are not part of the study are left
        out, and comparisons of which fewer than two are left.
    label : str, optional
        See `dissect_iqa.figures.select.views`.
    settings : FigureSettings, optional
        Look and choices.

    Raises
    ------
    UserError
        If a comparison lacks its factor or members; see also `dissect_iqa.figures.select.views`.
    """
    settings = settings or FigureSettings()
    wanted = list(comparisons or ())
    groups = paired(wanted, contests)
    if not groups:
        text = (
            "No comparison is set up."
            if not wanted
            else f"None of the {len(wanted)} comparisons has two networks in this study, so there "
            "is nothing to compare. Select more models in the configuration."
        )
        return style.statement(text, label, settings)
    view = view_of(correlations, models, label, settings)
    columns = _columns(groups)
    height = max(sum(_size(part) for part in column) for column in columns) + 10.0
    first = contests.iloc[0]
    notes = [
        *style.facts(view),
        f"Distance: {display(str(first['distance']))}; {first['statistic'].upper()}.",
        "Each network less the first of its comparison, both at layers chosen on other references "
        "than those they are judged on; paired jackknife over references. Filled: a difference "
        "that Holm’s correction over all contests leaves.",
        f"{len(groups)} of {len(wanted)} comparisons have two networks in this study.",
    ]
    figure, body = style.sheet(height, notes, label, settings)
    # also those whose own correlations are undefined
    look = looks(models.set_index("id"), settings)
    _draw(body, columns, look, str(first["statistic"]).upper(), settings)
    return figure


def paired(comparisons: Iterable[Mapping[str, Any]], contests: pd.DataFrame) -> list[Group]:
    """Return the comparisons whose first member met another one, by factor.

    Raises
    ------
    UserError
        If one lacks its factor or members, or its factor is unknown.
    """
    found = []
    met: dict[tuple[str, str], Any] = {}
    for row in contests.itertuples() if len(contests) else ():
        met[row.first, row.second] = (row.difference, row.low, row.high, bool(row.winner))
        met[row.second, row.first] = (-row.difference, -row.high, -row.low, bool(row.winner))
    known = {name for pair in met for name in pair}
    for item in comparisons:
        title = str(item.get("title") or item.get("id") or "")
        if item.get("factor") not in FACTORS:
            raise UserError(
                f"comparison {title!r}: factor is {item.get('factor')!r}; "
                f"allowed: {', '.join(FACTORS)}"
            )
        if not item.get("members"):
            raise UserError(f"comparison {title!r}: it has no members; list at least two models")
        members = [name for name in item["members"] if name in known]
        rows = [(name, *met[name, members[0]]) for name in members[1:] if (name, members[0]) in met]
        if rows:
            columns = ["model", "difference", "low", "high", "told"]
            table = pd.DataFrame(rows, columns=columns)
            table = table.sort_values("difference", ascending=False, kind="stable")
            found.append(Group(title, str(item["factor"]), members[0], table))
    return sorted(found, key=lambda group: FACTORS.index(group.factor))


def _columns(groups: list[Group]) -> list[list[list[Group]]]:
    """Set the factors' panels in two columns of about equal height; a panel is never torn apart."""
    panels = [
        [group for group in groups if group.factor == factor]
        for factor in FACTORS
        if any(group.factor == factor for group in groups)
    ]
    if len(panels) < 2:
        return [panels]
    sizes = np.cumsum([_size(panel) for panel in panels])
    cut = 1 + int(np.argmin([max(size, sizes[-1] - size) for size in sizes[:-1]]))
    return [panels[:cut], panels[cut:]]


def _lines(panel: list[Group]) -> int:
    return sum(len(group.differences) + 2 for group in panel)


def _size(panel: list[Group]) -> float:
    return _ROW * _lines(panel) + _HEAD


def _draw(
    body: FigureBase,
    columns: list[list[list[Group]]],
    look: Looks,
    statistic: str,
    settings: FigureSettings,
) -> None:
    ends = pd.concat(
        [group.differences for column in columns for panel in column for group in panel]
    )[["difference", "low", "high"]].to_numpy(float)
    reach = max(float(np.nanmax(np.abs(ends))), 0.02) * 1.06
    parts: Any = body.subfigures(1, len(columns), squeeze=False)
    width = settings.width_mm / len(columns)
    networks: list[str] = []
    for part, column in zip(parts[0], columns, strict=True):
        heights = [_size(panel) for panel in column]
        spare = max(sum(_size(one) for one in other) for other in columns) - sum(heights)
        ratios = [*heights, spare] if spare > 1 else heights
        grid = part.subplots(len(ratios), 1, squeeze=False, height_ratios=ratios)[:, 0]
        if spare > 1:
            grid[-1].set_axis_off()
        own = [
            name
            for panel in column
            for group in panel
            for name in (group.first, *group.differences["model"])
        ]
        left = max(text_width(_named(name), style.SMALL) for name in own) + 2
        networks += own
        for axes, panel in zip(grid, column, strict=False):
            _panel(axes, panel, look, settings, left, width)
            finish_value_axis(axes, (-reach, reach))
            axes.set_title(f"{panel[0].factor.capitalize()} varies", fontweight="bold")
        grid[len(column) - 1].set_xlabel(f"difference in {statistic}")
    handles = look.legend(dict.fromkeys(networks))
    style.legend(body, handles, settings)


def _panel(
    axes: Axes,
    panel: list[Group],
    look: Looks,
    settings: FigureSettings,
    left: float,
    width: float,
) -> None:
    """Draw a factor's comparisons; `left` is where headings begin, in points from the axes."""
    ticks: list[int] = []
    names: list[str] = []
    y = 0
    for group in panel:
        # headings may run on over the axes
        axes.annotate(
            fit(group.title, width - 3, style.SMALL), (0, y), (-left, 0),
            xycoords=("axes fraction", "data"), textcoords="offset points", va="center",
            fontsize=style.SMALL, color=style.MUTED, in_layout=False, zorder=4,
            bbox={"pad": 0.6, "facecolor": "white", "edgecolor": "none"},
        )  # fmt: skip
        axes.plot([0, 0], [y + 0.6, y + 1.4], color=style.INK, linewidth=2.2, zorder=3)
        ticks += range(y + 1, y + 2 + len(group.differences))
        names += [group.first, *group.differences["model"]]
        y += 1
        for row in group.differences.itertuples():
            y += 1
            own = look[str(row.model)]
            if settings.intervals and np.isfinite(row.low):
                axes.plot([row.low, row.high], [y, y], color=own.colour, linewidth=1.0, zorder=2)
            axes.plot(
                row.difference, y, own.marker, color=own.colour, markersize=3.8,
                markerfacecolor=own.colour if row.told else "white", markeredgewidth=0.9, zorder=3,
            )  # fmt: skip
        y += 1
    axes.set_yticks(ticks, [_named(name) for name in names])
    axes.set_ylim(y - 0.5, -0.7)


def _named(name: str) -> str:
    return fit(name, 40, style.SMALL)
