"""Run a rehearsal with Snakemake, and tell what failed in it."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dissect_iqa.study.faults import fault
from dissect_iqa.study.rehearsal import FOLDER

#: Rules that get one core each: with small pictures starting up is what takes time.
_ONE_CORE = ("extract_features", "score_baselines", "fit_readouts")


def snakemake_command(
    config_files: Sequence[Path | str] = (),
    options: Sequence[str] = (),
    cores: int | None = None,
    more: Sequence[str] = (),
) -> list[str]:
    """Return the command that rehearses a study.

    Parameters
    ----------
    config_files : sequence of path
        On top of ``config/config.yaml``, as for Snakemake.
    options : sequence of str
        Single options, each as ``name=value``.
    cores : int, optional
        Default: all that this process may use.
    more : sequence of str
        Whatever else Snakemake is to be told; the last word wins.
    """
    cores = cores or len(os.sched_getaffinity(0))
    files = ["--configfile", *map(str, config_files)] if config_files else []
    return [
        *(sys.executable, "-m", "snakemake", *files),
        *("--config", *options, "rehearse=true"),
        # many small extractions share a GPU, where there is one
        *("--cores", str(cores), "--resources", f"gpu={cores}"),
        *("--set-threads", *(f"{rule}=1" for rule in _ONE_CORE)),
        *more,
    ]


def run(command: Sequence[str], began: float) -> list[str]:
    """Run a command of `snakemake_command` in the current folder.

    Parameters
    ----------
    command : sequence of str
        What to run; it writes to the terminal.
    began : float
        When the rehearsal began, in seconds since 1970; older logs are of earlier ones.

    Returns
    -------
    list of str
        What failed, one line each; empty if all went through.
    """
    if subprocess.run(command, check=False).returncode == 0:
        return []
    logs = sorted((FOLDER / "logs").rglob("*.log"))
    found = [
        f"{log}: {why}" for log in logs if log.stat().st_mtime >= began and (why := fault(log))
    ]
    return found or ["Snakemake stopped; what it said stands above"]
