"""One look for all figures: sizes, colours, names, notes, and labels that don't collide."""

import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from dissect_iqa.baselines.names import BASELINES
from dissect_iqa.figures.select import AGREEMENT, View
from dissect_iqa.figures.settings import STATISTICS, FigureSettings

MM = 1 / 25.4
#: Width of a figure over one and over two columns of a journal's page, in millimetres.
ONE_COLUMN, TWO_COLUMNS = 90.0, 190.0
INK, MUTED, CONTEXT, HAIRLINE = "#222222", "#5c5c5c", "#d4d4d4", "#e6e6e6"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
NAMES = {
    "rmse": "RMSE",
    "normalized_rmse": "channel-normalised RMSE",
    "cosine": "cosine",
    "correlation": "correlation distance",
    "lpips_uniform": "LPIPS, uniform weights",
    "dists": "DISTS form",
    "mean_std": "mean and SD descriptor",
}


def display(name: str, baseline: bool = False) -> str:
    """Return how a distance or a metric is written in print; an unknown name stays as it is."""
    if baseline:
        return BASELINES[name].title if name in BASELINES else name
    return NAMES.get(name, name.replace("_", " "))


@contextmanager
def look(settings: FigureSettings) -> Iterator[None]:
    """Hold matplotlib to the project's look within a block, whatever the user's own defaults."""
    scale = 1.5 if settings.context == "talk" else 1.0
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(
            {
                "font.family": "DejaVu Sans",  # ships with matplotlib: the same everywhere
                "font.size": 8 * scale,
                "axes.titlesize": 8 * scale,
                "axes.labelsize": 8 * scale,
                "xtick.labelsize": 7 * scale,
                "ytick.labelsize": 7 * scale,
                "legend.fontsize": 7 * scale,
                "figure.titlesize": 9 * scale,
                "axes.titlelocation": "left",
                "axes.titlepad": 3,
                "axes.titleweight": "normal",
                "axes.edgecolor": MUTED,
                "axes.labelcolor": INK,
                "text.color": INK,
                "xtick.color": MUTED,
                "ytick.color": MUTED,
                "xtick.labelcolor": INK,
                "ytick.labelcolor": INK,
                "axes.linewidth": 0.6,
                "xtick.major.width": 0.6,
                "ytick.major.width": 0.6,
                "xtick.major.size": 2.5,
                "ytick.major.size": 2.5,
                "xtick.major.pad": 2,
                "ytick.major.pad": 2,
                "axes.labelpad": 2,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.unicode_minus": True,
                "lines.linewidth": 1.1,
                "lines.markersize": 4,
                "legend.frameon": False,
                "legend.handlelength": 2.2,
                "legend.columnspacing": 1.2,
                "legend.labelspacing": 0.3,
                "figure.constrained_layout.w_pad": 0.03,
                "figure.constrained_layout.h_pad": 0.03,
                "pdf.fonttype": 42,  # TrueType: embedded, searchable, accepted by journals
                "ps.fonttype": 42,
                "svg.fonttype": "path",  # looks the same where the font is missing
                "svg.hashsalt": "dissect-iqa",
                "pdf.compression": 9,
            }
        )
        yield


def small(settings: FigureSettings) -> float:
    """Return the size of notes and labels inside the axes, in points."""
    return 7.0 * (1.5 if settings.context == "talk" else 1.0)


def colours(count: int, settings: FigureSettings) -> list[Any]:
    """Return `count` colours that can be told apart; they repeat after eight.

    The colour-blind palette's grey is left for context and its yellow is too light for lines.
    """
    if settings.palette == "grey":
        shades = np.linspace(0.0, 0.62, max(count, 2))
        return [str(round(float(shade), 3)) for shade in shades[:count]]
    palette = sns.color_palette("colorblind")
    kept = [palette[i] for i in (0, 3, 2, 1, 4, 5, 9, 6)]
    return [kept[i % len(kept)] for i in range(count)]


def statistic_label(view: View) -> str:
    """Return the words for the axis of a view's values."""
    return STATISTICS[view.statistic]


def short_statistic(view: View) -> str:
    """Return the abbreviation of a view's values."""
    return view.statistic if view.statistic == AGREEMENT else view.statistic.rstrip("45").upper()


def interval_note(view: View, what: str) -> list[str]:
    """Return the sentence on intervals, if there are any."""
    if not view.layers["low"].notna().any() and not view.baselines["low"].notna().any():
        return []
    few = f" ({view.references} references)" if view.references else ""
    return [f"{what}: bootstrap intervals over references{few}."]


