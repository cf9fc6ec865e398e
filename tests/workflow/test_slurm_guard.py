"""The guarded SLURM executor against a scripted SLURM: nothing waits for ever, nothing is lost."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import snakemake_executor_plugin_slurm_guarded as guarded
from snakemake_executor_plugin_slurm_guarded import earlier, status
from snakemake_executor_plugin_slurm_guarded.status import JobState, parse

Program = Callable[[str, str], None]


class Limiter:
    """Stands for Snakemake's limit on queries a second."""

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, *_: object) -> None:
        pass


class Watched(guarded.Executor):
    """The executor without a workflow: remembers what it reports."""

    def __init__(self, tool: str = "squeue"):
        self.reports: list[tuple[str, str]] = []
        self.said: list[str] = []
        self.status_rate_limiter = Limiter()
        self.run_uuid = "the-run"
        self._submitted_job_clusters: set[str] = set()
        self._failed_nodes: set[str] = set()
        settings = SimpleNamespace(status_command=tool, keep_successful_logs=False)
        self.workflow = SimpleNamespace(executor_settings=settings)
        self.logger = SimpleNamespace(warning=self.said.append)
        self.begin_watch()

    def report_job_success(self, job_info: Any) -> None:
        self.reports.append((job_info.external_jobid, "success"))

    def report_job_error(self, job_info: Any, msg: str = "", **_: Any) -> None:
        self.reports.append((job_info.external_jobid, msg))

    def check(self, *jobs: str) -> list[str]:
        """Check once; return the ids of the jobs that go on."""
        infos = [SimpleNamespace(external_jobid=job, aux={}) for job in jobs]

        async def collect() -> list[str]:
            return [job.external_jobid async for job in self.check_active_jobs(infos)]

        return asyncio.run(collect())


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Return a function that puts a shell script under a program's name; nothing else is there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.chdir(tmp_path)

    def write(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
        (folder / name).chmod(0o755)

    return write


NO_ACCOUNTING = "echo Slurm accounting storage is disabled >&2; exit 1"


def test_states_are_reported_once_each(program: Program) -> None:
    program(
        "squeue",
        "echo '1|COMPLETED|None|n1\n2|RUNNING|None|n1\n3|PENDING|Resources|\n"
        "4|TIMEOUT|TimeLimit|n2\n5|OUT_OF_MEMORY|OutOfMemory|n2'",
    )
    executor = Watched()
    assert executor.check("1", "2", "3", "4", "5") == ["2", "3"]
    reports = dict(executor.reports)
    assert reports["1"] == "success"
    assert "TIMEOUT" in reports["4"] and "runtime" in reports["4"]
    assert "OUT_OF_MEMORY" in reports["5"] and "mem_mb" in reports["5"]
    assert len(executor.reports) == 3 and executor.said == []


def test_squeue_is_asked_for_this_run_only(program: Program, tmp_path: Path) -> None:
    program("squeue", f'echo "$@" > {tmp_path}/asked; echo "1|RUNNING|None|n1"')
    Watched().check("1")
    asked = (tmp_path / "asked").read_text()
    assert "--name the-run" in asked and "--states=all" in asked


@pytest.mark.parametrize("tool", ["squeue", "sacct"])
def test_without_accounting_nothing_is_dropped(program: Program, tool: str) -> None:
    """The stock plugin forgets all jobs when sacct fails five times, and then waits for ever."""
    program("sacct", NO_ACCOUNTING)
    program("squeue", "echo '1|RUNNING|None|n1'")
    executor = Watched(tool)
    assert executor.check("1") == ["1"]
    program("squeue", "echo '1|COMPLETED|None|n1'")
    assert executor.check("1") == []
    assert executor.reports == [("1", "success")]


def test_a_controller_that_is_away_is_waited_for(program: Program) -> None:
    program("sacct", NO_ACCOUNTING)
    program("squeue", "echo Unable to contact slurm controller >&2; exit 1")
    executor = Watched()
    for _ in range(20):
        assert executor.check("1", "2") == ["1", "2"]
    assert executor.reports == []
    assert len(executor.said) == 1 and "not answered" in executor.said[0]
    program("squeue", "echo '1|COMPLETED|None|n1\n2|FAILED|NonZeroExitCode|n1'")
    assert executor.check("1", "2") == []
    assert [job for job, _ in executor.reports] == ["1", "2"]


def test_a_day_of_silence_ends_the_wait(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    program("squeue", "exit 1")
    executor = Watched()
    assert executor.check("1") == ["1"]
    later = time.monotonic() + guarded.GIVE_UP
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert executor.check("1") == []
    assert "not known" in executor.reports[0][1]


def test_sacct_names_who_cancelled(program: Program) -> None:
    """The stock plugin compares the whole cell with CANCELLED, and polls for ever."""
    program("squeue", "true")
    program("sacct", "echo '1|CANCELLED by 1000|None|n1'")
    executor = Watched("sacct")
    assert executor.check("1") == []
    assert "CANCELLED" in executor.reports[0][1]


def test_a_job_the_controller_forgot_is_looked_up(program: Program) -> None:
    program("squeue", "true")
    program("sacct", "echo '1|COMPLETED|None|n1'")
    executor = Watched()
    assert executor.check("1") == []
    assert executor.reports == [("1", "success")]


def test_a_job_nobody_knows_is_lost_at_the_third_look(program: Program) -> None:
    program("squeue", "true")
    program("sacct", NO_ACCOUNTING)
    executor = Watched()
    assert executor.check("1") == ["1"]
    assert executor.check("1") == ["1"]
    assert executor.check("1") == []
    assert "not known to SLURM" in executor.reports[0][1]


def test_doubts_end_when_the_job_is_seen_again(program: Program) -> None:
    executor = Watched()
    for answer in ("true", "true", "echo '1|RUNNING|None|n1'", "true", "true"):
        program("squeue", answer)
        assert executor.check("1") == ["1"]


def test_preempted_and_queued_again_goes_on_but_for_good_is_a_failure(program: Program) -> None:
    executor = Watched()
    program("squeue", "echo '1|PREEMPTED|None|n1'")
    assert executor.check("1") == ["1"]
    program("squeue", "echo '1|PENDING|BeginTime|'")
    assert executor.check("1") == ["1"]
    program("squeue", "echo '1|PREEMPTED|None|n1'")
    assert [executor.check("1") for _ in range(3)] == [["1"], ["1"], []]
    assert "PREEMPTED" in executor.reports[0][1]


@pytest.mark.parametrize(
    "reason",
    ["PartitionTimeLimit", "BadConstraints", "QOSMaxWallDurationPerJobLimit", "InvalidAccount"],
)
def test_a_job_that_can_never_start_is_cancelled(
    program: Program, tmp_path: Path, reason: str
) -> None:
    program("squeue", f"echo '7|PENDING|{reason}|'")
    program("scancel", f"echo $@ >> {tmp_path}/cancelled")
    executor = Watched()
    assert [executor.check("7") for _ in range(3)] == [["7"], ["7"], []]
    assert reason in executor.reports[0][1] and "profile" in executor.reports[0][1]
    assert (tmp_path / "cancelled").read_text() == "7\n"


def test_why_jobs_wait_is_said_once(program: Program) -> None:
    reason = "ReqNodeNotAvail, UnavailableNodes:n[1-2]"
    program("squeue", f"echo '1|PENDING|{reason}|\n2|PENDING|{reason}|\n3|PENDING|Priority|'")
    executor = Watched()
    for _ in range(3):
        assert executor.check("1", "2", "3") == ["1", "2", "3"]
    assert len(executor.said) == 1
    assert "2 jobs" in executor.said[0] and reason in executor.said[0]


@pytest.mark.parametrize(
    "reason", ["", "Priority", "Resources", "QOSGrpGRES", "AssocGrpCpuLimit", "JobArrayTaskLimit"]
)
def test_waiting_for_ones_turn_is_not_remarkable(reason: str) -> None:
    state = JobState("PENDING", reason)
    assert not status.needs_attention(state)
    assert not status.is_hopeless(state)


def test_a_node_that_failed_is_avoided(program: Program) -> None:
    program("squeue", "echo '1|NODE_FAIL|NodeDown|n2'")
    executor = Watched()
    executor.check("1")
    assert executor._failed_nodes == {"n2"}


def test_output_that_is_no_answer_is_not_taken_for_one() -> None:
    assert parse("CLUSTER: big\n12|RUNNING|None|n1\nslurm_load: warning\n||\n") == {
        "12": JobState("RUNNING", "", "n1")
    }


def test_nothing_is_submitted_while_the_controller_is_away(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted: list[str] = []
    parent = guarded.SlurmExecutor
    monkeypatch.setattr(parent, "run_job", lambda self, job: submitted.append(job))
    monkeypatch.setattr(guarded, "KNOCK", 0.01)
    program("scontrol", "echo 'Slurmctld(primary) at host is DOWN'; exit 1")
    executor = Watched()
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        if len(waits) == 3:
            program("scontrol", "echo 'Slurmctld(primary) at host is UP'")
        assert submitted == []
        return False

    monkeypatch.setattr(executor._stopping, "wait", wait)
    executor.run_job("a job")  # type: ignore[arg-type]
    assert submitted == ["a job"] and len(waits) == 3
    assert len(executor.said) == 1 and "controller" in executor.said[0]


def test_jobs_of_a_killed_run_are_cancelled(program: Program, tmp_path: Path) -> None:
    program(
        "squeue",
        f'case "$*" in *dead-run*) test -e {tmp_path}/cancelled || echo "5\n6";; esac',
    )
    program("scancel", f"echo $@ > {tmp_path}/cancelled")
    earlier.leave_note("dead-run")
    earlier.leave_note("ended-run")
    assert earlier.cancel_earlier_runs() == ["5", "6"]
    assert (tmp_path / "cancelled").read_text() == "5 6\n"
    assert list(earlier.NOTES.iterdir()) == []


def test_notes_stay_while_slurm_does_not_answer(program: Program) -> None:
    program("squeue", "exit 1")
    note = earlier.leave_note("dead-run")
    assert earlier.cancel_earlier_runs() == []
    assert note.read_text().split() == [os.uname().nodename, str(os.getpid())]
