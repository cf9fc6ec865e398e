"""MDID: 20 references, 1600 random mixtures of five distortions (Sun, Zhou, Liao 2017)."""

import pandas as pd

from dissect_iqa.datasets.base import Citation, Counts, DatasetKind, Index, Reading
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.public.mirrors import waterloo
from dissect_iqa.datasets.public.text import numbers, waterloo_rows
from dissect_iqa.errors import UserError

#: Distorted pictures of each reference.
_EACH = 80


def read(index: Index, entry: DatasetEntry) -> Reading:
    """Read `mos.txt` (one line a picture, img01_01 .. img20_80), or Waterloo's table.

    The MOS runs from 0 to 8, higher is better. Each picture mixes noise, blur, contrast change,
    JPEG and JPEG2000, so there are no types. `mos_std.txt`, where present, is taken as the
    standard deviation of the raters, whose number isn't stated, so no standard error follows.
    """
    if index.find("mos.txt"):
        path = index.require("mos.txt")
        scores = numbers(path, "MOS", 0, 8)
        if len(scores) % _EACH:
            raise UserError(
                f"{path}: {len(scores)} lines, expected {_EACH} for each reference (1600 in all)"
            )
        named = [
            (f"img{row // _EACH + 1:02d}_{row % _EACH + 1:02d}.bmp", score)
            for row, score in enumerate(scores)
        ]
    else:
        path = index.require("MDID2016.txt", "mos.txt")
        named = [(name, score) for _, name, _, score in waterloo_rows(path, 0, 8)]
    records = [
        {
            "reference_file": index.locate(f"{name[:5]}.bmp"),
            "distorted_file": index.locate(name),
            "distortion": "multiple distortions",
            "score": score,
        }
        for name, score in named
    ]
    return Reading(
        pd.DataFrame.from_records(records),
        facts={"score_se_from": None, "scores": f"from {path.name}"},
    )


MDID = DatasetKind(
    name="mdid",
    title="MDID",
    read=read,
    direction="higher is better",
    citation=Citation(
        "sun2017mdid",
        "W. Sun, F. Zhou, Q. Liao. MDID: A multiply distorted image database for image quality "
        "assessment. Pattern Recognition 61 (2017) 153-168. doi:10.1016/j.patcog.2016.07.033",
    ),
    licence="No licence is published with it; ask the authors.",
    page="http://ivc.uwaterloo.ca/database/IQADataset/",
    download_size="about 1 GB",
    sources=(
        waterloo(
            "MDID2016",
            (
                "MDID2016",
                156655,
                "e1ea3716f67217b7ae2f5d8edabb6e76d1fecef38c49d884c601ff92655af1e0",
            ),
        ),
    ),
    how_to_get="There is no living official download; ask the authors.",
    counts={"": Counts(20, 1600)},
)
