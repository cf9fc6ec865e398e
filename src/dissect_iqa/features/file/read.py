"""Read feature caches: the HDF5 files that extraction makes (see `layout`)."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
import pandas as pd

from dissect_iqa.errors import UserError
from dissect_iqa.features.file.layout import SCHEMA, facts_digest, get, row_blocks
from dissect_iqa.features.statistics.names import IMAGE_STATISTICS, PAIR_STATISTICS, STATISTICS
from dissect_iqa.files.hostile_hdf5 import require_plain
from dissect_iqa.files.provenance import fingerprint


@dataclass(frozen=True)
class CachedLayer:
    """One layer of a cache.

    Attributes
    ----------
    name : str
        Module path.
    depth : float
        Relative depth in (0, 1].
    channels : int
        C of every array.
    layout : str
        As in `dissect_iqa.models.network.Layer`.
    positions : int or None
        Pixels or tokens that the statistics are means over; None if it differs among pictures,
        then `FeatureCache.grid` tells.
    """

    name: str
    depth: float
    channels: int
    layout: str
    positions: int | None


class FeatureCache:
    """An open cache that is complete and whose facts are proven; use as a context manager.

    Parameters
    ----------
    path : path
        The file.
    expect_spec : str, optional
        The canonical spec it must have been made from.

    Attributes
    ----------
    facts : dict
        The file's attributes: `spec`, `fingerprint`, `weights_sha256`, `versions`, ...
    images : DataFrame
        `name`, `role`, `sha256`, `height`, `width`; one row a picture.
    pairs : DataFrame
        `reference` and `distorted`: rows of `images`; one row a pair.
    layers : tuple of CachedLayer
        By depth.

    Raises
    ------
    UserError
        If the file is missing, damaged, incomplete, or made from another spec.
    """

    def __init__(self, path: Path | str, expect_spec: str | None = None):
        self.path = Path(path)
        self._file = _open(self.path)
        try:
            require_plain(self._file, self.path.stat().st_size)
            self.facts = self._prove(expect_spec)
            self.images = self._table("images")
            self.pairs = self._table("pairs")
            self.layers = tuple(map(self._describe, self._groups))
        except UserError:
            self._file.close()
            raise
        except Exception as error:  # a file of unknown origin can fail in any way
            self._file.close()
            raise UserError(
                f"{self.path}: damaged ({error}); delete it and extract again"
            ) from error
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "FeatureCache":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def layer(self, number: int) -> dict[str, np.ndarray]:
        """Read and check all statistics of one layer.

        Returns
        -------
        dict of str to ndarray
            float32: `mean` and `var` of shape (pictures, C), in the order of `images`; `mse` and
            `unit_mse` of shape (pairs, C), in the order of `pairs`.

        Raises
        ------
        UserError
            If a checksum is wrong; names layer, statistic and rows.
        """
        return {name: self._read(f"{self._groups[number]}/{name}") for name in STATISTICS}

    def grid(self, number: int) -> np.ndarray:
        """Return height and width of a layer's map, (pictures, 2); (number, 1) for tokens."""
        return self._read(f"{self._groups[number]}/grid")

    def has_raw(self, number: int) -> bool:
        """Tell whether the layer's raw features were kept."""
        return "raw" in self._file[self._groups[number]]

    def raw(self, number: int, picture: int, positions: int) -> np.ndarray:
        """Read the first `positions` rows of one picture's raw features: float16, (positions, C).

        Raises
        ------
        UserError
            If a checksum is wrong.
        """
        dataset = self._file[f"{self._groups[number]}/raw"]
        try:
            return dataset[picture, :positions]
        except OSError as error:
            raise self._damaged(dataset.name, f"picture {picture}") from error

    @cached_property
    def _groups(self) -> list[str]:
        return [f"layers/{name}" for name in sorted(self._file["layers"])]

    def _prove(self, expect_spec: str | None) -> dict[str, Any]:
        attributes = self._file.attrs
        schema = get(attributes, "schema") if "schema" in attributes else None
        if schema != SCHEMA:
            raise UserError(
                f"{self.path}: not a feature cache of this version (schema {schema!r}, "
                f"wanted {SCHEMA!r}); delete it and extract again"
            )
        if not attributes.get("complete", False):
            raise UserError(f"{self.path}: not complete; delete it and extract again")
        if facts_digest(self._file) != get(attributes, "facts_sha256"):
            raise UserError(
                f"{self.path}: damaged (attributes don't match their sha256); delete it and "
                "extract again"
            )
        facts = {name: get(attributes, name) for name in attributes}
        wanted = None if expect_spec is None else fingerprint(expect_spec)
        if wanted not in (None, facts["fingerprint"]):
            raise UserError(
                f"{self.path}: made with other settings (fingerprint {facts['fingerprint'][:12]}, "
                f"wanted {wanted[:12]}); delete it and extract again"
            )
        return facts

    def _describe(self, group: str) -> CachedLayer:
        attributes = self._file[group].attrs
        self._check_shapes(group, get(attributes, "channels"))
        grid = np.unique(self._read(f"{group}/grid").prod(axis=1))
        return CachedLayer(
            get(attributes, "name"),
            get(attributes, "depth"),
            get(attributes, "channels"),
            get(attributes, "layout"),
            int(grid[0]) if len(grid) == 1 else None,
        )

    def _check_shapes(self, group: str, channels: int) -> None:
        """Check that a layer's arrays have a row a picture or pair, and a column a channel."""
        rows = dict.fromkeys(IMAGE_STATISTICS, len(self.images))
        rows |= dict.fromkeys(PAIR_STATISTICS, len(self.pairs))
        for name, count in rows.items():
            shape = self._file[f"{group}/{name}"].shape
            if shape != (count, channels):
                raise ValueError(f"{group}/{name} is {shape} instead of {(count, channels)}")

    def _table(self, group: str) -> pd.DataFrame:
        columns = {}
        for name in get(self._file[group].attrs, "columns").split(","):
            values = self._read(f"{group}/{name}")
            columns[name] = (
                [value.decode() for value in values] if values.dtype.kind == "S" else values
            )
        return pd.DataFrame(columns)

    def _read(self, name: str) -> np.ndarray:
        """Read a whole dataset, checking every chunk and the sha256 of all."""
        dataset = self._file[name]
        values = np.empty(dataset.shape, dataset.dtype)
        try:
            dataset.read_direct(values)
        except OSError as error:
            raise self._damaged(name, ", ".join(bad_rows(dataset))) from error
        if hashlib.sha256(values).hexdigest() != get(dataset.attrs, "sha256"):  # type: ignore[arg-type]
            raise self._damaged(name, "its content doesn't match its sha256")
        return values

    def _damaged(self, name: str, what: str) -> UserError:
        group, _, array = name.strip("/").rpartition("/")
        if group.startswith("layers/"):
            layer = get(self._file[group].attrs, "name")
            name = f"layer {layer!r}, {array}"
        return UserError(f"{self.path}: damaged at {name}: {what}; delete it and extract again")


def open_cache(path: Path | str, expect_spec: str | None = None) -> FeatureCache:
    """Open a feature cache for reading; see `FeatureCache`."""
    return FeatureCache(path, expect_spec)


def bad_rows(dataset: h5py.Dataset) -> list[str]:
    """Return the ranges of rows whose checksum is wrong, as text."""
    bad: list[tuple[int, int]] = []
    for rows in row_blocks(dataset):
        try:
            dataset[rows]
        except OSError:
            if bad and bad[-1][1] == rows.start:
                bad[-1] = (bad[-1][0], rows.stop)
            else:
                bad.append((rows.start, rows.stop))
    return [f"rows {start} to {stop - 1} (checksum)" for start, stop in bad]


def _open(path: Path) -> h5py.File:
    if not path.is_file():
        raise UserError(f"{path}: no such file; run the rule extract_features")
    try:
        # Without a lock: readers of a finished file need none, and network file systems fail it.
        return h5py.File(path, "r", locking=False)
    except OSError as error:
        raise UserError(
            f"{path}: not a whole HDF5 file ({error}); delete it and extract again"
        ) from error
