"""A rehearsal's data sets: a few pairs of a folder that is here, else small made-up pictures.

Made-up ones have what their kind has (types, levels, subsets, standard errors, triplets, the
direction and the range of scores), so that whatever reads them does what it will do for the real
data. Only the published tables and pictures themselves are not read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dissect_iqa.datasets.base import DatasetKind
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.obtain import PICTURES
from dissect_iqa.datasets.public import bapps, cidiq, csiq, kadid10k, pipal, tid2013, vclfer
from dissect_iqa.datasets.public.tid import TYPES as TID_TYPES
from dissect_iqa.datasets.public.triplets import TripletTable
from dissect_iqa.datasets.registry import KINDS

MADE_UP = (
    "Rehearsal: untrained networks on a few made-up pictures and scores. No number is a result."
)
TAKEN = "Rehearsal: untrained networks on a few of the pairs. No number is a result."

REFERENCES, LEVELS = 3, (1, 3)
#: Pairs of each reference, and triplets, that are taken of a folder.
_PAIRS, _TRIPLETS = 6, 12
#: Beyond the least that is asked for: odd sides, that no patch size divides.
_EXTRA = (5, 23)
#: Height and width in pixels of the smallest pictures of thresholds.
SMALLEST_SCREEN = 96
#: Types of distortion that are made in turn, by TID2013's numbers.
_MADE = (1, 8, 10, 18, 6, 16, 7)
#: A stand-in's score: PSNRs of the worst and the best quality in dB, and the scores' error.
_WORST, _BEST, _NOISE = 24.0, 36.0, 0.1


@dataclass(frozen=True)
class Shape:
    """What a kind's tables hold, and how large its pictures are.

    Attributes
    ----------
    types : tuple of str
        Some of the distortions' names, enough to have one in each subset.
    worst, best : float
        Scores of the worst and the best picture, about.
    sizes : tuple of (int, int)
        Heights and widths of the real pictures; two where they differ.
    subsets : mapping of str to collection of str
        The types in each official subset.
    levels : bool
        Whether distortions have levels.
    error : float or None
        Standard error of a score, about, where the data set gives one.
    raters : int or None
        Their number, where the data set gives it.
    triplets : callable or None
        ``triplets(rng, better) -> (share who chose the second, raters)``.
    """

    types: tuple[str, ...]
    worst: float
    best: float
    sizes: tuple[tuple[int, int], ...]
    subsets: Mapping[str, Any] = field(default_factory=dict)
    levels: bool = False
    error: float | None = None
    raters: int | None = None
    triplets: Callable[[np.random.Generator, float], tuple[float, int]] | None = None


def _five_raters(rng: np.random.Generator, better: float) -> tuple[float, int]:
    return rng.binomial(bapps.RATERS, better) / bapps.RATERS, bapps.RATERS


def _one_mind(rng: np.random.Generator, better: float) -> tuple[float, int]:
    return float(rng.random() < better), int(rng.integers(6, 9))


_TID = tuple(TID_TYPES[number - 1] for number in (1, 10, 16, 18))
_KADID = {name: kadid10k.TYPES[first - 1] for name, (first, _) in kadid10k.GROUPS.items()}
_LIVEMD = ("Gaussian blur", "JPEG", "Gaussian blur + JPEG", "Gaussian blur + white noise")
_USUAL = ((384, 512),)

SHAPES: dict[str, Shape] = {
    "tid2008": Shape(_TID[:3], worst=0, best=9, sizes=_USUAL, levels=True, error=0.13),
    "tid2013": Shape(
        _TID,
        worst=0,
        best=9,
        sizes=_USUAL,
        subsets={
            name: {TID_TYPES[number - 1] for number in numbers}
            for name, numbers in tid2013.SUBSETS.items()
        },
        levels=True,
        error=0.13,
    ),
    "kadid10k": Shape(
        tuple(_KADID.values()),
        worst=1,
        best=5,
        sizes=_USUAL,
        subsets={name: {kind} for name, kind in _KADID.items()},
        levels=True,
        error=0.1,
        raters=kadid10k.RATERS,
    ),
    "csiq": Shape(
        tuple(name for _, name in list(csiq.TYPES.values())[:4]),
        worst=1,
        best=0,
        sizes=((512, 512),),
        levels=True,
        error=0.04,
    ),
    "live": Shape(
        ("JPEG2000", "JPEG", "white noise"),
        worst=90,
        best=5,
        sizes=((512, 768), (768, 512)),
        error=1.5,
    ),
    "livemd": Shape(
        _LIVEMD,
        worst=80,
        best=5,
        sizes=((720, 1280),),
        subsets={"part_1": _LIVEMD[:3], "part_2": (_LIVEMD[0], _LIVEMD[3])},
        levels=True,
        error=2.0,
        raters=18,
    ),
    "pipal": Shape(
        pipal.CLASSES,
        worst=1000,
        best=1800,
        sizes=((288, 288),),
        subsets={short: {name} for short, name in zip(pipal.SHORT, pipal.CLASSES, strict=True)},
    ),
    "pieapp": Shape(("gaussian blur", "noise", "jpeg"), worst=5, best=0, sizes=((256, 256),)),
    "mdid": Shape(("multiple distortions",), worst=0, best=8, sizes=_USUAL),
    "cidiq": Shape(
        (*cidiq.TYPES[:2], cidiq.TYPES[4]),
        worst=1,
        best=9,
        sizes=((800, 800),),
        subsets={"gamut_mapping": cidiq.TYPES[4:]},
        levels=True,
        raters=cidiq.RATERS,
    ),
    "cid22": Shape(("AVIF_aom_s1", "JPEG", "JXL"), worst=30, best=95, sizes=((512, 512),)),
    "vclfer": Shape(
        tuple(vclfer.TYPES.values()),
        worst=0,
        best=100,
        sizes=((512, 768), (768, 512)),
        levels=True,
    ),
    "bapps": Shape(
        bapps.SETS,
        worst=0,
        best=1,
        sizes=((64, 64),),
        subsets={name: {name} for name in bapps.SETS},
        triplets=_five_raters,
    ),
    "nights": Shape(
        ("variation by a generative network",),
        worst=0,
        best=1,
        sizes=((768, 768),),
        triplets=_one_mind,
    ),
}


def label(rehearse: bool, own: str | None = None) -> str | None:
    """Return the remark beside the results of pairs that were taken of a folder."""
    return " ".join(text for text in (TAKEN if rehearse else None, own) if text) or None


def take_few(pairs: pd.DataFrame) -> pd.DataFrame:
    """Take a few pairs, of all kinds: some references, types and scores; of triplets some whole.

    Parameters
    ----------
    pairs : DataFrame
        All pairs of a data set, checked.

    Returns
    -------
    DataFrame
        At most 18 pairs of three references, or 12 triplets, in their order.
    """
    if "triplet" in pairs:
        return pairs[pairs["triplet"].isin(_spread(pairs["triplet"].unique(), _TRIPLETS))]
    chosen: list[int] = []
    for reference in _spread(pairs["reference"].unique(), REFERENCES):
        rows = pairs[pairs["reference"] == reference].sort_values(["distortion", "score"])
        chosen += list(_spread(rows.index.to_numpy(), _PAIRS))
    return pairs.loc[sorted(chosen)]


def _spread(items: np.ndarray, most: int) -> np.ndarray:
    """Return at most so many items, evenly spaced, with the first and the last."""
    return items[np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int)]


def make_up(entry: DatasetEntry, folder: Path, side: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Write made-up pictures and return their pairs and their facts.

    Parameters
    ----------
    entry : DatasetEntry
        Its kind says what is made.
    folder : Path
        ``rehearsal/resources/datasets/{dataset}``; gets the pictures.
    side : int
        Short side in pixels that baselines and networks need; pictures have a few more, but never
        more than the real ones.

    Returns
    -------
    pairs : DataFrame
        See `dissect_iqa.datasets.base.Reading`.
    facts : dict
        See `dissect_iqa.datasets.finish.finish`.
    """
    if entry.kind == "demo":
        from dissect_iqa.datasets.demo import PHOTOGRAPHS, SMALLEST_SIDE, make_demo

        crop = (SMALLEST_SIDE, SMALLEST_SIDE + 16)
        names = list(PHOTOGRAPHS)[:REFERENCES]
        frame, facts = make_demo(folder, crop=crop, references=names, types=(1, 10))
        return frame, {**facts, "label": MADE_UP}
    if entry.kind == "thresholds":
        from dissect_iqa.datasets.thresholds.make import make_thresholds

        pixels = max(side + _EXTRA[0], SMALLEST_SCREEN)
        # the same field of view, so that the same stimuli fit
        density = entry.pixels_per_degree * pixels / entry.pixels
        few = {"most": 2 * REFERENCES, "pixels": pixels, "pixels_per_degree": density}
        frame, facts = make_thresholds(entry.model_copy(update=few), folder)
        return frame, {**facts, "label": MADE_UP}
    kind, shape = KINDS[entry.kind], SHAPES[entry.kind]
    rows = _triplets(shape, folder, side) if shape.triplets else _rated(shape, folder, side)
    return rows, _facts(kind)


