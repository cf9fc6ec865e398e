"""Models that differ in one factor: function, architecture or environment."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from dissect_iqa.errors import UserError
from dissect_iqa.figures import points, style
from dissect_iqa.figures.labels import fit, text_width
from dissect_iqa.figures.select import Label, View, views
from dissect_iqa.figures.settings import FigureSettings

FACTORS = ("function", "architecture", "environment")
ROW = 4.0


@dataclass(frozen=True)
class Line:
    """One line of a column: a ``factor``, a ``title``, a ``member`` or a ``gap``."""

    kind: str
    text: str


@dataclass(frozen=True)
class Group:
    """The models of one comparison that have a value on a data set."""

    title: str
    factor: str
    members: tuple[str, ...]


def draw_comparisons(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    comparisons: Any,
    label: Label = None,
    settings: FigureSettings | None = None,
) -> Figure:
    """Draw the best layers of models that differ in one factor, grouped by factor.

    Parameters
    ----------
    correlations, models
        See `dissect_iqa.figures.select.views`.
    comparisons : iterable, mapping or None
        Each one an object or mapping with `title` (or `name` or `id`), `factor` and `members`
        (ids); a mapping's keys serve as titles where there is none. Members that are not part of
        the study are left out, and comparisons of which fewer than two are left.
    label
        See `dissect_iqa.figures.select.views`.
    settings : FigureSettings, optional
        Look and choices.

    Raises
    ------
    UserError
        If a comparison lacks its factor or members; see also `dissect_iqa.figures.select.views`.
    """
    settings = settings or FigureSettings()
    blocks = views(correlations, models, label, settings)
    wanted = read_groups(comparisons)
    present = [_present(wanted, view) for view in blocks]
    if not any(present):
        text = (
            "No comparison is set up."
            if not wanted
            else f"None of the {len(wanted)} comparisons has two models in this study, so there is "
            "nothing to compare. Select more models in the configuration."
        )
        return style.statement(text, blocks[0].label if blocks else None, settings)
    groups = {view.dataset: found for view, found in zip(blocks, present, strict=True)}
    return style.compose(
        blocks,
        lambda view: _height(groups[view.dataset]),
        lambda body, view: _draw(body, view, groups[view.dataset], settings),
        lambda view: _notes(view, groups[view.dataset], wanted, settings),
        settings,
    )


def read_groups(comparisons: Any) -> list[Group]:
    """Return comparisons as groups, whatever form they came in.

    Raises
    ------
    UserError
        If one lacks its factor or members, or its factor is unknown.
    """
    items: Iterable[Any] = comparisons or ()
    if isinstance(comparisons, Mapping):
        items = [{"id": key, **_plain(value)} for key, value in comparisons.items()]
    groups = []
    for item in items:
        content = _plain(item)
        title = str(content.get("title") or content.get("name") or content.get("id") or "")
        if content.get("factor") not in FACTORS:
            raise UserError(
                f"comparison {title!r}: factor is {content.get('factor')!r}; "
                f"allowed: {', '.join(FACTORS)}"
            )
        if not content.get("members"):
            raise UserError(f"comparison {title!r}: it has no members; list at least two models")
        groups.append(Group(title, str(content["factor"]), tuple(content["members"])))
    return groups


def _plain(item: Any) -> dict[str, Any]:
    return dict(item) if isinstance(item, Mapping) else dict(item.model_dump())


def _present(groups: list[Group], view: View) -> list[Group]:
    known = set(view.best(view.distance)["model"])
    found = []
    for group in groups:
        members = tuple(name for name in group.members if name in known)
        if len(members) >= 2:
            found.append(Group(group.title, group.factor, members))
    return found


def flow(groups: list[Group]) -> list[list[Line]]:
    """Set the groups one under the other, by factor, in two columns of about equal length.

    A group is never torn apart; a factor that goes on in the second column is named again.
    """
    ordered = sorted(groups, key=lambda group: FACTORS.index(group.factor))
    sizes = np.cumsum([len(group.members) + 2 for group in ordered])
    # the first column ends where the longer of the two is shortest
    cut = 1 + int(np.argmin([max(size, sizes[-1] - size) for size in sizes]))
    columns = []
    for part in (ordered[:cut], ordered[cut:]):
        lines: list[Line] = []
        factor = ""
        for group in part:
            if group.factor != factor:
                lines += [Line("gap", "")] if lines else []
                lines.append(Line("factor", f"{group.factor.capitalize()} varies"))
                factor = group.factor
            elif lines:
                lines.append(Line("gap", ""))
            lines.append(Line("title", group.title))
            lines += [Line("member", name) for name in group.members]
        columns.append(lines)
    return [lines for lines in columns if lines]


def _sorted(group: Group, view: View) -> Group:
    """Return the group with its highest value first."""
    order = [name for name in view.best(view.distance)["model"] if name in group.members]
    return Group(group.title, group.factor, tuple(order))


def _height(groups: list[Group]) -> float:
    return ROW * max((len(lines) for lines in flow(groups)), default=2) + 20.0


def _notes(
    view: View, groups: list[Group], wanted: list[Group], settings: FigureSettings
) -> list[str]:
    if not groups:
        return []
    notes = ["Distance: " + style.rule(view)]
    notes.append("Each model at its best layer.")
    if len(groups) < len(wanted):
        notes.append(f"{len(groups)} of {len(wanted)} comparisons have two models in this study.")
    if len(view.baselines):
        best = view.baselines.iloc[0]
        name = style.display(str(best["model"]), baseline=True)
        notes.append(f"Dotted: the best classic metric, {name}.")
    if view.ceiling is not None:
        notes.append("Solid: noise ceiling.")
    if settings.intervals:
        notes += style.interval_note(view, "Lines")
    return notes


def _draw(body: FigureBase, view: View, groups: list[Group], settings: FigureSettings) -> None:
    if not groups:
        style.say(body, "No comparison has two models with a correlation on this data set.")
        return
    columns = flow([_sorted(group, view) for group in groups])
    best = view.best(view.distance).set_index("model", drop=False)
    shown = best.loc[sorted({name for group in groups for name in group.members})]
    limits = points.value_limits([shown, view.baselines.iloc[:1]], view.ceiling)
    look = points.functions(view, settings)
    grid = body.subplots(1, len(columns), squeeze=False, sharex=True)[0]
    height = max(len(lines) for lines in columns)
    for axes, lines in zip(grid, columns, strict=True):
        _draw_column(axes, best, lines, look, settings)
        axes.set_ylim(height - 0.5, -0.7)
        points.finish_value_axis(axes, limits)
        if len(view.baselines):
            level = float(view.baselines["value"].iloc[0])
            axes.axvline(level, color=style.MUTED, linewidth=0.7, linestyle=(0, (1, 1.6)), zorder=1)
        if view.ceiling is not None:
            axes.axvline(view.ceiling, color=style.INK, linewidth=0.8, zorder=1)
        axes.set_xlabel(style.short_statistic(view) + ", best layer")
    used = {look.of[name] for name in shown.index}
    kept = points.Functions(look.of, {k: v for k, v in look.colours.items() if k in used})
    handles = points.legend_handles(kept, False)
    style.legend(body, handles, settings)


def _draw_column(
    axes: Axes,
    best: pd.DataFrame,
    lines: list[Line],
    look: points.Functions,
    settings: FigureSettings,
) -> None:
    members = [(y, line.text) for y, line in enumerate(lines) if line.kind == "member"]
    for y, name in members:
        row = next(best.loc[[name]].itertuples(index=False))
        points.draw_point(axes, row, y, look, settings.intervals)
    axes.set_yticks([y for y, _ in members], [name for _, name in members])
    # headings begin where the longest name begins, and may run on over the axes
    size = style.SMALL
    start = -max(text_width(name, size) for _, name in members)
    for y, line in enumerate(lines):
        if line.kind in ("factor", "title"):
            axes.annotate(
                fit(line.text, settings.width_mm / 2 - 4, size),
                (0, y),
                (start, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                va="center",
                fontsize=size,
                fontweight="bold" if line.kind == "factor" else "normal",
                color=style.INK if line.kind == "factor" else style.MUTED,
                bbox={"pad": 0.6, "facecolor": "white", "edgecolor": "none"},
                in_layout=False,
                zorder=4,
            )