Drawer = Callable[[FigureBase, View], None]


def compose(
    blocks: Sequence[View],
    height: Callable[[View], float],
    draw: Drawer,
    notes: Callable[[View], Sequence[str]],
    settings: FigureSettings,
    width: float = TWO_COLUMNS,
) -> Figure:
    """Draw one block a data set, one under the other, each with its notes beneath.

    Parameters
    ----------
    blocks : sequence of View
        One for each data set.
    height : callable
        Height of a view's drawing, in millimetres.
    draw : callable
        Draws a view into a figure or subfigure.
    notes : callable
        Sentences to stand under the drawing; the data set's label is added in front.
    settings : FigureSettings
        The look.
    width : float
        Width of the figure, in millimetres.
    """
    scale = 1.5 if settings.context == "talk" else 1.0
    texts = [_wrap(_all_notes(view, notes(view)), width / scale) for view in blocks]
    titled = 6.0 * scale if len(blocks) > 1 else 0.0
    heights: list[float] = []
    for view, text in zip(blocks, texts, strict=True):
        heights += [height(view) * scale + titled, (3.1 * (text.count("\n") + 1) + 1.5) * scale]
    figure = Figure(figsize=(width * scale * MM, sum(heights) * MM), layout="constrained")
    parts = np.atleast_1d(figure.subfigures(len(heights), 1, height_ratios=heights, hspace=0))
    for i, (view, text) in enumerate(zip(blocks, texts, strict=True)):
        body, foot = parts[2 * i], parts[2 * i + 1]
        if titled:
            body.suptitle(view.dataset, x=0.01, ha="left", fontweight="bold")
        draw(body, view)
        foot.text(0.01, 0.98, text, va="top", fontsize=small(settings), color=MUTED)
    return figure


def _all_notes(view: View, notes: Sequence[str]) -> str:
    sentences = [*([view.label] if view.label else []), *notes]
    if view.missing:
        sentences.append(f"No finite value: {', '.join(view.missing)}.")
    return " ".join(_sentence(text) for text in sentences if text)


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else text + "."


def _wrap(text: str, width: float) -> str:
    # DejaVu Sans at 7 points: 1.33 mm a character on average
    return "\n".join(textwrap.wrap(text, max(int((width - 4) / 1.33), 20))) if text else ""


def statement(text: str, view_label: str | None, settings: FigureSettings) -> Figure:
    """Return a figure that says why there is nothing to draw, so that no panel is just missing."""
    scale = 1.5 if settings.context == "talk" else 1.0
    figure = Figure(figsize=(TWO_COLUMNS * scale * MM, 28 * scale * MM))
    figure.text(0.5, 0.58, _wrap(text, 160), ha="center", va="center", color=INK)
    if view_label:
        note = _wrap(_sentence(view_label), TWO_COLUMNS)
        figure.text(0.01, 0.03, note, va="bottom", fontsize=small(settings), color=MUTED)
    return figure


def say(body: FigureBase, text: str) -> None:
    """Put a statement where a block would have been."""
    body.text(0.5, 0.5, _wrap(text, 150), ha="center", va="center", color=INK)


def statement_height(text: str) -> float:
    """Return the height a statement needs, in millimetres."""
    return 12 + 3.5 * (_wrap(text, 150).count("\n") + 1)


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


def label_lines(
    axes: Axes,
    entries: Sequence[tuple[float, str, Any]],
    height: float,
    size: float,
) -> None:
    """Write labels to the right of the axes, each beside its line, moved apart where they crowd.

    Parameters
    ----------
    axes : Axes
        With its final limits.
    entries : sequence of (float, str, colour)
        Where the line ends, what to write, in which colour.
    height : float
        Height of the axes in millimetres (roughly); tells how much a line of text covers.
    size : float
        Size of the text in points.
    """
    if not entries:
        return
    low, high = axes.get_ylim()
    gap = size * 1.12 / 72 / MM / height * (high - low)
    places = spread([y for y, _, _ in entries], gap, low, high)
    for (y, text, colour), place in zip(entries, places, strict=True):
        axes.annotate(
            text,
            xy=(1.0, y),
            xycoords=("axes fraction", "data"),
            xytext=(1.045, place),
            textcoords=("axes fraction", "data"),
            va="center",
            fontsize=size,
            color=colour,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "linewidth": 0.5,
                "color": colour,
                "shrinkA": 1,
                "shrinkB": 0,
                "relpos": (0, 0.5),
            },
        )
