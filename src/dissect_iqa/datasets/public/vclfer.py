"""VCL@FER: 23 references, 4 types, 6 levels (Zaric et al. 2012)."""

import re
from collections.abc import Iterator
from pathlib import Path

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
from dissect_iqa.datasets.public.mirrors import waterloo
from dissect_iqa.datasets.public.text import bad_line, to_float, waterloo_rows
from dissect_iqa.errors import UserError

TYPES = {
    "AWGN": "additive white Gaussian noise",
    "BLU": "Gaussian blur",
    "J2K": "JPEG2000",
    "JPG": "JPEG",
}
_NAME = re.compile(r"^IMG_(\d\d)_(AWGN|BLU|J2K|JPG)_([1-6])(?:\.bmp|\.jpg)?$", re.IGNORECASE)


def read(index: Index, entry: DatasetEntry) -> Reading:
    """Read Waterloo's table, or the official `results.xls`; the MOS is 0..100, higher is better."""
    if index.find("results.xls"):
        path = index.require("results.xls")
        scores = list(_workbook(path))
    else:
        path = index.require("VCLFER.txt", "results.xls")
        scores = [(number, name, mos) for number, name, _, mos in waterloo_rows(path, 0, 100)]
    records = []
    for number, name, mos in scores:
        match = _NAME.match(name)
        if not match:
            raise bad_line(path, number, name, "a picture IMG_RR_TYPE_L")
        kind = match[2].upper()
        ending = "jpg" if kind == "JPG" else "bmp"
        records.append(
            {
                "reference_file": index.locate(f"IMG_{match[1]}.bmp"),
                "distorted_file": index.locate(f"IMG_{match[1]}_{kind}_{match[3]}.{ending}"),
                "distortion": TYPES[kind],
                "level": int(match[3]),
                "score": mos,
            }
        )
    return Reading(
        pd.DataFrame.from_records(records),
        facts={"score_se_from": None, "scores": f"from {path.name}"},
    )


def _workbook(path: Path) -> Iterator[tuple[int, str, float]]:
    """Yield (row, picture, MOS) from the sheet that names pictures and has a column "MOS".

    The workbook's layout isn't documented, so the columns are recognised by their content, and
    anything ambiguous is refused.
    """
    import xlrd

    try:
        book = xlrd.open_workbook(path)
    except Exception as error:  # a damaged one: XLRDError, CompDocError, struct.error ...
        raise UserError(f"{path}: not an Excel file that can be read ({error})") from error
    for sheet in book.sheets():
        table = [[str(cell.value).strip() for cell in row] for row in sheet.get_rows()]
        header = next(
            (number for number, row in enumerate(table) if "mos" in map(str.lower, row)), None
        )
        if header is None:
            continue
        labels = [cell.lower() for cell in table[header]]
        if labels.count("mos") > 1:
            raise UserError(f"{path}, sheet {sheet.name!r}: several columns are called 'MOS'")
        place = labels.index("mos")
        found = False
        for number, row in enumerate(table[header + 1 :], header + 2):
            named = [cell for cell in row if _NAME.match(cell)]
            if named:
                found = True
                yield number, named[0], to_float(path, number, row[place], "MOS", 0, 100)
        if found:
            return
    raise UserError(
        f"{path}: no sheet with pictures IMG_RR_TYPE_L in one column and 'MOS' in another"
    )


VCLFER = DatasetKind(
    name="vclfer",
    title="VCL@FER",
    read=read,
    direction="higher is better",
    citation=Citation(
        "zaric2012vclfer",
        "A. Zaric, N. Tatalovic, N. Brajkovic, H. Hlevnjak, M. Loncaric, E. Dumic, S. Grgic. "
        "VCL@FER image quality assessment database. Automatika 53(4) (2012) 344-354.",
    ),
    licence="Terms on the official page forbid redistribution and commercial use.",
    closed="The terms of VCL@FER forbid redistribution, so its pictures aren’t shown.",
    page="http://www.vcl.fer.hr/quality/vclfer.html",
    download_size="size not published",
    sources=(
        Source(
            "official archive (no published checksum; rar)",
            (
                RemoteFile(("http://www.vcl.fer.hr/quality/vlc@fer.rar",), "vlc@fer.rar"),
                RemoteFile(
                    ("http://www.vcl.fer.hr/quality/results.xls",), "results.xls", unpack=False
                ),
            ),
        ),
        waterloo(
            "VCLFER",
            (
                "VCLFER",
                41061,
                "889a9b38ced44a33f2db98be8c751bcfbd220bd4eac817b97890fd900f32c839",
            ),
        ),
    ),
    counts={"": Counts(23, 552)},
)
