# The validated study, and what the wildcards may be.
import os
import re
import sys

from dissect_iqa.errors import UserError
from dissect_iqa.study.folder import check_folder, claim_folder
from dissect_iqa.study.frozen import VARIABLE, freeze, thaw
from dissect_iqa.study.partial import Failed, finish_without
from dissect_iqa.study.planning import Told
from dissect_iqa.study.study import Study
from dissect_iqa.study.summary import print_study
from dissect_iqa.study.tables import EXPLORED, MARK, SHARED
from dissect_iqa.study.upfront import check_upfront

with told(logger.error):
    if workflow.is_main_process:
        # of several --configfile the last one wins, and all of them win over config/config.yaml
        given = [str(file) for file in workflow.overwrite_configfiles]
        rest = [file for file in map(str, workflow.configfiles) if file not in given]
        values, command_line = config, workflow.config_settings.config
        read = Study.from_values(values, [*reversed(given), *rest], command_line)
        check_folder(read)
        if any(word.partition("=")[0] == "--report" for word in sys.argv):
            from dissect_iqa.study.bundle import require_finished

            # or figures of earlier settings would stand under the words of these
            require_finished(read)
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


config = {**config, "study": study.name, "frozen_study": os.environ[VARIABLE]}


# What a study concludes lies in its own folder, what studies share in another. A rehearsal writes
# all of it into a folder of its own.
pathvars:
    results=str(study.results / study.name),
    shared=str(study.results / SHARED),
    resources=str(study.folder / "resources"),
    logs=str(study.folder / "logs" / study.name),


def checked(wildcards):
    """Check what the study names, before any of its jobs is planned; needs no file."""
    with told(logger.error):
        check_upfront(study, study.folder / "resources")
    return []


def distances(dataset, names):
    """Return the paths of models' and metrics' distances on a data set."""
    return [study.shared("distances", dataset, name) for name in names]


def features(model, datasets):
    """Return the paths of a model's features on some data sets."""
    return [study.shared("features", dataset, model) for dataset in datasets]


PAIRS = "<resources>/datasets/{dataset}/pairs.parquet"


def plotted(figure, wildcards):
    """Return by name the tables that a figure takes, and the pairs that its notices are from."""
    dataset = getattr(wildcards, "dataset", "")
    paths = study.figure_paths(figure, dataset)
    pairs = [
        f"<resources>/datasets/{name}/pairs.parquet"
        for name in study.figure_shows(figure, dataset)
    ]
    tables = {
        table: [f"<results>/{path}" for path in of] for table, of in paths.items()
    }
    return {**tables, "pairs": pairs}


def explored(wildcards):
    """Return by name the tables that the explorer shows, and all pairs of pictures."""
    tables = {
        table: [f"<results>/{path}" for path in study.specs(table)]
        for table in EXPLORED
    }
    rest = [name for name in study.datasets if name not in study.rated()]
    return {
        **tables,
        "pairs": expand(PAIRS, dataset=study.rated()),
        "remarks": expand(PAIRS, dataset=rest),
    }


METRIC = "|".join(study.config.baselines) or "no_baseline"
OUTSIDE = "|".join(map(re.escape, study.outside())) or "no_scores"


wildcard_constraints:
    dataset="[^/]+",
    metric=METRIC,
    outside=OUTSIDE,
    # everything that is no metric; listing thousands of ids here would slow the planning down
    model=rf"(?!(?:{METRIC}|{OUTSIDE})\.[0-9a-f]+\.\w+$)[^/]+",
    name="[^/]+",
    # of what a shared file was made from; see dissect_iqa.study.tables
    mark=f"[0-9a-f]{{{MARK}}}",
