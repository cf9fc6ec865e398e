"""Finish a study without the models, metrics or data sets of which a job failed.

One model that can't be had doesn't keep the others from their figures: when a run ends with failed
jobs and all that doesn't depend on them is done, Snakemake is started once more for the same study
without them. Everything it concludes says what is missing and why; the run still fails.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dissect_iqa.study.faults import fault
from dissect_iqa.study.missing import MISSING, VARIABLE, reasons, write_missing
from dissect_iqa.study.study import Study

#: Of whom each stage makes something: the wildcard that names the model, metric or data set.
_SUBJECTS = {
    "fetch_dataset": "dataset",
    "fetch_weights": "model",
    "extract_features": "model",
    "measure_distances": "model",
    "fit_readouts": "model",
    "score_baselines": "metric",
    "read_scores": "outside",
    "correlate": "name",
}
#: A reason stands in figures, too.
_LONGEST = 100


@dataclass(frozen=True)
class Failed:
    """A job that failed.

    Attributes
    ----------
    rule : str
        Its rule.
    wildcards : mapping of str to str
        What of.
    logs : sequence of str
        Its log files.
    """

    rule: str
    wildcards: Mapping[str, str]
    logs: Sequence[str]


def finish_without(study: Study, failed: Iterable[Failed], say: Callable[[str], object]) -> None:
    """Finish a study without those of whom a job failed, if all else is done.

    Parameters
    ----------
    study : Study
        What was run.
    failed : iterable of Failed
        The jobs that failed.
    say : callable
        Shows a text to the user.
    """
    missing = to_leave_out(study, failed)
    if not missing or study.missing or not _rest_is_done(study, missing):
        return
    place = study.results / study.name / MISSING
    write_missing(missing, place)
    say(f"The study is finished without {reasons(missing)}.")
    command = [sys.executable, "-m", "snakemake", *unforced(sys.argv[1:]), "--nolock"]
    subprocess.run(command, check=False, env={**os.environ, VARIABLE: str(place)})


def unforced(arguments: Sequence[str]) -> list[str]:
    """Return Snakemake's arguments without those that have finished jobs done once more.

    Examples
    --------
    >>> unforced(["-F", "--cores", "2", "--forcerun", "collect", "correlate", "--quiet"])
    ['--cores', '2', '--quiet']
    """
    kept: list[str] = []
    dropping = False
    for word in arguments:
        if word.startswith("-"):
            name = word.partition("=")[0]
            dropping = name in ("-R", "--forcerun")  # which takes the words up to the next option
            if dropping or name in ("-F", "--forceall", "-f", "--force"):
                continue
        if not dropping:
            kept.append(word)
    return kept


def to_leave_out(study: Study, failed: Iterable[Failed]) -> dict[str, str]:
    """Return whom to leave out for failed jobs, and why; empty if a job failed that is of nobody.

    Parameters
    ----------
    study : Study
        What was run.
    failed : iterable of Failed
        The jobs that failed.
    """
    missing: dict[str, str] = {}
    for job in failed:
        if job.rule not in _SUBJECTS:
            return {}
        name = job.wildcards[_SUBJECTS[job.rule]]
        why = next(filter(None, map(fault, job.logs)), f"{job.rule} failed")
        why = why if len(why) <= _LONGEST else f"{why[:_LONGEST]}…"
        if job.rule == "fetch_weights":
            for metric in study.config.baselines:
                if study.trunk(metric) == name:
                    missing.setdefault(metric, why)
            if name not in study.models:
                continue
        missing.setdefault(name, why)
    return missing


def _rest_is_done(study: Study, missing: Mapping[str, str]) -> bool:
    """Tell whether all that doesn't depend on the missing is there: the run wasn't interrupted."""
    gone = {*missing, *(name for name, of in study.misaligned_sets().items() if of in missing)}
    left = [
        (dataset, name)
        for dataset, name, _ in study.correlations()
        if dataset not in gone and name not in gone
    ]
    return any(name in study.models for _, name in left) and all(
        Path(study.shared("correlations", *pair)).is_file() for pair in left
    )
