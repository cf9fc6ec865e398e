"""What a feature cache looks like inside: the names and types shared by its writer and readers.

::

    /            attrs: schema, fingerprint, spec, model, weights_sha256, images_sha256, versions,
                 device, batch_size, left_out (what auto found and doesn't read), complete,
                 facts_sha256
    /images      name, role, sha256, height, width
    /pairs       reference, distorted (rows of /images)
    /layers/NNN  attrs: name, depth, channels; grid, mean, var (a row a picture), mse, unit_mse
                 (a row a pair), optionally raw (a row a picture)

Every dataset is chunked by rows with a fletcher32 checksum and carries the sha256 of its bytes;
``facts_sha256`` covers all attributes, and so those hashes, too. Strings have a fixed length:
HDF5 keeps others in a heap without a checksum.
"""

import hashlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import h5py
import numpy as np

from dissect_iqa.files.provenance import canonical_json

SCHEMA = "dissect-iqa features 1"

#: Bytes of one chunk; a layer is read whole, a picture's raw features a few chunks at a time.
CHUNK_BYTES = 1 << 20

#: Options for opening files: checksummed metadata, and readable by HDF5 1.10 and later.
LIBVER = ("v110", "v110")


def chunk_rows(shape: tuple[int, ...], itemsize: int) -> int:
    """Return how many rows of an array of that shape make a chunk."""
    row = max(1, int(np.prod(shape[1:], dtype=np.int64))) * itemsize
    return max(1, min(shape[0], CHUNK_BYTES // row))


def put_text(attributes: h5py.AttributeManager, name: str, value: str) -> None:
    """Write a string attribute of fixed length."""
    data = value.encode()
    attributes.create(name, data, dtype=h5py.string_dtype("utf-8", max(1, len(data))))


def get(attributes: h5py.AttributeManager, name: str) -> Any:
    """Return an attribute as plain Python: str, int, float or bool."""
    value = attributes[name]
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if isinstance(value, np.generic) else value


def text_array(values: list[str]) -> np.ndarray:
    """Return strings as fixed-length UTF-8."""
    data = [value.encode() for value in values]
    width = max([1, *map(len, data)])
    return np.array(data, dtype=h5py.string_dtype("utf-8", width))


def facts_digest(file: h5py.File) -> str:
    """Return the sha256 of all attributes of a file, as one canonical text."""
    found: dict[str, dict[str, Any]] = {}

    def collect(path: str, item: h5py.HLObject) -> None:
        found[path] = {name: get(item.attrs, name) for name in item.attrs if name != "facts_sha256"}

    collect("", file)
    file.visititems(collect)
    return hashlib.sha256(canonical_json(found).encode()).hexdigest()


def row_blocks(dataset: h5py.Dataset) -> Iterator[slice]:
    """Yield the rows of each chunk in turn."""
    step = dataset.chunks[0]
    for start in range(0, dataset.shape[0], step):
        yield slice(start, min(start + step, dataset.shape[0]))


class Hashing:
    """A sha256 computed in a thread, while the next bytes are read or written."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._pool = ThreadPoolExecutor(1, "sha256")
        self._last: Future[None] | None = None

    def __enter__(self) -> "Hashing":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def update(self, data: memoryview) -> None:
        """Take in bytes, which must not change any more; waits for those before them."""
        if self._last is not None:
            self._last.result()
        self._last = self._pool.submit(self._digest.update, data)

    def hexdigest(self) -> str:
        """Return the digest of everything so far."""
        if self._last is not None:
            self._last.result()
        return self._digest.hexdigest()


def cache_bytes(channels: list[int], images: int, pairs: int) -> int:
    """Return the size of a cache without raw features, within a few per cent.

    Parameters
    ----------
    channels : list of int
        Of each layer.
    images, pairs : int
        Rows of the statistics of pictures and of pairs: two float32 a channel each.
    """
    tables = 150 * images + 16 * pairs + 12_000 * (1 + len(channels))
    return sum(channels) * 8 * (images + pairs) + 16 * images * len(channels) + tables
