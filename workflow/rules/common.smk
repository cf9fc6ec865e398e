# The validated study, and what the wildcards may be.
from snakemake.exceptions import WorkflowError

from dissect_iqa.errors import UserError
from dissect_iqa.study import Study
from dissect_iqa.summary import print_study

try:
    study = Study.from_values(config, workflow.configfiles)
except UserError as error:
    raise WorkflowError(str(error))

METRIC = "|".join(study.config.baselines) or "no_baseline"


wildcard_constraints:
    dataset="[^/]+",
    metric=METRIC,
    # everything that is no metric; listing thousands of ids here would slow the planning down
    model=rf"(?!(?:{METRIC})\.\w+$)[^/]+",
    name="[^/]+",
