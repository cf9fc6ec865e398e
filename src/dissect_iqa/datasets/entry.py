"""One entry of the data set table: what a user may write, and what of it can change a number."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from dissect_iqa.files.provenance import sha256_file
from dissect_iqa.files.validation import Settings

#: Raise it with any change of `demo.py` that alters a pixel or a score: studies then make it anew.
DEMO_VERSION = 2
#: The same for reading a user's own folder; 2: references of one stem are told apart, and pictures
#: that were shown otherwise than they were stored are turned or refused.
FOLDER_VERSION = 2
#: The same for `thresholds/`.
THRESHOLDS_VERSION = 1
#: The same for `misalign.py`.
MISALIGNED_VERSION = 1
#: Misalignments are at most so many percent or degrees.
MOST_MISALIGNED = 10
#: Options that mean something for some kinds only.
KIND_OPTIONS = ("drop_reference_25", "scores", "viewing_distance", "split", "min_votes")
#: Options of stimuli that are made.
THRESHOLD_OPTIONS = (
    *("peak", "black", "primaries", "pixels_per_degree", "pixels", "multiples", "phases"),
    *("studies", "most"),
)
#: Options of another data set's pictures, displaced.
MISALIGNED_OPTIONS = ("of", "misalign")
#: Options of a user's own folder.
FOLDER_OPTIONS = (
    "csv",
    "reference",
    "distorted",
    "score",
    "score_se",
    "raters",
    "distortion",
    "level",
    "direction",
    "ignore_columns",
    "label",
    "citation",
    "licence",
    "closed",
)


class MirrorEntry(Settings):
    """An address to take a data set's archive from, instead of the built-in ones."""

    url: str = Field(pattern=r"^https?://", description="Address of one archive.")
    sha256: str | None = Field(
        None, pattern=r"^[0-9a-f]{64}$", description="sha256 of the archive; strongly advised."
    )
    size: int | None = Field(None, gt=0, description="Size in bytes.")


class Misalignment(Settings):
    """By how much distorted pictures are displaced, in one of three ways."""

    shift: str | None = Field(
        None,
        pattern=r"^-?(\d+(\.\d+)? %|\d+ px)$",
        description="To the left: '1 %' of the width, rounded up to whole pixels, or '3 px'.",
    )
    scale: str | None = Field(
        None, pattern=r"^-?\d+(\.\d+)? %$", description="Enlarged about the centre: '1 %'."
    )
    rotate: float | None = Field(None, description="Turned clockwise about the centre, in degrees.")

    @model_validator(mode="before")
    @classmethod
    def _in_words(cls, value: Any) -> Any:
        if not isinstance(value, dict | Misalignment):
            raise ValueError("write {shift: 1 %}, {scale: 1 %} or {rotate: 1}")
        return value

    @field_validator("shift", "scale", mode="before")
    @classmethod
    def _one_spelling(cls, value: Any, info: ValidationInfo) -> Any:
        """Write '1%' and '1.0 %' as '1 %', so that they are no three data sets."""
        found = re.fullmatch(r"\s*([+-]?\d+(?:\.\d+)?)\s*(%|px)\s*", str(value))
        if value is None:
            return value
        whole = found and (info.field_name == "shift" and float(found[1]).is_integer())
        if not found or (found[2] == "px" and not whole):
            allowed = "'1 %' or '3 px'" if info.field_name == "shift" else "'1 %'"
            raise ValueError(f"write it with its unit, like {allowed}; pixels are whole ones")
        return f"{Decimal(found[1]).normalize():f} {found[2]}"

    @model_validator(mode="after")
    def _small_and_single(self) -> Self:
        given = self.model_dump(exclude_none=True)
        if len(given) != 1:
            raise ValueError("give one of shift, scale and rotate")
        if self.size == 0:
            raise ValueError("a misalignment of nothing is the data set itself")
        if self.unit != "px" and abs(self.size) > MOST_MISALIGNED:
            what = "degrees" if self.unit == "degrees" else "%"
            raise ValueError(f"at most {MOST_MISALIGNED} {what}: it is to be hardly noticed")
        return self

    @property
    def size(self) -> float:
        """How much, in `unit`."""
        text = self.shift or self.scale
        return float(text.split()[0]) if text else float(self.rotate or 0)

    @property
    def unit(self) -> str:
        """One of ``%``, ``px`` and ``degrees``."""
        text = self.shift or self.scale
        return text.split()[1] if text else "degrees"

    @property
    def words(self) -> str:
        """What happens to the distorted pictures, to follow "are"."""
        size = f"{abs(self.size):g} {self.unit}"
        if self.shift is not None:
            of = " of their width" if self.unit == "%" else ""
            return f"moved to the {'left' if self.size > 0 else 'right'} by {size}{of}"
        if self.scale is not None:
            return f"{'enlarged' if self.size > 0 else 'reduced'} by {size} about their centre"
        return f"turned {'' if self.size > 0 else 'counter'}clockwise by {abs(self.size):g}°"


