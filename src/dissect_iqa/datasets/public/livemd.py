"""LIVE multiply distorted: 15 references, blur + JPEG and blur + noise (Jayaraman et al. 2012)."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from dissect_iqa.datasets.base import Citation, Counts, DatasetKind, Index, Reading
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.public.matlab import names, variables, vector
from dissect_iqa.datasets.public.mirrors import iqa_pytorch
from dissect_iqa.errors import UserError

#: Part -> folder of its pictures.
PARTS = {1: "blurjpeg", 2: "blurnoise"}
_NAME = re.compile(r"^([a-z0-9]+)((?:_(?:blur|jpeg|noise)[1-3])+)\.bmp$", re.IGNORECASE)
_WORDS = {"blur": "Gaussian blur", "jpeg": "JPEG", "noise": "white noise"}


def read(index: Index, entry: DatasetEntry) -> Reading:
    """Read `Imagelists.mat` and `Scores.mat` of both parts.

    The DMOS is higher for worse pictures. Pictures with blur alone are in both parts, rated
    separately. The standard error comes from the raters' difference scores, where their mean
    is the DMOS.
    """
    records, origins = [], []
    for part, folder in PARTS.items():
        lists, scores = (_of_part(index, part, name) for name in ("Imagelists.mat", "Scores.mat"))
        content = variables(scores)
        count = np.asarray(content.get("DMOSscores", ())).size
        dmos = vector(scores, content, "DMOSscores", count)
        errors, raters, origin = _standard_errors(content, dmos)
        origins.append(f"part {part}: {origin}")
        for row, name in enumerate(names(lists, variables(lists), "distimgs", count)):
            match = _NAME.match(name)
            if not match:
                raise UserError(
                    f"{lists}: picture {row + 1} is called {name!r}, expected e.g. "
                    "'babygirl_blur2_jpeg3.bmp'"
                )
            applied = match[2].lower().strip("_").split("_")
            single = len(applied) == 1
            records.append(
                {
                    "reference_file": index.locate(f"{folder}/{match[1]}.bmp"),
                    "distorted_file": index.locate(f"{folder}/{name}"),
                    "distortion": " + ".join(_WORDS[word[:-1]] for word in applied),
                    "level": int(applied[0][-1]) if single else None,
                    "score": dmos[row],
                    "score_se": errors[row],
                    "raters": raters[row],
                    "subset_part_1": part == 1,
                    "subset_part_2": part == 2,
                }
            )
    return Reading(pd.DataFrame.from_records(records), facts={"score_se_from": "; ".join(origins)})


def _standard_errors(content: dict, dmos: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
    """Return standard errors, numbers of raters, and how they were derived."""
    unknown = np.full(len(dmos), np.nan)
    opinions = np.asarray(content.get("dist_diffscores", np.empty((0, 0))), dtype="float64")
    if opinions.ndim == 2 and opinions.shape[1] != len(dmos):
        opinions = opinions.T
    if opinions.ndim != 2 or opinions.shape[1] != len(dmos) or len(opinions) < 2:
        return unknown, unknown, "none; Scores.mat has no dist_diffscores"
    raters = np.isfinite(opinions).sum(axis=0)
    if (raters < 2).any() or not np.allclose(np.nanmean(opinions, axis=0), dmos, atol=0.01):
        return unknown, unknown, "none; the mean of dist_diffscores isn't DMOSscores"
    spread = np.nanstd(opinions, axis=0, ddof=1)
    return spread / np.sqrt(raters), raters.astype(float), "std of dist_diffscores / sqrt(raters)"


def _of_part(index: Index, part: int, name: str) -> Path:
    """Return the file of that name below the folder "Part 1", "Part_1" or "Part1"."""
    folder = re.compile(rf"(^|/)part[ _]?{part}/", re.IGNORECASE)
    found = [file for file in index.matches(name) if folder.search(file)]
    if len(found) != 1:
        raise UserError(
            f"{index.root}: {len(found)} files {name!r} in a folder 'Part {part}', expected one"
        )
    return index.table(found[0])


LIVE_MD = DatasetKind(
    name="livemd",
    title="LIVE multiply distorted",
    read=read,
    direction="higher is worse",
    citation=Citation(
        "jayaraman2012objective",
        "D. Jayaraman, A. Mittal, A. K. Moorthy, A. C. Bovik. Objective quality assessment of "
        "multiply distorted images. Asilomar Conference on Signals, Systems and Computers (2012) "
        "1693-1697. doi:10.1109/ACSSC.2012.6489321",
    ),
    licence="No licence text was found; the official copy is given out after a form.",
    page="https://live.ece.utexas.edu/research/Quality/live_multidistortedimage.html",
    download_size="0.9 GB",
    sources=(
        iqa_pytorch(
            "livem.tgz",
            882123715,
            "ee5abefa71520522494d5d9f4c1d7bac17b14b1ffc46f108420120aebadecec0",
        ),
    ),
    how_to_get="The official archive needs a form and a password: fill it in, unpack the archive "
    "with the password you get and name the unpacked folder.",
    counts={"": Counts(15, 450)},
)
