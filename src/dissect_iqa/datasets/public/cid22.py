"""CID22, its validation set: 49 references, modern codecs at high quality (Sneyers et al. 2023)."""

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
from dissect_iqa.datasets.public.text import rows, to_float


def read(index: Index, entry: DatasetEntry) -> Reading:
    """Read `CID22_validation_set.csv`; the MCOS is on a scale of 0..100, higher is better.

    Rows whose encoder is "Reference" rate the reference itself and are left out.
    """
    table = index.require("CID22_validation_set.csv")
    records = [
        {
            "reference_file": index.locate(row["reference_img"]),
            "distorted_file": index.locate(row["distorted_img"]),
            "distortion": row["encoder"],
            "score": to_float(table, number, row["mcos"], "MCOS", -50, 150),
            "left_out": "rating of a reference" if row["encoder"] == "Reference" else None,
        }
        for number, row in rows(table, ("reference_img", "distorted_img", "encoder", "MCOS"))
    ]
    return Reading(pd.DataFrame.from_records(records), facts={"score_se_from": None})


CID22 = DatasetKind(
    name="cid22",
    title="CID22 (validation set)",
    read=read,
    direction="higher is better",
    citation=Citation(
        "sneyers2023cid22",
        "J. Sneyers, E. Ben Baruch, Y. Vaxman. CID22: Large-scale subjective quality assessment "
        "for high fidelity image compression. IEEE MultiMedia, 2023.",
    ),
    licence="Pictures under CC BY-SA 4.0.",
    page="https://cloudinary.com/labs/cid22",
    download_size="size not published",
    sources=(
        Source(
            "official archive (no published checksum)",
            (
                RemoteFile(
                    (
                        "https://cloudinary-marketing-res.cloudinary.com/raw/upload/v1682006242/"
                        "CID22_validation_set.zip",
                    ),
                    "CID22_validation_set.zip",
                ),
            ),
        ),
    ),
    counts={"": Counts(49, 4292)},
)
