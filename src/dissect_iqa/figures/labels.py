"""Text in figures: how wide it is, how it wraps, and labels that don't cover each other."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

#: Inches and points in a millimetre.
MM, POINTS = 1 / 25.4, 72 / 25.4
#: Ships with matplotlib, so that figures are the same everywhere.
FONT = "DejaVu Sans"


@lru_cache(maxsize=4096)
def text_width(text: str, size: float) -> float:
    """Return the width of a line of text in points, without drawing it."""
    font = FontProperties(family=FONT, size=size)
    return float(TextToPath().get_text_width_height_descent(text, font, ismath=False)[0])


def fit(text: str, width: float, size: float) -> str:
    """Return the text, cut with an ellipsis if it is wider than `width` millimetres."""
    room = width * POINTS
    if text_width(text, size) <= room:
        return text
    while text and text_width(text + "…", size) > room:
        text = text[:-1]
    return text.rstrip(" ,") + "…"


def wrap(text: str, width: float, size: float = 7.0) -> str:
    """Break text into lines of at most `width` millimetres."""
    room, lines = width * POINTS, [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer, size) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)


def spread(positions: Sequence[float], gap: float, low: float, high: float) -> np.ndarray:
    """Move positions apart until neighbours are `gap` away, staying within bounds if they fit.

    The order is kept and each cluster stays centred on where its members wanted to be.

    Parameters
    ----------
    positions : sequence of float
        Wanted positions, in any order.
    gap : float
        Least distance between neighbours, in the same unit.
    low, high : float
        Bounds.

    Returns
    -------
    ndarray
        New positions, in the order of the input.
    """
    wanted = np.asarray(positions, dtype=float)
    order = np.argsort(wanted, kind="stable")
    clusters: list[tuple[float, int]] = []  # (centre, members)
    room = (len(wanted) - 1) * gap
    top = max(high, low + room)
    for value in wanted[order]:
        centre, members = float(np.clip(value, low, top)), 1
        while clusters:
            before, count = clusters[-1]
            if centre - before >= (count + members) / 2 * gap:
                break
            clusters.pop()
            centre = (before * count + centre * members) / (count + members)
            members += count
            half = (members - 1) / 2 * gap
            centre = float(np.clip(centre, low + half, max(top - half, low + half)))
        clusters.append((centre, members))
    placed = np.concatenate(
        [centre + (np.arange(count) - (count - 1) / 2) * gap for centre, count in clusters]
    )
    result = np.empty_like(wanted)
    result[order] = placed
    return result


def label_places(axes: Axes, ends: Sequence[float], height: float, size: float) -> np.ndarray:
    """Return where labels beside the axes can stand: each near its line, moved apart if they crowd.

    Parameters
    ----------
    axes : Axes
        With its final limits.
    ends : sequence of float
        Where the lines end.
    height : float
        Height of the axes in millimetres (roughly); tells how much a line of text covers.
    size : float
        Size of the text in points.

    Returns
    -------
    ndarray
        Places on the axes' vertical scale, in the order of the input.
    """
    low, high = axes.get_ylim()
    gap = size * 1.2 / POINTS / height * (high - low)
    return spread(ends, gap, low, high)
