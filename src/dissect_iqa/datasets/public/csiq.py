"""CSIQ: 30 references, 6 types, 4 or 5 levels (Larson and Chandler 2010)."""

import math
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
from dissect_iqa.datasets.public.mirrors import iqa_pytorch
from dissect_iqa.datasets.public.text import bad_line, lines, to_float
from dissect_iqa.errors import UserError
from dissect_iqa.files.delimited import check_columns

#: The workbook's spelling -> (token in the file names, published name).
TYPES = {
    "noise": ("AWGN", "additive white Gaussian noise"),
    "blur": ("BLUR", "Gaussian blur"),
    "contrast": ("contrast", "global contrast decrements"),
    "fnoise": ("fnoise", "additive pink Gaussian noise"),
    "jpeg": ("JPEG", "JPEG"),
    "jpeg 2000": ("jpeg2000", "JPEG2000"),
}
_NAMES = {token.lower(): name for token, name in TYPES.values()}
#: About 5000 ratings of 866 pictures.
_RATINGS_A_PICTURE = 5000 / 866
_WORKBOOK_COLUMNS = ("image", "dst_type", "dst_lev", "dmos_std", "dmos")
_FILE = re.compile(r"^([a-z0-9_]+)\.([a-z0-9]+)\.([1-5])\.png$", re.IGNORECASE)


def read(index: Index, entry: DatasetEntry) -> Reading:
    """Read `csiq.DMOS.xlsx`, or `csiq_label.txt` where only that is there.

    The DMOS runs from 0 to 1, higher is worse. Only the workbook has `dmos_std`.
    """
    if index.find("csiq.DMOS.xlsx"):
        path = index.require("csiq.DMOS.xlsx")
        scores, origin = (
            _workbook(path),
            (
                "dmos_std / sqrt(5000/866), taking it as the spread of the raters (about 5000 "
                "ratings of 866 pictures)"
            ),
        )
    else:
        path = index.require("csiq_label.txt", "csiq.DMOS.xlsx")
        scores, origin = _labels(path), None
    records = []
    for number, name, dmos, deviation in scores:
        match = _FILE.match(name)
        if not match or match[2].lower() not in _NAMES:
            raise bad_line(path, number, name, "a picture NAME.TYPE.LEVEL.png")
        records.append(
            {
                "reference_file": index.locate(f"{match[1]}.png"),
                "distorted_file": index.locate(name),
                "distortion": _NAMES[match[2].lower()],
                "level": int(match[3]),
                "score": to_float(path, number, dmos, "DMOS", 0, 1),
                "score_se": None
                if deviation is None
                else to_float(path, number, deviation, "dmos_std", 0, 1)
                / math.sqrt(_RATINGS_A_PICTURE),
            }
        )
    return Reading(pd.DataFrame.from_records(records), facts={"score_se_from": origin})


def _workbook(path: Path) -> Iterator[tuple[int, str, str, str | None]]:
    """Yield (row, file name, dmos, dmos_std) of the sheet `all_by_image`.

    Rows above the header and empty rows at the end are skipped; the picture "1600" is a number
    to Excel.
    """
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # a damaged one: BadZipFile, KeyError, ParseError ...
        raise UserError(f"{path}: not an Excel file that can be read ({error})") from error
    try:
        if "all_by_image" not in book.sheetnames:
            raise UserError(f"{path}: no sheet 'all_by_image'; it has {', '.join(book.sheetnames)}")
        columns: dict[str, int] = {}
        for number, cells in enumerate(book["all_by_image"].iter_rows(values_only=True), 1):
            if not columns:
                texts = [str(cell).strip().lower() for cell in cells]
                if set(_WORKBOOK_COLUMNS) <= set(texts):
                    check_columns(path, number, [x for x in texts if x in _WORKBOOK_COLUMNS])
                    columns = {text: place for place, text in enumerate(texts)}
                continue
            row = {name: cells[place] for name, place in columns.items() if place < len(cells)}
            if row.get("image") is None:
                continue
            kind = str(row["dst_type"]).strip().lower()
            if kind not in TYPES:
                raise bad_line(path, number, kind, f"a dst_type of {', '.join(TYPES)}")
            image, level = _text(row["image"]), _text(row["dst_lev"])
            name = f"{image}.{TYPES[kind][0]}.{level}.png"
            yield number, name, str(row["dmos"]), str(row["dmos_std"])
        if not columns:
            raise UserError(f"{path}: no row with {', '.join(map(repr, _WORKBOOK_COLUMNS))}")
    finally:
        book.close()


def _text(cell: object) -> str:
    """Return a cell as text; whole numbers without a decimal point."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def _labels(path: Path) -> Iterator[tuple[int, str, str, None]]:
    """Yield the lines "1600.AWGN.1.png 0.061989"."""
    for number, line in lines(path):
        parts = line.split()
        if len(parts) != 2:
            raise bad_line(path, number, line, "'NAME.TYPE.LEVEL.png <DMOS>'")
        yield number, parts[0], parts[1], None


_SITE = "https://s2.smu.edu/~eclarson/csiq"
_WORKBOOK = RemoteFile((f"{_SITE}/csiq.DMOS.xlsx",), "csiq.DMOS.xlsx", unpack=False)
_COPY = iqa_pytorch(
    "csiq.tgz", 379062485, "e34c372c98e751c5490dadeb536e37666296b6c4f651df30cc04c0547ffee5b0"
)

CSIQ = DatasetKind(
    name="csiq",
    title="CSIQ",
    read=read,
    direction="higher is worse",
    citation=Citation(
        "larson2010most",
        "E. C. Larson, D. M. Chandler. Most apparent distortion: full-reference image quality "
        "assessment and the role of strategy. Journal of Electronic Imaging 19(1) (2010) 011006. "
        "doi:10.1117/1.3267105",
    ),
    licence="No licence is published with it.",
    page="https://s2.smu.edu/~eclarson/csiq.html",
    download_size="0.4 GB",
    sources=(
        Source(f"{_COPY.label}, with the official workbook", (*_COPY.files, _WORKBOOK)),
        Source(
            "official archives (no published checksums)",
            (
                RemoteFile((f"{_SITE}/src_imgs.zip",), "src_imgs.zip"),
                RemoteFile((f"{_SITE}/dst_imgs.zip",), "dst_imgs.zip"),
                _WORKBOOK,
            ),
        ),
        Source(f"{_COPY.label}, without standard errors", _COPY.files),
    ),
    how_to_get="The archive to name may be a list: [src_imgs.zip, dst_imgs.zip, csiq.DMOS.xlsx].",
    counts={"": Counts(30, 866)},
)
