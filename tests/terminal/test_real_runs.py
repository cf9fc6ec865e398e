"""What a person sees of real runs of the small study."""

import os
import pty
import re
import sys
from pathlib import Path

import pytest
from small_study import MODELS, REPOSITORY, RESULTS, shared, snakemake, write_study

pytestmark = pytest.mark.slow

NOISE = re.compile(r"Reason|[0-9a-f]{64}|[{}]|\x1b|jobid|Traceback|Select jobs|RuleException")
FIGURE = str(RESULTS / "figures/depth_own.pdf")


def in_terminal(folder: Path, *arguments: str) -> str:
    """Run the workflow in a terminal of its own and return all that came, with its codes."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.environ.update(TERM="xterm", COLUMNS="80", LINES="24")
        os.execv(sys.executable, [*command, "--cores", "2", *arguments])
    came = b""
    try:
        while part := os.read(terminal, 65536):
            came += part
    except OSError:
        pass  # the other end is closed
    os.waitpid(child, 0)
    os.close(terminal)
    return came.decode("utf-8", errors="replace")


def test_a_run_without_a_terminal(study: Path) -> None:
    """Plain lines, one a job, and below them the closing box."""
    (study / FIGURE).unlink()
    run = snakemake(study, FIGURE)
    assert run.returncode == 0, run.stdout + run.stderr
    said = run.stderr.splitlines()
    assert said[0].startswith("Using workflow specific profile")
    assert said[1] == "1 job: Figures 1"
    assert re.fullmatch(r"\d\d:\d\d:\d\d  1/1  Figure: depth_own \(\d+ s\)", said[2])
    assert re.fullmatch(r"1 of 1 job done in \d+ s", said[3])
    assert len(said) == 4 and not NOISE.search(run.stderr)
    assert "dissect-iqa: study small, finished" in run.stdout


def test_a_run_in_a_terminal(study: Path) -> None:
    """The display goes before the box comes, and jobs do not write into it."""
    (study / FIGURE).unlink()
    text = in_terminal(study, FIGURE)
    assert (
        "Traceback" not in text and "Reason" not in text and "display of the run failed" not in text
    )
    assert "✓ Figures: " in text and "0 of 1, 1 running" in text
    end, _, box = text.partition("1 of 1 job done in")
    assert "finished" in box and "━━" not in box.partition("╭")[0]
    assert end.rstrip().endswith("\x1b[?25h") or "\x1b[?25h" in end, "the cursor is back"
    assert (study / FIGURE).exists()


def test_a_job_that_fails(tmp_path: Path) -> None:
    """Without a terminal and in one: one line when it happens, and at the end what to do."""
    folder = write_study(tmp_path / "study")
    wrong = MODELS.splitlines()[1].replace("tiny_resnet", "tiny_wrong").replace("auto", "layer9.0")
    with (folder / "config/models.tsv").open("a") as table:
        table.write(wrong.replace("seed:0", "seed:9") + "\n")
    target = shared(folder, "features", "tiny_wrong")
    log = f"logs/small/extract_features/own/{Path(target).stem}.log"
    run = snakemake(folder, target)
    assert run.returncode == 1
    said = run.stderr
    assert said.count("FAILED: Features of tiny_wrong on own\n") == 1
    assert not NOISE.search(said), said
    end = said[said.index("1 job failed, 2 of 3 done.") :]
    for words in (
        "    tiny_wrong: column 'layers': 'layer9.0'",
        f"    log: {log}\n",
        "go on with\n  ",
        f"--cores 2 {target}\n",
        ".snakemake.log",
    ):
        assert words in end
    text = in_terminal(folder, target)
    assert "Traceback" not in text and "display of the run failed" not in text
    assert "FAILED: Features of tiny_wrong on own" in text
    assert "1 job failed, 0 of 1 done." in text


def test_snakemake_itself_is_heard(study: Path) -> None:
    """Its own errors, and with an option all of its output."""
    run = snakemake(study, "no/such/file")
    assert run.returncode == 1 and run.stderr.count("MissingRuleException") == 1
    (study / FIGURE).unlink()
    plan = snakemake(study, "--dry-run", "--logger-dissect-iqa-output", "snakemake")
    assert "Reason: Missing output files: " in plan.stdout
    plan = snakemake(study, "--dry-run")
    assert re.search(r"^plot_depth +1  not there yet$", plan.stdout, flags=re.MULTILINE)
    assert not NOISE.search(plan.stdout)
