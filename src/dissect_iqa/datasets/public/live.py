"""LIVE release 2: 29 references, 5 types (Sheikh, Sabir, Bovik 2006)."""

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dissect_iqa.datasets.base import (
    Citation,
    Counts,
    DatasetKind,
    Index,
    Reading,
    RemoteFile,
    Source,
)
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.public.matlab import names, variables, vector
from dissect_iqa.datasets.public.mirrors import iqa_pytorch
from dissect_iqa.errors import UserError

#: Folder -> (number of pictures, published name), in the order of all score arrays.
FOLDERS = {
    "jp2k": (227, "JPEG2000"),
    "jpeg": (233, "JPEG"),
    "wn": (174, "white noise"),
    "gblur": (174, "Gaussian blur"),
    "fastfading": (174, "fast fading"),
}
ROWS = sum(count for count, _ in FOLDERS.values())
#: Rows that are undistorted references shown among the distorted pictures.
UNDISTORTED = 203
#: Each picture was rated by 20 to 29 people.
_FEWEST_RATERS = 20


def read(index: Index, entry: DatasetEntry) -> Reading:
    """Read the score arrays: 982 rows, of which 203 are undistorted copies and left out.

    The DMOS is higher for worse pictures. The realigned scores reach from -2.6 to 111.8 and are
    not clipped to 0..100.
    """
    path = _the(index, "refnames_all.mat")
    references = names(path, variables(path), "refnames_all", ROWS)
    scores, deviation, undistorted = _scores(index, entry.scores == "realigned")
    records: list[dict[str, Any]] = []
    for folder, (count, distortion) in FOLDERS.items():
        for number in range(1, count + 1):
            row = len(records)
            records.append(
                {
                    "reference_file": index.locate(f"refimgs/{references[row]}"),
                    "distorted_file": index.locate(f"{folder}/img{number}.bmp"),
                    "distortion": distortion,
                    "score": scores[row],
                    "score_se": deviation[row] / math.sqrt(_FEWEST_RATERS),
                    "left_out": "undistorted copy of a reference (orgs = 1)"
                    if undistorted[row]
                    else None,
                }
            )
    realigned = entry.scores == "realigned"
    facts = {
        "scores": "dmos_new of dmos_realigned.mat" if realigned else "dmos of dmos.mat",
        "score_se_from": "dmos_std / sqrt(20), taking it as the spread of the raters, of whom each "
        "picture had 20 to 29: an upper bound"
        if realigned
        else None,
    }
    return Reading(pd.DataFrame.from_records(records), facts)


def _scores(index: Index, realigned: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores, standard deviations (NaN if unknown) and which rows are undistorted."""
    original = next((n for n in ("dmos.mat", "dmos_live.mat") if index.matches(n)), None)
    found = {}
    if realigned:
        path = _the(index, "dmos_realigned.mat")
        content = variables(path)
        scores = vector(path, content, "dmos_new", ROWS)
        deviation = vector(path, content, "dmos_std", ROWS)
        found[path] = vector(path, content, "orgs", ROWS) == 1
    if original or not realigned:
        path = _the(index, original or "dmos.mat")
        content = variables(path)
        found[path] = vector(path, content, "orgs", ROWS) == 1
        if not realigned:
            scores = vector(path, content, "dmos", ROWS)
            deviation = np.full(ROWS, np.nan)
    for path, undistorted in found.items():
        if undistorted.sum() != UNDISTORTED:
            raise UserError(
                f"{path}: 'orgs' marks {undistorted.sum()} rows as undistorted, expected "
                f"{UNDISTORTED}"
            )
    first, *others = found.values()
    if any((first != other).any() for other in others):
        raise UserError(f"{', '.join(map(str, found))}: their 'orgs' mark different rows")
    return scores, deviation, first


def _the(index: Index, name: str) -> Path:
    """Return a score file; several copies are one if they hold the same bytes."""
    found = [index.table(file) for file in index.matches(name)]
    if len({hashlib.sha256(path.read_bytes()).hexdigest() for path in found}) == 1:
        return found[0]
    return index.require(name)


_COPY = iqa_pytorch(
    "live.tgz", 721190291, "0c23e0ba0d503dd7bfc3d5588fc3e94672e381759881e497c41ca814aa4d9d8f"
)
_REALIGNED = RemoteFile(
    ("http://live.ece.utexas.edu/research/quality/release2/dmos_realigned.mat",),
    "dmos_realigned.mat",
    unpack=False,
)

LIVE = DatasetKind(
    name="live",
    title="LIVE release 2",
    read=read,
    direction="higher is worse",
    citation=Citation(
        "sheikh2006statistical",
        "H. R. Sheikh, M. F. Sabir, A. C. Bovik. A statistical evaluation of recent full reference "
        "image quality assessment algorithms. IEEE Transactions on Image Processing 15(11) (2006) "
        "3440-3451. doi:10.1109/TIP.2006.881959. H. R. Sheikh, Z. Wang, L. Cormack, A. C. Bovik. "
        "LIVE image quality assessment database release 2.",
    ),
    licence="Free to use if the copyright notice is kept and LIVE is acknowledged; nine references "
    '(from "Austin and Vicinity") must not be used outside the database.',
    closed="Nine references of LIVE must not be used outside of it, so its pictures aren’t shown.",
    page="https://live.ece.utexas.edu/research/Quality/subjective.htm",
    download_size="0.7 GB",
    sources=(
        _COPY,
        Source(f"{_COPY.label}, with the official realigned scores", (*_COPY.files, _REALIGNED)),
    ),
    how_to_get="The official archive needs a form and a password: fill it in, unpack the archive "
    "with the password you get and name the unpacked folder; put dmos_realigned.mat into it.",
    options=frozenset({"scores"}),
    counts={"": Counts(29, 779)},
)
