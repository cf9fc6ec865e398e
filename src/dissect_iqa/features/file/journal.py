"""The part file: an append-only journal whose every record proves itself.

A HDF5 file whose writer is killed may open normally with zeros in it, or not open at all. So
rows are first appended to a journal: each record carries its length and a sha256, written with
one call after the rows exist. Reading stops at the first record that isn't whole, and what is
before it is true, whenever and however the writer died. The HDF5 file is made from the journal
at the end.

A record is: magic, length of the header, length of the payload, sha256 of both, header
(JSON), payload (arrays back to back).
"""

import fcntl
import hashlib
import json
import logging
import math
import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from dissect_iqa.errors import UserError
from dissect_iqa.files.writing import saying_where

log = logging.getLogger(__name__)

_MAGIC = b"DIQJ"
_FRAME = struct.Struct("<4sIQ32s")
#: What to do when the disk fills up: everything in the journal counts.
GO_ON = "make room and run again, finished rows stay"


#: Where an array of a payload starts, its type and shape.
_Place = tuple[int, np.dtype, tuple[int, ...]]


@dataclass(frozen=True)
class Record:
    """Where one whole record is, and what is in it.

    Attributes
    ----------
    facts : dict
        What its header says besides `kind` and arrays.
    places : mapping of str to tuple
        Arrays of the payload; shared by all records of the same layout.
    offset : int
        Of the payload in the file.
    """

    facts: dict[str, Any]
    places: Mapping[str, _Place]
    offset: int

    def read(self, file: int, name: str, row: int | None = None) -> np.ndarray:
        """Read one array of the payload, or one row of it, from an open file descriptor."""
        start, dtype, shape = self.places[name]
        size = math.prod(shape) * dtype.itemsize
        start += self.offset
        if row is not None:
            size //= shape[0]
            start, shape = start + row * size, shape[1:]
        return np.frombuffer(_read_all(file, size, start), dtype).reshape(shape)

    def has(self, name: str) -> bool:
        """Tell whether the payload has an array of that name."""
        return name in self.places


class Journal:
    """An open part file; use as a context manager.

    Parameters
    ----------
    path : Path
        Usually ``<final name>.part``.
    identity : dict
        Plain data. A file that was begun with another identity is not continued but replaced.

    Attributes
    ----------
    records : list of Record
        Everything that is proven to be there, in the order in which it was written.

    Raises
    ------
    UserError
        If another process is writing the file, or the folder can't be written to.
    """

    def __init__(self, path: Path, identity: dict[str, Any]):
        self.path = path
        self._identity = json.loads(json.dumps(identity))
        self._layouts: dict[str, dict[str, _Place]] = {}
        self._removed = False
        self.records: list[Record] = []
        with saying_where(path, then=GO_ON):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._lock()
            self._recover()
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def descriptor(self) -> int:
        """The open file descriptor, for `Record.read`."""
        return self._file

    def append(self, kind: str, arrays: dict[str, np.ndarray], **facts: Any) -> None:
        """Write one record; it counts from the moment this returns.

        Raises
        ------
        UserError
            If the disk is full.
        """
        arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        header = {
            "kind": kind,
            "arrays": [[name, a.dtype.str, list(a.shape)] for name, a in arrays.items()],
            **facts,
        }
        text = json.dumps(header).encode()
        parts = [memoryview(a).cast("B") for a in arrays.values() if a.size]  # type: ignore[arg-type]
        start = os.lseek(self._file, 0, os.SEEK_END)
        size = sum(len(part) for part in parts)
        frame = _FRAME.pack(_MAGIC, len(text), size, _digest([text, *parts]))
        try:
            with saying_where(self.path, then=GO_ON):
                _write_all(self._file, [frame, text, *parts])
        except BaseException:
            os.ftruncate(self._file, start)  # a half record would hide those that follow it
            raise
        self.records.append(self._record(text, start + _FRAME.size + len(text)))

    def close(self) -> None:
        """Make everything durable and let go of the file."""
        if self._file >= 0:
            if not self._removed:
                os.fsync(self._file)
            os.close(self._file)
            self._file = -1

    def remove(self) -> None:
        """Delete the file; for when everything in it has reached its final place."""
        self.path.unlink(missing_ok=True)
        self._removed = True

    def _record(self, header: bytes, offset: int) -> Record:
        facts = json.loads(header)
        arrays = facts.pop("arrays")
        key = json.dumps(arrays)
        if key not in self._layouts:
            self._layouts[key] = _places(arrays)
        return Record(facts, self._layouts[key], offset)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"{self.path}: another process is extracting into this file; wait for it or end it"
            ) from error
        except OSError:  # some network file systems have no locks; names there are unique enough
            log.warning("%s: this file system has no locks", self.path)

    def _recover(self) -> None:
        records, end = self._scan()
        begun = records[0].facts.get("identity") if records else None
        if begun != self._identity:
            if records:
                log.warning(
                    "%s: begun with other settings (%s); starting anew",
                    self.path,
                    ", ".join(_differences(begun, self._identity)),
                )
            records, end = [], 0
        with saying_where(self.path, then=GO_ON):
            os.ftruncate(self._file, end)
        self.records = records
        if not records:
            self.append("start", {}, identity=self._identity)

    def _scan(self) -> tuple[list[Record], int]:
        """Return all whole records and where the last one ends."""
        records: list[Record] = []
        size, offset = os.fstat(self._file).st_size, 0
        while offset + _FRAME.size <= size:
            frame = os.pread(self._file, _FRAME.size, offset)
            magic, header_size, payload_size, digest = _FRAME.unpack(frame)
            payload = offset + _FRAME.size + header_size
            if magic != _MAGIC or payload + payload_size > size:
                break
            header = os.pread(self._file, header_size, offset + _FRAME.size)
            if _digest([header, *_chunks(self._file, payload, payload_size)]) != digest:
                break
            records.append(self._record(header, payload))
            offset = payload + payload_size
        if offset < size:
            log.warning("%s: dropping %d bytes that were not finished", self.path, size - offset)
        return records, offset


def _write_all(file: int, parts: Iterable[bytes | memoryview]) -> None:
    for part in parts:
        view = memoryview(part)
        while len(view):
            view = view[os.write(file, view) :]


def _places(arrays: list[list[Any]]) -> dict[str, _Place]:
    places: dict[str, _Place] = {}
    offset = 0
    for name, kind, shape in arrays:
        dtype = np.dtype(kind)
        places[name] = (offset, dtype, tuple(shape))
        offset += math.prod(shape) * dtype.itemsize
    return places


def _read_all(file: int, size: int, offset: int) -> bytes:
    """Read `size` bytes; one call gives at most 2 GiB."""
    if size <= 1 << 30:
        return os.pread(file, size, offset)
    return b"".join(_chunks(file, offset, size, 1 << 30))


def _chunks(file: int, offset: int, size: int, step: int = 1 << 22) -> Iterable[bytes]:
    for start in range(0, size, step):
        yield os.pread(file, min(step, size - start), offset + start)


def _digest(parts: Iterable[bytes | memoryview]) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def _differences(before: Any, now: dict[str, Any]) -> list[str]:
    before = before if isinstance(before, dict) else {}
    return [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
