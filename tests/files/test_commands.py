"""Commands that are printed run as they stand, with the environment active or not."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dissect_iqa.files import commands
from dissect_iqa.files.commands import pasteable, snakemake_command, typed

FOLDER = Path(sys.executable).parent


def on_path(monkeypatch: pytest.MonkeyPatch, active: bool) -> None:
    others = [part for part in os.environ["PATH"].split(os.pathsep) if Path(part) != FOLDER]
    monkeypatch.setenv("PATH", os.pathsep.join([str(FOLDER)] * active + others))


@pytest.mark.parametrize("active", [True, False])
def test_a_printed_command_runs_in_a_shell(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, active: bool
) -> None:
    on_path(monkeypatch, active)
    told = pasteable("there; run: dissect-iqa models --help")
    command = told.removeprefix("there; run: ")
    assert (command == "dissect-iqa models --help") == active
    run = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert run.returncode == 0 and "List the zoo" in run.stdout


def test_only_commands_are_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    on_path(monkeypatch, active=False)
    text = "use the version of dissect-iqa that wrote it; see my-snakemake --x and a/snakemake -n"
    assert pasteable(text) == text
    there = typed("snakemake")
    assert pasteable("rm x && snakemake --cores 1 x") == f"rm x && {there} --cores 1 x"
    assert pasteable("`snakemake -n` shows it") == f"`{there} -n` shows it"


def test_every_command_of_the_program_is_known() -> None:
    from dissect_iqa.cli import app

    names = {info.name or info.callback.__name__ for info in app.registered_commands}
    for name in names:
        assert commands._PROGRAM.search(f"dissect-iqa {name}"), name


def test_a_blank_in_the_path_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = tmp_path / "my venv" / "bin"
    place.mkdir(parents=True)
    (place / "snakemake").touch()
    monkeypatch.setattr(sys, "executable", str(place / "python"))
    assert shlex.split(typed("snakemake")) == [str(place / "snakemake")]
    monkeypatch.chdir(tmp_path)
    assert shlex.split(typed("snakemake")) == ["my venv/bin/snakemake"]
    (place / "snakemake").unlink()
    assert shlex.split(typed("snakemake")) == [str(place / "python"), "-m", "snakemake"]


def test_options_of_every_kind_survive_the_shell() -> None:
    options = {
        "models": ["a b", "c"],
        "offline": True,
        "extraction": {"device": "cpu"},
        "study": "x",
    }
    words = shlex.split(snakemake_command(("--cores", "all"), ["my config.yaml"], options))
    assert words[1:3] == ["--configfile", "my config.yaml"]
    assert words[4:] == [
        'models=["a b", "c"]', "offline=true", 'extraction={"device": "cpu"}', "study=x",
        "--cores", "all",
    ]  # fmt: skip
