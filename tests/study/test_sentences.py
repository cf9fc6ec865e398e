"""Whatever the user can mend is one sentence, wherever it is raised; no frame of a Snakefile."""

import logging
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from small_study import snakemake, write_study
from typer.testing import CliRunner

from dissect_iqa.cli import app
from dissect_iqa.errors import UserError, suggest
from dissect_iqa.files.validation import Origin
from dissect_iqa.study.job import job
from dissect_iqa.study.planning import Told, told

#: What Snakemake and Python put around an exception.
NOISE = re.compile(r"Traceback|Exception|\.smk|Snakefile\", line|in file \"|Error in rule")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small study that never runs; each test puts back what it changes."""
    return write_study(tmp_path_factory.mktemp("sentences") / "study")


def planned(folder: Path, *arguments: str) -> list[str]:
    """Return the lines of the error that a dry run ends with."""
    run = snakemake(folder, "--dry-run", *arguments)
    output = run.stdout + run.stderr
    assert run.returncode == 1, output
    _, found, text = run.stdout.partition("error: ")
    assert found, output
    assert not NOISE.search(text) and not NOISE.search(run.stderr), output
    return text.strip().splitlines()


@pytest.fixture
def change(folder: Path, request: pytest.FixtureRequest) -> Callable[[str, bytes], None]:
    """Return a function that appends bytes to a file of the study until the test is over."""

    def append(name: str, content: bytes) -> None:
        path = folder / "config" / name
        before = path.read_bytes() if path.exists() else None

        def undo() -> None:
            path.unlink() if before is None else path.write_bytes(before)

        request.addfinalizer(undo)
        path.write_bytes((before or b"") + content)

    return append


def test_configuration_that_snakemake_itself_could_not_read(
    folder: Path, change: Callable[[str, bytes], None]
) -> None:
    change("config.yaml", b"# f\xfcr\n")
    (line,) = planned(folder)
    assert line.startswith("config/config.yaml, line 8: byte 0xfc is not UTF-8")


def test_all_files_are_checked_before_anything_starts(
    folder: Path, change: Callable[[str, bytes], None]
) -> None:
    change("models.tsv", b"tiny_resnet\tdemo\ttorchvision\tresnet18\tsed:0\ta\ti\tn\tr\tn\n")
    change("datasets.yaml", b"own: {kind: demo}\n")
    lines = planned(folder)
    assert len(lines) == 2
    assert re.match(
        r"config/models\.tsv, line 4, column 'weights': .*did you mean 'seed'", lines[0]
    )
    assert re.match(r"config/datasets\.yaml, line 7: 'own' stands here a second time", lines[1])
    assert not (folder / "resources").exists() and not (folder / "results").exists()


def test_comparisons_and_the_command_line(
    folder: Path, change: Callable[[str, bytes], None]
) -> None:
    change(
        "comparisons.yaml",
        b"comparisons:\n- {id: a, title: A, factor: function, held: [architecture],\n"
        b"   members: [tiny_resnot, tiny_mobile]}\n- {id: b, titel: B}\n",
    )
    lines = planned(folder, "--config", "models=[tiny_mobil]", "datasets=[onw]")
    assert len(lines) > 4
    text = "\n".join(lines)
    for words in (
        "command line (--config): models: 'tiny_mobil' is neither",
        "(did you mean 'tiny_mobile'?)",
        "command line (--config): datasets: 'onw' is not in config/datasets.yaml (did you mean",
        "comparisons.yaml, line 3: comparison 'a': no model 'tiny_resnot' (did you mean 'tiny_res",
        "comparisons.yaml, line 4: unknown option 'titel' (did you mean 'title'?)",
    ):
        assert words in text


def test_what_is_asked_after_planning_began(folder: Path) -> None:
    (line,) = planned(folder, "results/shared/features/own/tiny_resnot.0123456789.h5")
    assert line == "no model 'tiny_resnot' in config/models.tsv (did you mean 'tiny_resnet'?)"
    (line,) = planned(folder, "results/shared/features/own/tiny_resnet.0123456789.h5")
    assert re.match(
        r"tiny_resnet on own, 0123456789: this study doesn't make that .* but [0-9a-f]{10};", line
    )


SMALL = (
    "data set 'own': a.png has 64x64 pixels, but ms_ssim needs at least 176 on the short side; "
    "take ms_ssim out of the option 'baselines', or use larger pictures"
)


def test_the_dry_run_of_a_study_checks_models_data_sets_and_baselines_together(
    folder: Path, change: Callable[[str, bytes], None]
) -> None:
    change("models.tsv", b"wrong\tdemo\ttimm\tresnet5o\tseed:0\tauto\timagenet\tn\tr\tn\n")
    lines = planned(folder, "--config", "baselines=[ms_ssim]")
    assert len(lines) == 2 and lines[1] == SMALL
    assert re.match(r"wrong: timm \S+ has no model 'resnet5o' \(did you mean", lines[0])


def test_what_only_fetched_pictures_tell_is_told_by_the_job_that_fetches_them(folder: Path) -> None:
    """A single target isn't the whole study, so that only the job tells, as after a download."""
    target = "resources/datasets/own/pairs.parquet"
    run = snakemake(folder, target, "--config", "baselines=[ms_ssim]")
    assert run.returncode == 1
    assert f"error: {SMALL}\n" in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr
    assert not (folder / target).exists()
    shutil.rmtree(folder / "resources")


