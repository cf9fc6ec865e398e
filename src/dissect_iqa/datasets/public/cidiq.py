"""CID:IQ: 23 references, 6 types, 5 levels, two viewing distances (Liu et al. 2014)."""

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
from dissect_iqa.datasets.public.matlab import variables, vector
from dissect_iqa.datasets.public.mirrors import waterloo
from dissect_iqa.datasets.public.text import bad_line, waterloo_rows
from dissect_iqa.errors import UserError

TYPES = (
    "JPEG2000",
    "JPEG",
    "Poisson noise",
    "Gaussian blur",
    "SGCK gamut mapping",
    "Delta E gamut mapping",
)
REFERENCES, LEVELS, RATERS = 23, 5, 17
_NAME = re.compile(r"^final(\d\d)_d([1-6])_l([1-5])\.bmp$", re.IGNORECASE)


def read(index: Index, entry: DatasetEntry) -> Reading:
    """Read `MOS50.mat` or `MOS100.mat`, or Waterloo's table of that distance.

    The MOS comes from a judgement in nine categories, 1 to 9, higher is better. The vectors of
    690 values are ordered by type, then reference, then level.
    """
    name = f"MOS{entry.viewing_distance}"
    if index.find(f"{name}.mat"):
        path = index.require(f"{name}.mat")
        values = vector(path, variables(path), name, len(TYPES) * REFERENCES * LEVELS)
        pictures = [
            f"final{reference:02d}_d{kind}_l{level}.bmp"
            for kind in range(1, len(TYPES) + 1)
            for reference in range(1, REFERENCES + 1)
            for level in range(1, LEVELS + 1)
        ]
        scores = list(enumerate(zip(pictures, values, strict=True), 1))
    else:
        path = index.require(f"CIDIQ_{name}.txt", f"{name}.mat")
        scores = [(number, (file, mos)) for number, file, _, mos in waterloo_rows(path, 1, 9)]
    records = []
    for number, (file, mos) in scores:
        match = _NAME.match(file)
        if not match:
            raise bad_line(path, number, file, "a picture finalRR_dT_lL.bmp")
        if not 1 <= mos <= 9:
            raise UserError(f"{path}: MOS {mos:g} of {file} is not within 1..9")
        records.append(
            {
                "reference_file": index.locate(f"final{match[1]}.bmp"),
                "distorted_file": index.locate(file),
                "distortion": TYPES[int(match[2]) - 1],
                "level": int(match[3]),
                "score": float(mos),
                "raters": RATERS,
                "subset_gamut_mapping": int(match[2]) >= 5,
            }
        )
    return Reading(
        pd.DataFrame.from_records(records),
        facts={
            "score_se_from": None,
            "scores": f"{path.name}: viewing distance {entry.viewing_distance} cm",
        },
    )


#: Sums of Waterloo's two tables.
_SUM_50 = "7c62db9ac06aa91e1eb7d057dfe83eb4062bda7edd8e3862d9bb6d7fa92d0c9a"
_SUM_100 = "93ccd27e04c0cab51f49815c95c67ec0899d46205e41485b4c3f001920262e0c"

CIDIQ = DatasetKind(
    name="cidiq",
    title="CID:IQ",
    read=read,
    direction="higher is better",
    citation=Citation(
        "liu2014cidiq",
        "X. Liu, M. Pedersen, J. Y. Hardeberg. CID:IQ - A new image quality database. "
        "International Conference on Image and Signal Processing (ICISP), LNCS 8509 (2014) "
        "193-202.",
    ),
    licence="No licence text was found; the readme asks for citation.",
    page="https://zenodo.org/records/17376246",
    download_size="about 1.4 GB unpacked",
    sources=(
        Source(
            "official archive on Zenodo (sum not pinned)",
            (
                RemoteFile(
                    ("https://zenodo.org/records/17376246/files/CIDIQ.zip?download=1",),
                    "CIDIQ.zip",
                ),
            ),
        ),
        waterloo(
            "CIDIQ_MOS50",
            ("CIDIQ_MOS50", 87169, _SUM_50),
            ("CIDIQ_MOS100", 88450, _SUM_100),
        ),
    ),
    options=frozenset({"viewing_distance"}),
    counts={"": Counts(23, 690)},
)
