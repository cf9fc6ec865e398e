"""The command line: look at the zoo, the layers, the data and the results without running a study."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from dissect_iqa.errors import UserError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Look at models, layers, data sets and results of a study.",
)
console = Console()

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", help="The study's configuration file.")
]
DEFAULT_CONFIG = Path("config/config.yaml")


def _sentence(command: Callable[..., Any]) -> Callable[..., Any]:
    """End with the one sentence of a `UserError` instead of a traceback."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except UserError as error:
            Console(stderr=True).print(f"[bold red]error:[/] {error}", highlight=False)
            raise typer.Exit(1) from error

    return wrapped


def _print(frame: Any, title: str | None = None) -> None:
    """Print a data frame as a table that fits the terminal."""
    table = Table(title=title, title_justify="left")
    for name in frame.columns:
        table.add_column(str(name), overflow="fold")
    for row in frame.itertuples(index=False):
        table.add_row(*("" if value is None or value != value else str(value) for value in row))
    console.print(table)


def _study(config: Path) -> Any:
    import yaml

    from dissect_iqa.study import Study

    if not config.exists():
        raise UserError(f"{config}: no such file; run from the project's folder or give --config")
    return Study.from_values(yaml.safe_load(config.read_text()), [config])


@app.command()
@_sentence
def models(
    pattern: Annotated[list[str] | None, typer.Argument(help="Ids, sets or wildcards.")] = None,
    function: Annotated[str | None, typer.Option(help="Only functions that contain this.")] = None,
    family: Annotated[str | None, typer.Option(help="Only this architecture family.")] = None,
    environment: Annotated[str | None, typer.Option(help="Only this training data.")] = None,
    table: Annotated[Path, typer.Option(help="The model table.")] = Path("config/models.tsv"),
) -> None:
    """List the zoo, filtered by factor."""
    from dissect_iqa.models.table import models_table, read_models, select

    rows = read_models(table)
    chosen = select(rows, pattern) if pattern else list(rows.values())
    filters = {"function": function, "family": family, "environment": environment}
    frame = models_table(chosen, {key: value for key, value in filters.items() if value})
    _print(frame, f"{len(frame)} configurations")


@app.command()
@_sentence
def layers(
    model: Annotated[str, typer.Argument(help="An id of the model table.")],
    size: Annotated[str, typer.Option(help="Picture height x width.")] = "384x512",
    table: Annotated[Path, typer.Option(help="The model table.")] = Path("config/models.tsv"),
) -> None:
    """Print a model's layers with their shapes and relative depth."""
    from dissect_iqa.models.layers import layers_table

    height, width = (int(part) for part in size.split("x"))
    _print(layers_table(_row(model, table), (height, width)), model)


def _row(model: str, table: Path) -> Any:
    from dissect_iqa.models.table import read_models, select

    rows = select(read_models(table), [model])
    if len(rows) != 1:
        raise UserError(f"{model!r} selects {len(rows)} models of {table}; name one")
    return rows[0]


if __name__ == "__main__":
    app()
