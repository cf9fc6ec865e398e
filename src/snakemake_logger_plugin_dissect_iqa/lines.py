"""What a run says in plain lines: of jobs, of a plan, and at the end of a run with failures."""

import textwrap
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from snakemake_logger_plugin_dissect_iqa.state import Failure, Job, Run, relevant
from snakemake_logger_plugin_dissect_iqa.words import duration, reason_in_words

#: Rules whose jobs can last long: of these it is also said when one starts.
LONG = {"fetch_dataset", "extract_features", "fit_readouts", "walk_multiverse"}
#: Failures that are told at the end; with so many, one cause has mostly many of them.
SHOWN = 20


def planned(run: Run) -> str:
    """Return what there is to do."""
    stages = ", ".join(f"{name} {stage.total}" for name, stage in run.stages.items())
    return f"{_jobs(run.total)}: {stages}"


def started(job: Job, now: float) -> str | None:
    """Return the line for a job that starts, None if it needs none."""
    if job.again:
        return f"{_clock(now)}  once more: {job.words}"
    return f"{_clock(now)}  begins: {job.words}" if job.rule in LONG else None


def finished(run: Run, job: Job, now: float) -> str:
    """Return the line for a job that succeeded."""
    return f"{_clock(now)}  {_count(run)}  {job.words} ({duration(now - job.started)})"


def failed(run: Run, failure: Failure, why: str = "") -> str:
    """Return the line for a job that failed."""
    line = f"{_clock(failure.at)}  FAILED: {failure.job.words}"
    return f"{line}: {why}" if why else line


def closing(run: Run, now: float) -> str:
    """Return the last line of a run in which all went well."""
    return f"{run.done} of {_jobs(run.total)} done in {duration(now - run.began)}"


def ending(
    run: Run, sentences: Mapping[int, str], again: str, own_log: str = "", width: int | None = None
) -> Iterator[str]:
    """Yield the lines with which a run ends in which jobs failed.

    Parameters
    ----------
    run : Run
        As it stands at the end.
    sentences : mapping of int to str
        Why each job failed, by its number.
    again : str
        The command that goes on where this one stopped.
    own_log : str
        Snakemake's own, complete log.
    width : int, optional
        Of the terminal, into which sentences are broken; paths and commands stay whole.
    """
    told = relevant(run.failures, sentences)
    rest = run.total - run.done - len(run.failures)
    waiting = f", {rest} not run" if rest else ""
    yield ""
    yield f"{_jobs(len(run.failures))} failed, {run.done} of {run.total} done{waiting}."
    for number in told[:SHOWN]:
        failure = run.failures[number]
        yield ""
        yield f"  {failure.job.words}"
        why = sentences[number] or "no reason was written down; its log may say more"
        yield _indented(why, width)
        yield from (f"    log: {log}" for log in failure.logs)
    if len(told) > SHOWN:
        yield ""
        yield f"  and {len(told) - SHOWN} more"
    yield ""
    yield "What is done is kept. When this is mended, go on with"
    yield f"  {again}"
    if own_log:
        yield f"Everything that Snakemake said: {own_log}"


def plan(counts: Mapping[str, int], reasons: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield a table of what a dry run would do: rule, number of jobs and, where known, why."""
    wide = max(map(len, counts))
    why = "  why" if reasons else ""
    yield f"{'job':{wide}}  count{why}"
    yield f"{'-' * wide}  -----{'  ---' if reasons else ''}"
    for rule, count in counts.items():
        yield f"{rule:{wide}}  {count:5}  {_causes(reasons.get(rule, ()))}".rstrip()


def _indented(text: str, width: int | None) -> str:
    space = " " * 4
    if width is None:
        return space + text
    return textwrap.fill(
        text,
        max(40, width - 1),
        initial_indent=space,
        subsequent_indent=space,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _causes(reasons: Sequence[str]) -> str:
    found = Counter(map(reason_in_words, reasons)).most_common()
    if len(found) == 1:
        return found[0][0]
    return ", ".join(f"{words} ({count})" for words, count in found)


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"


def _count(run: Run) -> str:
    return f"{run.done:{len(str(run.total))}}/{run.total}"


def _clock(now: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(now))
