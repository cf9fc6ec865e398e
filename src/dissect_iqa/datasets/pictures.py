"""Decode, measure, hash and compare the pictures of a data set, in parallel, a few at a time."""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from dissect_iqa.datasets.decoding.decode import MOST_BYTES, check_whole, decode_picture
from dissect_iqa.datasets.decoding.deep import alike
from dissect_iqa.files.regular_files import open_regular, read_bytes

#: Pictures a task handles; bounds what waits in queues.
_TASK_SIZE = 64
#: Fewer bytes of pictures than this aren't worth starting worker processes.
_SERIAL_BELOW = 200_000_000


@dataclass
class Inspection:
    """What was found in the pictures of one reference.

    Attributes
    ----------
    pictures : list of tuple
        (file, sha256 of its bytes, width, height) of each picture that decodes.
    identical : list of int
        Rows whose distorted picture equals its reference in every pixel.
    problems : list of str
        One line for each picture that can't be used.
    """

    pictures: list[tuple[str, str, int, int]] = field(default_factory=list)
    identical: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def available_cpus() -> int:
    """Return the number of CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def inspect_pairs(pairs: pd.DataFrame, root: Path, workers: int | None = None) -> Inspection:
    """Decode every picture of a table of pairs once, and compare each pair.

    At no time does a worker hold more than two pictures, nor a queue more than a few hundred
    file names, so memory doesn't grow with the data set.

    Parameters
    ----------
    pairs : DataFrame
        With `reference_file` and `distorted_file`, relative to `root`; the index numbers rows.
    root : Path
        The folder of the pictures.
    workers : int, optional
        Processes; default: the CPUs this process may use.

    Returns
    -------
    Inspection
        Of all pictures, in the order of their file names.
    """
    tasks = list(_tasks(pairs))
    small = _total_size(root, pairs["distorted_file"]) < _SERIAL_BELOW
    jobs = 1 if small else (workers or available_cpus())
    total = Inspection()
    # loky's workers don't run the calling script again, as multiprocessing's spawn would.
    parallel = joblib.Parallel(
        n_jobs=jobs, return_as="generator_unordered", pre_dispatch="2*n_jobs"
    )
    results = parallel(joblib.delayed(_inspect)(root, *task) for task in tasks)
    with tqdm(total=len(pairs), desc="checking pairs", unit="pair", disable=None) as bar:
        for (_, rows), result in zip(tasks, results, strict=True):
            total.pictures += result.pictures
            total.identical += result.identical
            total.problems += result.problems
            bar.update(len(rows))
    total.pictures = sorted(set(total.pictures))
    total.identical.sort()
    total.problems = sorted(set(total.problems))
    return total


def header_sizes(root: Path, files: Iterable[str]) -> pd.DataFrame:
    """Return what pictures' headers say of their sizes, without those that have none.

    Returns
    -------
    DataFrame
        `file`, `width`, `height` in pixels.
    """
    sizes = []
    for file in files:
        try:
            with Image.open(root / file) as picture:
                sizes.append((file, *picture.size))
        except (OSError, ValueError, Image.DecompressionBombError):
            continue  # the job that decodes them names all that don't
    return pd.DataFrame(sizes, columns=["file", "width", "height"])


def _total_size(root: Path, files: Iterable[str]) -> int:
    """Return the bytes of some files; one that can't be read is reported later, by name."""
    total = 0
    for file in files:
        with contextlib.suppress(OSError):
            total += (root / file).stat().st_size
    return total


def _tasks(pairs: pd.DataFrame) -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """Yield (reference, rows) with at most `_TASK_SIZE` rows each."""
    for reference, group in pairs.groupby("reference_file", sort=False):
        rows = list(zip(group.index.tolist(), group["distorted_file"], strict=True))
        for start in range(0, len(rows), _TASK_SIZE):
            yield str(reference), rows[start : start + _TASK_SIZE]


def _inspect(root: Path, reference: str, rows: Iterable[tuple[int, str]]) -> Inspection:
    """Check one reference and some of its distorted pictures; runs in a worker."""
    found = Inspection()
    expected = _decode(root, reference, found)
    for row, file in rows:
        pixels = _decode(root, file, found)
        if pixels is None or expected is None:
            continue
        if pixels.shape != expected.shape:
            found.problems.append(
                f"{file}: {pixels.shape[1]}x{pixels.shape[0]} pixels, but its reference "
                f"{reference} has {expected.shape[1]}x{expected.shape[0]}"
            )
        elif alike(pixels, expected):
            found.identical.append(row)
    return found


def _decode(root: Path, file: str, found: Inspection) -> np.ndarray | None:
    """Return a picture as (height, width, 3), noting its facts or its fault in `found`."""
    try:
        data = read_bytes(root / file, MOST_BYTES)
        # the depth and kind first: what can't be read anyhow needn't be whole
        pixels = decode_picture(data)
        check_whole(data)
    except MemoryError:
        raise
    except OSError as error:
        found.problems.append(f"{file}: {error.strerror or error}")
        return None
    except Exception as error:  # decoders fail in many ways, and each means the same here
        found.problems.append(f"{file}: {error or type(error).__name__}")
        return None
    height, width = pixels.shape[:2]
    found.pictures.append((file, hashlib.sha256(data).hexdigest(), width, height))
    return pixels


def hash_files(files: list[Path], workers: int | None = None) -> Iterator[str | OSError]:
    """Yield the sha256 of each file, in order, or the error that reading it gave."""
    parallel = joblib.Parallel(
        n_jobs=workers or available_cpus(),
        prefer="threads",  # hashing leaves Python's lock
        return_as="generator",
        pre_dispatch="4*n_jobs",
    )
    yield from parallel(joblib.delayed(_hash)(file) for file in files)


def _hash(file: Path) -> str | OSError:
    try:
        with open_regular(file) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
    except OSError as error:
        return error
