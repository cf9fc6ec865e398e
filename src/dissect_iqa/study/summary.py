"""What a finished study says in the terminal: the result in a few lines, and where to look."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from dissect_iqa.baselines.names import BASELINES
from dissect_iqa.figures.select import Label, View, ranked, views
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.figures.titles import titled
from dissect_iqa.files.commands import snakemake_command
from dissect_iqa.files.provenance import read_table, table_provenance
from dissect_iqa.study.config_files import DEFAULT
from dissect_iqa.study.missing import MISSING, VARIABLE

#: How many models the table shows before the best classic metric.
SHOWN = 5


def closing_summary(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    label: Label = None,
    places: Mapping[str, Path | str] | None = None,
    settings: FigureSettings | None = None,
    title: str = "dissect-iqa: finished",
) -> RenderableType:
    """Return what to print when a study is finished.

    Parameters
    ----------
    correlations, models, label
        As for the figures: see `dissect_iqa.figures.select.views`.
    places : mapping of str to path or str
        Where to look, by what is there. A `Path` that doesn't exist is left out; a string is
        printed as it is.
    settings : FigureSettings, optional
        Which statistic and distance are shown; the same as in the figures.
    title : str
        Stands above.

    Raises
    ------
    UserError
        If the correlations lack a column, or the chosen statistic or distance was not computed.
    """
    settings = settings or FigureSettings()
    parts: list[RenderableType] = []
    for view in views(correlations, models, label, settings):
        parts += [*_dataset(view), Text("")]
    rows = [
        (what, str(place))
        for what, place in (places or {}).items()
        if not isinstance(place, Path) or place.exists()
    ]
    if rows:
        grid = Table.grid(padding=(0, 2))
        for what, place in rows:
            grid.add_row(Text(what), Text(place, style="cyan", overflow="fold"))
        parts.append(grid)
    return Panel(Group(*parts), title=Text(title), title_align="left", expand=False)


def print_summary(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    label: Label = None,
    places: Mapping[str, Path | str] | None = None,
    settings: FigureSettings | None = None,
    console: Console | None = None,
    title: str = "dissect-iqa: finished",
) -> None:
    """Print `closing_summary`; by default on the terminal, plain where there is none."""
    console = console or Console(highlight=False)
    console.print(closing_summary(correlations, models, label, places, settings, title))


def _dataset(view: View) -> Iterator[RenderableType]:
    references = f", {view.references} references" if view.references else ""
    counts = (
        f"{view.pairs} pairs{references}; {_count(len(view.models), 'network')}, "
        f"{_count(len(view.distances), 'distance')}, "
        f"{_count(len(view.baselines), 'classic metric')}"
    )
    yield Text.assemble((view.dataset, "bold"), "  ", counts)
    if view.label:
        yield Text(view.label, style="yellow")
    rows = ranked(view)
    if rows.empty:
        yield Text("No correlation could be computed.", style="yellow")
        return
    yield Padding(_table(view, rows), (0, 0, 0, 2))
    for sentence in findings(view):
        yield Text(sentence)
    if view.missing:
        yield Text(f"No finite value: {', '.join(view.missing)}.", style="yellow")


def _table(view: View, rows: pd.DataFrame) -> Table:
    statistic = view.statistic.upper() if view.statistic != "agreement" else "agreement"
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title, justify in (("", "left"), (statistic, "right"), ("interval", "left")):
        table.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column(f"best layer, {view.distance}" if view.distance else "", overflow="fold")
    networks = rows[rows["model"].isin(view.models.index)]
    metrics = rows[~rows["model"].isin(view.models.index)]
    for row in [*networks[:SHOWN].itertuples(), *metrics[:1].itertuples()]:
        network = row.model in view.models.index
        name = row.model if network else _title(row.model)
        interval = f"{row.low:.2f} to {row.high:.2f}" if pd.notna(row.low) else ""
        depth = f" (depth {row.depth:.2f})" if pd.notna(row.depth) else ""
        table.add_row(
            Text(name, style="" if network else "dim"),
            f"{row.value:.3f}",
            interval,
            Text(f"{row.layer}{depth}" if network else "the best classic metric"),
        )
    return table


def findings(view: View) -> Sequence[str]:
    """Return in words how many networks lie above the classic metrics, and where their best is."""
    best = view.best(view.distance)
    sentences = []
    if len(best) and len(view.baselines):
        level = float(view.baselines["value"].iloc[0])
        above = int((best["value"] > level).sum())
        sentences.append(
            f"Above the best classic metric at their best layer: {above} of "
            f"{_count(len(best), 'network')} (layer chosen on the same pairs; intervals not "
            "considered)."
        )
    profiles = view.at(view.distance).dropna(subset=["depth"])
    several = profiles.groupby("model")["depth"].agg(["size", "max"])
    several = several[several["size"] > 1]
    if len(several):
        depth = best.set_index("model")["depth"].reindex(several.index)
        inner = int((depth < several["max"]).sum())
        sentences.append(
            f"Best at a layer before the last: {inner} of {_count(len(several), 'network')}."
        )
    return sentences


def _title(metric: str) -> str:
    return BASELINES[metric].title if metric in BASELINES else metric


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def print_study(study: Any) -> None:
    """Print the closing summary of a study that is finished as far as its correlations.

    Parameters
    ----------
    study : Study
        Its results are looked for in its folder; without them nothing is printed.
    """
    folder = study.results / study.name
    table = folder / "correlations.parquet"
    if not table.is_file() or table_provenance(table)["spec"] != study.spec("collect"):
        return
    places = {
        "figures": folder / "figures",
        "best layers": folder / "summary.csv",
        "claims": folder / "claims.md",
        "methods": folder / "methods.md",
        "to read": folder / "pages",
        "explorer": folder / "explorer.html",
    }
    frame, models = (
        titled(content, study.titles())
        for content in (study.in_place(read_table(table)), study.models_frame())
    )
    title = f"dissect-iqa: study {study.name}, finished"
    title += f" without {', '.join(study.missing)}" if study.missing else ""
    settings = study.config.figures
    print_summary(frame, models, study.labels(), places, settings, title=title)
    # outside of the box and unbroken, so that it can be pasted
    print(f"All of it on one page: {report_command(study)}")


def report_command(study: Any) -> str:
    """Return the command that makes a study's report, to be typed.

    Parameters
    ----------
    study : Study
        Whose files and options on the command line are named.
    """
    page = str(study.results / study.name / "report.html")
    files = [file for file in reversed(study.origin.files) if Path(file) != DEFAULT]
    command = snakemake_command(("--report", page), files, study.origin.command_line)
    place = study.results / study.name / MISSING
    return f"{VARIABLE}={shlex.quote(str(place))} {command}" if study.missing else command
