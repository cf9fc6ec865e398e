"""The whole of the rule fetch_dataset: get the bytes, unpack, read, check, write."""

import json
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
from filelock import FileLock
from tqdm import tqdm

from dissect_iqa.datasets.base import DatasetKind, Index, Reading, index_folder
from dissect_iqa.datasets.changed import still_damaged
from dissect_iqa.datasets.entry import DatasetEntry, Misalignment
from dissect_iqa.datasets.finish import check_counts, check_pictures, complete, finish, leave_out
from dissect_iqa.datasets.folder import read_folder
from dissect_iqa.datasets.obtain import PICTURES, obtain
from dissect_iqa.datasets.registry import KINDS
from dissect_iqa.datasets.rehearsal import label, make_up, take_few
from dissect_iqa.datasets.tables import Dataset
from dissect_iqa.errors import UserError
from dissect_iqa.files.provenance import sha256_file
from dissect_iqa.files.sums import names_of

log = logging.getLogger(__name__)

Choose = Callable[[pd.DataFrame], pd.DataFrame]


def fetch_dataset(
    entry: DatasetEntry,
    folder: Path,
    downloads: Path,
    spec: str,
    offline: bool = False,
    workers: int | None = None,
    rehearse: int | None = None,
    parent: Dataset | None = None,
) -> None:
    """Make a data set ready: `pairs.parquet`, `images.parquet`, `provenance.json`, pictures.

    Bytes are taken from the first of these that there is: pictures unpacked by an earlier run,
    the entry's `folder`, its `archive`, its `mirrors`, the built-in sources in turn.

    Parameters
    ----------
    entry : DatasetEntry
        From the data set table.
    folder : Path
        ``resources/datasets/{dataset}``.
    downloads : Path
        Where archives are kept, shared by all data sets.
    spec : str
        Canonical JSON of the stage, as every stage writes it into its outputs.
    offline : bool
        Never touch the network; say which file to put where instead.
    workers : int, optional
        Processes that decode and hash pictures; default: all CPUs.
    rehearse : int, optional
        Make a rehearsal's data set instead: a few pairs of a `folder` that is there, of which all
        are checked, else made-up pictures with so many pixels on the short side.
    parent : Dataset, optional
        Of an entry of kind `misaligned`: whose pictures are displaced.

    Raises
    ------
    UserError
        If the data set can't be had or doesn't check out; says what to do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        few = take_few if rehearse is not None else None
        if entry.kind == "misaligned":
            assert parent is not None
            _prepare_misaligned(entry, parent, folder, spec, workers, rehearse is not None)
        elif rehearse is not None and entry.folder is None:
            _prepare_rehearsal(entry, folder, spec, rehearse, workers)
        elif entry.kind == "demo":
            _prepare_demo(folder, spec, workers)
        elif entry.kind == "thresholds":
            _prepare_thresholds(entry, folder, spec, workers)
        elif entry.kind == "folder":
            _prepare_own(entry, folder, spec, few, workers)
        else:
            kind = KINDS[entry.kind]
            _prepare_public(kind, entry, folder, downloads, spec, offline, few, workers)


def _prepare_rehearsal(
    entry: DatasetEntry, folder: Path, spec: str, side: int, workers: int | None
) -> None:
    shutil.rmtree(folder / PICTURES, ignore_errors=True)
    frame, facts = make_up(entry, folder, side)
    finish(folder, frame, facts, spec, workers=workers)


def _prepare_demo(folder: Path, spec: str, workers: int | None) -> None:
    from dissect_iqa.datasets.demo import make_demo

    # What an interrupted run or another version made would be pictures without a row.
    shutil.rmtree(folder / PICTURES, ignore_errors=True)
    frame, facts = make_demo(folder, partial(tqdm, disable=None))
    finish(folder, frame, facts, spec, workers=workers)


def _prepare_thresholds(entry: DatasetEntry, folder: Path, spec: str, workers: int | None) -> None:
    from dissect_iqa.datasets.thresholds.make import make_thresholds

    frame, facts = make_thresholds(entry, folder, partial(tqdm, disable=None))
    finish(folder, frame, facts, spec, workers=workers)


def _prepare_misaligned(
    entry: DatasetEntry,
    parent: Dataset,
    folder: Path,
    spec: str,
    workers: int | None,
    rehearsed: bool,
) -> None:
    from dissect_iqa.datasets.misalign import make_misaligned

    assert entry.misalign is not None
    if rehearsed and entry.misalign.unit == "px":  # a rehearsal's pictures are smaller
        entry = entry.model_copy(update={"misalign": Misalignment(shift="1 %")})
    frame, facts, index = make_misaligned(entry, parent, folder, workers)
    finish(folder, frame, facts, spec, index=index, workers=workers)


def _prepare_own(
    entry: DatasetEntry, folder: Path, spec: str, few: Choose | None, workers: int | None
) -> None:
    assert entry.folder is not None
    root = _root(entry.folder, folder)
    index = index_folder(entry.folder, entry.ignore)
    reading = read_folder(index, entry)
    planned = json.loads(spec).get("entry", {}).get("csv_sha256")
    if planned not in (None, sha256_file(entry.csv_path())):
        raise UserError(
            f"{entry.csv_path()}: has changed since this run was planned; start Snakemake again"
        )
    facts = {
        "title": entry.label or f"own data set in {entry.folder}",
        "root": root,
        "direction": entry.direction,
        "citation": entry.citation,
        "licence": entry.licence,
        "label": label(few is not None, entry.label),
        "source": {"label": "local folder", "folder": str(entry.folder)},
        **reading.facts,
    }
    finish(
        folder,
        reading.frame,
        facts,
        spec,
        index=index,
        drop_identical=entry.drop_identical,
        choose=few,
        workers=workers,
    )


def _prepare_public(
    kind: DatasetKind,
    entry: DatasetEntry,
    folder: Path,
    downloads: Path,
    spec: str,
    offline: bool,
    few: Choose | None,
    workers: int | None,
) -> None:
    if entry.folder is not None:
        root, prefix = _root(entry.folder, folder), ""
        found = _read(kind, entry, entry.folder)
        source = {"label": "local folder", "folder": str(entry.folder)}
    else:
        root, prefix = ".", f"{PICTURES}/"
        damaged = still_damaged(folder)
        if damaged:
            log.warning("%s: unpacked again, for damaged pictures: %s", folder, names_of(damaged))
        found, source = obtain(
            kind,
            entry,
            folder,
            downloads,
            offline,
            lambda unpacked: _read(kind, entry, unpacked),
            anew=bool(damaged),
        )
    index, frame = found.index, found.reading.frame
    if prefix:
        index = Index(folder, [prefix + file for file in index.files])
        for column in ("reference_file", "distorted_file"):
            frame[column] = prefix + frame[column]
    facts = {
        "title": kind.title,
        "root": root,
        "direction": kind.direction,
        "citation": kind.citation.text,
        "citation_key": kind.citation.key,
        "licence": kind.licence,
        "page": kind.page,
        "label": label(few is not None),
        "source": source,
        **found.reading.facts,
    }
    finish(
        folder,
        frame,
        facts,
        spec,
        index=index,
        aside={prefix + file for file in found.reading.aside},
        tables={prefix + file for file in found.index.tables},
        counts=kind.expected(entry, found.reading),
        drop_identical=entry.drop_identical,
        choose=few,
        workers=workers,
    )


def _root(pictures: Path, folder: Path) -> str:
    """Return where pictures used in place are, as seen from the data set's folder.

    A path given relative to the project stays relative, so that the project can be moved.
    """
    if pictures.is_absolute():
        return str(pictures.resolve())
    return os.path.relpath(pictures.resolve(), folder.resolve())


@dataclass
class _Found:
    index: Index
    reading: Reading


def _read(kind: DatasetKind, entry: DatasetEntry, root: Path) -> _Found:
    """Read a data set's tables and check that names, pictures and counts agree."""
    index = index_folder(root, entry.ignore)
    reading = kind.read(index, entry)
    check_pictures(reading.frame, index, reading.aside)
    pairs, _ = leave_out(complete(reading.frame, kind.title))
    check_counts(pairs, kind.expected(entry, reading), kind.title)
    return _Found(index, reading)
