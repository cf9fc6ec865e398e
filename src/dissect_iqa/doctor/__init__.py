"""Is everything there that a study needs? Found out before it runs, with the way out of each fault.

Each function looks at one thing and returns what it found. Only what the workflow can't do by
itself is a failure: weights and data sets that it will fetch are notes.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil

from dissect_iqa.doctor.checks import AGAIN, Check
from dissect_iqa.doctor.inputs import comparisons, data_sets, distinct, upfront, weights
from dissect_iqa.doctor.machine import (
    cores,
    disk,
    extraction_time,
    gpu,
    memory,
    torch_build,
)
from dissect_iqa.doctor.needs import study_needs
from dissect_iqa.errors import UserError
from dissect_iqa.study.config_files import config_values
from dissect_iqa.study.study import Study


def examine(
    config_files: Sequence[Path | str] = (), resources: Path = Path("resources")
) -> list[Check]:
    """Look at the machine and at everything that a study needs.

    Parameters
    ----------
    config_files : sequence of path
        On top of ``config/config.yaml``; see `config_values`.
    resources : path
        Where weights and data sets are.
    """
    return [_of_this_study(item, config_files) for item in _examine(config_files, resources)]


def snakemake_command(config_files: Sequence[Path | str] = ()) -> str:
    """Return the beginning of the command that runs the study of these files."""
    # Before --cores, because --configfile takes all words up to the next option
    files = f" --configfile {' '.join(map(str, config_files))}" if config_files else ""
    return f"snakemake{files} --cores"


def _of_this_study(item: Check, config_files: Sequence[Path | str]) -> Check:
    """Name the configuration files in the commands, which would mend another study otherwise."""
    again = "dissect-iqa doctor" + "".join(f" --configfile {file}" for file in config_files)
    mend = item.mend.replace("snakemake --cores", snakemake_command(config_files))
    return replace(item, mend=mend.replace("dissect-iqa doctor", again))


def _examine(config_files: Sequence[Path | str], resources: Path) -> list[Check]:
    checks = [cores(len(os.sched_getaffinity(0))), torch_build()]
    try:
        values, files = config_values(config_files)
        # What the real run needs, also where the configuration is that of a rehearsal
        study = Study.from_values({**values, "rehearse": False}, files)
        rows = study.weights_rows()
    except UserError as error:
        fault = f"correct what it names, {AGAIN}"
        return [*checks, gpu("auto"), Check("FAIL", "configuration", str(error), fault)]
    needs = study_needs(study, resources, rows)
    count = f"models: {len(study.models)}, data sets: {len(study.datasets)}"
    return [
        *checks,
        gpu(study.config.extraction.device),
        memory(psutil.virtual_memory().total, needs.memory),
        extraction_time(needs, study.config.extraction.device),
        *disk({resources: needs.weights + needs.data, Path("results"): needs.features}, needs),
        Check("PASS", "configuration", count),
        comparisons(study),
        *upfront(study, resources),
        *(Check("FAIL", "layers", fault, f"correct its line, {AGAIN}") for fault in needs.faults),
        *weights(study, rows, resources / "weights"),
        distinct([row.id for row in rows], resources / "weights"),
        *data_sets(study, resources),
    ]
