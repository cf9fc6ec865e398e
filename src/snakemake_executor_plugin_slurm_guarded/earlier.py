"""Jobs that an earlier Snakemake left in SLURM when it was killed.

A killed Snakemake can't cancel its jobs. They would go on beside those of the next run and
write, or hold, the same files. So each run leaves a note with its name in the working directory
and takes it away when it ends in order; the next one cancels what the notes it finds stand for.
"""

import os
import subprocess
import time
from pathlib import Path

NOTES = Path(".snakemake/slurm_runs")
#: Seconds to wait until cancelled jobs are gone; SLURM gives them 30 s to end by themselves.
WAIT = 120
#: What squeue calls jobs that still run, or may run again.
ACTIVE = "PENDING,RUNNING,SUSPENDED,COMPLETING,CONFIGURING,STOPPED"


def leave_note(run: str) -> Path:
    """Write down that a run of this name uses this working directory."""
    NOTES.mkdir(parents=True, exist_ok=True)
    note = NOTES / run
    note.write_text(f"{os.uname().nodename} {os.getpid()}\n")
    return note


def cancel_earlier_runs() -> list[str]:
    """Cancel the jobs of runs that did not end in order; call it while holding Snakemake's lock.

    Returns
    -------
    list of str
        SLURM's ids of the jobs that were cancelled. A run whose jobs SLURM can't be asked for
        keeps its note.
    """
    cancelled: list[str] = []
    for note in sorted(NOTES.glob("*")) if NOTES.is_dir() else []:
        jobs = _active_jobs(note.name)
        if jobs is None:
            continue
        if jobs:
            subprocess.run(["scancel", *jobs], capture_output=True, check=False, timeout=60)
            _wait_until_gone(note.name)
            cancelled += jobs
        note.unlink(missing_ok=True)
    return cancelled


def _active_jobs(run: str) -> list[str] | None:
    """Return the ids of a run's jobs that have not ended; None if SLURM does not answer."""
    command = ["squeue", "--noheader", "--format=%i", f"--states={ACTIVE}", "--name", run]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.split() if answer.returncode == 0 else None


def _wait_until_gone(run: str) -> None:
    end = time.monotonic() + WAIT
    while _active_jobs(run) and time.monotonic() < end:
        time.sleep(1)
