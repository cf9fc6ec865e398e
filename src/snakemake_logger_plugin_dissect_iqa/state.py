"""What is known of a run: which jobs there are, run, are done or failed, and since when."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snakemake_logger_plugin_dissect_iqa.words import stage_of

#: The rule that only names what is to be made.
_TARGET = "all"
#: Seconds by which clocks of a shared file system may differ from this one's.
_SKEW = 60.0


@dataclass
class Job:
    """One job, known from when it starts."""

    rule: str
    words: str
    logs: list[str]
    started: float
    #: Whether it has failed before in this run.
    again: bool = False

    @property
    def stage(self) -> str:
        """The stage it belongs to."""
        return stage_of(self.rule)


@dataclass
class Failure:
    """A job that failed."""

    job: Job
    #: Why, as far as Snakemake or the cluster knows; the job's own log knows better.
    told: str
    logs: list[str]
    at: float
    #: All jobs of a group fail together.
    group: bool = False


@dataclass
class Stage:
    """The jobs of a stage: how many there are, and what became of them."""

    total: int = 0
    running: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)
    #: Seconds that each finished job took.
    took: list[float] = field(default_factory=list)
    began: float | None = None
    ended: float | None = None
    #: Most jobs that ran at a time.
    width: int = 0

    @property
    def done(self) -> int:
        """Jobs that succeeded."""
        return len(self.took)

    @property
    def finished(self) -> bool:
        """Whether all jobs succeeded."""
        return self.done >= self.total


class Run:
    """A run of the workflow, fed with events; times are seconds since 1970.

    Attributes
    ----------
    stages : dict of str to Stage
        In the order in which the data flows.
    jobs : dict of int to Job
        Those that have started.
    failures : dict of int to Failure
        Those that failed and were not tried again.
    remote : bool
        Whether jobs go to a cluster, where they may wait for long.
    """

    def __init__(self) -> None:
        self.stages: dict[str, Stage] = {}
        self.jobs: dict[int, Job] = {}
        self.failures: dict[int, Failure] = {}
        self.remote = False
        self.began = 0.0
        self._groups: dict[int, tuple[str, list[str]]] = {}

    @property
    def total(self) -> int:
        """Number of jobs."""
        return sum(stage.total for stage in self.stages.values())

    @property
    def done(self) -> int:
        """Number of jobs that succeeded."""
        return sum(stage.done for stage in self.stages.values())

    @property
    def running(self) -> int:
        """Number of jobs that run, or were given to the cluster."""
        return sum(len(stage.running) for stage in self.stages.values())

    def plan(self, counts: Mapping[str, int], now: float) -> None:
        """Take in how many jobs each rule has; rows for all of them together are left out."""
        self.began = now
        for rule, count in counts.items():
            if rule not in (_TARGET, "total"):
                self.stages.setdefault(stage_of(rule), Stage()).total += count

    def start(self, info: Mapping[str, Any], now: float) -> Job | None:
        """Take in a job that starts; None if it is no work."""
        if info["rule_name"] == _TARGET:
            return None
        number, rule = info["jobid"], info["rule_name"]
        words = info["rule_msg"] or _named(rule, info["wildcards"])
        again = self.failures.pop(number, None) is not None
        job = Job(rule, words, list(info["log"]), now, again)
        self.jobs[number] = job
        stage = self.stages.setdefault(job.stage, Stage())
        stage.failed.discard(number)
        stage.running.add(number)
        stage.total = max(stage.total, stage.done + len(stage.running) + len(stage.failed))
        stage.width = max(stage.width, len(stage.running))
        stage.began = now if stage.began is None else stage.began
        return job

    def finish(self, number: int, now: float) -> Job | None:
        """Take in a job that succeeded; None if it is not known."""
        job = self.jobs.get(number)
        if job is None or number not in self.stages[job.stage].running:
            return None
        stage = self.stages[job.stage]
        stage.running.remove(number)
        stage.took.append(now - job.started)
        stage.ended = now
        return job

    def fail(self, info: Mapping[str, Any], now: float) -> Failure:
        """Take in a job that failed."""
        number = info["jobid"]
        job = self.jobs.get(number)
        if job is None:
            job = Job(info["rule_name"], _named(info["rule_name"], {}), list(info["log"]), now)
            self.jobs[number] = job
        stage = self.stages.setdefault(job.stage, Stage())
        stage.running.discard(number)
        stage.failed.add(number)
        told, more = self._groups.pop(number, ("", []))
        logs = list(dict.fromkeys([*info["log"], *more]))
        failure = Failure(job, info["rule_msg"] or told, logs, now, bool(told))
        self.failures[number] = failure
        return failure

    def fail_group(self, info: Mapping[str, Any]) -> None:
        """Take in that a group failed; each of its jobs is told of by itself after that."""
        for job in info["job_error_info"]:
            self._groups[job["jobid"]] = ("its group of jobs failed", list(info["aux_logs"]))

    def left(self, stage: Stage, now: float) -> float | None:
        """Return the seconds that a stage still needs, None where nothing was measured yet."""
        work = self._work(stage, now)
        return None if work is None else work / max(1, stage.width)

    def all_left(self, now: float) -> tuple[float, bool] | None:
        """Return the seconds that the rest needs, and whether that is all; None if not known.

        Of stages that have not ended a job yet nothing is known, and nothing is assumed.
        """
        stages = self.stages.values()
        works = [self._work(stage, now) for stage in stages]
        known = [work for work in works if work]
        if not known:
            return None
        longest = max(self.left(stage, now) or 0.0 for stage in stages)
        at_a_time = max(1, *(stage.width for stage in stages))
        return max(longest, sum(known) / at_a_time), None not in works

    def _work(self, stage: Stage, now: float) -> float | None:
        """Return the seconds of all jobs that are left, one after the other."""
        rest = stage.total - stage.done - len(stage.failed)
        if not rest:
            return 0.0
        if not stage.took:
            return None
        mean = sum(stage.took) / len(stage.took)
        spent = sum(min(mean, now - self.jobs[number].started) for number in stage.running)
        return rest * mean - spent


def relevant(failures: Mapping[int, Failure], sentences: Mapping[int, str]) -> list[int]:
    """Return the failures to tell of: of a group only those that say why, if any does."""
    why = [number for number in failures if sentences[number] or not failures[number].group]
    return why or list(failures)


def sentence(failure: Failure) -> str:
    """Return why a job failed, from its log if that is of this run, else as it was told."""
    from dissect_iqa.study.faults import fault

    for name in failure.logs:
        log = Path(name)
        try:
            if log.stat().st_mtime >= failure.job.started - _SKEW and (found := fault(log)):
                return found
        except OSError:
            continue
    told = failure.told.partition("For further error details see")[0].strip()
    return "" if failure.group or told == "None" else told


def _named(rule: str, wildcards: Mapping[str, str] | None) -> str:
    values = ", ".join(map(str, (wildcards or {}).values()))
    return f"{stage_of(rule)}: {values}" if values else stage_of(rule)