class DatasetEntry(Settings):
    """A data set of the study. `kind` alone is enough for those that can be downloaded.

    `dissect_iqa.datasets.registry.parse_entry` makes one, and checks that its options mean
    something for its kind.
    """

    kind: str = Field(description="Which data set; 'folder' for pictures of your own.")
    folder: Path | None = Field(
        None, description="An unpacked copy; used in place, nothing is downloaded or copied."
    )
    archive: tuple[Path, ...] = Field(
        (), description="One archive, or a list of those that make up the data set together."
    )
    mirrors: tuple[MirrorEntry, ...] = Field(
        (), description="Addresses to use instead of the built-in ones, tried in turn."
    )
    ignore: tuple[str, ...] = Field(
        (), description="Wildcards of files that are no part of the data set."
    )
    drop_identical: bool = Field(
        False, description="Leave out pairs whose pictures are pixel-identical (KADID-10k: 324)."
    )

    drop_reference_25: bool = Field(
        False, description="TID2008, TID2013: leave out the synthetic reference 25."
    )
    scores: Literal["realigned", "original"] = Field(
        "realigned", description="LIVE: which DMOS; most papers since 2006 use the realigned."
    )
    viewing_distance: Literal[50, 100] = Field(
        50, description="CID:IQ: distance in cm at which the scores were given."
    )
    split: str | None = Field(None, description="PIPAL, NIGHTS: which part.")
    min_votes: int = Field(6, ge=0, description="NIGHTS: keep triplets with so many votes.")

    csv: Path | None = Field(None, description="folder: the table of scores, relative to it.")
    reference: str = Field("reference", description="folder: column of the reference's file name.")
    distorted: str = Field("distorted", description="folder: column of the distorted file's name.")
    score: str = Field("score", description="folder: column of the score.")
    score_se: str | None = Field(None, description="folder: column of the score's standard error.")
    raters: str | None = Field(None, description="folder: column of the number of raters.")
    distortion: str | None = Field(None, description="folder: column of the distortion's name.")
    level: str | None = Field(None, description="folder: column of the distortion's level.")
    direction: Literal["higher is better", "higher is worse"] | None = Field(
        None, description="folder: which way the score points; must be stated."
    )
    ignore_columns: tuple[str, ...] = Field((), description="folder: columns that are no subsets.")
    label: str | None = Field(None, description="folder: a remark shown with every result.")
    citation: str | None = Field(None, description="folder: what to cite.")
    licence: str | None = Field(None, description="folder: the terms of use.")
    closed: str | None = Field(
        None,
        min_length=1,
        description="folder: why its pictures must not be shown, as a sentence; it then stands in "
        "their place on contact sheets and in the explorer.",
    )

    peak: float = Field(
        200.0, gt=0, description="thresholds: luminance of the display's white, cd/m²."
    )
    black: float = Field(0.1, ge=0, description="thresholds: luminance of its black, cd/m².")
    primaries: Literal["sRGB", "Display P3", "ITU-R BT.2020"] = Field(
        "sRGB", description="thresholds: its primaries and white; networks take them for sRGB's."
    )
    pixels_per_degree: float = Field(
        32.0, gt=0, description="thresholds: pixels per degree of visual angle."
    )
    pixels: int = Field(
        288, ge=64, le=4096, description="thresholds: height and width of the pictures."
    )
    multiples: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (0.5, 1, 2, 4, 8),
        min_length=2,
        description="thresholds: contrasts that are shown, in units of people's threshold.",
    )
    phases: tuple[Annotated[float, Field(ge=0, lt=360)], ...] = Field(
        (0, 90),
        min_length=1,
        description="thresholds: of gratings, degrees; stimuli with less than a cycle or so are "
        "shown in the first only.",
    )
    studies: tuple[str, ...] = Field((), description="thresholds: only these; empty: all.")
    most: int | None = Field(
        None,
        ge=1,
        description="thresholds: take so many stimuli, spread over colour directions, studies and "
        "frequencies.",
    )

    of: str | None = Field(
        None, description="misaligned: the entry whose distorted pictures are displaced."
    )
    misalign: Misalignment | None = Field(
        None, description="misaligned: {shift: 1 %}, {scale: 1 %} or {rotate: 1} (degrees)."
    )

    @field_validator("archive", mode="before")
    @classmethod
    def _one_archive(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str | Path) else value

    def spec(self) -> dict[str, Any]:
        """Return everything that can change the prepared tables, as plain data.

        Where the bytes come from (`archive`, `mirrors`) is left out: what a mirror delivers is
        checked, so another mirror is no reason to run anything again. A user's table of scores
        enters with the sha256 of its content. Whether pictures may be shown changes no table.
        """
        content = self.model_dump(
            mode="json", exclude_defaults=True, exclude={"archive", "mirrors", "closed"}
        )
        if self.kind == "demo":
            content["version"] = DEMO_VERSION
        if self.kind == "thresholds":
            content["version"] = THRESHOLDS_VERSION
        if self.kind == "misaligned":
            content["version"] = MISALIGNED_VERSION
        if self.kind == "folder":
            content["version"] = FOLDER_VERSION
        if self.csv is not None:
            path = self.csv_path()
            content["csv_sha256"] = sha256_file(path) if path.is_file() else None
        return content

    def csv_path(self) -> Path:
        """Return the path of a user's table of scores; a relative one is below `folder`."""
        assert self.csv is not None and self.folder is not None
        return self.folder / self.csv
