"""The sha256 of many files, each hashed once: remembered until its size or a time changes.

Planning a run asks whether ten thousand pictures are what they were. Looking at a file takes
microseconds, hashing it milliseconds.
"""

import json
import logging
import stat
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dissect_iqa.files.provenance import atomic_path, sha256_file

log = logging.getLogger(__name__)

#: A file younger than this may be written again without a change of its times.
_YOUNG_NS = 2_000_000_000
_THREADS = 16

#: Size in bytes, times of modification and of change of status in nanoseconds. The latter
#: can't be set by hand, so a file replaced by another of the same size and time is found, too.
Stamp = tuple[int, int, int]


def stamps(files: Mapping[str, Path]) -> dict[str, Stamp | None]:
    """Return the size and times of files by name, None for one that isn't a file here."""
    names = list(files)
    parts = [names[start::_THREADS] for start in range(_THREADS)]

    def look(part: list[str]) -> list[tuple[str, Stamp | None]]:
        return [(name, _stamp(files[name])) for name in part]

    if len(names) < 1000:
        return dict(look(names))
    with ThreadPoolExecutor(_THREADS) as pool:  # on a network drive each look has to wait
        return {name: stamp for found in pool.map(look, parts) for name, stamp in found}


def sums(files: Mapping[str, Path], memory: Path) -> dict[str, str | None]:
    """Return the sha256 of files, by name.

    Parameters
    ----------
    files : mapping of str to Path
        The files, by names that stay the same from call to call.
    memory : path
        The JSON file where sums are kept from call to call. It may be deleted at any time, and
        where it can't be written every call hashes.

    Returns
    -------
    dict of str to (str or None)
        64 hex digits; None for a file that is not there or can't be read.
    """
    known = _recall(memory)
    now = stamps(files)
    found: dict[str, str | None] = {}
    missing = []
    for name, stamp in now.items():
        if stamp is None:
            found[name] = None
        elif name in known and known[name][0] == stamp:
            found[name] = known[name][1]
        else:
            missing.append(name)
    if missing:
        with ThreadPoolExecutor(_THREADS) as pool:  # hashing leaves Python's lock
            found.update(zip(missing, pool.map(_sum, (files[n] for n in missing)), strict=True))
        remember({n: found[n] for n in missing}, now, memory)
    return found


def remember(found: Mapping[str, str | None], at: Mapping[str, Stamp | None], memory: Path) -> None:
    """Keep sums for the next call of `sums`.

    Parameters
    ----------
    found : mapping of str to (str or None)
        sha256 by name.
    at : mapping
        What `stamps` said before the files were read.
    memory : path
        See `sums`.
    """
    newest = time.time_ns() - _YOUNG_NS
    known = _recall(memory)
    for name, value in found.items():
        stamp = at.get(name)
        if value and stamp and max(stamp[1:]) < newest:
            known[name] = (stamp, value)
        else:
            known.pop(name, None)
    try:
        with atomic_path(memory) as temporary:
            temporary.write_text(json.dumps(known))
    except OSError as error:
        log.info("%s: sums can't be kept (%s)", memory, error)


def _recall(memory: Path) -> dict[str, tuple[Stamp, str]]:
    try:
        content = json.loads(memory.read_text())
        return {name: (tuple(stamp), value) for name, (stamp, value) in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}  # hashed again


def _stamp(path: Path) -> Stamp | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(facts.st_mode):
        return None  # a pipe would never end
    return facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def _sum(path: Path) -> str | None:
    try:
        return sha256_file(path)
    except OSError:
        return None


def names_of(changed: Iterable[str], most: int = 5) -> str:
    """Return a few names and the number of the others."""
    listed = list(changed)
    rest = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + rest
