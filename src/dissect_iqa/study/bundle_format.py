"""What an archive of a study looks like, and what it may hold: data, and nothing that runs."""

import json
import re
import tarfile
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from dissect_iqa.errors import UserError
from dissect_iqa.files.archives import check_name, open_tar
from dissect_iqa.study.tables import SHARED

#: The first member: a list of all others.
MANIFEST = "bundle.json"
FORMAT = 2
#: Where Snakemake keeps one record a file, under the base64 of the file's path.
RECORDS = Path(".snakemake/metadata")
#: Most bytes of the manifest, and most files that it may name.
MOST_MANIFEST, MOST_MEMBERS = 64 << 20, 200_000
#: Most bytes of one of Snakemake's records, of a configuration, and of any other text.
_MOST_RECORD, _MOST_CONFIG, _MOST_TEXT = 4 << 20, 1 << 20, 1 << 30
_CONFIGURATION = (".yaml", ".yml", ".json", ".tsv", ".csv", ".txt", ".bib")
_RESULTS = (".parquet", ".csv", ".tsv", ".json", ".md", ".txt", ".bib", ".pdf", ".svg", ".png")
_DATASET = frozenset(("pairs.parquet", "images.parquet", "provenance.json"))
#: Times of files that every system can hold: from 1970 to 2262.
_TIMES = range(2**63)
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Member:
    """One file of an archive.

    Attributes
    ----------
    path : str
        Relative to the study's folder, with slashes.
    bytes : int
        Its size.
    sha256 : str
        Of its content, 64 hex digits.
    modified_ns : int
        Its time of modification in nanoseconds since 1970.
    fingerprint : str or None
        Of the spec that it was made from, for tables and features.
    """

    path: str
    bytes: int
    sha256: str
    modified_ns: int
    fingerprint: str | None = None


def record_of(path: str) -> str:
    """Return where Snakemake keeps its record of a file; the name may be too long to exist."""
    return (RECORDS / urlsafe_b64encode(path.encode()).decode()).as_posix()


def is_record(path: str) -> bool:
    """Tell whether a path is one of Snakemake's records."""
    return path.startswith(f"{RECORDS.as_posix()}/")


def is_data(path: str) -> bool:
    """Tell whether a file of that path may be part of an archive, by folder and ending.

    Examples
    --------
    >>> is_data("results/shared/features/tid2013/vgg16.1a2b3c4d5e.h5"), is_data("config/nets.py")
    (True, False)
    """
    top, *rest = parts = PurePosixPath(path).parts
    suffix = PurePosixPath(path).suffix
    hidden = any(part.startswith(".") for part in parts)
    if is_record(path):
        return len(parts) == 3
    if hidden or not rest:
        return False
    if top == "config":
        return suffix in _CONFIGURATION
    if top == "results":
        return suffix in _RESULTS or (rest[:2] == [SHARED, "features"] and suffix == ".h5")
    return top == "resources" and rest[0] == "datasets" and len(rest) == 3 and rest[2] in _DATASET


def most_bytes(path: str) -> int | None:
    """Return how large a file may be; None if any size makes sense."""
    if is_record(path):
        return _MOST_RECORD
    if path.endswith((".h5", ".parquet")):
        return None
    return _MOST_CONFIG if path.endswith((".yaml", ".yml", ".json")) else _MOST_TEXT


def read_manifest(archive: Path | str) -> list[Member]:
    """Return what an archive says it holds; all of it may be part of a study.

    Raises
    ------
    UserError
        If it isn't an archive of `bundle`, or names a file that no study has.
    """
    archive = Path(archive)
    with open_tar(archive) as (tar, _):
        return take_manifest(archive, tar)


def take_manifest(archive: Path, tar: tarfile.TarFile) -> list[Member]:
    """Read the first member of an open archive; see `read_manifest`."""
    first = tar.next()
    content = None
    if first is not None and first.name == MANIFEST and first.isfile():
        if first.size > MOST_MANIFEST:
            raise UserError(f"{archive}: its {MANIFEST} has {first.size:,} bytes, too many")
        content = tar.extractfile(first)
    if content is None:
        raise UserError(f"{archive}: not the archive of a study (no {MANIFEST})")
    try:
        manifest = json.loads(content.read())
        if manifest["format"] != FORMAT:
            raise UserError(
                f"{archive}: has format {manifest['format']!r:.40}, this version reads {FORMAT}; "
                "use the version of dissect-iqa that wrote it"
            )
        members = [_member(entry) for entry in manifest["files"]]
        if len(members) > MOST_MEMBERS:
            raise ValueError(f"{len(members)} files")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        text = (str(error).splitlines() or [""])[0][:200]
        raise UserError(f"{archive}: its {MANIFEST} is damaged ({text})") from error
    _check_paths(archive, members)
    return members


def _member(entry: dict[str, Any]) -> Member:
    """Return one entry of the manifest, each value of which is of its kind.

    Raises
    ------
    ValueError, TypeError
        If one isn't.
    """
    member = Member(**entry)
    numbers = (member.bytes, member.modified_ns)
    sums = (member.sha256, *((member.fingerprint,) if member.fingerprint is not None else ()))
    if (
        not isinstance(member.path, str)
        or not all(type(number) is int and number in _TIMES for number in numbers)
        or not all(isinstance(text, str) and _HEX.fullmatch(text) for text in sums)
    ):
        raise ValueError(f"entry {str(entry)[:150]}")
    return member


def _check_paths(archive: Path, members: list[Member]) -> None:
    """Check that every path is one that a study has, and none stands for two files."""
    paths = {member.path for member in members}
    if len(paths) < len(members):
        raise UserError(f"{archive}: its {MANIFEST} names a file twice")
    for member in members:
        path = member.path
        problem = None
        if not _is_plain(archive, path):
            problem = "no plain path inside of a study"
        elif not is_data(path):
            problem = "outside of a study, or of a kind that no study holds"
        elif is_record(path) and _recorded(path) not in paths:
            problem = "a record of a file that isn't in it"
        elif member.bytes > (most_bytes(path) or member.bytes):
            problem = f"{member.bytes:,} bytes are too many for it"
        elif paths & {parent.as_posix() for parent in PurePosixPath(path).parents}:
            problem = "it is a folder, too"
        if problem:
            raise UserError(f"{archive}: refuses to write {path[:200]!r} ({problem})")


def _is_plain(archive: Path, path: str) -> bool:
    try:
        return path.isprintable() and check_name(archive, path).as_posix() == path
    except UserError:
        return False


def _recorded(path: str) -> str | None:
    """Return the file that one of Snakemake's records is about."""
    try:
        return urlsafe_b64decode(PurePosixPath(path).name).decode()
    except ValueError:
        return None
