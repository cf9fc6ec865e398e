"""The demo data set: six photographs, 13 of TID2013's distortions, TID2013's mean opinions.

It needs no download: the photographs ship inside scikit-image and scikit-learn. Its scores are
*transferred*: nobody has rated these pictures. Each score is what TID2013's observers thought, on
average over its 25 references, of the same type of distortion at the same level. There, type and
level alone explain 86 % of the variance of all 3000 scores.
"""

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from dissect_iqa.datasets.distortions import DISTORTIONS, NOMINAL_PSNR, TOLERANCE_DB, tune
from dissect_iqa.errors import UserError
from dissect_iqa.files.provenance import atomic_path, sha256_file

#: Height and width of the pictures, in pixels.
DEFAULT_CROP = (192, 256)
#: No crop is smaller, so that subjects stay recognisable and multi-scale metrics have room.
SMALLEST_SIDE = 192

LABEL = (
    "Transferred scores: nobody rated these pictures. Each score is the mean TID2013 opinion of "
    "that type and level of distortion, over TID2013's own 25 references."
)
CITATION = (
    "Scores: N. Ponomarenko, L. Jin, O. Ieremeiev, V. Lukin, K. Egiazarian, J. Astola, B. Vozel, "
    "K. Chehdi, M. Carli, F. Battisti, C.-C. J. Kuo: Image database TID2013: Peculiarities, "
    "results and perspectives. Signal Processing: Image Communication 30 (2015), 57-77. "
    "doi:10.1016/j.image.2014.10.009"
)
_SCORE_SE = (
    "score_se is the standard error of prediction for a single picture, SD * sqrt(1 + 1/25), with "
    "SD the standard deviation of TID2013's MOS over its 25 references. (SD / sqrt(25) is only "
    "how well the mean is known, not how far one picture's rating lies from it.)"
)
_REFERENCES_IN_TID2013 = 25


@dataclass(frozen=True)
class Photograph:
    """A photograph inside an installed package.

    Attributes
    ----------
    name : str
        Stem of the files made from it, and the cluster key of its pairs.
    package, distribution, path : str
        Import name, name of the distribution, and file within the package.
    subject : tuple of int
        Left, top, right, bottom of what every crop has to show, in native pixels.
    title, credit, licence : str
        What it shows, whose it is, and on which terms.
    """

    name: str
    package: str
    distribution: str
    path: str
    subject: tuple[int, int, int, int]
    title: str
    credit: str
    licence: str


def _skimage(file: str, *rest: Any) -> Photograph:
    return Photograph(Path(file).stem, "skimage", "scikit-image", f"data/{file}", *rest)


def _sklearn(file: str, *rest: Any) -> Photograph:
    path = f"datasets/images/{file}"
    return Photograph(Path(file).stem, "sklearn", "scikit-learn", path, *rest)


PHOTOGRAPHS = {
    photograph.name: photograph
    for photograph in (
        _skimage(
            "astronaut.png",
            (112, 6, 310, 294),
            "Astronaut Eileen Collins",
            "NASA Great Images",
            "public domain",
        ),
        _skimage(
            "coffee.png",
            (78, 15, 481, 389),
            "Cup of coffee",
            "Rachel Michetti, courtesy of Pikolo Espresso Bar",
            "CC0",
        ),
        _skimage("chelsea.png", (40, 0, 370, 285), "Chelsea the cat", "Stéfan van der Walt", "CC0"),
        _skimage(
            "rocket.jpg",
            (94, 114, 485, 427),
            "Falcon 9 with DSCOVR before launch",
            "SpaceX",
            "public domain",
        ),
        _sklearn(
            "china.jpg",
            (67, 28, 376, 427),
            "Pagoda by a lake in China",
            "danielbuechele (Flickr), retrieved by Robert Layton; cropped, resized, distorted here",
            "CC BY 2.0",
        ),
        _sklearn(
            "flower.jpg",
            (169, 81, 449, 363),
            "Dahlia",
            "vultilion (Flickr), retrieved by Robert Layton; cropped, resized, distorted here",
            "CC BY 2.0",
        ),
    )
}


def type_level_scores() -> pd.DataFrame:
    """Return TID2013's mean MOS by type and level.

    Returns
    -------
    DataFrame
        Indexed by `type` (1..24) and `level` (1..5): `distortion` (published name), `psnr_db`
        (nominal), `mos_mean` (0..9, higher is better), `mos_sd` (over the 25 references).
    """
    table = resources.files("dissect_iqa.datasets") / "tid2013_type_level_mos.csv"
    with table.open(encoding="utf-8") as file:
        return pd.read_csv(file, comment="#").set_index(["type", "level"])


