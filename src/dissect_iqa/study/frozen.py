"""A run's frozen copy of its study: written once when the run is planned, read by every job.

The files in ``config/`` may be edited while a study runs for hours. So the process that plans
writes what it read and checked into one file, named by its sha256, and no job reads a
configuration file again, whether it runs in a thread, in a second Snakemake on another node, or
in a group of jobs. The next run reads the files anew and shows what is stale.
"""

import json
import os
import time
from contextlib import suppress
from pathlib import Path

from dissect_iqa.errors import UserError
from dissect_iqa.files.provenance import atomic_path, fingerprint
from dissect_iqa.study.study import Study

#: Where copies lie, relative to the study's folder, which all nodes share.
FOLDER = Path("results/.study")
#: The environment variable that tells a Snakemake which another one started where its copy is.
VARIABLE = "DISSECT_IQA_STUDY"
#: A copy that no run and no job has touched for so many days is deleted by the next run.
KEPT_DAYS = 30


def freeze(study: Study, folder: Path | str | None = None) -> Path:
    """Write a study's frozen copy, if it isn't there, and delete old ones.

    Parameters
    ----------
    study : Study
        Checked, and ready to run.
    folder : path, optional
        Where copies lie; default: `FOLDER`, in a rehearsal below its own folder.

    Returns
    -------
    Path
        Of the copy, below `folder`; its name is the sha256 of its content.
    """
    folder = study.folder / FOLDER if folder is None else Path(folder)
    # In the order of the files: that of models and data sets is the order of tables and figures
    text = json.dumps(study.plain(), allow_nan=False)
    path = folder / f"{fingerprint(text)}.json"
    if not _touch(path) or path.read_text(encoding="utf-8") != text:
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    oldest = time.time() - KEPT_DAYS * 24 * 3600
    for other in folder.glob("*.json"):
        with suppress(OSError):  # another run may be cleaning up, too
            if other != path and other.stat().st_mtime < oldest:
                other.unlink()
    return path


def thaw(path: Path | str) -> Study:
    """Return the study of a frozen copy; no configuration file is read.

    Raises
    ------
    UserError
        If the copy is gone or isn't what its name says.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: the copy of the configuration that this run works from can't be read "
            f"({error}); start Snakemake again"
        ) from error
    if fingerprint(text) != path.stem:
        raise UserError(
            f"{path}: the copy of the configuration that this run works from has changed; "
            "delete it and start Snakemake again"
        )
    _touch(path)
    return Study.from_plain(json.loads(text))


def _touch(path: Path) -> bool:
    """Mark a copy as in use; tell whether it is there."""
    try:
        os.utime(path)
    except PermissionError:
        return True  # somebody else's: read it, but let it grow old
    except OSError:
        return False
    return True
