"""The workflow as a `module` of somebody else's workflow."""

import subprocess
import sys
from pathlib import Path

import pytest
from small_study import REPOSITORY, write_study

SNAKEFILE = f"""\
configfile: "config/config.yaml"


module dissect:
    snakefile: "{REPOSITORY}/workflow/Snakefile"
    config: config


use rule * from dissect as dissect_*


use rule correlate from dissect as dissect_correlate with:
    threads: 2


rule report_best:
    default_target: True
    input:
        rules.dissect_collect.output.summary,
    output:
        "best.txt",
    shell:
        "head -n 2 {{input}} > {{output}}"
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the other workflow."""
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    folder = write_study(tmp_path / "theirs")
    (folder / "Snakefile").write_text(SNAKEFILE)
    config = folder / "config/config.yaml"
    config.write_text(config.read_text().replace("[psnr, ssim]", "[psnr]"))
    return folder


def test_another_workflow_runs_our_rules(theirs: Path) -> None:
    done = run(theirs)
    assert done.returncode == 0, done.stdout + done.stderr
    header, first = (theirs / "best.txt").read_text().splitlines()
    assert "model" in header.split(",") and first
    again = run(theirs, "--dry-run")
    assert "Nothing to be done" in again.stdout + again.stderr


def test_bad_configuration_is_one_sentence_there_too(theirs: Path) -> None:
    config = theirs / "config/config.yaml"
    config.write_text(config.read_text().replace("draws:", "drws:"))
    done = run(theirs, "--dry-run")
    assert done.returncode != 0
    assert "unknown option 'statistics.drws'" in done.stdout + done.stderr