def test_a_job_whose_code_ends_the_process_has_failed(tmp_path: Path, capsys) -> None:
    log = tmp_path / "logs/a.log"
    for leave, status, words in (
        (lambda: sys.exit(0), 1, "unexpected sys.exit()"),
        (lambda: 1 / 0, 1, "unexpected ZeroDivisionError: division by zero"),
    ):
        with pytest.raises(SystemExit) as ended, job(log):
            leave()
        assert ended.value.code == status
        assert words in capsys.readouterr().err
        assert "Traceback" in log.read_text()
    with pytest.raises(SystemExit) as ended, job(log):
        sys.exit(143)
    assert ended.value.code == 143 and "Traceback" not in log.read_text()
    with pytest.raises(SystemExit) as ended, job(log):
        raise KeyboardInterrupt
    assert ended.value.code == 130 and "Traceback" not in log.read_text()
    with pytest.raises(SystemExit) as ended, job(log):
        raise UserError("no picture a.png")
    assert ended.value.code == 1
    assert capsys.readouterr().err.endswith("error: no picture a.png\n")
    assert "no picture a.png" in log.read_text() and "Traceback" not in log.read_text()
    logging.getLogger("dissect_iqa").setLevel(logging.NOTSET)


def test_told_ends_with_the_sentence_and_nothing_else() -> None:
    said: list[str] = []

    class Asked:
        number = 3

        def fails(self) -> None:
            raise UserError("no row 'x'")

        @property
        def lazy(self) -> None:
            raise UserError("no file")

    asked = Told(Asked(), said.append)
    assert asked.number == 3
    with pytest.raises(SystemExit) as ended:
        asked.fails()
    assert ended.value.code == 1
    with pytest.raises(SystemExit):
        _ = asked.lazy
    assert said == ["error: no row 'x'", "error: no file"]
    with pytest.raises(ZeroDivisionError), told(said.append):
        raise ZeroDivisionError


def test_the_place_of_a_value(tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("statistics: {draws: 1}\n")
    second.write_text("models: [a]\nstatistics:\n  draws: 2\n  seed: 3\n")
    origin = Origin((first, second), {"statistics": {"level": 2}, "datasets": ["x"]})
    assert origin.place(("statistics", "draws")) == f"{first}, line 1"
    assert origin.place(("statistics", "seed")) == f"{second}, line 4"
    assert origin.place(("models", 0)) == f"{second}, line 1"
    assert origin.place(("statistics", "level")) == "command line (--config)"
    assert origin.place(("datasets", 0)) == "command line (--config)"


def test_suggestions_ignore_case() -> None:
    assert suggest("PSRN", ["psnr", "ssim"]) == " (did you mean 'psnr'?)"
    assert suggest("Demo", ["demo", "DEMO"]) == " (did you mean 'demo'?)"
    assert suggest("something", ["else"]) == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["docter"], "Did you mean 'doctor'?"),
        (["models", "--tabel", "x"], "--table"),
        (["models", "resnet50_in1"], "did you mean 'resnet50_in1k'"),
        (["models", "--table", "none.tsv"], "none.tsv: there is no such model table"),
        (["datasets", "--table", "none.yaml"], "none.yaml: there is no such table of data sets"),
        (["doctor", "--configfile", "none.yaml"], "none.yaml: there is no such configuration"),
        (["bundle", "x.tar", "--configfile", "none.yaml"], "there is no such configuration"),
    ],
)
def test_the_command_line_says_one_sentence(arguments: list[str], words: str) -> None:
    run = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert run.exit_code != 0
    assert words in run.output
    assert not NOISE.search(run.output)
