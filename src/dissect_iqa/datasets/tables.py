"""Read a prepared data set back, the only way that later stages get at it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dissect_iqa.errors import UserError
from dissect_iqa.files.provenance import read_table, table_provenance


@dataclass(frozen=True)
class Dataset:
    """A prepared data set.

    Attributes
    ----------
    folder : Path
        ``resources/datasets/{dataset}``.
    pairs : DataFrame
        One row a pair, ordered by `pair` = 0..n-1.
    images : DataFrame
        One row a picture: `file`, `role`, `sha256`, `width`, `height`.
    root : Path
        The folder that file names are relative to; `folder` itself, or a user's own folder.
    facts : dict
        `direction`, `label`, `citation`, `licence`, `identical_pairs`, `spec`, `fingerprint` ...
    """

    folder: Path
    pairs: pd.DataFrame
    images: pd.DataFrame
    root: Path
    facts: dict[str, Any]

    def path(self, file: str) -> Path:
        """Return where a picture named in one of the tables is."""
        return self.root / file


def read_dataset(folder: Path | str, expect: str | None = None) -> Dataset:
    """Read the tables of a prepared data set.

    Parameters
    ----------
    folder : path
        ``resources/datasets/{dataset}``.
    expect : str, optional
        The spec it must have been made from.

    Raises
    ------
    UserError
        If a table is missing, damaged or made with other settings, or the two don't fit.
    """
    folder = Path(folder)
    for name in ("pairs.parquet", "images.parquet"):
        if not (folder / name).is_file():
            raise UserError(f"{folder / name}: not there; run the rule fetch_dataset")
    pairs = read_table(folder / "pairs.parquet", expect)
    images = read_table(folder / "images.parquet", expect)
    facts = table_provenance(folder / "pairs.parquet")
    if table_provenance(folder / "images.parquet")["fingerprint"] != facts["fingerprint"]:
        raise UserError(
            f"{folder}: pairs.parquet and images.parquet come from different runs; delete both "
            "and run again"
        )
    return Dataset(folder, pairs, images, folder / facts["root"], facts)
