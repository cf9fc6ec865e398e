"""In which order and company pictures pass through the network."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

#: References share a pass only while they have at most this many pixels together.
_PIXELS_TOGETHER = 1 << 20


@dataclass(frozen=True)
class Unit:
    """Some references and all their pairs; nothing is kept from one unit to the next.

    Attributes
    ----------
    references : ndarray of int64
        Rows in the table of pictures; all of one size, for they and their pairs are stacked.
    batches : tuple of ndarray of int64
        Rows in the table of pairs.
    """

    references: np.ndarray
    batches: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Plan:
    """The whole extraction.

    Attributes
    ----------
    reference, distorted : ndarray of int64, shape (pairs,)
        Each pair's rows in the table of pictures.
    units : tuple of Unit
        Together they hold every pair once.
    """

    reference: np.ndarray
    distorted: np.ndarray
    units: tuple[Unit, ...]


def make_plan(
    pairs: pd.DataFrame, images: pd.DataFrame, batch_size: int, pixels: np.ndarray | None = None
) -> Plan:
    """Group pairs by reference, and small references with few pairs by size.

    Parameters
    ----------
    pairs : DataFrame
        With `reference_file` and `distorted_file`.
    images : DataFrame
        With `file`, `width` and `height`.
    batch_size : int
        Most pictures that pass together.
    pixels : ndarray of int, optional
        How many pixels the network sees of each picture; by default all.
    """
    row_of = pd.Series(np.arange(len(images)), index=images["file"])
    reference = row_of[pairs["reference_file"]].to_numpy(np.int64)
    distorted = row_of[pairs["distorted_file"]].to_numpy(np.int64)
    sizes = images[["height", "width"]].to_numpy(np.int64)
    pixels = sizes.prod(axis=1) if pixels is None else pixels
    units = tuple(
        Unit(np.array(references), tuple(_batches(rows, batch_size)))
        for references, rows in _units(reference, sizes, pixels, batch_size)
    )
    return Plan(reference, distorted, units)


def _units(
    reference: np.ndarray, sizes: np.ndarray, pixels: np.ndarray, batch_size: int
) -> Iterator[tuple[list[int], np.ndarray]]:
    """Yield references that pass together, with the rows of all their pairs."""
    together: list[int] = []
    rows: list[np.ndarray] = []
    codes, unique = _by_first_appearance(reference)
    order = np.argsort(codes, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(codes))[:-1])
    for image, group in zip(unique, groups, strict=True):
        fits = (
            together
            and sum(map(len, rows)) + len(group) <= batch_size
            and pixels[image] * (len(together) + 1) <= _PIXELS_TOGETHER
            and np.array_equal(sizes[image], sizes[together[0]])
        )
        if together and not fits:
            yield together, np.concatenate(rows)
            together, rows = [], []
        together.append(int(image))
        rows.append(group)
    if together:
        yield together, np.concatenate(rows)


def _by_first_appearance(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    codes, unique = pd.factorize(values)
    return codes, unique


def _batches(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
