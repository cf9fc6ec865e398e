"""What TID2008 and TID2013 share: one layout, one score format, the same first 17 types."""

import re

import pandas as pd

from dissect_iqa.datasets.base import Index, Reading
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.public.text import bad_line, lines, numbers, to_float
from dissect_iqa.errors import UserError

#: Types 1..24 in their order; TID2008 has the first 17.
TYPES = (
    "additive Gaussian noise",
    "noise stronger in colour components",
    "spatially correlated noise",
    "masked noise",
    "high-frequency noise",
    "impulse noise",
    "quantization noise",
    "Gaussian blur",
    "image denoising",
    "JPEG",
    "JPEG2000",
    "JPEG transmission errors",
    "JPEG2000 transmission errors",
    "non-eccentricity pattern noise",
    "local block-wise distortions",
    "mean shift",
    "contrast change",
    "colour saturation change",
    "multiplicative Gaussian noise",
    "comfort noise",
    "lossy compression of noisy images",
    "colour quantization with dither",
    "chromatic aberrations",
    "sparse sampling and reconstruction",
)
LICENCE = (
    "Copying, using and modifying for educational and research purposes is free of charge if the "
    "notice is kept and the papers are cited; the database itself must not be modified without "
    "permission."
)
#: The last reference is made up of patterns; all others are photographs.
ARTIFICIAL = "i25"
_LINE = re.compile(r"^(\S+)\s+(i(\d\d)_(\d\d)_(\d)\.bmp)$", re.IGNORECASE)


def read_tid(index: Index, entry: DatasetEntry, types: int, levels: int) -> Reading:
    """Read `mos_with_names.txt` and `mos_std.txt`.

    The MOS runs from 0 to 9, higher is better. `mos_std.txt` holds the standard deviation of
    the MOS itself (its values of about 0.13 on a scale of 9, from some 30 judgements a picture,
    can't be a spread of opinions), so it is used as the standard error as it stands.
    """
    table = index.require("mos_with_names.txt")
    errors_table = index.require("mos_std.txt")
    records = []
    for number, line in lines(table):
        match = _LINE.match(line)
        if not match:
            raise bad_line(table, number, line, "'<MOS> iRR_TT_L.bmp'")
        mos, name, reference, kind, level = match.groups()
        if not (1 <= int(kind) <= types and 1 <= int(level) <= levels):
            raise bad_line(table, number, line, f"a type of 1..{types} and a level of 1..{levels}")
        records.append(
            {
                "reference": f"i{reference}",
                "reference_file": index.locate(f"i{reference}.bmp"),
                "distorted_file": index.locate(name),
                "type": int(kind),
                "level": int(level),
                "score": to_float(table, number, mos, "MOS", 0, 9),
            }
        )
    frame = pd.DataFrame.from_records(records)
    errors = numbers(errors_table, "standard deviation of the MOS", 0, 9)
    if len(errors) != len(frame):
        raise UserError(
            f"{errors_table}: {len(errors)} lines, but {table.name} has {len(frame)}; the two "
            "must have the same order and length"
        )
    frame["score_se"] = errors
    frame["distortion"] = [TYPES[kind - 1] for kind in frame["type"]]
    if entry.drop_reference_25:
        out = frame["reference"] == ARTIFICIAL
        frame["left_out"] = pd.Series(pd.NA, frame.index, dtype="string").mask(
            out, "synthetic reference 25 (drop_reference_25)"
        )
    return Reading(
        frame,
        facts={"score_se_from": "mos_std.txt, the standard deviation of the mean, as it stands"},
    )
