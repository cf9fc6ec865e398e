"""Which stimuli a display can show, and what they look like."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dissect_iqa.datasets.thresholds.display import Display

_CONES = ("l", "m", "s")
#: Gaussian windows are shown to so many standard deviations on either side, at least.
_SIGMAS = 2.0
#: Other phases than 0 need a window of that many cycles to either side (one standard deviation).
_CYCLES = 0.5
#: A stimulus is kept if so many multiples of its threshold can be shown.
FEWEST_MULTIPLES = 3


@dataclass(frozen=True)
class Screen:
    """A display, and how much of it is seen.

    Attributes
    ----------
    display : Display
        Makes the light.
    pixels : int
        Height and width of the pictures.
    multiples : tuple of float
        Contrasts, in units of the threshold, in rising order.
    phases : tuple of float
        Of gratings at the centre, degrees.
    """

    display: Display
    pixels: int
    multiples: tuple[float, ...]
    phases: tuple[float, ...]

    @property
    def degrees(self) -> float:
        """Height and width of the pictures in degrees of visual angle."""
        return self.pixels / self.display.pixels_per_degree


def background_of(row: Any) -> np.ndarray:
    """Return the cone coordinates of a stimulus's background, shape (3,)."""
    return np.array([getattr(row, f"background_{cone}") for cone in _CONES])


def modulation_of(row: Any) -> np.ndarray:
    """Return the cone coordinates that a stimulus at its threshold adds at its peak, (3,)."""
    direction = np.array([getattr(row, f"direction_{cone}") for cone in _CONES])
    return background_of(row) * direction * np.sqrt(3) * 10**row.log_contrast


def showable(
    table: pd.DataFrame, screen: Screen
) -> tuple[dict[int, tuple[float, ...]], Counter[str]]:
    """Return what can be shown of a table of thresholds.

    Parameters
    ----------
    table : DataFrame
        See `dissect_iqa.datasets.thresholds.table.read_thresholds`.
    screen : Screen
        What is to show it.

    Returns
    -------
    multiples : dict of int to tuple of float
        By stimulus, which multiples of its threshold are within the display's gamut.
    reasons : Counter of str
        Why stimuli are left out, and how often a multiple is.
    """
    shown: dict[int, tuple[float, ...]] = {}
    reasons: Counter[str] = Counter()
    for row in table.itertuples():
        reason = _unfit(row, screen)
        if reason is None:
            multiples = tuple(m for m in screen.multiples if _in_gamut(row, m, screen.display))
            if len(multiples) >= min(FEWEST_MULTIPLES, len(screen.multiples)):
                shown[int(row.Index)] = multiples
                reasons["single contrasts beyond the display's colours"] += len(
                    screen.multiples
                ) - len(multiples)
                continue
            reason = (
                "background beyond the display's luminance or colours"
                if not _in_gamut(row, 0, screen.display)
                else "contrasts beyond the display's colours"
            )
        reasons[reason] += 1
    return shown, Counter({reason: count for reason, count in reasons.items() if count})


def _unfit(row: Any, screen: Screen) -> str | None:
    """Say why a display can't show the shape of a stimulus, if it can't."""
    if row.frequency >= screen.display.pixels_per_degree / 2:
        return "frequency beyond the display's (Nyquist)"
    half = _SIGMAS * row.sigma if row.aperture == "gauss" else _edge(row)
    if 2 * half > screen.degrees:
        return "larger than the picture"
    if min(row.sigma, _edge(row)) * screen.display.pixels_per_degree < 1:
        return "smaller than a pixel"
    return None


def _edge(row: Any) -> float:
    """Return the radius of a disc, or half the side of a square, in degrees."""
    return float(np.sqrt(row.area / (np.pi if row.aperture == "disc" else 4)))


def _in_gamut(row: Any, multiple: float, display: Display) -> bool:
    added = multiple * modulation_of(row)
    signs = (0,) if multiple == 0 else ((1,) if row.frequency == 0 else (1, -1))
    values = display.linear(background_of(row) + np.outer(signs, added))
    return bool((values >= 0).all() and (values <= 1).all())


def phases_of(row: Any, screen: Screen) -> tuple[float, ...]:
    """Return the phases in which a stimulus is shown: one where its window holds few cycles."""
    extent = row.sigma if row.aperture == "gauss" else _edge(row)
    several = row.frequency * extent >= _CYCLES
    return screen.phases if several else screen.phases[:1]


def waveform(row: Any, screen: Screen, phase: float) -> np.ndarray:
    """Return what a stimulus's modulation is multiplied by, shape (pixels, pixels), -1..1.

    A cosine of its frequency times its window: a Gaussian, or a disc or a square with an edge of
    one pixel. Degrees are measured from the middle of the picture.
    """
    density = screen.display.pixels_per_degree
    axis = (np.arange(screen.pixels) - (screen.pixels - 1) / 2) / density
    x, y = np.meshgrid(axis, axis)
    turn = np.deg2rad(row.orientation)
    along = x * np.cos(turn) + y * np.sin(turn)
    grating = np.cos(2 * np.pi * row.frequency * along + np.deg2rad(phase))
    if row.aperture == "gauss":
        return grating * np.exp(-(x**2 + y**2) / (2 * row.sigma**2))
    distance = np.hypot(x, y) if row.aperture == "disc" else np.maximum(np.abs(x), np.abs(y))
    return grating * np.clip((_edge(row) - distance) * density + 0.5, 0, 1)


def draw(row: Any, screen: Screen, multiple: float, phase: float) -> np.ndarray:
    """Return a stimulus's picture, uint16, shape (pixels, pixels, 3)."""
    added = multiple * waveform(row, screen, phase)[:, :, None] * modulation_of(row)
    return screen.display.encode(background_of(row) + added)


def choose(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """Take so many stimuli: in turn from each colour direction and study, spread over frequency.

    Parameters
    ----------
    table : DataFrame
        `direction`, `study`, `frequency`.
    most : int
        So many, or all if there are fewer.
    """
    order: list[tuple[int, int]] = []
    for _, direction in table.groupby("direction", sort=True):
        own: list[tuple[int, int]] = []
        for _, rows in direction.groupby("study", sort=True):
            ranked = rows.sort_values("frequency", kind="stable").index
            own += [(place, int(name)) for place, name in enumerate(ranked[_spread(len(ranked))])]
        in_turn = sorted(own, key=lambda item: item[0])
        order += [(turn, name) for turn, (_, name) in enumerate(in_turn)]
    chosen = [name for _, name in sorted(order, key=lambda item: item[0])[:most]]
    return table.loc[sorted(chosen)]


def _spread(count: int) -> Sequence[int]:
    """Return 0..count-1 so that every beginning of it is spread over the whole."""
    steps, found = 1, [0]
    while len(found) < count:
        steps *= 2
        found += [i for k in range(steps + 1) if (i := round(k * (count - 1) / steps)) not in found]
    return list(dict.fromkeys(found))[:count]
