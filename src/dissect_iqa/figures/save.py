"""Write a figure as PDF, SVG and PNG, the same bytes for the same figure."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.text import Text

from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.figures.style import look
from dissect_iqa.files.plain_text import is_text, printable
from dissect_iqa.files.provenance import atomic_path, fingerprint


def save(
    figure: Figure,
    stem: Path | str,
    settings: FigureSettings | None = None,
    title: str = "",
    notice: str = "",
    spec: str | None = None,
) -> list[Path]:
    """Write a figure in every format of the settings; no dates, so that equal figures are equal.

    Parameters
    ----------
    figure : Figure
        What to write.
    stem : path
        The files' path without its suffix.
    settings : FigureSettings, optional
        Formats and dots per inch.
    title, notice : str
        Kept in the files' metadata: a notice about the scores travels with a copied file.
    spec : str, optional
        Canonical JSON the figure was made from; its study and sha256 are kept in the metadata.

    Returns
    -------
    list of Path
        The files written.
    """
    settings = settings or FigureSettings()
    metadata = metadata_of(title, notice, spec)
    files = []
    with look(settings):
        _clean(figure)
        for suffix in settings.formats:
            # not with_suffix: a stem such as "depth.v2" would lose its end
            path = Path(f"{stem}.{suffix}")
            # Drawn in memory first: what Pillow makes of a full disk names neither file nor cause
            content = BytesIO()
            figure.savefig(content, format=suffix, dpi=settings.png_dpi, metadata=metadata[suffix])
            with atomic_path(path) as temporary:
                temporary.write_bytes(content.getbuffer())
            files.append(path)
    return files


def metadata_of(title: str, notice: str, spec: str | None) -> dict[str, dict[str, Any]]:
    """Return by format what a figure's file says of itself; no dates. See `save`."""
    title, notice = printable(title), printable(notice)
    mark = _mark(spec) if spec else ""
    metadata: dict[str, dict[str, Any]] = {
        "pdf": {
            "CreationDate": None,
            "ModDate": None,
            "Title": title,
            "Subject": notice,
            "Keywords": mark,
            "Creator": "dissect-iqa",
        },
        "svg": {
            "Date": None,
            "Title": title,
            "Description": notice,
            "Keywords": [mark] if mark else "",
            "Creator": "dissect-iqa",
        },
        "png": {"Software": "dissect-iqa", "Title": title, "Description": notice, "Source": mark},
    }
    return {
        suffix: {key: value for key, value in facts.items() if value != ""}
        for suffix, facts in metadata.items()
    }


def _mark(spec: str) -> str:
    """Return whose figure it is and what it was made from, as the metadata keep it."""
    study = json.loads(spec).get("study")
    return (f"study {study}, " if study else "") + f"fingerprint {fingerprint(spec)}"


def _clean(figure: Figure) -> None:
    """Take out of every text what can't be shown: names of layers and types come from anywhere."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            labels = [label.get_text() for label in axis.get_ticklabels()]
            if not all(map(is_text, labels)):
                axis.set_ticks(axis.get_ticklocs(), list(map(printable, labels)))
    for text in figure.findobj(Text):
        text.set_text(printable(text.get_text()))