def make_demo(
    folder: Path,
    progress: Callable[..., Iterable[Any]] | None = None,
    *,
    crop: tuple[int, int] = DEFAULT_CROP,
    references: Sequence[str] = tuple(PHOTOGRAPHS),
    types: Sequence[int] = tuple(DISTORTIONS),
    seed: int = 0,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Write the demo's pictures as PNG and return its pairs and their facts.

    Parameters
    ----------
    folder : Path
        Gets ``reference/`` and ``distorted/``; other PNG files in those two are removed.
    progress : callable, optional
        Wraps the list of (reference, type) that is worked through; default: a tqdm bar.
    crop : (int, int)
        Height and width in pixels; each at least 192 and within every photograph.
    references : sequence of str
        Names in `PHOTOGRAPHS`. A picture's bytes don't depend on which others are made.
    types : sequence of int
        TID2013's numbers, out of `DISTORTIONS`.
    seed : int
        Of the random fields.

    Returns
    -------
    pairs : DataFrame
        One row a pair, by reference, type and level: `reference`, `reference_file`,
        `distorted_file`, `distortion`, `level`, `score` (0..9, higher is better), `score_se`,
        `psnr_nominal`, `psnr` (reached; dB, over all pixels of R, G and B) and `strength` (in
        the type's own unit).
    facts : dict
        `direction`, `title`, `label`, `citation`, `licence`, `source`, `notes`, `photographs`,
        `missed_psnr` and the settings.

    Raises
    ------
    UserError
        If the crop doesn't fit, a name or number is unknown, or a photograph isn't installed.
    """
    _check_choice("reference", references, PHOTOGRAPHS)
    _check_choice("distortion type", types, DISTORTIONS)
    folder, scores = Path(folder), type_level_scores()
    originals = {name: reference_picture(PHOTOGRAPHS[name], crop) for name in references}
    for name, picture in originals.items():
        _save(picture, folder / _reference_file(name))
    work = [(name, number) for name in references for number in types]
    bar = progress or (lambda tasks: tqdm(tasks, desc="distorting", unit="set", disable=None))
    rows: list[dict[str, Any]] = []
    for name, number in bar(work):
        rows += _distort(folder, name, originals[name], number, scores, seed)
    pairs = pd.DataFrame(rows).astype({"level": "Int64"})
    _remove_others(folder, {*pairs["reference_file"], *pairs["distorted_file"]})
    return pairs, {**_facts(pairs, references), "crop": list(crop), "seed": seed}


def reference_picture(photograph: Photograph, crop: tuple[int, int]) -> np.ndarray:
    """Return the crop of a photograph: the subject in the middle, as small a cut as shows it all.

    Parameters
    ----------
    photograph : Photograph
        One of `PHOTOGRAPHS`.
    crop : (int, int)
        Height and width in pixels. The cut has their proportions and is made smaller (Lanczos),
        never larger.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB.

    Raises
    ------
    UserError
        If the crop is too small or larger than the photograph.
    """
    height, width = crop
    picture = _open(photograph)
    if min(crop) < SMALLEST_SIDE or height > picture.height or width > picture.width:
        raise UserError(
            f"demo: a crop of {height}x{width} (height x width) doesn't suit {photograph.name}; "
            f"allowed: {SMALLEST_SIDE}x{SMALLEST_SIDE} to {picture.height}x{picture.width}"
        )
    return _cut(picture, photograph, crop)


def thumbnail(photograph: Photograph, crop: tuple[int, int]) -> np.ndarray:
    """Return what `reference_picture` does, of any size and for no study: a small stand-in."""
    return _cut(_open(photograph), photograph, crop)


def _open(photograph: Photograph) -> Image.Image:
    with Image.open(_locate(photograph)) as file:
        return file.convert("RGB")


def _cut(picture: Image.Image, photograph: Photograph, crop: tuple[int, int]) -> np.ndarray:
    height, width = crop
    box = _window(photograph.subject, picture.size, crop)
    return np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS, box=box))


def _window(
    subject: tuple[int, int, int, int], size: tuple[int, int], crop: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of the cut, in native pixels."""
    left, top, right, bottom = subject
    height, width = crop
    wanted = max((right - left) / width, (bottom - top) / height, 1.0)
    scale = min(wanted, size[0] / width, size[1] / height)
    cut = (round(scale * width), round(scale * height))
    x = min(max((left + right - cut[0]) // 2, 0), size[0] - cut[0])
    y = min(max((top + bottom - cut[1]) // 2, 0), size[1] - cut[1])
    return x, y, x + cut[0], y + cut[1]


def _distort(
    folder: Path, name: str, picture: np.ndarray, number: int, scores: pd.DataFrame, seed: int
) -> list[dict[str, Any]]:
    """Write one reference's five levels of one type and return their rows."""
    rows = []
    for level, nominal in NOMINAL_PSNR.items():
        # The seed names picture and type, not level: all levels share one random field.
        rng = np.random.default_rng([seed, zlib.crc32(name.encode()), number])
        tuned = tune(picture, DISTORTIONS[number], level, rng)
        file = f"distorted/{name}_{number:02d}_{level}.png"
        _save(tuned.picture, folder / file)
        published = scores.loc[(number, level)]
        rows.append(
            {
                "reference": name,
                "reference_file": _reference_file(name),
                "distorted_file": file,
                "distortion": published["distortion"],
                "level": level,
                "score": published["mos_mean"],
                "score_se": published["mos_sd"] * np.sqrt(1 + 1 / _REFERENCES_IN_TID2013),
                "psnr_nominal": nominal,
                "psnr": tuned.psnr,
                "strength": tuned.strength,
            }
        )
    return rows


def _facts(pairs: pd.DataFrame, references: Sequence[str]) -> dict[str, Any]:
    """Return what belongs beside the table."""
    used = [PHOTOGRAPHS[name] for name in references]
    away = (pairs["psnr"] - pairs["psnr_nominal"]).abs()
    missed = {
        row.distorted_file: {"nominal": row.psnr_nominal, "reached": round(row.psnr, 3)}
        for row in pairs[away > TOLERANCE_DB].itertuples()
    }
    credits = "; ".join(f"{one.name}: {one.credit}, {one.licence}" for one in used)
    packages = {one.distribution: version(one.distribution) for one in used}
    return {
        "title": "Demo (transferred TID2013 scores)",
        "direction": "higher is better",
        "label": LABEL,
        "citation": CITATION,
        "licence": f"Photographs: {credits}. Scores: facts from TID2013.",
        "source": ", ".join(f"{name} {number}" for name, number in sorted(packages.items())),
        "photographs": [{**asdict(one), "sha256": sha256_file(_locate(one))} for one in used],
        "missed_psnr": missed,
        "notes": [
            _SCORE_SE,
            "psnr is what each picture reached, over all pixels of R, G and B; psnr_nominal is "
            f"its level's. {len(missed)} of {len(pairs)} pairs miss it by more than "
            f"{TOLERANCE_DB} dB (see missed_psnr): a pale picture has too little colour to lose, "
            "a flat one loses too little to baseline JPEG's coarsest tables.",
        ],
    }


def _check_choice(what: str, chosen: Sequence[Any], known: dict[Any, Any]) -> None:
    """Refuse an empty choice and anything unknown or named twice."""
    wrong = [one for one in chosen if one not in known or list(chosen).count(one) > 1]
    if wrong or not chosen:
        found = repr(wrong[0]) if wrong else "none"
        raise UserError(
            f"demo: {what} {found} is not possible; choose from {', '.join(map(str, known))}, "
            "each once"
        )


@lru_cache
def _locate(photograph: Photograph) -> Path:
    try:
        path = Path(str(resources.files(photograph.package))) / photograph.path
    except ModuleNotFoundError:
        path = None
    if path is None or not path.is_file():
        raise UserError(
            f"demo: the photograph {photograph.path} is not in the installed "
            f"{photograph.distribution}; install {photograph.distribution} from its ordinary wheel"
        )
    return path


def _reference_file(name: str) -> str:
    return f"reference/{name}.png"


def _save(picture: np.ndarray, path: Path) -> None:
    with atomic_path(path) as temporary:
        # Half of these pictures are noise: harder compression costs time and gains little.
        Image.fromarray(picture).save(temporary, "PNG", compress_level=3)


def _remove_others(folder: Path, wanted: set[str]) -> None:
    """Remove pictures that an earlier run with other settings left."""
    for path in [*folder.glob("reference/*.png"), *folder.glob("distorted/*.png")]:
        if path.relative_to(folder).as_posix() not in wanted:
            path.unlink()
