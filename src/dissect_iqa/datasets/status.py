"""What is there, what is missing, and whether pictures are still what they were."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from dissect_iqa.datasets.base import DatasetKind
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.intact import changes
from dissect_iqa.datasets.obtain import PICTURES
from dissect_iqa.datasets.registry import KINDS, MADE_HERE
from dissect_iqa.datasets.tables import read_dataset
from dissect_iqa.errors import UserError


def datasets_status(
    entries: Mapping[str, DatasetEntry], resources: Path | str = "resources"
) -> pd.DataFrame:
    """Say of each entry of the data set table what is there and how to get the rest.

    Parameters
    ----------
    entries : mapping of str to DatasetEntry
        See `read_datasets`.
    resources : path
        The folder that holds `datasets` and `downloads`.

    Returns
    -------
    DataFrame
        Columns `dataset`, `kind`, `state` ("ready", "damaged", "unpacked", "downloaded",
        "at hand", "missing"), `pairs`, `pictures` (empty unless ready) and `next`: what happens
        next or what to do.
    """
    resources = Path(resources)
    rows = [
        {"dataset": name, "kind": entry.kind, **_state(name, entry, resources)}
        for name, entry in entries.items()
    ]
    return pd.DataFrame(rows, columns=["dataset", "kind", "state", "pairs", "pictures", "next"])


def _state(name: str, entry: DatasetEntry, resources: Path) -> dict[str, object]:
    folder = resources / "datasets" / name
    if (folder / "provenance.json").is_file():
        try:
            dataset = read_dataset(folder)
        except UserError as error:
            return {"state": "damaged", "next": str(error)}
        return {
            "state": "ready",
            "pairs": len(dataset.pairs),
            "pictures": len(dataset.images),
            "next": f"'dissect-iqa verify {folder}' checks the pictures",
        }
    if entry.kind in MADE_HERE:
        after = f", from {entry.of}" if entry.of else ""
        return {"state": "at hand", "next": f"made on this machine by the next run{after}"}
    if entry.folder is not None:
        there = entry.folder.is_dir()
        return {
            "state": "at hand" if there else "missing",
            "next": "read in place by the next run" if there else f"{entry.folder}: no such folder",
        }
    if (folder / PICTURES).is_dir():
        return {"state": "unpacked", "next": "checked and indexed by the next run"}
    if entry.archive:
        absent = [str(path) for path in entry.archive if not path.is_file()]
        return {
            "state": "missing" if absent else "at hand",
            "next": f"no such file: {', '.join(absent)}" if absent else "unpacked by the next run",
        }
    return _download_state(KINDS[entry.kind], entry, resources / "downloads" / entry.kind)


def _download_state(kind: DatasetKind, entry: DatasetEntry, downloads: Path) -> dict[str, object]:
    for source in kind.sources:
        if all((downloads / file.name).is_file() for file in source.files):
            return {"state": "downloaded", "next": "unpacked by the next run"}
    if kind.sources or entry.mirrors:
        return {"state": "missing", "next": f"downloaded by the next run ({kind.download_size})"}
    return {"state": "missing", "next": f"{kind.how_to_get} See {kind.page}"}


def verify_dataset(folder: Path | str, workers: int | None = None) -> list[str]:
    """Check every picture of a prepared data set against its recorded sha256.

    Parameters
    ----------
    folder : path
        ``resources/datasets/{dataset}``.
    workers : int, optional
        Threads; default: all CPUs.

    Returns
    -------
    list of str
        One line for each picture that is missing or has changed; empty if all is well.

    Raises
    ------
    UserError
        If the tables themselves are missing or damaged.
    """
    return list(changes(read_dataset(folder), workers, progress=True))


def kinds_table() -> pd.DataFrame:
    """Return what is known of every data set, for the manual.

    Returns
    -------
    DataFrame
        Columns `kind`, `title`, `references`, `pairs`, `direction`, `download`, `sources`,
        `licence`, `page`, `citation_key`, `citation`.
    """
    rows = []
    for kind in KINDS.values():
        counts = kind.counts.get(kind.splits[0] if kind.splits else "")
        rows.append(
            {
                "kind": kind.name,
                "title": kind.title,
                "references": counts.references if counts else None,
                "pairs": counts.pairs if counts else None,
                "direction": kind.direction,
                "download": kind.download_size,
                "sources": "; ".join(source.label for source in kind.sources),
                "licence": kind.licence,
                "page": kind.page,
                "citation_key": kind.citation.key,
                "citation": kind.citation.text,
            }
        )
    return pd.DataFrame(rows)
