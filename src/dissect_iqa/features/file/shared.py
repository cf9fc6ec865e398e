"""Share finished feature files between studies: a folder in which a lab keeps them by content.

A file's name there is made of all that decides its numbers: the spec, the bytes of the weights,
of every picture and of the table of pairs. So a study can only be given what it would have
made itself, wherever its pictures and weights lie. Files are copied, never linked: what one study
has doesn't change with what happens to another.
"""

import logging
import os
import shutil
from pathlib import Path

from dissect_iqa.errors import UserError
from dissect_iqa.features.file.read import open_cache
from dissect_iqa.features.file.verify import verify_cache
from dissect_iqa.files.provenance import atomic_path, canonical_json, fingerprint

log = logging.getLogger(__name__)

#: The facts of a feature file that must be those of the study that takes it.
IDENTITY = ("fingerprint", "weights_sha256", "images_sha256", "pairs_sha256", "engine")


def shared_path(store: Path | str, facts: dict[str, str]) -> Path:
    """Return where a feature file with these facts is, or will be, in the folder `store`."""
    key = fingerprint(canonical_json({name: facts[name] for name in IDENTITY}))
    return Path(store).expanduser() / facts["model"] / f"{key}.h5"


def still_valid(target: Path, facts: dict[str, str]) -> bool:
    """Tell whether the file that is wanted is there already, and give it the time of now if so.

    So that weights or tables that were only made again, with the same content, cost no GPU.

    Parameters
    ----------
    target : path
        Where it would be.
    facts : dict
        As for `take`.
    """
    if not target.is_file():
        return False
    try:
        _prove(target, facts)
    except UserError:
        return False
    os.utime(target)
    log.info("%s: made of the very same things, nothing to extract", target)
    return True


def take(store: Path | str, facts: dict[str, str], target: Path) -> bool:
    """Copy a file from the store to `target` if there is one and every byte of it is right.

    Parameters
    ----------
    store : path
        The lab's folder.
    facts : dict
        `model`, `spec` and those of `IDENTITY`, of the file that is wanted.
    target : path
        Where it goes; nothing appears there unless the copy verifies.

    Returns
    -------
    bool
        False if there is none. One that is damaged counts as none, with a warning in the log.
    """
    shared = shared_path(store, facts)
    if not shared.is_file():
        return False
    try:
        with atomic_path(target) as temporary:
            shutil.copyfile(shared, temporary)
            _prove(temporary, facts)
    except (OSError, UserError) as error:
        log.warning("%s can't be used, extracting instead: %s", shared, error)
        return False
    log.info("%s: taken from %s, nothing to extract", target, shared)
    return True


def give(store: Path | str, facts: dict[str, str], source: Path) -> None:
    """Copy a finished file into the store; if that fails, say so in the log and go on."""
    shared = shared_path(store, facts)
    try:
        with atomic_path(shared) as temporary:
            shutil.copyfile(source, temporary)
    except (OSError, UserError) as error:
        log.warning("%s: not shared (%s); the study goes on", shared, error)
    else:
        log.info("%s: shared with other studies", shared)


def _prove(path: Path, facts: dict[str, str]) -> None:
    faults = verify_cache(path, facts["spec"])
    if faults:
        raise UserError(faults[0])
    with open_cache(path) as cache:
        wrong = [name for name in IDENTITY if cache.facts.get(name) != facts[name]]
    if wrong:
        raise UserError(f"it was made from something else ({', '.join(wrong)} differ)")
