"""Make the HDF5 file of a feature cache from a complete journal."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from dissect_iqa.errors import UserError
from dissect_iqa.features.file.full_disk import SteadyFile
from dissect_iqa.features.file.journal import GO_ON, Journal, Record
from dissect_iqa.features.file.layout import (
    LIBVER,
    SCHEMA,
    Hashing,
    chunk_rows,
    facts_digest,
    put_text,
    text_array,
)
from dissect_iqa.features.file.verify import verify_cache
from dissect_iqa.features.statistics.names import IMAGE_STATISTICS, PAIR_STATISTICS
from dissect_iqa.files.provenance import atomic_path
from dissect_iqa.models.network import Layer

#: Bytes that are gathered at a time, so that memory doesn't grow with the data set.
_GATHERED = 1 << 25


class Rows:
    """Finds each picture's or pair's row among the records of a journal.

    Parameters
    ----------
    journal : Journal
        Open.
    key : {"images", "pairs"}
        Which rows.
    count : int
        How many there must be.
    """

    def __init__(self, journal: Journal, key: str, count: int):
        self._file = journal.descriptor
        self.records: list[Record] = [r for r in journal.records if r.has(key)]
        self.record_of = np.full(count, -1)
        self.place_of = np.zeros(count, np.int64)
        for number, record in enumerate(self.records):
            rows = record.read(self._file, key)
            # The first one counts: a picture that belongs to several references passes again.
            new = self.record_of[rows] < 0
            self.record_of[rows[new]] = number
            self.place_of[rows[new]] = np.flatnonzero(new)
        grids = [record.read(self._file, "grids") for record in self.records]
        self._grids = np.stack(grids) if grids else np.empty((0, 0, 2), np.int64)

    @property
    def missing(self) -> np.ndarray:
        """Rows that no record has."""
        return np.flatnonzero(self.record_of < 0)

    def grid(self, layer: int) -> np.ndarray:
        """Return the grid of each row's positions at a layer: (rows, 2)."""
        return self._grids[self.record_of, layer]

    def read(self, row: int, name: str) -> np.ndarray:
        """Return one row of an array."""
        record = self.records[self.record_of[row]]
        return record.read(self._file, name, int(self.place_of[row]))

    def blocks(self, name: str, channels: int, step: int) -> Iterator[np.ndarray]:
        """Yield `step` rows at a time of the float32 array `name`, in order."""
        count = len(self.record_of)
        for start in range(0, count, step):
            record_of = self.record_of[start : start + step]
            place_of = self.place_of[start : start + step]
            block = np.empty((len(record_of), channels), np.float32)
            for number in np.unique(record_of):
                here = np.flatnonzero(record_of == number)
                array = self.records[number].read(self._file, name)
                block[here] = array[place_of[here]]
            yield block


def write_cache(
    path: Path,
    journal: Journal,
    layers: tuple[Layer, ...],
    channels: list[int],
    images: pd.DataFrame,
    pairs: pd.DataFrame,
    facts: dict[str, str],
) -> None:
    """Write, verify and only then name a feature cache.

    Parameters
    ----------
    path : Path
        Final name.
    journal : Journal
        Holding every picture and pair.
    layers, channels : tuple of Layer, list of int
        The layers and their numbers of channels.
    images : DataFrame
        `file`, `role`, `sha256`, `height`, `width`.
    pairs : DataFrame
        `reference` and `distorted`: rows of `images`.
    facts : dict of str to str
        Further attributes of the file.

    Raises
    ------
    UserError
        If the disk is full, or what was written doesn't verify.
    """
    tables = {
        "images": images.rename(columns={"file": "name"}),
        "pairs": pairs,
    }
    rows = {
        "images": Rows(journal, "images", len(images)),
        "pairs": Rows(journal, "pairs", len(pairs)),
    }
    for name, found in rows.items():
        if len(found.missing):  # a bug, never the user's fault
            raise RuntimeError(f"{path}: {len(found.missing)} {name} were never extracted")
    with atomic_path(path, then=GO_ON) as temporary:
        with SteadyFile(temporary) as steady, h5py.File(steady, "w", libver=LIBVER) as file:
            for name, table in tables.items():
                _write_table(file.create_group(name), table)
            for number, layer in enumerate(layers):
                group = file.create_group(f"layers/{number:03d}")
                put_text(group.attrs, "name", layer.name)
                put_text(group.attrs, "layout", layer.layout)
                group.attrs["depth"] = float(layer.depth)
                group.attrs["channels"] = channels[number]
                _write_layer(group, number, channels[number], rows)
                steady.check()
            put_text(file.attrs, "schema", SCHEMA)
            for name, value in facts.items():
                put_text(file.attrs, name, value)
            file.attrs["complete"] = True
            put_text(file.attrs, "facts_sha256", facts_digest(file))
        faults = verify_cache(temporary)
        if faults:
            raise UserError(
                f"{path}: what was written doesn't read back ({faults[0]}); check this disk, then "
                "run again: finished rows stay"
            )


