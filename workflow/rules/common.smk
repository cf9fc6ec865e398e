# The validated study, and what the wildcards may be.
import os
import re

from dissect_iqa.errors import UserError
from dissect_iqa.study.frozen import VARIABLE, freeze, thaw
from dissect_iqa.study.planning import Told
from dissect_iqa.study.study import Study
from dissect_iqa.study.summary import print_study
from dissect_iqa.study.upfront import check_upfront

with told(logger.error):
    if workflow.is_main_process:
        # of several --configfile the last one wins, and all of them win over config/config.yaml
        given = [str(file) for file in workflow.overwrite_configfiles]
        rest = [file for file in map(str, workflow.configfiles) if file not in given]
        values, command_line = config, workflow.config_settings.config
        read = Study.from_values(values, [*reversed(given), *rest], command_line)
        for notice in read.own.notices():
            logger.warning(notice)
        read.own.note_damage(read.folder / "resources")
        os.environ[VARIABLE] = str(freeze(read))
        if workflow.modifier.is_main_snakefile():
            # or every Snakemake that this one starts for a job would read them again
            workflow.config_settings.configfiles = []
    elif VARIABLE in os.environ:
        read = thaw(os.environ[VARIABLE])
    else:
        raise UserError(
            f"{VARIABLE} isn't set: this executor hands no variables on to its jobs"
        )
    study = Told(read, logger.error)


# Every job works from the copy that was made when the run was planned, on other nodes, too.
envvars:
    VARIABLE,


config = {**config, "study": os.environ[VARIABLE]}


# A rehearsal writes what it makes into a folder of its own.
pathvars:
    results=str(study.folder / "results"),
    resources=str(study.folder / "resources"),
    logs=str(study.folder / "logs"),


def checked(wildcards):
    """Check what the study names, before any of its jobs is planned; needs no file."""
    with told(logger.error):
        check_upfront(study, study.folder / "resources")
    return []


METRIC = "|".join(study.config.baselines) or "no_baseline"
OUTSIDE = "|".join(map(re.escape, study.outside())) or "no_scores"


wildcard_constraints:
    dataset="[^/]+",
    metric=METRIC,
    outside=OUTSIDE,
    # everything that is no metric; listing thousands of ids here would slow the planning down
    model=rf"(?!(?:{METRIC}|{OUTSIDE})\.\w+$)[^/]+",
    name="[^/]+",
