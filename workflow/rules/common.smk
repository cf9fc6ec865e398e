# The validated study, and what the wildcards may be.
from dissect_iqa.planning import Told
from dissect_iqa.study import Study
from dissect_iqa.summary import print_study
from dissect_iqa.upfront import check_upfront

with told(logger.error):
    # of several --configfile the last one wins, and all of them win over config/config.yaml
    given = [str(file) for file in workflow.overwrite_configfiles]
    rest = [file for file in map(str, workflow.configfiles) if file not in given]
    study = Told(
        Study.from_values(
            config, [*reversed(given), *rest], workflow.config_settings.config
        ),
        logger.error,
    )


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


wildcard_constraints:
    dataset="[^/]+",
    metric=METRIC,
    # everything that is no metric; listing thousands of ids here would slow the planning down
    model=rf"(?!(?:{METRIC})\.\w+$)[^/]+",
    name="[^/]+",