def _rated(shape: Shape, folder: Path, side: int) -> pd.DataFrame:
    """Return pairs of three references, each with every type at two levels."""
    rng = np.random.default_rng(0)
    # One type alone still gets pictures that differ
    types = shape.types * (1 if len(shape.types) > 1 else 3)
    records = []
    for number in range(REFERENCES):
        stand_in = _StandIn(shape, number, folder, side)
        for place, distortion in enumerate(types):
            for level in LEVELS:
                file, quality = stand_in.distorted(place, level, rng)
                score = shape.worst + quality * (shape.best - shape.worst)
                record = {
                    "reference": stand_in.name,
                    "reference_file": stand_in.file,
                    "distorted_file": file,
                    "distortion": distortion,
                    "score": round(score, 4),
                    "score_se": shape.error and shape.error * rng.uniform(0.8, 1.2),
                    "raters": shape.raters,
                }
                single = shape.levels and " + " not in distortion
                records.append(record | ({"level": level} if single else {}))
    return _with_subsets(pd.DataFrame.from_records(records), shape)


def _triplets(shape: Shape, folder: Path, side: int) -> pd.DataFrame:
    """Return triplets, each of a reference of its own."""
    assert shape.triplets is not None
    rng, table = np.random.default_rng(0), TripletTable()
    for number in range(_TRIPLETS):
        stand_in = _StandIn(shape, number, folder, side)
        place = number % len(_MADE)
        first, second = (stand_in.distorted(place + step, LEVELS[step], rng) for step in (0, 1))
        better = float(np.clip(0.5 + 2 * (second[1] - first[1]), 0, 1))
        share, raters = shape.triplets(rng, better)
        distortion = shape.types[number % len(shape.types)]
        files = (stand_in.file, first[0], second[0])
        table.add(stand_in.name, files, share, raters, distortion=distortion)
    frame = _with_subsets(table.frame(), shape)
    if len(shape.types) == 1:  # NIGHTS: one mind has no standard error, and pictures two sources
        frame["score_se"] = np.nan
        frame["subset_imagenet"] = frame["triplet"] % 2 == 0
        frame["subset_no_imagenet"] = frame["triplet"] % 2 == 1
    return frame


