"""Small copies of pictures, for pages and sheets on which there are many."""

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from dissect_iqa.datasets.decoding.decode import read_picture

#: Longest side in pixels, and WebP's quality: about 3 kB a picture.
SIDE, QUALITY = 160, 60


def thumbnails(files: Iterable[str], root: Path) -> pd.DataFrame:
    """Return small copies of pictures.

    Parameters
    ----------
    files : iterable of str
        The pictures' names; each is taken once.
    root : path
        The folder that these are relative to.

    Returns
    -------
    DataFrame
        `file, webp`: the name, and the bytes of a WebP picture of at most 160 pixels a side.

    Raises
    ------
    UserError
        If a picture can't be decoded.
    """
    names = list(dict.fromkeys(files))
    return pd.DataFrame(
        {"file": pd.Series(names, dtype=str),
         "webp": pd.Series([_small(root / name) for name in names], dtype=object)}
    )  # fmt: skip


def _small(path: Path) -> bytes:
    pixels = read_picture(path)
    if pixels.dtype != np.uint8:  # 16 bits a channel
        pixels = np.round(pixels / 257).astype(np.uint8)
    picture = Image.fromarray(pixels)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    written = BytesIO()
    picture.save(written, "WEBP", quality=QUALITY, method=6)
    return written.getvalue()
