"""Commands about data: `datasets`, `files`, `verify`."""

from pathlib import Path
from typing import Annotated

import typer

from dissect_iqa.cli.console import ConfigFiles, app, print_table, say, sentence
from dissect_iqa.files.amounts import in_bytes


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
def files(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Models or metrics: print where the study's files of these lie."),
    ] = None,
    what: Annotated[
        str | None, typer.Option(help="Of these only: features, distances, correlations ...")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Of these only those of a data set.")] = None,
    configfile: ConfigFiles = None,
    unused: Annotated[
        bool, typer.Option(help="Only paths of files that no study uses, a line each.")
    ] = False,
    results: Annotated[Path, typer.Option(help="The folder of all results.")] = Path("results"),
) -> None:
    r"""List the files that studies share, their sizes, and which studies use them.

    A file that no study uses is found again by one that goes back to the settings it was made
    with. To be rid of such files:  dissect-iqa files --unused | xargs -d '\n' rm
    """
    from dissect_iqa.study.shared_files import paths_of, shared_files

    if names:
        from dissect_iqa.study.config_files import config_values
        from dissect_iqa.study.study import Study

        values, chosen = config_values(configfile or ())
        for path in paths_of(Study.from_values(values, chosen), names, what, dataset):
            typer.echo(path)
        return
    found = shared_files(results)
    if unused:
        for path in found.loc[found["studies"] == "", "path"]:
            typer.echo(path)
        return
    sizes = found.groupby(["what", "studies"], sort=False)["bytes"].agg(["size", "sum"])
    for row in sizes.reset_index().itertuples(index=False):
        who = f"used by {row.studies}" if row.studies else "used by no study"
        say(f"{row.what}: {row.size} files, {in_bytes(row.sum)}, {who}")
    say(f"In {results / 'shared'}: {len(found)} files, {in_bytes(found['bytes'].sum())}")


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
