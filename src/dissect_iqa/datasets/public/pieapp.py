"""PieAPP, its test set: 40 references with 15 distorted pictures each (Prashnani et al. 2018)."""

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
from dissect_iqa.errors import UserError

_TABLE = re.compile(r"(?:^|/)(ref_\d+)_per_image_score\.csv$", re.IGNORECASE)
_PICTURE = re.compile(r"^distort_\d+_(.+?)(?:_(?:inter|intra)(?:_\w+)?)?\.png$", re.IGNORECASE)


def read(index: Index, entry: DatasetEntry) -> Reading:
    """Read the tables ``labels/test/ref_<n>_per_image_score.csv``.

    The score is an error: the reference is at 0 and higher is worse. The column names carry
    leading blanks. Pictures of the training and validation parts have no such scores.
    """
    tables = [(found[1], file) for file in index.files if (found := _TABLE.search(file))]
    if not tables:
        raise UserError(
            f"{index.root}: no files ref_<n>_per_image_score.csv in it or below it (labels/test)"
        )
    records = []
    for reference, table in tables:
        path = index.table(table)
        for number, row in rows(path, ()):
            cells = list(row.values())
            if len(cells) < 3 or "distorted" not in list(row)[1] or "score" not in list(row)[2]:
                raise bad_line(
                    path, 1, ",".join(row), "columns of reference, distorted picture and score"
                )
            name = cells[1].rpartition("/")[2]
            is_reference = name.lower() == f"{reference.lower()}.png"
            match = _PICTURE.match(name)
            if not match and not is_reference:
                raise bad_line(path, number, name, "a picture distort_<n>_<type>_...png")
            locator = f"reference_images/test/{reference}.png"
            records.append(
                {
                    "reference_file": index.locate(locator),
                    "distorted_file": index.locate(
                        locator if is_reference else f"distorted_images/test/{reference}/{name}"
                    ),
                    "distortion": match[1].replace("_", " ") if match else "none",
                    "score": to_float(path, number, cells[2], "score", -1000, 1000),
                    "left_out": "the reference itself" if is_reference else None,
                }
            )
    others = re.compile(r"(?:^|/)(?:train|val)/", re.IGNORECASE)
    return Reading(
        pd.DataFrame.from_records(records),
        facts={"score_se_from": None, "notes": "40 votes for each pair of pictures"},
        aside={file for file in index.pictures if others.search(file)},
    )


PIEAPP = DatasetKind(
    name="pieapp",
    title="PieAPP (test set)",
    read=read,
    direction="higher is worse",
    citation=Citation(
        "prashnani2018pieapp",
        "E. Prashnani, H. Cai, Y. Mostofi, P. Sen. PieAPP: Perceptual image-error assessment "
        "through pairwise preference. IEEE Conference on Computer Vision and Pattern Recognition "
        "(CVPR), 2018.",
    ),
    licence="Non-commercial and educational use (TERMS_OF_USE.pdf in the archive).",
    page="https://github.com/prashnani/PerceptualImageError",
    download_size="2.3 GB",
    sources=(
        iqa_pytorch(
            "pieapp.tgz",
            None,
            "de5f1e41aabc59c06c42a4d4f59f1d9bfae3d69aa5507e54286b2e95dbcc66cf",
        ),
        Source(
            "official archive (no published checksum)",
            (
                RemoteFile(
                    (
                        "https://web.ece.ucsb.edu/~ekta/projects/PieAPPv0.1/"
                        "all_data_PieAPP_dataset_CVPR_2018.zip",
                    ),
                    "all_data_PieAPP_dataset_CVPR_2018.zip",
                ),
            ),
        ),
    ),
    counts={"": Counts(40, 600)},
)
