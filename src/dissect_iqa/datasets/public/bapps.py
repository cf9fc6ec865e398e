"""BAPPS, its 2AFC validation part: 36344 triplets of 64x64 patches (Zhang et al. 2018)."""

import re
from pathlib import Path

import numpy as np

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
from dissect_iqa.datasets.public.triplets import TripletTable
from dissect_iqa.errors import UserError

SETS = ("traditional", "cnn", "superres", "deblur", "color", "frameinterp")
RATERS = 5
_JUDGE = re.compile(rf"^(.*?2afc/val/({'|'.join(SETS)})/)judge/(\d+)\.npy$", re.IGNORECASE)


def read(index: Index, entry: DatasetEntry) -> Reading:
    """Read ``2afc/val/<set>/judge/NNNNNN.npy``: the share of five raters who chose p1 over p0."""
    found = [match for file in index.files if (match := _JUDGE.match(file))]
    if not found:
        raise UserError(f"{index.root}: no files 2afc/val/<set>/judge/*.npy in it or below it")
    found.sort(key=lambda match: (SETS.index(match[2].lower()), match[3]))
    table = TripletTable()
    for match in found:
        base, name, number = match[1], match[2].lower(), match[3]
        reference, first, second = (
            index.locate(f"{base}{part}/{number}.png") for part in ("ref", "p0", "p1")
        )
        table.add(
            f"{name}/{number}",
            (reference, first, second),
            _share(index.root / match[0]),
            RATERS,
            distortion=name,
            **{f"subset_{other}": other == name for other in SETS},
        )
    frame = table.frame()
    used = set(frame["reference_file"]) | set(frame["distorted_file"])
    wanted = re.compile(r"2afc/val/[^/]+/(ref|p0|p1)/", re.IGNORECASE)
    return Reading(
        frame,
        facts={
            "score_se_from": "binomial, five raters",
            "triplets": len(frame) // 2,
            "evaluation": "agreement with the raters' choice, not correlation",
        },
        # The training and the JND parts are other experiments.
        aside={file for file in index.pictures - used if not wanted.search(file)},
    )


def _share(path: Path) -> float:
    try:
        share = float(np.load(path).item())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not an array of one number ({error})") from error
    if not 0 <= share <= 1:
        raise UserError(f"{path}: found {share:g}, expected a share of 0..1")
    return share


BAPPS = DatasetKind(
    name="bapps",
    title="BAPPS 2AFC (validation)",
    read=read,
    triplets=True,
    direction="higher is better",
    citation=Citation(
        "zhang2018unreasonable",
        "R. Zhang, P. Isola, A. A. Efros, E. Shechtman, O. Wang. The unreasonable effectiveness of "
        "deep features as a perceptual metric. IEEE Conference on Computer Vision and Pattern "
        "Recognition (CVPR), 2018.",
    ),
    licence="The repository is under BSD-2-Clause; the pictures' own rights are not stated.",
    page="https://github.com/richzhang/PerceptualSimilarity",
    download_size="1.1 GB",
    sources=(
        Source(
            "official archive (no published checksum)",
            (
                RemoteFile(
                    (
                        "https://perceptual-similarity.s3.us-west-2.amazonaws.com/dataset/"
                        "twoafc_val.tar.gz",
                    ),
                    "twoafc_val.tar.gz",
                ),
            ),
        ),
        iqa_pytorch(
            "bapps.tgz",
            6561179649,
            "ee61998cf35d03b7935bdfedc1632102e4ce83ceab33a17afa9a6bff54049469",
        ),
    ),
    counts={"": Counts(36344, 72688)},
)
