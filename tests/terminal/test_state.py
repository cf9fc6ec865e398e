"""What is known of a run, from made-up events: counts, failures, and what is left."""

import os
import re
from pathlib import Path

import pytest
from features_data import SPEC, make_dataset, resnet
from made_up_run import info, run_of
from small_study import REPOSITORY

from dissect_iqa.features.extract_features import extract_features
from dissect_iqa.features.forward import loop
from dissect_iqa.study.job import job
from snakemake_logger_plugin_dissect_iqa.pace import pace
from snakemake_logger_plugin_dissect_iqa.state import relevant, sentence
from snakemake_logger_plugin_dissect_iqa.words import (
    STAGES,
    duration,
    reason_in_words,
    roughly,
    stage_of,
)


def test_every_rule_has_words() -> None:
    texts = [path.read_text() for path in (REPOSITORY / "workflow/rules").glob("*.smk")]
    rules = {rule for text in texts for rule in re.findall(r"^rule (\w+):", text, re.MULTILINE)}
    assert rules == set(STAGES)
    assert stage_of("plot_depth") == stage_of("plot_types") == "Figures"
    assert stage_of("report_best") == "report best"


def test_jobs_start_and_end() -> None:
    run = run_of(fetch_weights=2, plot_depth=1, plot_types=1)
    assert run.total == 4 and run.stages["Figures"].total == 2
    job = run.start(info(1, "fetch_weights", "Weights of a"), 1.0)
    assert job and (job.words, job.again, run.running) == ("Weights of a", False, 1)
    assert run.start(info(9, "all"), 1.0) is None and run.finish(9, 2.0) is None
    assert run.finish(1, 4.0) is job and run.finish(1, 5.0) is None
    assert run.stages["Weights"].took == [3.0] and not run.stages["Weights"].finished
    unnamed = run.start(info(2, "fetch_weights"), 4.0)
    assert unnamed and unnamed.words == "Weights: tiny"
    run.finish(2, 6.0)
    assert run.stages["Weights"].finished and run.done == 2


def test_what_is_left_comes_from_what_was_measured() -> None:
    run = run_of(extract_features=5, correlate=2)
    run.start(info(1, "extract_features"), 0.0)
    stage = run.stages["Features"]
    assert run.left(stage, 5.0) is None and run.all_left(5.0) is None
    run.finish(1, 10.0)
    run.start(info(2, "extract_features"), 10.0)
    assert run.left(stage, 14.0) == 36.0
    assert run.all_left(14.0) == (36.0, False), "of correlations nothing is known"
    assert run.left(stage, 1000.0) == 30.0, "one that takes longer counts as nearly done"
    run.start(info(3, "correlate"), 14.0)
    run.finish(3, 15.0)
    assert run.all_left(15.0) == (36.0, True) and run.left(run.stages["Correlations"], 15.0) == 1.0
    run.start(info(4, "extract_features"), 20.0)
    assert run.left(stage, 20.0) == 15.0, "two at a time"


def test_a_job_that_is_tried_again_has_not_failed() -> None:
    run = run_of(extract_features=1)
    run.start(info(1, "extract_features", "Features of a"), 0.0)
    failure = run.fail(info(1, "extract_features", "SLURM job 7 ended as TIMEOUT: too long."), 9.0)
    assert failure.job.words == "Features of a" and run.stages["Features"].failed == {1}
    job = run.start(info(1, "extract_features", "Features of a"), 10.0)
    assert job and job.again and not run.failures and not run.stages["Features"].failed
    run.finish(1, 12.0)
    assert run.done == 1


def test_why_a_job_failed(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    log.write_text("2026-01-01 00:00:00,000 ERROR dissect_iqa: tiny: no such layer\n")
    run = run_of(extract_features=3)
    started = log.stat().st_mtime
    told = "SLURM job 7 ended as TIMEOUT: too long. For further error details see the cluster"
    for number, logs in ((1, [str(log)]), (2, ["gone.log"]), (3, [])):
        run.start(info(number, "extract_features", log=logs), started)
        run.fail(info(number, "extract_features", told if number < 3 else None, log=logs), started)
    found = {number: sentence(failure) for number, failure in run.failures.items()}
    assert found == {
        1: "tiny: no such layer",
        2: "SLURM job 7 ended as TIMEOUT: too long.",
        3: "",
    }
    os.utime(log, (started - 1000, started - 1000))
    assert sentence(run.failures[1]).startswith("SLURM job"), "that log is of an earlier run"


def test_of_a_group_those_jobs_are_told_of_that_say_why() -> None:
    run = run_of(measure_distances=1, correlate=1)
    group = [info(1, "measure_distances"), info(2, "correlate")]
    for one in group:
        run.start(one, 0.0)
    run.fail_group({"job_error_info": group, "aux_logs": ["slurm.log"]})
    for one in group:
        run.fail({**one, "rule_msg": None}, 5.0)
    assert run.failures[2].group and run.failures[2].logs == ["slurm.log"]
    assert relevant(run.failures, {1: "disk full", 2: ""}) == [1]
    assert relevant(run.failures, {1: "", 2: ""}) == [1, 2]


def test_the_pace_of_an_extraction(tmp_path: Path) -> None:
    log = tmp_path / "tiny.log"
    assert pace(log, 0.0) == ""
    log.write_text("x INFO loop: tiny: 16 of 99 pairs, 3.2 a second\n" * 200 + "y INFO z: more\n")
    assert pace(log, 0.0) == "16 of 99 pairs, 3.2 a second"
    assert pace(log, log.stat().st_mtime + 1) == "", "an earlier job's"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Missing output files: a.h5; Input files updated by another job: b", "not there yet"),
        ("Input files updated by another job: b", "input is made anew"),
        (
            'Updated input files: a; Params have changed since last execution: {"x; y": 1}',
            "settings changed and input is newer",
        ),
        ("Finished (was: Code has changed since last execution)", "code changed"),
        ("", "always run"),
    ],
)
def test_reasons_in_words(reason: str, words: str) -> None:
    assert reason_in_words(reason) == words


def test_lengths_of_time() -> None:
    found = [duration(seconds) for seconds in (0.4, 59.4, 65, 7384)]
    assert found == ["0 s", "59 s", "1 min 05 s", "2 h 03 min"]
    assert [roughly(s) for s in (2, 33, 200, 20000)] == ["5 s", "35 s", "3 min", "6 h"]


def test_the_pace_is_read_from_what_an_extraction_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_REMARK", 0.0)
    dataset = make_dataset(tmp_path / "data", 2, 3)
    with job(tmp_path / "tiny.log"):
        extract_features(resnet(), dataset, tmp_path / "f.h5", SPEC, batch_size=2, device="cpu")
    assert re.fullmatch(r"8 of 8 pairs, \S+ a second", pace(tmp_path / "tiny.log", 0.0))
