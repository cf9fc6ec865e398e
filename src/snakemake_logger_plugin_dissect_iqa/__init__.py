"""A logger plugin for Snakemake: what a person wants to see while a study runs.

In a terminal, a few lines that renew themselves; elsewhere a plain line for each job; of a dry run
a table with reasons in words; after failures a list of what failed and why. Snakemake's own
output is still written to ``.snakemake/log``, and shown instead of ours with
``--logger-dissect-iqa-output snakemake``, ``--verbose`` or ``--debug-dag``.

This is imported by every process of Snakemake, also by those that run a single job and never use
it; `rich` is loaded only where a display begins.
"""

import logging
import os
import re
import shlex
import shutil
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase

from snakemake_logger_plugin_dissect_iqa import lines
from snakemake_logger_plugin_dissect_iqa.state import Run, sentence

if TYPE_CHECKING:
    from snakemake_logger_plugin_dissect_iqa.live import Display

__all__ = ["LogHandler", "LogHandlerSettings", "settle"]

#: What Snakemake tells of itself before a run, which helps nobody who runs a study.
_CHATTER = (
    *("Assuming unrestricted", "Building DAG", "Processed ", "Using shell", "Group jobs: "),
    *("Conda environments: ", "Singularity containers: ", "SLURM run ID", "Select jobs"),
    *("Cleaning up SLURM log", "Reasons:", "Some jobs were triggered by", "Rules with provenance"),
    *("Config file ", "Would remove temporary", "Elapsed time", "Complete log", "Execute "),
)
#: Of what Snakemake tells once jobs run, this is shown.
_TIDINGS = ("Terminating processes", "Will exit after", "Shutting down")
#: Our own list of failures says it better.
_SAID_BY_US = ("Exiting because a job", "WorkflowError:\nAt least one job did not complete")
#: A job of ours that ends with status 1 has said why; no traceback of Snakemake helps.
_STATUS = re.compile(r"RuleException:\nCalledProcessError in file .*\nCommand .* returned non-zero")
#: Told of each extraction that fails before it has written anything.
_NO_BACKUP = re.compile(r"Cannot restore .*: no backup found")


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    """What can be chosen on the command line and in a profile."""

    output: str = field(
        default="auto",
        metadata={
            "help": "What a run shows: 'auto' renews a few lines in a terminal and writes plain "
            "lines elsewhere, 'lines' always writes those, 'snakemake' is Snakemake's own output.",
            "choices": ["auto", "lines", "snakemake"],
        },
    )


