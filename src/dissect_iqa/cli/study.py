"""Commands about a whole study: `doctor`, `rehearse`, `bundle`, `unbundle`."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from dissect_iqa.cli.console import ConfigFiles, app, print_verdicts, say, sentence, working
from dissect_iqa.files.amounts import in_bytes


@app.command()
@sentence
def doctor(configfile: ConfigFiles = None) -> None:
    """Check machine, configuration, weights and data before a study runs."""
    with working("Loading PyTorch"):
        from dissect_iqa.doctor import examine, snakemake_command

    checks = examine(configfile or ())
    print_verdicts((item.outcome, item.what, item.found, item.mend) for item in checks)
    if any(not item.passed for item in checks):
        raise typer.Exit(1)
    say(f"Nothing is in the way of: {snakemake_command(configfile or ())} all")


@app.command()
@sentence
def bundle(
    archive: Annotated[Path, typer.Argument(help="The file to write: .tar or .tar.gz.")],
    features: Annotated[bool, typer.Option(help="Put the feature files in, too.")] = False,
    configfile: ConfigFiles = None,
) -> None:
    """Pack a finished study into one archive for a colleague."""
    from dissect_iqa.study.bundle import bundle as pack
    from dissect_iqa.study.config_files import config_values
    from dissect_iqa.study.study import Study

    values, files = config_values(configfile or ())
    members = pack(Study.from_values(values, files), archive, files, features=features)
    size = in_bytes(archive.stat().st_size)
    say(f"{archive}: {len(members)} files, {size}; to unpack: dissect-iqa unbundle {archive}")


@app.command()
@sentence
def unbundle(
    archive: Annotated[Path, typer.Argument(help="What 'dissect-iqa bundle' wrote.")],
    folder: Annotated[Path, typer.Option(help="A clone of this repository.")] = Path(),
    overwrite: Annotated[bool, typer.Option(help="Replace files that differ.")] = False,
    trust_builders: Annotated[
        bool,
        typer.Option(
            "--trust-builders", help="Allow code that is not this project's to build its models."
        ),
    ] = False,
) -> None:
    """Unpack a study; every file is checked before any is put in place."""
    from dissect_iqa.study.bundle import unbundle as unpack

    def trust(sentence: str) -> bool:
        return trust_builders or (
            sys.stdin.isatty() and typer.confirm(f"{sentence}. Do you trust it?", err=True)
        )

    members = unpack(archive, folder, overwrite=overwrite, trust=trust)
    say(f"{folder}: {len(members)} files of {archive} in place, all checked")


@app.command()
@sentence
def rehearse(
    configfile: ConfigFiles = None,
    config: Annotated[
        list[str] | None, typer.Option(metavar="K=V", help="One option; may be repeated.")
    ] = None,
    cores: Annotated[int | None, typer.Option(min=1, help="Default: all.")] = None,
    report: Annotated[bool, typer.Option(help="Write rehearsal/report.html, too.")] = False,
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[-- SNAKEMAKE OPTIONS]", show_default=False)
    ] = None,
) -> None:
    """Run a whole study in minutes, with untrained networks on a few small pictures.

    Nothing is downloaded, and everything lies in rehearsal/: to find what is wrong with a
    configuration before the real run.
    """
    from dissect_iqa.files.amounts import in_time
    from dissect_iqa.study.rehearsal import FOLDER, NOT_REHEARSED
    from dissect_iqa.study.rehearse import run, snakemake_command

    began = time.time()
    common = (configfile or (), config or (), cores)
    faults = run(snakemake_command(*common, more or ()), began)
    if report and not faults:
        page = ("--report", str(FOLDER / "report.html"))
        faults = run(snakemake_command(*common, (*(more or ()), *page)), began)
    for fault in faults:
        say(fault, "bold red")
    if faults:
        say(f"The rehearsal failed; {len(faults)} to mend. What is done is kept: rehearse again.")
        raise typer.Exit(1)
    say(f"The rehearsal went through in {in_time(time.time() - began)}. {NOT_REHEARSED}")
    say(f"Nothing in {FOLDER}/ is a result; to be rid of it: rm -r {FOLDER}")
