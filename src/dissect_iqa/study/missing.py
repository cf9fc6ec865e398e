"""What a study was to have but couldn't be had, as a run tells the one that finishes without it."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from dissect_iqa.baselines.outside import ScoresEntry
from dissect_iqa.errors import UserError
from dissect_iqa.files.provenance import write_json

#: The environment variable that names the file of what to leave out of a study.
VARIABLE = "DISSECT_IQA_WITHOUT"
#: That file, in the study's folder.
MISSING = "missing.json"


def what_is_missing() -> dict[str, str]:
    """Return the names of models, metrics and data sets to finish without, and why.

    Raises
    ------
    UserError
        If the file that `VARIABLE` names isn't one of `write_missing`.
    """
    place = os.environ.get(VARIABLE)
    if not place:
        return {}
    try:
        content = json.loads(Path(place).read_text(encoding="utf-8"))
        return {str(name): str(why) for name, why in content.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(
            f"{place}: what the study is to finish without can't be read ({error}); unset "
            f"{VARIABLE}"
        ) from error


def write_missing(missing: Mapping[str, str], path: Path) -> None:
    """Write what a study is to finish without into a file for `what_is_missing`."""
    write_json(dict(missing), path)


def reasons(missing: Mapping[str, str]) -> str:
    """Return in words who is missing, and why."""
    return "; ".join(f"{name} ({why})" for name, why in missing.items())


def scores_without(
    scores: Sequence[ScoresEntry], missing: Mapping[str, str]
) -> tuple[ScoresEntry, ...]:
    """Return the tables of scores from outside, without missing metrics and data sets."""
    left = []
    for entry in scores:
        metrics = {name: facts for name, facts in entry.metrics.items() if name not in missing}
        if metrics and entry.dataset not in missing:
            left.append(entry.model_copy(update={"metrics": metrics}))
    return tuple(left)
