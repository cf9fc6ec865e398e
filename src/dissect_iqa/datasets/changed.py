"""What of a prepared data set's files has changed: asked whenever a run is planned."""

import json
import logging
from pathlib import Path

from dissect_iqa.errors import UserError
from dissect_iqa.files.provenance import read_table, sha256_file, table_provenance, write_json
from dissect_iqa.files.sums import sums

log = logging.getLogger(__name__)

#: In a data set's folder: which pictures of a copy of the project's own were found damaged. An
#: input of fetch_dataset where it exists, so that Snakemake makes the copy anew when it is newer.
DAMAGE = "damaged_pictures.json"


def sums_of(folder: Path) -> Path:
    """Return where the sums of a data set's files are kept, see `dissect_iqa.files.sums`."""
    return folder.with_name(f".{folder.name}.sums.json")


def changed_files(folder: Path) -> tuple[list[str], dict[str, str | None]]:
    """Compare a prepared data set's pictures and files of scores with the sums in its table.

    Parameters
    ----------
    folder : Path
        ``resources/datasets/{dataset}``.

    Returns
    -------
    changed : list of str
        Files that are missing or have other bytes. Empty where the data set isn't prepared,
        and where none of its files is here, as after ``dissect-iqa unbundle``.
    now : dict of str to (str or None)
        The sha256 of every file, None for a missing one.
    """
    table = folder / "images.parquet"
    if not table.is_file():
        return [], {}
    try:
        root = folder / table_provenance(table)["root"]
        recorded = _recorded(table)
    except (UserError, KeyError):
        return [], {}  # whoever reads the table tells
    now = sums({file: root / file for file in recorded}, sums_of(folder))
    if not any(now.values()):
        return [], now
    return [file for file, value in recorded.items() if value != now[file]], now


def note_damage(folder: Path, files: list[str]) -> None:
    """Write `DAMAGE`: the sums that damaged pictures had when the data set was prepared."""
    recorded = _recorded(folder / "images.parquet")
    write_json({file: recorded[file] for file in files}, folder / DAMAGE)


def still_damaged(folder: Path) -> list[str]:
    """Return the pictures that `DAMAGE` names and that aren't again what they were."""
    try:
        noted = json.loads((folder / DAMAGE).read_text())
    except (OSError, ValueError):
        return []
    return [file for file, value in noted.items() if _sum(folder / file) != value]


def _recorded(table: Path) -> dict[str, str]:
    """Return the sums of a data set's pictures, and of the files that its scores are from.

    The references of a misaligned data set are its parent's, which is looked at itself.
    """
    images, facts = read_table(table), table_provenance(table)
    if facts.get("of"):
        images = images[images["role"] == "distorted"]
    sums_of_pictures = dict(zip(images["file"], images["sha256"], strict=True))
    return {**sums_of_pictures, **facts.get("tables", {})}


def _sum(path: Path) -> str | None:
    return sha256_file(path) if path.is_file() else None