def _with_subsets(frame: pd.DataFrame, shape: Shape) -> pd.DataFrame:
    for name, types in shape.subsets.items():
        frame[f"subset_{name}"] = frame["distortion"].isin(list(types))
    return frame


class _StandIn:
    """One reference, written, and what is made of it."""

    def __init__(self, shape: Shape, number: int, folder: Path, side: int):
        from dissect_iqa.datasets.demo import PHOTOGRAPHS, thumbnail

        photographs = list(PHOTOGRAPHS.values())
        photograph = photographs[number % len(photographs)]
        picture = thumbnail(photograph, _size(shape.sizes[number % len(shape.sizes)], side))
        # Seen in a mirror, a photograph serves once more
        self._picture = picture[:, ::-1] if number // len(photographs) % 2 else picture
        self.name = f"{photograph.name}{number}"
        self._number, self._folder = number, folder
        self.file = self._write(self.name, self._picture)

    def distorted(self, place: int, level: int, rng: np.random.Generator) -> tuple[str, float]:
        """Write a distorted picture; return its file and its quality, 0..1, with an error."""
        from dissect_iqa.datasets.distortions import DISTORTIONS, tune

        kind = _MADE[place % len(_MADE)]
        field_rng = np.random.default_rng([self._number, place])
        tuned = tune(self._picture, DISTORTIONS[kind], level, field_rng)
        quality = (tuned.psnr - _WORST) / (_BEST - _WORST) + rng.normal(0, _NOISE)
        file = self._write(f"{self.name}_{place:02d}_{level}", tuned.picture)
        return file, float(np.clip(quality, 0, 1))

    def _write(self, name: str, picture: np.ndarray) -> str:
        from PIL import Image

        file = f"{PICTURES}/{name}.png"
        (self._folder / PICTURES).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.ascontiguousarray(picture)).save(self._folder / file)
        return file


def _size(real: tuple[int, int], side: int) -> tuple[int, int]:
    """Return height and width of a stand-in: small, turned like the real one, never larger."""
    wanted = (side + _EXTRA[0], side + _EXTRA[1])
    if real[0] > real[1]:
        wanted = wanted[::-1]
    return min(wanted[0], real[0]), min(wanted[1], real[1])


def _facts(kind: DatasetKind) -> dict[str, Any]:
    return {
        "title": kind.title,
        "direction": kind.direction,
        "citation": kind.citation.text,
        "citation_key": kind.citation.key,
        "licence": kind.licence,
        "page": kind.page,
        "source": {"label": "made up for a rehearsal"},
        "label": MADE_UP,
    }
