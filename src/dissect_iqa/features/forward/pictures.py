"""Read a data set's pictures ahead of the network."""

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from dissect_iqa.datasets import intact
from dissect_iqa.datasets.decoding.decode import MOST_BYTES, decode_picture
from dissect_iqa.datasets.decoding.deep import widened
from dissect_iqa.errors import UserError
from dissect_iqa.files.regular_files import read_bytes


class PictureSet(intact.PictureSet, Protocol):
    """What extraction needs of a data set; see `dissect_iqa.datasets.tables.Dataset`."""

    @property
    def pairs(self) -> pd.DataFrame:
        """The pairs, one row each."""


def load(path: Path, size: tuple[int, int], sha256: str) -> np.ndarray:
    """Decode one picture.

    Parameters
    ----------
    path : Path
        The file.
    size : (int, int)
        Height and width that it must have.
    sha256 : str
        Of its bytes: it may change after all pictures were checked, hours before it is read.

    Returns
    -------
    ndarray of uint8 or uint16, shape (height, width, 3)
        RGB.

    Raises
    ------
    UserError
        If it can't be read or decoded, or isn't the picture that was checked.
    """
    try:
        data = read_bytes(path, MOST_BYTES)
        pixels = decode_picture(data)
    except MemoryError:
        raise
    except Exception as error:
        raise UserError(f"{path}: can't be decoded ({error or type(error).__name__})") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise UserError(f"{path}: has changed while this job ran; start Snakemake again")
    if pixels.shape[:2] != size:
        raise UserError(
            f"{path}: {pixels.shape[1]}x{pixels.shape[0]} pixels instead of {size[1]}x{size[0]}; "
            "fetch the data set again"
        )
    return pixels


class Loader:
    """Decodes lists of pictures in threads, ahead of their use and in order.

    Parameters
    ----------
    dataset : PictureSet
        Where the pictures are.
    ahead : int
        How many lists are decoded before they are asked for; bounds memory.
    workers : int, optional
        Threads; Pillow decodes without holding Python's lock. By default as many as the processors
        that the job was given, up to 8.
    """

    def __init__(self, dataset: PictureSet, ahead: int = 2, workers: int | None = None):
        images = dataset.images
        self._paths = [dataset.path(file) for file in images["file"]]
        self._sizes = list(
            zip(images["height"].astype(int), images["width"].astype(int), strict=True)
        )
        self._sums = images["sha256"].tolist()
        self._ahead = ahead
        workers = workers or min(8, max(2, len(os.sched_getaffinity(0))))
        self._pool = ThreadPoolExecutor(workers, "decode")

    def __enter__(self) -> "Loader":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def stream(self, lists: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield (N, H, W, 3) for each list of rows of the table of pictures.

        uint8; uint16 where any of the pictures has more than 8 bits per channel.
        """
        waiting: deque[tuple[np.ndarray, list[Future[np.ndarray | None]]]] = deque()
        rest = iter(lists)
        while True:
            while len(waiting) <= self._ahead:
                rows = next(rest, None)
                if rows is None:
                    break
                pixels = np.empty((len(rows), *self._sizes[rows[0]], 3), np.uint8)
                jobs = [self._pool.submit(self._fill, pixels, i, r) for i, r in enumerate(rows)]
                waiting.append((pixels, jobs))
            if not waiting:
                return
            pixels, jobs = waiting.popleft()
            deep = {i: found for i, job in enumerate(jobs) if (found := job.result()) is not None}
            if deep:
                pixels = widened(pixels)
                for place, found in deep.items():
                    pixels[place] = found
            yield pixels

    def _fill(self, pixels: np.ndarray, place: int, row: int) -> np.ndarray | None:
        """Put a picture into its place; return one that is too deep for it."""
        found = load(self._paths[row], self._sizes[row], self._sums[row])
        if found.dtype != pixels.dtype:
            return found
        pixels[place] = found
        return None
