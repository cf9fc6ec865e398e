"""Get a data set's bytes: an earlier run's pictures, archives at hand, or a download."""

import json
import logging
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from dissect_iqa.datasets.base import DatasetKind, RemoteFile, Source
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.errors import DamagedFile, UserError
from dissect_iqa.files.archives import is_archive, unpack
from dissect_iqa.files.download import download
from dissect_iqa.files.provenance import sha256_file, write_json
from dissect_iqa.files.web import file_name
from dissect_iqa.files.writing import saying_where

log = logging.getLogger(__name__)

#: Where unpacked pictures lie inside a data set's folder.
PICTURES = "pictures"
_RECORD = ".source.json"

Checked = TypeVar("Checked")


def obtain(
    kind: DatasetKind,
    entry: DatasetEntry,
    folder: Path,
    downloads: Path,
    offline: bool,
    check: Callable[[Path], Checked],
    anew: bool = False,
) -> tuple[Checked, dict[str, Any]]:
    """Make sure that ``folder/pictures`` holds a whole, checked copy of a data set.

    Archives are unpacked into a temporary folder beside it, which gets the final name only
    when `check` accepts it. A copy that is there is never fetched or unpacked again, except
    that an `archive` of the entry replaces the copy made from another file.

    Parameters
    ----------
    kind, entry : DatasetKind, DatasetEntry
        What is wanted.
    folder, downloads : Path
        The data set's folder, and where archives are kept.
    offline : bool
        Don't touch the network.
    check : callable
        Raises `UserError` if the unpacked folder isn't the data set; its result is returned.
    anew : bool
        Replace the copy that is there, which has been damaged.

    Returns
    -------
    checked
        What `check` returned.
    record : dict
        Where the bytes came from: `label`, and `files` with name, size and sha256.

    Raises
    ------
    UserError
        If no source works; names each with its reason, and what to do by hand.
    """
    pictures = folder / PICTURES
    record = _read_record(pictures)
    if not anew and record is not None and _made_from(record, entry.archive):
        try:
            return check(pictures), record
        except UserError as error:
            raise UserError(f"{error}\nDelete {pictures} to have it unpacked again.") from error
    for stale in folder.glob(f".{PICTURES}-*.partial"):
        shutil.rmtree(stale)
    if entry.archive:
        files = [(path, sha256_file(_existing(path)), is_archive(path)) for path in entry.archive]
        return _install(folder, "local archive", files, check)
    return _fetch(kind, entry, folder, downloads / kind.name, offline, check)


def _fetch(
    kind: DatasetKind,
    entry: DatasetEntry,
    folder: Path,
    downloads: Path,
    offline: bool,
    check: Callable[[Path], Checked],
) -> tuple[Checked, dict[str, Any]]:
    """Try the sources in turn."""
    sources = _mirrors(entry) or kind.sources
    problems = []
    for source in sources:
        try:
            files = [
                (
                    downloads / file.name,
                    download(
                        list(file.urls), downloads / file.name, file.sha256, file.size, offline
                    ),
                    file.unpack,
                )
                for file in source.files
            ]
            return _install(folder, source.label, files, check)
        except UserError as error:
            if isinstance(error, DamagedFile):
                error = _forget(source, downloads, error)
            log.warning("%s, %s: %s", kind.title, source.label, error)
            problems.append(f"- {source.label}: {error}")
    by_hand = " ".join(
        part
        for part in (
            kind.how_to_get,
            f"See {kind.page}, then set 'archive' (or 'folder', if unpacked) in the data set's "
            "config entry.",
        )
        if part
    )
    tried = "".join(f"\n{problem}" for problem in problems)
    if not problems:
        raise UserError(f"{kind.title} can't be downloaded without you. {by_hand}")
    raise UserError(f"{kind.title}: no source works.{tried}\nBy hand: {by_hand}")


def _forget(source: Source, downloads: Path, error: DamagedFile) -> UserError:
    """Delete what arrived without a sum to prove it, so that the next run fetches it again."""
    unproven = [downloads / file.name for file in source.files if not file.sha256]
    there = [path for path in unproven if path.is_file()]
    for path in there:
        path.unlink()
    deleted = ", ".join(str(path) for path in there)
    return UserError(f"{error}{f'; deleted: {deleted}' if there else ''}")


def _mirrors(entry: DatasetEntry) -> list[Source]:
    """Return the entry's own mirrors as sources of one archive each."""
    return [
        Source(
            f"mirror {mirror.url}",
            (
                RemoteFile(
                    (mirror.url,),
                    file_name(mirror.url, "archive"),
                    mirror.sha256,
                    mirror.size,
                ),
            ),
        )
        for mirror in entry.mirrors
    ]


def _install(
    folder: Path,
    label: str,
    files: list[tuple[Path, str, bool]],
    check: Callable[[Path], Checked],
) -> tuple[Checked, dict[str, Any]]:
    """Unpack (path, sha256, is an archive) into a temporary folder, check it, rename it."""
    pictures = folder / PICTURES
    partial = folder / f".{PICTURES}-{uuid.uuid4().hex[:8]}.partial"
    try:
        with saying_where(partial):
            partial.mkdir()
        for path, _, archive in files:
            if archive:
                # Each into its own folder: some archives carry a top folder, others don't.
                unpack(path, partial / path.name.split(".")[0])
            else:
                with saying_where(partial / path.name):
                    shutil.copyfile(path, partial / path.name)
        checked = check(partial)
        record = {
            "label": label,
            "files": [
                {"name": path.name, "size": path.stat().st_size, "sha256": sha256}
                for path, sha256, _ in files
            ],
        }
        write_json(record, partial / _RECORD)
        if pictures.exists():
            shutil.rmtree(pictures)
        partial.rename(pictures)
        return checked, record
    except UserError as error:
        kind = DamagedFile if isinstance(error, DamagedFile) else UserError
        raise kind(str(error).replace(str(partial), label)) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"archive {path}: no such file")
    return path


def _read_record(pictures: Path) -> dict[str, Any] | None:
    try:
        record = json.loads((pictures / _RECORD).read_text())
        sizes = {file["name"]: file["size"] for file in record["files"]}
        return record if all(isinstance(size, int) for size in sizes.values()) else None
    except (OSError, ValueError, LookupError, TypeError):
        return None  # none of ours: the pictures are unpacked again


def _made_from(record: dict[str, Any], archives: tuple[Path, ...]) -> bool:
    """Tell whether the copy is still wanted: any, unless the entry names other archives."""
    if not archives:
        return True
    sizes = {file["name"]: file["size"] for file in record["files"]}
    return set(sizes) == {path.name for path in archives} and all(
        path.stat().st_size == sizes[path.name] for path in archives if path.is_file()
    )
