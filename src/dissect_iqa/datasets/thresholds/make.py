"""The data set of kind `thresholds`: stimuli around the contrast at which people see them."""

import logging
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.thresholds.display import Display
from dissect_iqa.datasets.thresholds.stimuli import (
    Screen,
    background_of,
    choose,
    draw,
    phases_of,
    showable,
)
from dissect_iqa.datasets.thresholds.table import STUDIES, read_thresholds
from dissect_iqa.errors import UserError
from dissect_iqa.files.provenance import atomic_path

log = logging.getLogger(__name__)

TITLE = "human contrast thresholds"
CITATION = (
    "Thresholds: M. Ashraf, R. K. Mantiuk, A. Chapiro, S. Wuerger: castleCSF: A contrast "
    "sensitivity function of color, area, spatiotemporal frequency, luminance and eccentricity. "
    "Journal of Vision 24(4):5 (2024). doi:10.1167/jov.24.4.5; and the studies that measured them, "
    "listed under 'studies'."
)
LABEL = (
    "Scores are contrasts in units of people's measured thresholds, not opinions; references are "
    "the studies that measured them."
)
LICENCE = "MIT (c) 2023 Graphics and Displays group, University of Cambridge"

Progress = Callable[..., Iterable[Any]]


def screen_of(entry: DatasetEntry) -> Screen:
    """Return what an entry's options describe."""
    return Screen(
        display=Display(entry.peak, entry.black, entry.primaries, entry.pixels_per_degree),
        pixels=entry.pixels,
        multiples=tuple(sorted(entry.multiples)),
        phases=entry.phases,
    )


def selected(entry: DatasetEntry) -> tuple[pd.DataFrame, dict[int, tuple[float, ...]], Any]:
    """Return the stimuli that an entry shows, their multiples, and why others are left out.

    Raises
    ------
    UserError
        If the display can show none of them.
    """
    table = read_thresholds()
    if entry.studies:
        table = table[table["study"].isin(entry.studies)]
    multiples, reasons = showable(table, screen_of(entry))
    table = table.loc[list(multiples)]
    if table.empty:
        listed = "; ".join(f"{reason}: {count}" for reason, count in reasons.items())
        raise UserError(f"thresholds: the display shows none of the stimuli ({listed})")
    if entry.most is not None and len(table) > entry.most:
        reasons["not chosen, option 'most'"] = len(table) - entry.most
        table = choose(table, entry.most)
    return table, multiples, reasons


def planned(entry: DatasetEntry) -> tuple[int, int]:
    """Return how many pictures and pairs an entry makes."""
    table, multiples, _ = selected(entry)
    screen = screen_of(entry)
    pairs = sum(
        len(phases_of(row, screen)) * len(multiples[row.Index]) for row in table.itertuples()
    )
    backgrounds = {
        screen.display.encode(background_of(row)).tobytes() for row in table.itertuples()
    }
    return pairs + len(backgrounds), pairs


def make_thresholds(
    entry: DatasetEntry, folder: Path, progress: Progress | None = None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Write the stimuli as 16-bit PNG files and return their pairs and facts.

    Parameters
    ----------
    entry : DatasetEntry
        Of kind `thresholds`.
    folder : Path
        Gets ``pictures/``; what is there is replaced.
    progress : callable, optional
        Wraps the list of stimuli.

    Returns
    -------
    pairs : DataFrame
        One row a stimulus, phase and multiple of its threshold: `reference` (the study, so that
        studies are what intervals are over), `reference_file` (the plain background),
        `distorted_file`, `distortion` (the colour direction), `level` (of the multiple, from 1),
        `score` (the multiple; higher is worse), `stimulus`, `phase`, `frequency`,
        `log_threshold` (log10 of the cone contrast at which people see it).
    facts : dict
        `direction`, `title`, `citation`, `licence`, `source`, `studies`, `display`, and
        `not_shown`: how many stimuli are left out, by reason.

    Raises
    ------
    UserError
        If the display can show none of the stimuli.
    """
    table, multiples, reasons = selected(entry)
    screen = screen_of(entry)
    shutil.rmtree(folder / "pictures", ignore_errors=True)
    levels = {multiple: level for level, multiple in enumerate(screen.multiples, 1)}
    backgrounds: dict[bytes, str] = {}
    rows: list[dict[str, Any]] = []
    stimuli = list(table.itertuples())
    for row in progress(stimuli, desc="drawing", unit="stimulus") if progress else stimuli:
        plain = np.broadcast_to(
            screen.display.encode(background_of(row)), (screen.pixels, screen.pixels, 3)
        )
        key = plain[0, 0].tobytes()
        if key not in backgrounds:
            backgrounds[key] = f"pictures/background_{len(backgrounds):03d}.png"
            _save(plain, folder / backgrounds[key])
        for phase in phases_of(row, screen):
            for multiple in multiples[row.Index]:
                file = f"pictures/{row.study}_{row.Index:04d}_{phase:g}_{multiple:g}.png"
                _save(draw(row, screen, multiple, phase), folder / file)
                rows.append(
                    {
                        "reference": row.study,
                        "reference_file": backgrounds[key],
                        "distorted_file": file,
                        "distortion": row.direction,
                        "level": levels[multiple],
                        "score": multiple,
                        "stimulus": row.Index,
                        "phase": phase,
                        "frequency": row.frequency,
                        "log_threshold": row.log_contrast,
                    }
                )
    log.info("%s: %d stimuli, %d pictures", folder, len(stimuli), len(rows))
    return pd.DataFrame(rows), _facts(entry, table, dict(reasons))


def _save(pixels: np.ndarray, path: Path) -> None:
    import imagecodecs

    with atomic_path(path) as temporary:
        temporary.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels), level=6))


def _facts(entry: DatasetEntry, table: pd.DataFrame, reasons: dict[str, int]) -> dict[str, Any]:
    studies = sorted(set(table["study"]))
    return {
        "title": TITLE,
        "label": LABEL,
        "direction": "higher is worse",
        "citation": CITATION,
        "citation_key": "ashraf2024castlecsf",
        "licence": LICENCE,
        "source": {"label": "made here, from the table of thresholds in the package"},
        "studies": {name: STUDIES[name] for name in studies},
        "stimuli": len(table),
        "not_shown": reasons,
        "display": {
            "peak": entry.peak,
            "black": entry.black,
            "primaries": entry.primaries,
            "pixels_per_degree": entry.pixels_per_degree,
            "pixels": entry.pixels,
        },
    }
