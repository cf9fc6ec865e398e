"""Contact sheets: of each network and metric the pairs on which it and people disagree most."""

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from dissect_iqa.figures import style
from dissect_iqa.figures.labels import fit, wrap
from dissect_iqa.figures.names import display
from dissect_iqa.figures.pictures_in_pdf import add_page, add_pictures, decoded
from dissect_iqa.figures.save import metadata_of
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.files.plain_text import printable
from dissect_iqa.files.provenance import atomic_path

#: Millimetres: a page's height at most, its title, about the width of a pair, a line of text.
_PAGE, _HEAD, _PAIR, _LINE = 250.0, 10.0, 47.0, 3.1
#: Millimetres: between pairs, and between a pair's two pictures.
_GAP, _BETWEEN = 4.0, 0.8
#: Millimetres of a pair above and below its pictures, and of one that is told in words.
_ABOVE, _BELOW, _TOLD = 4.4, 3 * _LINE + 3.0, 2 * _LINE + 1.8
#: Millimetres: the least height of a missing picture, and the largest side of a pixel (100 an
#: inch): what has few pixels stays small rather than blurred.
_MISSING, _PIXEL = 6.0, 0.254
_FILES = ["reference_file", "distorted_file"]


def draw_contact_sheet(
    misjudged: pd.DataFrame,
    thumbnails: pd.DataFrame,
    label: str | None = None,
    settings: FigureSettings | None = None,
    closed: str = "",
) -> Figure:
    """Draw the pairs that one network or metric misjudges most: pictures, scores, predictions.

    Parameters
    ----------
    misjudged : DataFrame
        Its rows, 20 at most, of what `dissect_iqa.correlation.pick_misjudged.pick_misjudged`
        returned of one data set; `quality` and `mapped` on the scale of scores, `psnr` in dB.
    thumbnails : DataFrame
        What `dissect_iqa.datasets.thumbnails.thumbnails` returned; a picture that it lacks is
        said to be missing.
    label : str, optional
        A notice that must accompany the scores.
    settings : FigureSettings, optional
        The look, with the width in millimetres; the page is at most 250 mm high.
    closed : str
        Why no pictures may be shown; the files' names take their place. Empty: they are shown.
    """
    settings = settings or FigureSettings()
    if misjudged.empty:
        return style.statement("No pair has a prediction on the scale of scores.", label, settings)
    told = _told(misjudged)
    if closed:
        return _in_words(told, closed, label, settings)
    return _in_pictures(told, _by_file(thumbnails), label, settings)


def draw_contact_sheets(
    misjudged: pd.DataFrame,
    thumbnails: pd.DataFrame,
    label: str | None,
    file: Path | str,
    settings: FigureSettings,
    *,
    closed: str = "",
    title: str = "",
    spec: str | None = None,
) -> None:
    """Write a PDF with the contact sheets of all networks and metrics, a page each.

    Parameters
    ----------
    misjudged, thumbnails, label, closed
        See `draw_contact_sheet`; here of all networks and metrics, whose order is kept.
    file : path
        Appears only when it is whole; the same bytes for the same sheets.
    settings : FigureSettings
        The look; the file is a PDF, whatever the formats.
    title : str
        Kept in the file's metadata, as the notice is.
    spec : str, optional
        Canonical JSON the sheets were made from; its study and sha256 are kept in the metadata.

    Raises
    ------
    UserError
        If the file can't be written.
    """
    facts = metadata_of(title, label or "", spec)["pdf"]
    models = [rows for _, rows in misjudged.groupby("model", sort=False)]
    # Drawn in memory first: what Pillow makes of a full disk names neither file nor cause
    document = BytesIO()
    with style.look(settings), PdfPages(document, metadata=facts) as pdf:
        pages = [
            add_page(pdf, draw_contact_sheet(rows, thumbnails, label, settings, closed))
            for rows in models or [misjudged]
        ]
    add_pictures(document, pages, _by_file(thumbnails))
    with atomic_path(file) as temporary:
        temporary.write_bytes(document.getbuffer())


# --- what is told of a pair ----------------------------------------------------------------------


def _line(value: Any) -> Any:
    """Return a text as it can stand in a line; numbers stay as they are."""
    return " ".join(printable(value).split()) if isinstance(value, str) else value


def _by_file(thumbnails: pd.DataFrame) -> dict[str, bytes]:
    return dict(zip(thumbnails["file"], thumbnails["webp"], strict=True))


