"""The data set of kind `misaligned`: another one's pairs with their distorted pictures displaced.

A picture that is moved by a pixel is the same picture to people, but not to whoever compares pixel
with pixel. How far a distance's agreement with opinions falls tells how much it hangs on that.
"""

import logging
import math
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from tqdm import tqdm

from dissect_iqa.datasets.base import Index
from dissect_iqa.datasets.decoding.decode import MOST_BYTES, decode_picture
from dissect_iqa.datasets.entry import MOST_MISALIGNED, DatasetEntry, Misalignment
from dissect_iqa.datasets.finish import listing
from dissect_iqa.datasets.obtain import PICTURES
from dissect_iqa.datasets.pictures import available_cpus
from dissect_iqa.datasets.tables import Dataset
from dissect_iqa.errors import UserError
from dissect_iqa.files.provenance import atomic_path
from dissect_iqa.files.regular_files import read_bytes

log = logging.getLogger(__name__)

#: What is made of a shift by whole pixels, and of everything else.
_MOVED = "none: pixels are moved, no number is changed"
_SPLINE = "cubic splines of the encoded values (scipy.ndimage, order 3), rounded and clipped"
_BORDER = "mirrored about the outermost pixel"


def misaligned(pixels: np.ndarray, by: Misalignment) -> np.ndarray:
    """Displace a picture within its frame.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (height, width, channels)
        The picture.
    by : Misalignment
        A shift by whole pixels, an enlargement or a turn about the centre of the frame.

    Returns
    -------
    ndarray
        Same shape and type. What comes in from outside the frame is the picture mirrored about its
        outermost pixels. Shifts change no number; the others interpolate by cubic splines.

    Raises
    ------
    ValueError
        If the picture is too small for a shift by so many pixels.
    """
    width = pixels.shape[1]
    if by.shift is not None:
        share = by.size * width / 100 if by.unit == "%" else by.size
        step = math.ceil(round(abs(share), 9))
        if step > math.ceil(MOST_MISALIGNED * width / 100):
            raise ValueError(
                f"is {width} pixels wide; a shift by {step} is more than {MOST_MISALIGNED} % of it"
            )
        sides = (0, step) if share > 0 else (step, 0)
        padded = np.pad(pixels, ((0, 0), sides, (0, 0)), mode="reflect")
        return padded[:, step:] if share > 0 else padded[:, :width]
    if by.scale is not None:
        back = np.eye(2) / (1 + by.size / 100)
    else:
        angle = math.radians(by.size)
        back = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return _interpolated(pixels, back)


def _interpolated(pixels: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Take each pixel from where `back` says (row, column, from the centre), by cubic splines."""
    from scipy import ndimage

    centre = (np.array(pixels.shape[:2]) - 1) / 2
    start = centre - back @ centre
    made = [
        ndimage.affine_transform(channel, back, start, order=3, mode="mirror")
        for channel in np.moveaxis(pixels, -1, 0).astype(np.float64)
    ]
    most = np.iinfo(pixels.dtype).max
    return np.rint(np.stack(made, axis=-1)).clip(0, most).astype(pixels.dtype)


def make_misaligned(
    entry: DatasetEntry, parent: Dataset, folder: Path, workers: int | None = None
) -> tuple[pd.DataFrame, dict[str, Any], Index]:
    """Write a data set's distorted pictures displaced, as PNG files of the same depth.

    Parameters
    ----------
    entry : DatasetEntry
        Of kind `misaligned`.
    parent : Dataset
        Whose pairs they are; its references are used where they are.
    folder : Path
        Gets ``pictures/``; what is there is replaced.
    workers : int, optional
        Processes; default: all CPUs.

    Returns
    -------
    pairs : DataFrame
        The parent's, in their order, with other distorted files.
    facts : dict
        The parent's, with `of` and `misalignment`: by what, and how numbers and borders are made.
    index : Index
        All files that the pairs name.

    Raises
    ------
    UserError
        Naming every picture that can't be read, or is too small.
    """
    assert entry.misalign is not None and entry.of is not None
    shutil.rmtree(folder / PICTURES, ignore_errors=True)
    (folder / PICTURES).mkdir(parents=True)
    pairs = parent.pairs.drop(columns=["pair", "quality"])
    first = parent.pairs.drop_duplicates("distorted_file").set_index("distorted_file")["pair"]
    made = {file: f"{PICTURES}/{pair:06d}.png" for file, pair in first.items()}
    # absolute, because a worker that is kept may be at home in another folder
    tasks = [
        (parent.path(str(old)).absolute(), (folder / new).absolute()) for old, new in made.items()
    ]
    problems = [problem for problem in _work(tasks, entry.misalign, workers) if problem]
    if problems:
        raise UserError(
            f"data set {entry.of}: {len(problems)} picture(s) can't be displaced:\n"
            + listing(problems)
        )
    known = parent.pairs["reference_file"].unique()
    references = {file: _from(folder, parent, str(file)) for file in known}
    pairs["distorted_file"] = pairs["distorted_file"].map(made)
    pairs["reference_file"] = pairs["reference_file"].map(references)
    return pairs, _facts(entry, parent), Index(folder, [*made.values(), *references.values()])


def _work(
    tasks: list[tuple[Path, Path]], by: Misalignment, workers: int | None
) -> Iterator[str | None]:
    parallel = joblib.Parallel(
        n_jobs=workers or available_cpus(), return_as="generator", pre_dispatch="4*n_jobs"
    )
    results: Iterable[str | None] = parallel(
        joblib.delayed(_displace)(old, new, by) for old, new in tasks
    )
    yield from tqdm(results, total=len(tasks), desc="displacing", unit="picture", disable=None)


def _displace(old: Path, new: Path, by: Misalignment) -> str | None:
    """Write one picture displaced; return what is wrong with it, if anything is."""
    import imagecodecs

    try:
        pixels = misaligned(decode_picture(read_bytes(old, MOST_BYTES)), by)
    except MemoryError:
        raise
    except OSError as error:
        return f"{old}: {error.strerror or error}"
    except Exception as error:  # decoders fail in many ways, and each means the same here
        return f"{old}: {error or type(error).__name__}"
    with atomic_path(new) as temporary:
        temporary.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels), level=4))
    return None


def _from(folder: Path, parent: Dataset, file: str) -> str:
    """Return where a picture of the parent is, seen from the data set's folder."""
    if Path(parent.facts["root"]).is_absolute():
        return (parent.root / file).as_posix()
    # of folders where they really are: a path of dots through a link to one leads elsewhere
    place = (parent.root / file).parent.resolve()
    return Path(os.path.relpath(place / Path(file).name, folder.resolve())).as_posix()


def _facts(entry: DatasetEntry, parent: Dataset) -> dict[str, Any]:
    assert entry.misalign is not None
    words = f"distorted pictures are {entry.misalign.words}"
    title = parent.facts.get("title", entry.of)
    kept = ("direction", "citation", "citation_key", "licence", "page")
    label = f"{words[0].upper()}{words[1:]}; people rated them where they were."
    return {
        **{name: parent.facts[name] for name in kept if name in parent.facts},
        "title": f"{title}, misaligned",
        "label": " ".join(text for text in (parent.facts.get("label"), label) if text),
        "source": {"label": f"made here from the data set {entry.of}"},
        "of": entry.of,
        "words": entry.misalign.words,
        "misalignment": {
            **entry.misalign.model_dump(exclude_none=True),
            "interpolation": _MOVED if entry.misalign.shift is not None else _SPLINE,
            "border": _BORDER,
        },
    }