class LogHandler(LogHandlerBase):
    """Shows a run. Whatever goes wrong in here, the run goes on, with Snakemake's own output."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def __post_init__(self) -> None:
        common, settings = self.common_settings, self.settings
        self._dry = bool(getattr(common, "dryrun", False))
        self._quiet = {str(word) for word in common.quiet or ()}
        # Snakemake sends a dry run's output to stdout, from where people pipe it on
        self._stream = sys.stdout if common.stdout else sys.stderr
        self._again = _command()
        self._output = getattr(settings, "output", None) or "auto"
        self._own: logging.Handler | None = None
        if self._output == "snakemake" or common.verbose or common.debug_dag:
            self._own = self._snakemakes_own()
        self._run = Run()
        self._planned = False
        self._closed = False
        self._counts: dict[str, int] = {}
        self._reasons: dict[str, list[str]] = {}
        # not the handler's own lock, which is held while a display is taken away
        self._changing = threading.RLock()
        self._display: Display | None = None
        _active[:] = [self]

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record."""
        settled = getattr(record, "settled", None)
        try:
            if settled is not None:
                if record.ended:  # type: ignore[attr-defined]
                    self._conclude()
            elif self._own:
                self._own.handle(record)
            elif "all" not in self._quiet or self._dry:
                self._take(record)
        except Exception as error:
            with suppress(Exception):  # such as a pipe that nobody reads any more
                self._give_up(error)
                if self._own and settled is None:
                    self._own.handle(record)
        finally:
            if settled is not None:
                settled.set()

    def close(self) -> None:
        """Say what is still to be said, and leave the terminal as it was."""
        try:
            self._conclude()
        except Exception as error:
            with suppress(Exception):
                self._give_up(error)
        _active[:] = []
        super().close()

    def _take(self, record: logging.LogRecord) -> None:
        event, now, info = getattr(record, "event", None), record.created, record.__dict__
        if event == LogEvent.RUN_INFO:
            self._plan(info["stats"], now)
        elif event == LogEvent.RESOURCES_INFO:
            self._run.remote |= "nodes" in info
        elif event == LogEvent.JOB_INFO:
            self._start(info, now)
        elif event == LogEvent.JOB_FINISHED:
            self._finish(info["job_id"], now)
        elif event == LogEvent.JOB_ERROR:
            self._fail(info, now)
        elif event == LogEvent.GROUP_ERROR:
            with self._changing:
                self._run.fail_group(info)
        elif event == LogEvent.SHELLCMD:
            command = info.get("cmd") or info.get("shellcmd")
            if self.common_settings.printshellcmds and command:
                self._say(command)
        elif event in (None, LogEvent.ERROR):
            self._pass_on(record)

    def _plan(self, counts: dict[str, int], now: float) -> None:
        if self._dry:
            # told twice, before and after the jobs with their reasons
            if not self._counts and "rules" not in self._quiet:
                self._counts = dict(counts)
            else:
                self._tell_plan(dict(counts))
            return
        with self._changing:
            self._run.plan(counts, now)
        self._planned = True
        if not self._shows_jobs or not self._run.total:
            return
        if self._output == "auto" and _is_terminal(self._stream):
            from snakemake_logger_plugin_dissect_iqa.live import Display

            colours = not self.common_settings.nocolor
            self._display = Display(self._run, self._changing, colours, self._give_up)
        else:
            self._say(lines.planned(self._run))

    def _start(self, info: dict[str, Any], now: float) -> None:
        if self._dry:
            if info["output"] and not self._quiet & {"rules", "reason", "all"}:
                self._reasons.setdefault(info["rule_name"], []).append(info["reason"])
            return
        with self._changing:
            job = self._run.start(info, now)
        if job and self._shows_jobs and (not self._display or job.again):
            self._say(lines.started(job, now))

    def _finish(self, number: int, now: float) -> None:
        with self._changing:
            job = self._run.finish(number, now)
        if job is None or not self._shows_jobs:
            return
        if not self._display:
            self._say(lines.finished(self._run, job, now))
        elif (stage := self._run.stages[job.stage]).finished:
            from snakemake_logger_plugin_dissect_iqa.live import tick

            self._say(tick(job.stage, stage), style="green")

    def _fail(self, info: dict[str, Any], now: float) -> None:
        with self._changing:
            failure = self._run.fail(info, now)
        # what a job here says of its end is on the screen already; of one elsewhere it is not
        why = sentence(failure) if self._run.remote else ""
        self._say(lines.failed(self._run, failure, why), style="red")
        if self.common_settings.show_failed_logs:
            for log in map(Path, failure.logs):
                if log.is_file():
                    self._say(f"{log}:\n{log.read_text(encoding='utf-8', errors='replace')}")

    def _pass_on(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text in ("", "None"):
            return
        if record.levelno < logging.WARNING:
            if self._planned and not text.startswith(_TIDINGS):
                return
            if record.levelno < logging.INFO or text.startswith(_CHATTER):
                return
        elif self._run.failures or getattr(record, "event", None) == LogEvent.ERROR:
            # the exception comes just before the job's own record
            if text.startswith(_SAID_BY_US) and self._run.failures:
                return
            if _STATUS.match(text):
                return
        if _NO_BACKUP.match(text):
            return
        if text.startswith("This was a dry-run"):
            self._tell_plan(self._counts)
        styles = {logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "red"}
        self._say(text, style=styles.get(record.levelno, ""))

    @property
    def _shows_jobs(self) -> bool:
        return not self._quiet & {"progress", "rules", "all"}

    def _tell_plan(self, counts: dict[str, int]) -> None:
        if counts and "progress" not in self._quiet:
            self._say_all(lines.plan(counts, self._reasons))
        self._counts = {}

    def _conclude(self) -> None:
        """End the display, then say how it ended; does nothing a second time."""
        if self._closed:
            return
        self._closed = True
        display, self._display = self._display, None
        if display:
            display.stop()
        if self._own or ("all" in self._quiet and not self._dry):
            return
        if self._counts:
            self._tell_plan(self._counts)
        if not self._planned:
            return
        if self._run.failures:
            found = {number: sentence(failure) for number, failure in self._run.failures.items()}
            width = shutil.get_terminal_size().columns if _is_terminal(self._stream) else None
            self._say_all(lines.ending(self._run, found, self._again, _own_log(), width))
        elif self._shows_jobs and self._run.done == self._run.total:
            self._say(lines.closing(self._run, time.time()))

    def _say(self, line: str | None, style: str = "") -> None:
        if line is None:
            return
        if self._display:
            self._display.print(line, style)
        else:
            print(line, file=self._stream, flush=True)

    def _say_all(self, several: Iterable[str]) -> None:
        self._say("\n".join(several))

    def _give_up(self, error: Exception) -> None:
        """Show Snakemake's own output from now on."""
        display, self._display = self._display, None
        try:
            if display:
                display.stop()
        finally:
            self._own = self._snakemakes_own()
            place = f"{type(error).__name__}: {error}"
            print(
                f"The display of the run failed ({place}); Snakemake's own output follows.",
                file=self._stream,
                flush=True,
            )

    def _snakemakes_own(self) -> logging.Handler:
        from snakemake.logging import ColorizingTextHandler, DefaultFilter, DefaultFormatter

        common = self.common_settings
        return ColorizingTextHandler(
            nocolor=common.nocolor,
            stream=self._stream,
            formatter=DefaultFormatter(common.quiet, common.show_failed_logs),
            filter=DefaultFilter(
                common.quiet, common.debug_dag, common.verbose, self._dry, common.printshellcmds
            ),
        )


#: The handler of this process, if it has one.
_active: list[LogHandler] = []


def settle(ended: bool = True) -> None:
    """Wait until all that was logged has been shown; Snakemake hands records to another thread.

    The first jobs would start before the display has begun, and write into it, and what a workflow
    prints at its end would come before the display has gone.

    Parameters
    ----------
    ended : bool
        Whether the run has ended, so that the display goes.
    """
    if _active:
        shown = threading.Event()
        logger = logging.getLogger("snakemake.logging")
        logger.info("", extra={"settled": shown, "ended": ended})
        shown.wait(10)


def _is_terminal(stream: Any) -> bool:
    return bool(stream.isatty()) and os.environ.get("TERM") not in (None, "", "dumb")


def _command() -> str:
    """Return the command that was typed, as far as a process can know it."""
    first = sys.argv[0]
    python = os.path.relpath(sys.executable) if _is_below(sys.executable) else sys.executable
    if Path(first).name == "__main__.py":
        start = [python, "-m", "snakemake"]
    else:
        start = [os.path.relpath(first) if _is_below(first) else first]
    return shlex.join([*start, *sys.argv[1:]])


def _own_log() -> str:
    """Return the file in which Snakemake keeps its own output, "" if it keeps none."""
    for handler in logging.getLogger("snakemake.logging").handlers:
        if isinstance(handler, logging.FileHandler):
            return os.path.relpath(handler.baseFilename)
    return ""


def _is_below(path: str) -> bool:
    return not os.path.relpath(path).startswith("..")
