"""Models that differ in one factor: function, architecture or environment."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from dissect_iqa.errors import UserError
from dissect_iqa.figures import points, style
from dissect_iqa.figures.select import Label, View, views
from dissect_iqa.figures.settings import FigureSettings

FACTORS = ("function", "architecture", "environment")
ROW = 4.0


@dataclass(frozen=True)
class Group:
    """The models of one comparison that have a value on a data set."""

    title: str
    factor: str
    members: tuple[str, ...]


def draw_comparisons(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    label: Label = None,
    settings: FigureSettings | None = None,
    comparisons: Any = None,
) -> Figure:
    """Draw the best layers of models that differ in one factor, one column a factor.

    Parameters
    ----------
    correlations, models, label
        See `dissect_iqa.figures.select.views`.
    settings : FigureSettings, optional
        Look and choices.
    comparisons : iterable or mapping, optional
        Each one an object or mapping with `title` (or `name` or `id`), `factor` and `members`
        (ids); a mapping's keys serve as titles where there is none. Members that are not part of
        the study are left out, and comparisons of which fewer than two are left.

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
        lambda view: _height(groups[view.dataset], settings),
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


def _columns(groups: list[Group]) -> list[tuple[str, list[Group]]]:
    columns = [(factor, [g for g in groups if g.factor == factor]) for factor in FACTORS]
    return [(factor, found) for factor, found in columns if found]


def _lines(groups: list[Group]) -> int:
    return sum(len(group.members) + 2 for group in groups)


def _height(groups: list[Group], settings: FigureSettings) -> float:
    longest = max((_lines(found) for _, found in _columns(groups)), default=2)
    return ROW * longest + 26.0


def _notes(
    view: View, groups: list[Group], wanted: list[Group], settings: FigureSettings
) -> list[str]:
    if not groups:
        return []
    notes = [view.rule.format(distance=style.display(view.distance))]
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
    columns = _columns(groups)
    best = view.best(view.distance).set_index("model", drop=False)
    shown = best.loc[sorted({name for group in groups for name in group.members})]
    limits = points.value_limits([shown, view.baselines.iloc[:1]], view.ceiling)
    look = points.functions(view, settings)
    grid = body.subplots(1, len(columns), squeeze=False, sharex=True)[0]
    height = max(_lines(found) for _, found in columns)
    for axes, (factor, found) in zip(grid, columns, strict=True):
        axes.set_title(f"{factor.capitalize()} varies", fontweight="bold", pad=6)
        _draw_column(axes, best, found, look, settings)
        axes.set_ylim(height - 0.5, -0.6)
        points.finish_value_axis(axes, limits)
        if len(view.baselines):
            level = float(view.baselines["value"].iloc[0])
            axes.axvline(level, color=style.MUTED, linewidth=0.7, linestyle=(0, (1, 1.6)))
        if view.ceiling is not None:
            axes.axvline(view.ceiling, color=style.INK, linewidth=0.8)
        axes.set_xlabel(style.short_statistic(view) + " of the best layer")
    used = {look.of[name] for name in shown.index}
    kept = points.Functions(look.of, {k: v for k, v in look.colours.items() if k in used})
    handles = points.legend_handles(kept, False)
    body.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)))


def _draw_column(
    axes: Axes,
    best: pd.DataFrame,
    groups: list[Group],
    look: points.Functions,
    settings: FigureSettings,
) -> None:
    y = 0
    ticks: list[int] = []
    names: list[str] = []
    for group in groups:
        axes.annotate(
            group.title,
            (0, y),
            xycoords=("axes fraction", "data"),
            va="center",
            ha="center" if len(group.title) < 12 else "left",
            fontsize=style.small(settings),
            color=style.MUTED,
        )
        order = best.loc[list(group.members)].sort_values("value", ascending=False, kind="stable")
        for row in order.itertuples(index=False):
            y += 1
            points.draw_point(axes, row, y, look, settings.intervals)
            ticks.append(y)
            names.append(row.model)
        y += 2
    axes.set_yticks(ticks, names)
