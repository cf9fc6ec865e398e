"""Whom a study is finished without, and what it then says."""

import json
from pathlib import Path

import pytest
from small_study import DATASETS, write_study

from dissect_iqa.errors import UserError
from dissect_iqa.study.config_files import config_values
from dissect_iqa.study.faults import fault
from dissect_iqa.study.frozen import freeze, thaw
from dissect_iqa.study.missing import VARIABLE, write_missing
from dissect_iqa.study.partial import Failed, finish_without, to_leave_out, unforced
from dissect_iqa.study.study import Study
from dissect_iqa.study.summary import report_command

LOG = "2026-01-01 00:00:00,000 INFO dissect_iqa: x\n2026-01-01 00:00:01,000 ERROR dissect_iqa: {}\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = write_study(tmp_path / "study")
    with (folder / "config/datasets.yaml").open("a") as table:
        table.write("moved: {kind: misaligned, of: own, misalign: {shift: 2 %}}\n")
        table.write(DATASETS.replace("own:", "twin:"))
    config = folder / "config/config.yaml"
    config.write_text(config.read_text().replace("[own]", "[own, moved, twin]"))
    monkeypatch.chdir(folder)
    return folder


def read() -> Study:
    return Study.from_values(*config_values())


def failed(rule: str, why: str = "", **wildcards: str) -> Failed:
    log = Path(f"{rule}.log")
    log.write_text(LOG.format(why) if why else "no error")
    return Failed(rule, wildcards, [str(log)])


def test_the_sentence_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert fault(log) == ""
    log.write_text("2026 INFO dissect_iqa: all is well\n")
    assert fault(log) == ""
    log.write_text(LOG.format("pairs.parquet: made with other settings: x"))
    assert fault(log) == "pairs.parquet: made with other settings: x"
    log.write_text(LOG.format("unexpected failure") + "Traceback ...\n  x\nValueError: 3 layers\n")
    assert fault(log) == "ValueError: 3 layers"


def test_whom_a_failed_job_is_about(here: Path) -> None:
    study = read()
    for job, name in (
        (failed("fetch_weights", "no such file", model="tiny_resnet"), "tiny_resnet"),
        (failed("extract_features", "no room", model="tiny_mobile", dataset="own"), "tiny_mobile"),
        (failed("score_baselines", "too small", metric="ssim", dataset="own"), "ssim"),
        (failed("fetch_dataset", "no picture", dataset="twin"), "twin"),
        (failed("correlate", "constant", name="psnr", dataset="twin", mark="0"), "psnr"),
    ):
        assert list(to_leave_out(study, [job])) == [name]
    both = [
        failed("extract_features", model="tiny_resnet", dataset=name) for name in ("own", "twin")
    ]
    assert to_leave_out(study, both) == {"tiny_resnet": "extract_features failed"}
    # where what nobody can be left out of fails, too, the study isn't finished at all
    assert to_leave_out(study, [*both, failed("collect", "damaged")]) == {}
    long = to_leave_out(study, [failed("score_baselines", "x" * 500, metric="ssim")])["ssim"]
    assert len(long) < 120 and long.endswith("…")


def test_a_metric_goes_with_the_weights_that_it_needs(here: Path) -> None:
    with Path("config/models.tsv").open("a") as table:
        table.write("vgg\tpaper\ttorchvision\tvgg16\tenum:IMAGENET1K_V1\tauto\timagenet\tf\tv\te\n")
    config = Path("config/config.yaml")
    config.write_text(config.read_text().replace("[psnr, ssim]", "[psnr, lpips_vgg]"))
    job = failed("fetch_weights", "no internet", model="vgg")
    assert to_leave_out(read(), [job]) == {"lpips_vgg": "no internet"}


def test_what_is_left_says_what_is_missing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read()
    missing = {"tiny_resnet": "no internet", "ssim": "too small", "twin": "no such folder"}
    write_missing(missing, Path("missing.json"))
    monkeypatch.setenv(VARIABLE, "missing.json")
    study = read()
    assert study.scored("own") == ["tiny_mobile", "psnr"]
    assert list(study.datasets) == ["own", "moved"] and study.missing == missing
    words = "without ssim (too small); tiny_resnet (no internet); twin (no such folder)"
    assert study.remarks() == {"study": "small", "of_study": words}
    assert study.notice() == f"Study small. W{words[1:]}."
    for stage in ("correlate", "measure_distances", "extract_features"):
        kept = whole.spec(stage, "own", "tiny_mobile")
        assert study.spec(stage, "own", "tiny_mobile") == kept, "what is shared is as it was"
    assert json.loads(study.spec("collect"))["missing"] == missing
    copy = thaw(freeze(study, here / "copies"))
    assert copy.missing == missing and copy.spec("collect") == study.spec("collect")
    assert report_command(study).startswith(f"{VARIABLE}=results/small/missing.json ")
    assert VARIABLE not in report_command(whole)


def test_displaced_pictures_go_with_their_parent(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_missing({"own": "no picture"}, Path("missing.json"))
    monkeypatch.setenv(VARIABLE, "missing.json")
    study = read()
    assert list(study.datasets) == ["twin"]
    assert study.missing["moved"] == "it shows the pictures of own, which is missing"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"tiny_resnet": "a", "tiny_mobile": "b"}', r"none of the models could be had: tiny_resn"),
        ('{"own": "a", "twin": "b"}', "none of the datasets could be had"),
        ("[1]", "can't be read"),
        ("{", "can't be read"),
    ],
)
def test_nothing_to_finish(
    here: Path, monkeypatch: pytest.MonkeyPatch, content: str, words: str
) -> None:
    Path("missing.json").write_text(content)
    monkeypatch.setenv(VARIABLE, "missing.json")
    with pytest.raises(UserError, match=words):
        read()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["--cores", "2"], ["--cores", "2"]),
        (["-F", "--cores", "2", "-f"], ["--cores", "2"]),
        (["--forcerun", "a", "b", "--config", "x=1", "--forceall"], ["--config", "x=1"]),
        (["-R", "--configfile", "-R.yaml"], ["--configfile", "-R.yaml"]),
        (["--forcerun=a", "--quiet", "rules"], ["--quiet", "rules"]),
    ],
)
def test_nothing_finished_is_forced_once_more(given: list[str], kept: list[str]) -> None:
    assert unforced(given) == kept


def test_an_interrupted_run_is_not_finished(here: Path) -> None:
    """After Ctrl-C jobs have failed, too; but much that they don't concern isn't there."""
    said: list[str] = []
    finish_without(read(), [failed("score_baselines", "bad", metric="ssim")], said.append)
    assert said == [] and not Path("results").exists()
