"""What is shown of a made-up run, in plain lines and in a terminal."""

import re

from made_up_run import info, run_of

from snakemake_logger_plugin_dissect_iqa import lines
from snakemake_logger_plugin_dissect_iqa.live import rows, tick


def test_lines_of_jobs() -> None:
    run = run_of(extract_features=10, correlate=1)
    assert lines.planned(run) == "11 jobs: Features 10, Correlations 1"
    job = run.start(info(1, "extract_features", "Features of a on own"), 0.0)
    assert job
    assert re.fullmatch(r"\d\d:00:00  begins: Features of a on own", str(lines.started(job, 0.0)))
    run.finish(1, 12.0)
    assert re.fullmatch(
        r"\d\d:00:12   1/11  Features of a on own \(12 s\)", lines.finished(run, job, 12.0)
    )
    other = run.start(info(2, "correlate", "Correlation of a"), 12.0)
    assert other and lines.started(other, 12.0) is None, "it's done in no time"
    failure = run.fail(info(2, "correlate", None), 13.0)
    assert lines.failed(run, failure).endswith("  FAILED: Correlation of a")
    assert lines.failed(run, failure, "disk full").endswith("Correlation of a: disk full")
    again = run.start(info(2, "correlate", "Correlation of a"), 14.0)
    assert again and str(lines.started(again, 14.0)).endswith("once more: Correlation of a")


def test_the_end_names_each_failure_its_log_and_the_next_command() -> None:
    run = run_of(extract_features=25, correlate=5)
    for number in range(22):
        job = info(number, "extract_features", f"Features of m{number}", log=[f"logs/{number}.log"])
        run.start(job, 0.0)
        run.fail({**job, "rule_msg": None}, 1.0)
    sentences = {number: "no such layer " * 10 if number else "" for number in range(22)}
    text = list(lines.ending(run, sentences, "snakemake --cores 2", "own.log", 60))
    assert text[1] == "22 jobs failed, 0 of 30 done, 8 not run."
    assert text[3:6] == [
        "  Features of m0",
        "    no reason was written down; its log may say more",
        "    log: logs/0.log",
    ]
    assert all(len(line) < 60 for line in "\n".join(text).splitlines()[:40])
    assert "  and 2 more" in text
    assert text[-2:] == ["  snakemake --cores 2", "Everything that Snakemake said: own.log"]


def test_the_table_of_a_plan() -> None:
    counts = {"fetch_weights": 2, "collect": 1, "total": 3}
    bare = list(lines.plan(counts, {}))
    parseable = [bool(re.fullmatch(r"(\w+) +(\d+)", line)) for line in bare]
    assert parseable == [False, False, True, True, True]
    settings = 'Params have changed since last execution: {"spec": "0a1b"}'
    why = {"fetch_weights": ["Missing output files: a", settings], "collect": [settings]}
    table = list(lines.plan(counts, why))
    assert table[2:] == [
        "fetch_weights      2  not there yet (1), settings changed (1)",
        "collect            1  settings changed",
        "total              3",
    ]


def test_what_a_terminal_shows() -> None:
    run = run_of(fetch_weights=2, extract_features=4, correlate=4, plot_depth=1)
    for number in (1, 2):
        run.start(info(number, "fetch_weights"), 0.0)
        run.finish(number, 5.0 * number)
    assert tick("Weights", run.stages["Weights"]) == "✓ Weights: 2 jobs, 10 s"
    for number in (3, 4, 5):
        run.start(info(number, "extract_features", f"Features of m{number} on own"), 10.0)
    run.finish(3, 40.0)
    run.fail(info(4, "extract_features", None), 40.0)
    text = [line for line, _ in rows(run, 50.0, {5: "16 of 99 pairs, 3.2 a second"})]
    assert text == [
        "Features      ━━━╌╌╌╌╌╌╌╌╌  1 of 4, 1 running, 1 failed, about 10 s left",
        "  Features of m5 on own: 16 of 99 pairs, 3.2 a second",
        "to come: Correlations, Figures",
        "3 of 11 jobs, 50 s, more than 10 s left",
    ]
    run.remote = True
    assert "1 with the cluster" in rows(run, 50.0, {})[0][0]