def _write_layer(group: h5py.Group, number: int, channels: int, rows: dict[str, Rows]) -> None:
    images, pairs = rows["images"], rows["pairs"]
    grid = images.grid(number)
    _write_array(group, "grid", grid)
    for names, found in ((IMAGE_STATISTICS, images), (PAIR_STATISTICS, pairs)):
        for name in names:
            _write_rows(group, name, found, f"{name}/{number}", channels)
    if images.records[0].has(f"raw/{number}"):
        _write_raw(group, images, f"raw/{number}", grid, channels)


def _write_rows(group: h5py.Group, name: str, rows: Rows, key: str, channels: int) -> None:
    shape = (len(rows.record_of), channels)
    chunk = chunk_rows(shape, 4)
    dataset = group.create_dataset(
        name, shape, "<f4", chunks=(chunk, channels), fletcher32=True, track_times=False
    )
    step = max(1, _GATHERED // (4 * channels * chunk)) * chunk
    start = 0
    with Hashing() as digest:
        for block in rows.blocks(key, channels, step):
            digest.update(block.data)
            dataset[start : start + len(block)] = block
            start += len(block)
        put_text(dataset.attrs, "sha256", digest.hexdigest())


def _write_raw(group: h5py.Group, rows: Rows, key: str, grid: np.ndarray, channels: int) -> None:
    """Write raw features, a picture a row; rows of smaller pictures end in zeros."""
    positions = grid.prod(axis=1)
    shape = (len(grid), int(positions.max()), channels)
    chunks = (1, chunk_rows(shape[1:], 2), channels)
    dataset = group.create_dataset(
        "raw", shape, "<f2", chunks=chunks, fletcher32=True, track_times=False
    )
    digest = hashlib.sha256()
    padded = np.zeros(shape[1:], np.float16)
    for row in range(len(grid)):
        padded[:] = 0
        padded[: positions[row]] = rows.read(row, key)
        dataset[row] = padded
        digest.update(padded.data)
    put_text(dataset.attrs, "sha256", digest.hexdigest())


def _write_table(group: h5py.Group, table: pd.DataFrame) -> None:
    put_text(group.attrs, "columns", ",".join(table.columns))
    for name, column in table.items():
        if pd.api.types.is_numeric_dtype(column):
            values: Any = column.to_numpy(np.int64)
        else:
            values = text_array(column.tolist())
        _write_array(group, str(name), values)


def _write_array(group: h5py.Group, name: str, values: np.ndarray) -> None:
    chunks = (chunk_rows(values.shape, values.dtype.itemsize), *values.shape[1:])
    dataset = group.create_dataset(
        name, data=values, chunks=chunks, fletcher32=True, track_times=False
    )
    put_text(dataset.attrs, "sha256", hashlib.sha256(values).hexdigest())  # type: ignore[arg-type]
