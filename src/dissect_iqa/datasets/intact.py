"""Are a data set's pictures still those that it was prepared with? One check for all readers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pandas as pd
from tqdm import tqdm

from dissect_iqa.datasets.decoding.decode import MOST_BYTES, decode_picture
from dissect_iqa.datasets.pictures import hash_files
from dissect_iqa.errors import UserError
from dissect_iqa.files.regular_files import read_bytes

_NAMED_AT_MOST = 100


class PictureSet(Protocol):
    """What the check needs of a data set; see `dissect_iqa.datasets.tables.Dataset`."""

    @property
    def images(self) -> pd.DataFrame:
        """The pictures, one row each."""

    @property
    def root(self) -> Path:
        """The folder that their names are relative to."""

    def path(self, file: str) -> Path:
        """Return where a picture is."""
        ...


def require_intact(dataset: PictureSet, workers: int | None = None) -> None:
    """Check that every picture is, byte for byte, the one that the data set was prepared with.

    Each was decoded then, so it decodes now; hashing costs a fraction of decoding.

    Parameters
    ----------
    dataset : PictureSet
        `images` has the columns `file` and `sha256`.
    workers : int, optional
        Threads; default: all CPUs.

    Raises
    ------
    UserError
        Listing every picture that is missing, can't be read or has changed.
    """
    problems = list(changes(dataset, workers))
    if problems:
        shown = "\n".join(f"  {line}" for line in problems[:_NAMED_AT_MOST])
        rest = len(problems) - _NAMED_AT_MOST
        raise UserError(
            f"{dataset.root}: {len(problems)} picture(s) can't be used; put them right, or run "
            f"Snakemake again, which prepares the data set anew:\n{shown}"
            + (f"\n  ... and {rest} more" if rest > 0 else "")
        )


def changes(
    dataset: PictureSet, workers: int | None = None, progress: bool = False
) -> Iterator[str]:
    """Yield a line for each picture that is missing, can't be read or has changed.

    Parameters
    ----------
    dataset, workers
        See `require_intact`.
    progress : bool
        Show a bar if there is a terminal.
    """
    images = dataset.images
    paths = [dataset.path(file) for file in images["file"]]
    hashes = tqdm(
        hash_files(paths, workers),
        total=len(paths),
        desc="verifying",
        unit="picture",
        disable=None if progress else True,
    )
    for file, path, wanted, found in zip(
        images["file"], paths, images["sha256"], hashes, strict=True
    ):
        if isinstance(found, OSError):
            yield f"{file}: can't be read ({found.strerror or found})"
        elif found != wanted:
            yield f"{file}: {_what_changed(path, wanted, found)}"


def _what_changed(path: Path, wanted: str, found: str) -> str:
    try:
        decode_picture(read_bytes(path, MOST_BYTES))
    except Exception as error:  # decoders fail in many ways, and each means the same here
        return f"damaged, doesn't decode ({error or type(error).__name__})"
    return (
        "isn't the picture that the data set was prepared with, it has changed "
        f"(sha256 {found[:12]}, recorded {wanted[:12]})"
    )
