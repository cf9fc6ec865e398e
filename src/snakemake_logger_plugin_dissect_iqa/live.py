"""What a run shows in a terminal: a few lines at the bottom that renew themselves."""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from snakemake_logger_plugin_dissect_iqa.pace import pace
from snakemake_logger_plugin_dissect_iqa.state import Run, Stage
from snakemake_logger_plugin_dissect_iqa.words import STAGES, duration, roughly

#: Seconds between two renewals.
_TICK = 1.0
#: Seconds between two looks into the logs of running jobs.
_LOOK = 5.0
#: Running extractions whose pace is shown.
_PACES = 4
_BAR = 12


def rows(run: Run, now: float, paces: Mapping[int, str]) -> list[tuple[str, str]]:
    """Return the lines to show, each with its style.

    Parameters
    ----------
    run : Run
        As it stands.
    now : float
        In seconds since 1970.
    paces : mapping of int to str
        How far running jobs are, by number.
    """
    wide = max(map(len, run.stages), default=0)
    shown, waiting = [], []
    for name, stage in run.stages.items():
        if stage.finished:
            continue
        if stage.began is None:
            waiting.append(name)
            continue
        shown.append((f"{name:{wide}}  {_state(run, stage, now)}", "bold" if stage.running else ""))
        for number in sorted(stage.running & paces.keys())[:_PACES]:
            shown.append((f"  {run.jobs[number].words}: {paces[number]}", "dim"))
    if waiting:
        shown.append((f"to come: {', '.join(waiting)}", "dim"))
    shown.append((_overall(run, now), "cyan"))
    return shown


def tick(name: str, stage: Stage) -> str:
    """Return the line that is left of a stage that is finished."""
    jobs = "" if stage.total == 1 else f"{stage.total} jobs, "
    return f"✓ {name}: {jobs}{duration((stage.ended or 0.0) - (stage.began or 0.0))}"


def _state(run: Run, stage: Stage, now: float) -> str:
    full = _BAR * stage.done // stage.total
    parts = [f"{'━' * full}{'╌' * (_BAR - full)}  {stage.done} of {stage.total}"]
    if stage.running:
        where = "with the cluster" if run.remote else "running"
        parts.append(f"{len(stage.running)} {where}")
    if stage.failed:
        parts.append(f"{len(stage.failed)} failed")
    if stage.running and (left := run.left(stage, now)):
        parts.append(f"about {roughly(left)} left")
    return ", ".join(parts)


def _overall(run: Run, now: float) -> str:
    parts = [f"{run.done} of {run.total} jobs", duration(now - run.began)]
    if left := run.all_left(now):
        seconds, whole = left
        parts.append(f"{'about' if whole else 'more than'} {roughly(seconds)} left")
    return ", ".join(parts)


class Display:
    """Lines at the bottom of a terminal, renewed every second, and others above them.

    Jobs would write into the display. What they say goes into a file without a name instead,
    which no job can fill up or find closed, and is shown above the display line by line; progress
    bars, which are for terminals, do not appear.

    Parameters
    ----------
    run : Run
        What is shown.
    lock : context manager
        Held by whoever changes the run.
    colours : bool
        False for none.
    lost : callable
        Called with the error if the display can't go on.
    """

    def __init__(
        self,
        run: Run,
        lock: threading.RLock,
        colours: bool,
        lost: Callable[[Exception], None],
    ):
        self._run = run
        self._lock = lock
        self._lost = lost
        self._paces: dict[int, str] = {}
        self._looked = 0.0
        self._rest = b""
        self._end = threading.Event()
        sys.stderr.flush()
        sys.stdout.flush()
        self._said = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        self._kept = {2: os.dup(2)}
        if os.isatty(1):
            self._kept[1] = os.dup(1)
        self._terminal = open(self._kept[2], "w", encoding=sys.stderr.encoding, closefd=False)  # noqa: SIM115
        self._console = Console(
            file=self._terminal, force_terminal=True, no_color=not colours or None, highlight=False
        )
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            get_renderable=self._render,
        )
        self._live.start()
        # position of its own for reading, writers append
        self._read = 0
        for number in self._kept:
            os.dup2(self._said.fileno(), number)
        self._thread = threading.Thread(target=self._renew, name="display", daemon=True)
        self._thread.start()

    def print(self, line: str, style: str = "") -> None:
        """Show a line above the display, where it stays."""
        with self._lock:
            self._show_said()
            self._console.print(Text(line, style=style))
            self._live.refresh()

    def renew(self) -> None:
        """Show things as they are now."""
        with self._lock:
            self._show_said()
            self._look()
            self._live.refresh()

    def stop(self) -> None:
        """Take the display away and give the terminal back."""
        self._end.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(5)
        with self._lock:
            if not self._kept:
                return
            sys.stderr.flush()
            sys.stdout.flush()
            for number, kept in self._kept.items():
                os.dup2(kept, number)
            with suppress(Exception):
                self._live.stop()
            self._show_said(whole=True)
            self._terminal.flush()
            for kept in self._kept.values():
                os.close(kept)
            self._kept = {}

    def _render(self) -> Group:
        width = self._console.width
        lines = rows(self._run, time.time(), self._paces)
        texts = [Text(text, style=style) for text, style in lines]
        for text in texts:
            text.truncate(width - 1, overflow="ellipsis")
        return Group(*texts)

    def _renew(self) -> None:
        while not self._end.wait(_TICK):
            try:
                self.renew()
            except Exception as error:  # the run goes on without a display
                self.stop()
                self._lost(error)
                return

    def _look(self) -> None:
        """See how far running extractions are."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return
        self._looked = now
        stage = self._run.stages.get(STAGES["extract_features"])
        self._paces = {}
        for number in sorted(stage.running)[:_PACES] if stage else ():
            job = self._run.jobs[number]
            if job.logs and (found := pace(Path(job.logs[0]), job.started)):
                self._paces[number] = found

    def _show_said(self, whole: bool = False) -> None:
        """Show what jobs and Snakemake itself have written meanwhile."""
        size = os.fstat(self._said.fileno()).st_size
        while self._read < size:
            part = os.pread(self._said.fileno(), min(size - self._read, 1 << 16), self._read)
            if not part:
                break
            self._read += len(part)
            self._rest += part
        *lines, self._rest = self._rest.split(b"\n")
        if whole and self._rest:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            text = line.decode("utf-8", errors="replace").rstrip("\r").rpartition("\r")[2]
            self._console.print(Text.from_ansi(text))
