"""Commands about data: `datasets`, `verify`."""

from pathlib import Path
from typing import Annotated

import typer

from dissect_iqa.cli.console import app, print_table, say, sentence


@app.command()
@sentence
def datasets(
    table: Annotated[Path, typer.Option(help="The data set table.")] = Path("config/datasets.yaml"),
) -> None:
    """List the data sets of the table: what is there, what is missing and how to get it."""
    from dissect_iqa.datasets.registry import read_datasets
    from dissect_iqa.datasets.status import datasets_status

    frame = datasets_status(read_datasets(table), Path("resources"))
    # Below the table, unbroken: it holds commands and addresses to copy
    print_table(frame.drop(columns="next"), whole=("dataset", "kind", "state"))
    for row in frame.itertuples(index=False):
        say(f"{row.dataset}: {row.next}")


@app.command()
@sentence
def verify(
    paths: Annotated[
        list[Path], typer.Argument(help="Feature files (.h5), or folders of data sets.")
    ],
) -> None:
    """Check feature files and data sets against their own records; names what is bad."""
    from dissect_iqa.datasets.status import verify_dataset
    from dissect_iqa.features.file.verify import verify_cache

    bad = False
    for path in paths:
        problems = verify_dataset(path) if path.is_dir() else verify_cache(path)
        bad = bad or bool(problems)
        say(f"{path}: {'bad' if problems else 'whole'}")
        for problem in problems:
            say(f"  {problem}")
    if bad:
        raise typer.Exit(1)
