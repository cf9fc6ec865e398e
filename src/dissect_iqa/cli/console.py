"""The application that all commands belong to, and how they print."""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich import box
from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from dissect_iqa.errors import UserError
from dissect_iqa.files.commands import pasteable

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Look at models, layers, data sets and results of a study.",
)

#: The option of every command that is about a whole study.
ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--configfile", help="On top of config/config.yaml, as for snakemake; may be repeated."
    ),
]

_TIGHT: dict[str, Any] = {"pad_edge": False, "collapse_padding": True}
_COLOURS = {"PASS": "green", "FAIL": "bold red", "NOTE": "yellow"}


def sentence(command: Callable[..., Any]) -> Callable[..., Any]:
    """End with one sentence instead of a traceback where the user can mend what is wrong."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        cause: Exception
        try:
            return command(*args, **kwargs)
        except BrokenPipeError:
            raise  # whoever read the output has gone
        except UserError as error:
            cause, text = error, str(error)
        except OSError as error:
            cause, text = error, f"{error.filename or 'a file'}: {error.strerror or error}"
        # Text, because names such as [rn50_*] would be taken for markup
        message = Text.assemble(("error:", "bold red"), f" {pasteable(text)}")
        Console(stderr=True).print(message, soft_wrap=True)
        raise typer.Exit(1) from cause

    return wrapped


def working(what: str) -> Status:
    """Return a context in which a terminal shows what takes long; elsewhere nothing is shown.

    PyTorch alone takes some seconds to load, so whatever needs it says first what it does.
    """
    return Console(stderr=True).status(Text(f"{what} ..."))


def say(text: str, style: str = "") -> None:
    """Print a line unbroken, so that a command in it can be copied and runs as it stands."""
    Console().print(Text(pasteable(text), style), soft_wrap=True)


def width() -> int:
    """Return the number of columns to print in."""
    return Console().width


def print_table(frame: pd.DataFrame, title: str | None = None, whole: Collection[str] = ()) -> None:
    """Print a data frame as a table that fits the terminal.

    Parameters
    ----------
    frame : DataFrame
        Cells that are missing stay empty.
    title : str, optional
        Printed above it.
    whole : collection of str
        Columns whose cells are never broken: the others make room.
    """
    table = Table(title=title and Text(title), title_justify="left", box=box.SIMPLE_HEAD, **_TIGHT)
    for name in frame.columns:
        number = pd.api.types.is_numeric_dtype(frame[name])
        table.add_column(
            str(name),
            justify="right" if number else "left",
            no_wrap=number or name in whole,
            overflow="fold",
        )
    # Whole numbers beside missing ones would be floats
    for row in frame.convert_dtypes().itertuples(index=False):
        table.add_row(*(Text("" if pd.isna(cell) else str(cell)) for cell in row))
    Console().print(table)


def print_verdicts(lines: Iterable[tuple[str, str, str, str]], title: str | None = None) -> None:
    """Print verdicts (PASS, FAIL or NOTE; what; found; mend), and below them what to do.

    What to do stands below the table, unbroken, so that it can be copied.
    """
    lines = list(lines)
    table = Table(title=title and Text(title), title_justify="left", box=box.SIMPLE_HEAD, **_TIGHT)
    table.add_column("", no_wrap=True)
    table.add_column("check", no_wrap=True)
    table.add_column("found", overflow="fold")
    for verdict, what, found, _ in lines:
        table.add_row(Text(verdict, _COLOURS[verdict]), Text(what), Text(found))
    Console().print(table)
    for verdict, what, _, mend in lines:
        if mend:
            say(f"{verdict} {what}: {mend}", _COLOURS[verdict])


def print_facts(facts: Sequence[tuple[str, str]], title: str) -> None:
    """Print what is known of one thing, a line a fact."""
    grid = Table(title=Text(title), title_justify="left", box=None, show_header=False)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts:
        grid.add_row(Text(name), Text(pasteable(value)))
    Console().print(grid)
