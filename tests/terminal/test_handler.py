"""The handler that Snakemake feeds, without Snakemake: what it shows, hides and survives."""

import logging
from typing import Any

import pytest
from made_up_run import info
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.tests import MockOutputSettings, TestLogHandlerBase

from snakemake_logger_plugin_dissect_iqa import LogHandler, LogHandlerSettings


class TestInterface(TestLogHandlerBase):
    """What the interface asks of every plugin."""

    __test__ = True

    def get_log_handler_cls(self) -> type[LogHandler]:
        return LogHandler

    def get_log_handler_settings(self) -> LogHandlerSettings:
        return LogHandlerSettings(output="lines")


def handler(output: str = "auto", **settings: Any) -> LogHandler:
    common = MockOutputSettings()
    for name, value in {"show_failed_logs": False, "printshellcmds": False, **settings}.items():
        setattr(common, name, value)
    return LogHandler(common, LogHandlerSettings(output=output))


def record(text: str, event: Any = None, level: int = logging.INFO, **more: Any) -> Any:
    made = logging.LogRecord("snakemake", level, "x.py", 1, text, (), None)
    made.__dict__.update(more, event=event)
    return made


def plan(**counts: int) -> Any:
    return record("Job stats:", LogEvent.RUN_INFO, stats={**counts, "total": sum(counts.values())})


def start(number: int, rule: str, words: str | None) -> Any:
    more = {**info(number, rule, words), "reason": "Missing output files: a", "output": ["a"]}
    return record("Rule", LogEvent.JOB_INFO, **more)


def shown(capsys: pytest.CaptureFixture[str], *records: Any, **settings: Any) -> str:
    """Return what a handler writes of some records, and when it is closed."""
    one = handler(**settings)
    for each in records:
        one.emit(each)
    one.close()
    out, err = capsys.readouterr()
    assert not (out and err)
    return out or err


RUN = (
    record("Building DAG of jobs..."),
    record("Provided cores: 2", LogEvent.RESOURCES_INFO, cores=2),
    plan(collect=1, all=1),
    record("Select jobs to execute..."),
    start(1, "collect", "Collecting"),
    record("Finished jobid: 1", LogEvent.JOB_FINISHED, job_id=1),
    record("None", LogEvent.PROGRESS, done=1, total=2),
    record("Complete log(s): x.log"),
)


def test_a_run_in_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    planned, finished, last = shown(capsys, *RUN).splitlines()
    assert planned == "1 job: Collecting them 1" and finished.endswith("  1/1  Collecting (0 s)")
    assert last.startswith("1 of 1 job done in")


@pytest.mark.parametrize("quiet", [{"all"}, {"progress"}, {"rules", "progress"}])
def test_quiet(capsys: pytest.CaptureFixture[str], quiet: set[str]) -> None:
    assert shown(capsys, *RUN, quiet=quiet) == ""


@pytest.mark.parametrize("asked", [{"output": "snakemake"}, {"verbose": True}])
def test_snakemakes_own_output(capsys: pytest.CaptureFixture[str], asked: dict[str, Any]) -> None:
    text = shown(capsys, record("Building DAG of jobs..."), plan(collect=1), **asked)
    assert text == "Building DAG of jobs...\nJob stats:\n"


def test_errors_and_warnings_are_shown_once_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    missing = "MissingInputException in rule collect:\nMissing input files: {a}\n" + "b" * 200
    text = shown(
        capsys,
        record("careful", level=logging.WARNING),
        record("error: config.yaml, line 3", level=logging.ERROR),
        record(missing, LogEvent.ERROR, logging.ERROR, exception="MissingInputException"),
        record("WorkflowError:\nAt least one job did not complete", level=logging.ERROR),
        record("Unlocked working directory."),
    )
    assert text == (
        f"careful\nerror: config.yaml, line 3\n{missing}\n"
        "WorkflowError:\nAt least one job did not complete\nUnlocked working directory.\n"
    )


def test_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    failed = {**info(1, "collect", None, log=["gone.log"]), "shellcmd": None}
    trace = "RuleException:\nCalledProcessError in file a.smk, line 3:\nCommand x returned non-zero"
    last = "WorkflowError:\nAt least one job did not complete successfully."
    text = shown(
        capsys,
        plan(collect=1, count_verdicts=1),
        start(1, "collect", "Collecting"),
        record(trace, LogEvent.ERROR, logging.ERROR),
        record("Error in rule collect", LogEvent.JOB_ERROR, logging.ERROR, **failed),
        record("Cannot restore a: no backup found.", level=logging.WARNING),
        record("Exiting because a job execution failed. Look", level=logging.ERROR),
        record(last, LogEvent.ERROR, logging.ERROR),
    )
    for noise in ("Exception", "Exiting", "WorkflowError", "backup", "None"):
        assert noise not in text
    assert text.count("FAILED: Collecting\n") == 1
    assert "1 job failed, 0 of 2 done, 1 not run." in text and "    log: gone.log\n" in text


def test_a_dry_run(capsys: pytest.CaptureFixture[str]) -> None:
    records = (plan(collect=1), start(1, "collect", "Collecting"), plan(collect=1))
    text = shown(capsys, *records, record("This was a dry-run"), dryrun=True, stdout=True)
    assert text.splitlines()[2:] == [
        "collect      1  not there yet",
        "total        1",
        "This was a dry-run",
    ]
    bare = shown(capsys, plan(collect=1), plan(collect=1), quiet={"rules"}, dryrun=True)
    assert "collect      1\ntotal        1\n" in bare and "missing" not in bare


def test_a_fault_of_ours_shows_snakemakes_own_output(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LogHandler, "_plan", lambda *_: 1 / 0)
    text = shown(capsys, plan(collect=1), record("Select jobs to execute..."))
    assert text.splitlines() == [
        "The display of the run failed (ZeroDivisionError: division by zero); "
        "Snakemake's own output follows.",
        "Job stats:",
        "Select jobs to execute...",
    ]


def test_shell_commands_only_where_asked(capsys: pytest.CaptureFixture[str]) -> None:
    said = record("Shell command: echo", LogEvent.SHELLCMD, shellcmd="echo")
    none = record("Shell command: None", LogEvent.SHELLCMD, shellcmd=None)
    assert shown(capsys, said, none) == ""
    assert shown(capsys, said, none, printshellcmds=True) == "echo\n"
