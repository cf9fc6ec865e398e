"""The command line: look at models, layers, data sets and results without running a study."""

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


@app.command()
@_sentence
def check(
    model: Annotated[str, typer.Argument(help="An id of the model table.")],
    table: Annotated[Path, typer.Option(help="The model table.")] = Path("config/models.tsv"),
) -> None:
    """Check one model in under a minute; its weights must have been fetched."""
    import pandas as pd

    from dissect_iqa.models.check import check_model, rivals
    from dissect_iqa.models.table import read_models

    row = _row(model, table)
    weights = _weights(model)
    if not weights.is_file():
        raise UserError(f"{weights}: not there; run: snakemake --cores 1 {weights}")
    others = {name: _weights(name) for name in rivals(row, read_models(table).values())}
    results = check_model(row, weights, {k: path for k, path in others.items() if path.is_file()})
    lines = [("PASS" if item.passed else "FAIL", *_rest(item)) for item in results]
    _print(pd.DataFrame(lines, columns=["", "check", "found", "mend"]), model)
    if not all(item.passed for item in results):
        raise typer.Exit(1)


def _rest(item: Any) -> tuple[str, str, str]:
    return item.name, item.detail, "" if item.passed else item.mend


def _weights(model: str) -> Path:
    return Path(f"resources/weights/{model}.safetensors")


@app.command()
@_sentence
def datasets(
    table: Annotated[Path, typer.Option(help="The data set table.")] = Path("config/datasets.yaml"),
) -> None:
    """List the data sets of the table: what is there, what is missing and how to get it."""
    from dissect_iqa.datasets.registry import read_datasets
    from dissect_iqa.datasets.status import datasets_status

    _print(datasets_status(read_datasets(table), Path("resources")))


@app.command()
@_sentence
def verify(
    paths: Annotated[
        list[Path], typer.Argument(help="Feature files (.h5), or folders of data sets.")
    ],
) -> None:
    """Check feature files and data sets against their own records; names what is bad."""
    from dissect_iqa.datasets.status import verify_dataset
    from dissect_iqa.features import verify_cache

    bad = False
    for path in paths:
        problems = verify_dataset(path) if path.is_dir() else verify_cache(path)
        bad = bad or bool(problems)
        console.print(f"{path}: {'bad' if problems else 'whole'}", highlight=False)
        for problem in problems:
            console.print(f"  {problem}", highlight=False)
    if bad:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
