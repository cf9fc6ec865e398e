"""The seal of a Parquet file: the sha256 of all its bytes, kept inside the file itself.

Page checksums prove the pages and nothing else: a flipped bit in the footer can rename a column,
move it or change how it is read. So the footer holds an entry of 64 digits, zeros while the sum
is taken, and the sum afterwards.
"""

import hashlib
import re
from pathlib import Path

_KEY = b"dissect_iqa_sha256"
_ZEROS = b"0" * 64
#: What goes into the file's metadata before it is closed.
BLANK = {_KEY: _ZEROS}
#: The entry as Parquet writes it: key, then the mark of a string of 64 bytes, then those.
_ENTRY = re.compile(re.escape(_KEY) + rb"\x18\x40([0-9a-f]{64})")
_CHUNK = 1 << 20


def close(path: Path) -> None:
    """Put the sum of a file's bytes into its blank entry."""
    found = _entry(path)
    if found is None or found[1] != _ZEROS:  # a bug, never the user's fault
        raise RuntimeError(f"{path}: was written without a blank seal")
    digest = _digest(path, found[0])
    with path.open("rb+") as file:
        file.seek(found[0])
        file.write(digest)


def is_whole(path: Path) -> bool | None:
    """Tell whether a file's bytes are those that were sealed; None if it has no seal."""
    found = _entry(path)
    return None if found is None else _digest(path, found[0]) == found[1]


def _entry(path: Path) -> tuple[int, bytes] | None:
    """Return where the seal's digits begin, and the digits."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 8))
        end = file.read(8)
        length = int.from_bytes(end[:4], "little")
        if len(end) < 8 or length > size - 8:
            return None
        file.seek(size - 8 - length)
        matches = list(_ENTRY.finditer(file.read(length)))
    return (size - 8 - length + matches[-1].start(1), matches[-1][1]) if matches else None


def _digest(path: Path, place: int) -> bytes:
    """Return the sha256 of a file whose 64 bytes at `place` are taken as zeros, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        rest = place
        while rest and (chunk := file.read(min(_CHUNK, rest))):
            digest.update(chunk)
            rest -= len(chunk)
        digest.update(_ZEROS)
        file.seek(place + len(_ZEROS))
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest().encode()
