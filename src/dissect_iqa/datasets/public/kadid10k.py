"""KADID-10k: 81 references, 25 types, 5 levels (Lin, Hosu, Saupe 2019)."""

import math
import re

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
from dissect_iqa.datasets.public.mirrors import iqa_pytorch
from dissect_iqa.datasets.public.text import bad_line, rows, to_float

TYPES = (
    "Gaussian blur",
    "lens blur",
    "motion blur",
    "colour diffusion",
    "colour shift",
    "colour quantization",
    "colour saturation 1",
    "colour saturation 2",
    "JPEG2000",
    "JPEG",
    "white noise",
    "white noise in colour component",
    "impulse noise",
    "multiplicative noise",
    "denoise",
    "brighten",
    "darken",
    "mean shift",
    "jitter",
    "non-eccentricity patch",
    "pixelate",
    "quantization",
    "colour block",
    "high sharpen",
    "contrast change",
)
#: The seven official groups, as first and last type number.
GROUPS = {
    "blur": (1, 3),
    "colour": (4, 8),
    "compression": (9, 10),
    "noise": (11, 15),
    "brightness": (16, 18),
    "spatial": (19, 23),
    "sharpness_contrast": (24, 25),
}
RATERS = 30
_NAME = re.compile(r"^I(\d\d)_(\d\d)_(\d\d)\.png$", re.IGNORECASE)


def read(index: Index, entry: DatasetEntry) -> Reading:
    """Read `dmos.csv`.

    Its column `dmos` runs from 1 to 5 and, in spite of the name, higher is better. Its column
    `var` is the raters' standard deviation, not a variance (4.57 and 0.496 fit 17 votes of "5"
    and 13 of "4" out of 30), so the standard error is ``var / sqrt(30)``.
    """
    table = index.require("dmos.csv")
    records = []
    for number, row in rows(table, ("dist_img", "ref_img", "dmos", "var")):
        match = _NAME.match(row["dist_img"])
        if not match or not 1 <= int(match[2]) <= len(TYPES):
            raise bad_line(table, number, row["dist_img"], "a picture IRR_TT_LL.png, TT = 01..25")
        deviation = to_float(table, number, row["var"], "standard deviation", 0, 4)
        records.append(
            {
                "reference_file": index.locate(row["ref_img"]),
                "distorted_file": index.locate(row["dist_img"]),
                "type": int(match[2]),
                "distortion": TYPES[int(match[2]) - 1],
                "level": int(match[3]),
                "score": to_float(table, number, row["dmos"], "score", 1, 5),
                "score_se": deviation / math.sqrt(RATERS),
                "raters": RATERS,
            }
        )
    frame = pd.DataFrame.from_records(records)
    if records:
        kinds = frame.pop("type")
        for name, (first, last) in GROUPS.items():
            frame[f"subset_{name}"] = kinds.between(first, last)
    return Reading(
        frame,
        facts={
            "score_se_from": "column 'var', which is the raters' standard deviation, / sqrt(30)",
            "warning": "DISTS, TOPIQ and other metrics were fitted to KADID-10k: their figures on "
            "it are not held out",
        },
    )


KADID10K = DatasetKind(
    name="kadid10k",
    title="KADID-10k",
    read=read,
    direction="higher is better",
    citation=Citation(
        "lin2019kadid",
        "H. Lin, V. Hosu, D. Saupe. KADID-10k: A large-scale artificially distorted IQA database. "
        "Eleventh International Conference on Quality of Multimedia Experience (QoMEX), 2019. "
        "doi:10.1109/QoMEX.2019.8743252",
    ),
    licence="No licence text is published with it; free for research.",
    page="http://database.mmsp-kn.de/kadid-10k-database.html",
    download_size="3.1 GB",
    sources=(
        iqa_pytorch(
            "kadid10k.tgz",
            3069431805,
            "841396f9237e68c8e6614d5dc907a8fd83d4f403cce89ee2c14524406405b14a",
        ),
        Source(
            "official archive (no published checksum)",
            (
                RemoteFile(
                    ("https://datasets.vqa.mmsp-kn.de/archives/kadid10k.zip",), "kadid10k.zip"
                ),
            ),
        ),
    ),
    counts={"": Counts(81, 10125)},
)
