"""Small pictures of the pairs on which networks and people disagree most."""

import base64
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from dissect_iqa.datasets.decoding.decode import decode_picture

#: Longest side in pixels, and WebP's quality.
SIDE, QUALITY = 200, 62


def most_disputed(predictions: pd.DataFrame, count: int) -> list[int]:
    """Return the pairs that networks misjudge most, each network's worst in turn.

    Parameters
    ----------
    predictions : DataFrame
        What `dissect_iqa.correlation.judge_pairs.judge_pairs` returned of one data set.
    count : int
        So many at most.

    Returns
    -------
    list of int
        Places of the pairs in the data set: every network's worst, then every one's second ...
    """
    networks = predictions[predictions["kind"] == "network"].dropna(subset=["mapped"])
    ranks = []
    for _, own in networks.groupby("model", sort=False):
        error = (own["mapped"] - own["quality"]).abs().to_numpy()
        ranks.append(np.argsort(-error, kind="stable")[:count])
    worst = (int(place) for turn in zip(*ranks, strict=True) for place in turn)
    return list(dict.fromkeys(worst))[:count]


def thumbnail(path: Path) -> str:
    """Return a picture made small, as WebP in base64.

    Raises
    ------
    UserError
        If it can't be decoded.
    """
    pixels = decode_picture(path.read_bytes())
    if pixels.dtype != np.uint8:
        pixels = np.round(pixels / 257).astype(np.uint8)
    picture = Image.fromarray(pixels)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    written = BytesIO()
    picture.save(written, "WEBP", quality=QUALITY, method=6)
    return base64.b64encode(written.getvalue()).decode()


def thumbnails(
    pairs: pd.DataFrame, root: Path, places: Sequence[int]
) -> tuple[list[str], dict[int, tuple[int, int]]]:
    """Return small pictures, each once, and for each pair those of reference and distorted.

    Parameters
    ----------
    pairs : DataFrame
        `reference_file, distorted_file`, a row a pair.
    root : path
        The folder that these are relative to.
    places : sequence of int
        Rows of the pairs that are shown.
    """
    files: dict[str, int] = {}
    for place in places:
        for name in ("reference_file", "distorted_file"):
            files.setdefault(str(pairs[name].iloc[place]), len(files))
    shown = {
        place: (
            files[str(pairs["reference_file"].iloc[place])],
            files[str(pairs["distorted_file"].iloc[place])],
        )
        for place in places
    }
    return [thumbnail(root / name) for name in files], shown
