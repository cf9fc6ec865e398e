"""A study's own folder: whose it is, so that one study never takes another's place."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dissect_iqa.errors import UserError
from dissect_iqa.files.provenance import write_json
from dissect_iqa.study.missing import MISSING
from dissect_iqa.study.shared_files import NOTE, shared_by
from dissect_iqa.study.study import Study

#: Options that change no number and no word of what is concluded.
_NEUTRAL = ("study", "offline", "rehearse", "extraction", "figures")


def check_folder(study: Study) -> None:
    """Check that a study's folder is not another study's.

    The same name is another study if it comes from another configuration file, or if options on
    the command line change what is studied. Editing the file itself is going on with the study.

    Raises
    ------
    UserError
        Naming the folder, what it holds, and how to name this study otherwise.
    """
    note = study.results / study.name / NOTE
    if study.config.rehearse or not note.is_file():
        return
    there, now = _read(note), _marks(study)
    if there == now or not there:
        return
    raise UserError(
        f"{note.parent}: holds the study of {_in_words(there)}; what is asked for now, "
        f"{_in_words(now)}, would replace its tables and figures. Give this one a name of its own: "
        f"'study: NAME' in its configuration file, or --config study=NAME ...; or remove "
        f"{note.parent} first"
    )


def claim_folder(study: Study) -> None:
    """Write into a study's folder whose it is; see `check_folder`."""
    folder = study.results / study.name
    if not study.missing:
        (folder / MISSING).unlink(missing_ok=True)
    note = {
        "study": study.name,
        **_marks(study),
        "missing": study.missing,
        "shared_files": shared_by(study),
    }
    write_json(note, folder / NOTE)


def _marks(study: Study) -> dict[str, Any]:
    """Return what tells a study from others of the same name."""
    given = study.origin.command_line
    return {
        "configuration": str(study.origin.files[0]) if study.origin.files else "",
        "command_line": {name: given[name] for name in sorted(given) if name not in _NEUTRAL},
    }


def _read(note: Path) -> dict[str, Any]:
    try:
        content = json.loads(note.read_text(encoding="utf-8"))
        return {name: content[name] for name in ("configuration", "command_line")}
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # damaged: written anew by the next run


def _in_words(marks: Mapping[str, Any]) -> str:
    options = [f"{name}={json.dumps(value)}" for name, value in marks["command_line"].items()]
    words = marks["configuration"] or "a configuration without a file"
    return f"{words} with --config {' '.join(options)}" if options else words
