"""The files that studies share: which there are, and which studies use each."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from dissect_iqa.files.validation import check_names
from dissect_iqa.study.study import Study
from dissect_iqa.study.tables import SHARED, SHARED_FILES

#: The file in a study's own folder that says whose it is and which shared files it uses.
NOTE = "study.json"


def shared_by(study: Study) -> list[str]:
    """Return the paths, in the shared folder, of the files that a study shares with others."""
    paths = [
        study.shared(what, dataset, name)
        for dataset, name, _ in study.correlations()
        for what in _kinds(study, dataset, name)
    ]
    return [Path(path).relative_to(study.results / SHARED).as_posix() for path in paths]


def paths_of(
    study: Study, names: Sequence[str], what: str | None = None, dataset: str | None = None
) -> list[str]:
    """Return where a study's shared files of some models or metrics lie, or will lie.

    Parameters
    ----------
    study : Study
        Whose files.
    names : sequence of str
        Models and metrics.
    what : str, optional
        A key of `SHARED_FILES`; default: all.
    dataset : str, optional
        Default: all of the study.

    Raises
    ------
    UserError
        If the study has no such model, metric, kind of file or data set.
    """
    check_names("shared files", names, study.scored())
    check_names("shared files", [what] if what else [], tuple(SHARED_FILES))
    check_names("shared files", [dataset] if dataset else [], tuple(study.datasets))
    return [
        study.shared(kind, data, name)
        for data, name, _ in study.correlations()
        if name in names and dataset in (None, data)
        for kind in _kinds(study, data, name)
        if what in (None, kind)
    ]


def _kinds(study: Study, dataset: str, name: str) -> Iterator[str]:
    if name in study.models:
        yield "features"
    yield "distances"
    if study.has_readouts(dataset, name):
        yield "readouts"
    yield "correlations"


def shared_files(results: Path) -> pd.DataFrame:
    """List the shared files and who uses them.

    Parameters
    ----------
    results : path
        The folder of all studies' results.

    Returns
    -------
    DataFrame
        A row a file, largest first: `path`, `what` (features, distances, readouts or
        correlations), `bytes`, and `studies`, the names of those whose last run used it.
    """
    users: dict[str, list[str]] = {}
    for note in sorted(results.glob(f"*/{NOTE}")):
        try:
            used = json.loads(note.read_text(encoding="utf-8"))["shared_files"]
        except (OSError, ValueError, KeyError):
            continue  # nobody's, as a study that was never run
        for path in used:
            users.setdefault(path, []).append(note.parent.name)
    folder = results / SHARED
    rows = [
        {
            "path": str(path),
            "what": path.relative_to(folder).parts[0],
            "bytes": path.stat().st_size,
            "studies": ", ".join(users.get(path.relative_to(folder).as_posix(), [])),
        }
        for path in sorted(folder.glob("*/*/*"))
        if path.is_file() and not path.name.startswith(".")
    ]
    found = pd.DataFrame(rows, columns=["path", "what", "bytes", "studies"])
    return found.sort_values("bytes", ascending=False, kind="stable", ignore_index=True)