def _told(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the rows, fit to print, and `people, predicted, decibels, direction` as written.

    Files keep their names, by which their pictures are found.
    """
    # all scores of a page with as many digits, about three that count
    largest = max(float(pairs[["quality", "mapped"]].abs().to_numpy().max()), 0.1)
    digits = int(np.clip(2 - np.floor(np.log10(largest)), 0, 3))

    def written(value: float) -> str:
        return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")

    return pairs.map(_line).assign(
        **{name: pairs[name] for name in _FILES},
        people=pairs["quality"].map(written),
        predicted=pairs["mapped"].map(written),
        decibels=[f"{value:.1f} dB" if np.isfinite(value) else "" for value in pairs["psnr"]],
        direction=np.select(
            [pairs["error"] > 0, pairs["error"] < 0], ["▲ sees less", "▼ sees more"], ""
        ),
    )


def _notes(pairs: pd.DataFrame, shown: str) -> list[str]:
    many = f"The {len(pairs)} pairs on which it and people disagree most, the worst first."
    return [
        many if len(pairs) > 1 else "The pair on which it and people disagree most.",
        shown,
        "People: their score, larger is better. Predicted: what it says, mapped to that scale by "
        "the logistic with 4 parameters (Sheikh et al. 2006). ▲ It sees less distortion than "
        "people (predicts a higher score), ▼ it sees more.",
    ]


# --- a page --------------------------------------------------------------------------------------


def _page(
    height: float,
    pairs: pd.DataFrame,
    notes: list[str],
    label: str | None,
    settings: FigureSettings,
) -> tuple[Figure, Axes]:
    """Return a page, and axes over it in millimetres from its upper left, with the title drawn.

    One axes for all pictures: axes for each would take seconds.
    """
    figure, body = style.sheet(height, notes, label, settings)
    axes = body.add_axes((0, 0, 1, 1), xlim=(0, settings.width_mm), ylim=(height, 0))
    axes.set_axis_off()
    first, left = pairs.iloc[0], _margin(settings)
    room = settings.width_mm - 2 * left
    metric = first["kind"] == "metric"
    name = display(first["model"], baseline=True) if metric else first["model"]
    axes.text(left, 4.0, _cut(name, room, 9), fontsize=9)
    how = f"layer {first['layer']}; distance: {display(first['distance'])}"
    facts = f"Data set {first['dataset']}; {'a metric' if metric else how}"
    _write(axes, left, 7.6, _cut(facts, room), color=style.MUTED)
    return figure, axes


def _margin(settings: FigureSettings) -> float:
    """Return where the notes under a page begin, in millimetres."""
    return 0.01 * settings.width_mm


def _write(axes: Axes, x: float, y: float, text: str, **look: Any) -> None:
    axes.text(x, y, text, fontsize=style.SMALL, **look)


def _cut(text: str, room: float, size: float = style.SMALL) -> str:
    """Return a text, cut if it is wider than so many millimetres."""
    return fit(text, 0.96 * room, size)  # of few dots an inch it is up to 4 % wider than measured


def _end(name: str, room: float) -> str:
    """Return a file's name, or only its end if it is long: it begins with folders, often alike."""
    return _cut(_line(name)[::-1], room)[::-1]


# --- pairs in pictures ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Picture:
    """A picture and its size on the page in millimetres; what has no pixels is missing."""

    file: str
    pixels: np.ndarray | None
    width: float
    height: float


def _in_pictures(
    pairs: pd.DataFrame, webp: Mapping[str, bytes], label: str | None, settings: FigureSettings
) -> Figure:
    notes = _notes(pairs, "Left the reference, right the distorted picture, which is named below.")
    margin, across = _margin(settings), round(settings.width_mm / _PAIR)
    wide = (settings.width_mm - 2 * margin - (across - 1) * _GAP) / across
    rows = [pairs[start : start + across] for start in range(0, len(pairs), across)]
    said = wrap(" ".join((label or "", *notes)), settings.width_mm - 6)
    foot = _LINE * (said.count("\n") + 2)
    room = (_PAGE - _HEAD - foot) / len(rows) - _ABOVE - _BELOW
    shown = {
        file: _picture(file, webp, (wide - _BETWEEN) / 2, room)
        for file in pairs[_FILES].to_numpy().ravel()
    }
    heights = [max(shown[file].height for file in row[_FILES].to_numpy().ravel()) for row in rows]
    total = _HEAD + sum(heights) + len(rows) * (_ABOVE + _BELOW)
    figure, axes = _page(total, pairs, notes, label, settings)
    top = _HEAD
    for row, height in zip(rows, heights, strict=True):
        for column, pair in enumerate(row.itertuples()):
            left = margin + column * (wide + _GAP)
            _pair(axes, pair, shown, (left, top, wide, height))
        top += _ABOVE + height + _BELOW
    return figure


def _picture(file: str, webp: Mapping[str, bytes], wide: float, high: float) -> _Picture:
    """Return a picture as large as it gets within so many millimetres, in its own shape."""
    if file not in webp:
        return _Picture(file, None, wide, _MISSING)
    pixels = np.asarray(decoded(webp[file]))
    rows, columns = pixels.shape[:2]
    scale = min(wide / columns, high / rows, _PIXEL)
    return _Picture(file, pixels, columns * scale, rows * scale)


def _pair(
    axes: Axes, pair: Any, shown: Mapping[str, _Picture], at: tuple[float, float, float, float]
) -> None:
    """Draw a pair; `at` is its left, top and width, and the height of its row's pictures, in mm."""
    left, top, wide, height = at
    right, middle = left + wide, left + (wide + _BETWEEN) / 2
    _rule(axes, left, right, top)
    _write(axes, left, top + 3.2, f"{pair.place}", fontweight="bold")
    _write(axes, left + 5, top + 3.2, _cut(pair.distortion, wide - 5))
    x = left
    for file in (pair.reference_file, pair.distorted_file):
        _show(axes, shown[file], x, top + _ABOVE)
        x += shown[file].width + _BETWEEN
    line = top + _ABOVE + height + _LINE
    _value(axes, "people", pair.people, left, middle - 2, line)
    _value(axes, "predicted", pair.predicted, middle, right, line)
    if pair.decibels:
        _value(axes, "PSNR", pair.decibels, left, middle - 2, line + _LINE)
    _write(axes, right, line + _LINE, pair.direction, ha="right")
    name = _end(pair.distorted_file, wide)
    _write(axes, left, line + 2 * _LINE, name, color=style.MUTED)


def _show(axes: Axes, picture: _Picture, left: float, top: float) -> None:
    right, bottom = left + picture.width, top + picture.height
    if picture.pixels is not None:
        # the label tells `add_page` whose place it is
        axes.imshow(
            picture.pixels, extent=(left, right, bottom, top), aspect="auto", label=picture.file
        )
        return
    axes.add_patch(
        Rectangle(
            (left, top), picture.width, picture.height, fill=False, edgecolor=style.CONTEXT,
            linewidth=0.6,
        )
    )  # fmt: skip
    _write(
        axes, (left + right) / 2, (top + bottom) / 2, "no picture", color=style.MUTED,
        ha="center", va="center",
    )  # fmt: skip


def _value(axes: Axes, name: str, value: str, left: float, right: float, y: float) -> None:
    _write(axes, left, y, name, color=style.MUTED)
    _write(axes, right, y, value, ha="right")


def _rule(axes: Axes, left: float, right: float, y: float) -> None:
    axes.plot([left, right], [y, y], color=style.CONTEXT, linewidth=0.6)


# --- pairs in words ------------------------------------------------------------------------------


def _in_words(
    pairs: pd.DataFrame, closed: str, label: str | None, settings: FigureSettings
) -> Figure:
    """Draw a table of two lines a pair: what is said of it, and its files."""
    height = _HEAD + _TOLD * (len(pairs) + 1) + 2
    figure, axes = _page(height, pairs, _notes(pairs, closed), label, settings)
    left, right = _margin(settings), settings.width_mm - _margin(settings)
    heads = pd.DataFrame(
        [{"place": "", "distortion": "distortion", "people": "people", "predicted": "predicted",
          "decibels": "PSNR", "direction": "", "reference_file": "reference",
          "distorted_file": "distorted picture"}]
    )  # fmt: skip
    for number, pair in enumerate(pd.concat([heads, pairs]).itertuples()):
        _told_pair(axes, pair, left, right, _HEAD + number * _TOLD)
    return figure


def _told_pair(axes: Axes, pair: Any, left: float, right: float, top: float) -> None:
    """Write a pair's two lines from `left` to `right`, in mm."""
    first, second, name = top + 3.2, top + 3.2 + _LINE, left + 7
    ink = style.INK if pair.place else style.MUTED
    _rule(axes, left, right, top)
    _write(axes, left, first, f"{pair.place}", fontweight="bold")
    room = right - 68 - name
    _write(axes, name, first, _cut(pair.distortion, room), color=ink)
    columns = ((pair.people, 55), (pair.predicted, 37), (pair.decibels, 19), (pair.direction, 0))
    for text, before in columns:
        _write(axes, right - before, first, text, ha="right", color=ink)
    half = (right - name) / 2
    for text, start in ((pair.reference_file, name), (pair.distorted_file, name + half)):
        _write(axes, start, second, _end(text, half - 2), color=style.MUTED)
