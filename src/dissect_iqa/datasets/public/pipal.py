"""PIPAL: 225 references, their restorations and distortions (Gu et al. 2020)."""

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from dissect_iqa.datasets.base import Citation, Counts, DatasetKind, Index, Reading, Source
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.public.mirrors import iqa_pytorch, waterloo_table
from dissect_iqa.datasets.public.text import bad_line, lines, to_float, waterloo_rows
from dissect_iqa.errors import UserError

#: The classes 00..06.
CLASSES = (
    "traditional super-resolution",
    "PSNR-oriented super-resolution",
    "super-resolution with kernel mismatch",
    "GAN-based super-resolution",
    "denoising",
    "super-resolution and denoising",
    "traditional distortions",
)
SHORT = (
    "traditional_sr",
    "psnr_sr",
    "mismatch_sr",
    "gan_sr",
    "denoising",
    "sr_denoising",
    "traditional",
)
_PICTURE = re.compile(r"^(A\d{4})_(\d\d)_(\d\d)\.(?:bmp|png)$", re.IGNORECASE)
_LABELS = re.compile(r"(?:^|/)(train|val)[^/]*label[^/]*/A\d{4}\.txt$", re.IGNORECASE)


def read(index: Index, entry: DatasetEntry) -> Reading:
    """Read one file of Elo scores for each reference, or Waterloo's table of the training part.

    Higher is better. Whether scores of different references are comparable is an open question,
    so the mean correlation within references says more than the pooled one.
    """
    split = PIPAL.split(entry)
    records = []
    for path, number, name, score in _scores(index, split):
        match = _PICTURE.match(name)
        if not match or int(match[2]) >= len(CLASSES):
            raise bad_line(path, number, name, "a picture A0000_CC_VV.bmp, CC = 00..06")
        kind = int(match[2])
        records.append(
            {
                "reference_file": index.locate(f"{match[1]}.bmp"),
                "distorted_file": index.locate(name),
                "distortion": CLASSES[kind],
                "score": score,
                **{f"subset_{short}": kind == place for place, short in enumerate(SHORT)},
            }
        )
    frame = pd.DataFrame.from_records(records)
    labelled = {_reference(file) for file in frame["reference_file"]}
    return Reading(
        frame,
        facts={
            "split": split,
            "score_se_from": None,
            "warning": "scores may not be comparable across references; the outputs of generative "
            "networks are slightly misaligned",
        },
        # Pictures of the other split; that all labels are there is proved by the counts.
        aside={file for file in index.pictures if _reference(file) not in labelled},
    )


def _reference(file: str) -> str:
    """Return "a0001" of ".../A0001.bmp" and ".../A0001_00_00.bmp"."""
    return file.rpartition("/")[2][:5].lower()


def _scores(index: Index, split: str) -> Iterator[tuple[Path, int, str, float]]:
    """Yield (table, line, picture, Elo score)."""
    tables = [
        file
        for file in index.files
        if (found := _LABELS.search(file)) and found[1].lower() == split
    ]
    for table in tables:
        path = index.table(table)
        for number, line in lines(path):
            name, _, score = line.partition(",")
            yield path, number, name.strip(), to_float(path, number, score, "Elo score", 0, 4000)
    if not tables and split == "train" and index.find("PIPAL.txt"):
        path = index.require("PIPAL.txt")
        for number, name, _, elo in waterloo_rows(path, 0, 4000):
            yield path, number, name, elo
    elif not tables:
        raise UserError(
            f"{index.root}: no files {split.title()}_Label/A0001.txt ... in it or below it"
        )


_COPY = iqa_pytorch(
    "pipal.tar", 5843353600, "6bcb713ba0f9ad9ff6c11fc4c680ec88e633a674d16dc9d0700786d24b40f6b4"
)
_TABLE = waterloo_table(
    "PIPAL", 2062252, "2caebc5f3a7e02ce6744dbcd705ea96fc7b929d8c0d0db010c3c56c895c2b64c"
)

PIPAL = DatasetKind(
    name="pipal",
    title="PIPAL",
    read=read,
    direction="higher is better",
    citation=Citation(
        "gu2020pipal",
        "J. Gu, H. Cai, H. Chen, X. Ye, J. Ren, C. Dong. PIPAL: a large-scale image quality "
        "assessment dataset for perceptual image restoration. European Conference on Computer "
        "Vision (ECCV), 2020.",
    ),
    licence="Research only, by the project page.",
    page="https://www.jasongt.com/projectpages/pipal.html",
    download_size="5.8 GB",
    sources=(
        _COPY,
        Source(f"{_COPY.label}, with Waterloo's table of scores", (*_COPY.files, _TABLE)),
    ),
    how_to_get="The official archives are on Google Drive (linked from the project page): unpack "
    "Train_Ref, Distortion_1..4 and Train_Label into one folder.",
    options=frozenset({"split"}),
    splits=("train", "val"),
    counts={"train": Counts(200, 23200), "val": Counts(25, 1000)},
)
