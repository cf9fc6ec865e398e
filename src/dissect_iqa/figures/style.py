"""One look for all figures: sizes, colours, names, blocks and their notes."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from dissect_iqa.baselines.names import BASELINES
from dissect_iqa.figures.labels import FONT, MM, POINTS, text_width, wrap
from dissect_iqa.figures.select import AGREEMENT, View
from dissect_iqa.figures.settings import STATISTICS, FigureSettings

#: Size of notes, and of labels that may crowd inside the axes, in points.
SMALL, TINY = 7.0, 6.5
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
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(
            {
                "font.family": FONT,
                "font.size": 8,
                "axes.titlesize": 8,
                "axes.labelsize": 8,
                "xtick.labelsize": 7,
                "ytick.labelsize": 7,
                "legend.fontsize": 7,
                "figure.titlesize": 9,
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
                "text.parse_math": False,  # a name with dollars in it is a name
                "svg.fonttype": "path",  # looks the same where the font is missing
                "svg.hashsalt": "dissect-iqa",
                "pdf.compression": 9,
            }
        )
        yield


def outline(width: float) -> list[withStroke]:
    """Return what sets a line or a text off from what it crosses: white, so many points wide."""
    return [withStroke(linewidth=width, foreground="white")]


def colours(count: int, settings: FigureSettings) -> list[Any]:
    """Return `count` colours that can be told apart; they repeat after eight.

    The colour-blind palette's grey is left for context and its yellow is too light for lines.
    """
    if settings.palette == "grey":
        shades = np.linspace(0.0, 0.62, max(count, 2))
        return [str(round(float(shade), 3)) for shade in shades[:count]]
    palette = sns.color_palette("colorblind")
    kept = [palette[i] for i in (0, 3, 2, 1, 4, 9, 5, 6)]
    return [kept[i % len(kept)] for i in range(count)]


def statistic_label(view: View) -> str:
    """Return the words for the axis of a view's values."""
    return STATISTICS[view.statistic]


def short_statistic(view: View) -> str:
    """Return the abbreviation of a view's values."""
    return view.statistic if view.statistic == AGREEMENT else view.statistic.rstrip("45").upper()


def rule(view: View) -> str:
    """Return the distance of the figures that show only one, and how it was chosen."""
    return view.rule.format(distance=display(view.distance))


def interval_note(view: View, what: str) -> list[str]:
    """Return the sentence on intervals, if there are any."""
    if not view.layers["low"].notna().any() and not view.baselines["low"].notna().any():
        return []
    few = f" ({view.references} references)" if view.references else ""
    return [f"{what}: jackknife intervals over references{few}."]


Drawer = Callable[[FigureBase, View], None]


def compose(
    blocks: Sequence[View],
    height: Callable[[View], float],
    draw: Drawer,
    notes: Callable[[View], Sequence[str]],
    settings: FigureSettings,
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
    """
    texts = [wrap(_all_notes(view, notes(view)), settings.width_mm - 6) for view in blocks]
    titled = 6.0 if len(blocks) > 1 else 0.0
    heights: list[float] = []
    for view, text in zip(blocks, texts, strict=True):
        heights += [height(view) + titled, 3.1 * (text.count("\n") + 1) + 1.5]
    figure = Figure(figsize=(settings.width_mm * MM, sum(heights) * MM), layout="constrained")
    made: Any = figure.subfigures(len(heights), 1, height_ratios=heights, hspace=0)
    parts = np.atleast_1d(made)
    for i, (view, text) in enumerate(zip(blocks, texts, strict=True)):
        body, foot = parts[2 * i], parts[2 * i + 1]
        if titled:
            body.suptitle(view.dataset, x=0.01, ha="left", fontweight="bold")
        draw(body, view)
        foot.text(0.01, 0.98, text, va="top", fontsize=SMALL, color=MUTED)
    return figure


def _all_notes(view: View, notes: Sequence[str]) -> str:
    sentences = [*([view.label] if view.label else []), *notes]
    if view.missing:
        sentences.append(f"No finite value: {', '.join(view.missing)}.")
    return " ".join(_sentence(text) for text in sentences if text)


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else text + "."


def blocks(
    heights: Mapping[str, float],
    notes: Mapping[str, str],
    labels: Mapping[str, str | None],
    settings: FigureSettings,
) -> tuple[Figure, dict[str, Any]]:
    """Return a figure with an empty block for each title, and the notes under it.

    Parameters
    ----------
    heights : mapping of str to float
        By title, the height of the block in millimetres. A title names its data sets, with commas
        or "and" between.
    notes : mapping of str to str
        By title, what stands under the block.
    labels : mapping of str to str or None
        By data set, a notice that is written before the notes.
    settings : FigureSettings
        The look.
    """
    texts, sizes = [], []
    for title, height in heights.items():
        own = [label for name in re.split(r", | and ", title) if (label := labels.get(name))]
        # a data set that is made of another one says what that says, too
        kept = [label for label in own if sum(label in other for other in {*own}) == 1]
        said = " ".join([*dict.fromkeys(kept), notes[title]])
        texts.append(wrap(said, settings.width_mm - 6))
        sizes += [height, 3.1 * (texts[-1].count("\n") + 1) + 1.5]
    figure = Figure(figsize=(settings.width_mm * MM, sum(sizes) * MM), layout="constrained")
    made: Any = figure.subfigures(len(sizes), 1, height_ratios=sizes, hspace=0)
    bodies: dict[str, Any] = {}
    for i, (title, text) in enumerate(zip(heights, texts, strict=True)):
        bodies[title] = made[2 * i]
        if len(heights) > 1:
            bodies[title].suptitle(title, x=0.01, ha="left", fontweight="bold")
        made[2 * i + 1].text(0.01, 0.98, text, va="top", fontsize=SMALL, color=MUTED)
    return figure, bodies


def statement(text: str, view_label: str | None, settings: FigureSettings) -> Figure:
    """Return a figure that says why there is nothing to draw, so that no panel is just missing."""
    figure = Figure(figsize=(settings.width_mm * MM, 28 * MM))
    figure.text(0.5, 0.58, wrap(text, 120, 8), ha="center", va="center", color=INK)
    if view_label:
        note = wrap(_sentence(view_label), settings.width_mm - 6)
        figure.text(0.01, 0.03, note, va="bottom", fontsize=SMALL, color=MUTED)
    return figure


def say(body: FigureBase, text: str) -> None:
    """Put a statement where a block would have been."""
    body.text(0.5, 0.5, wrap(text, 120, 8), ha="center", va="center", color=INK)


def legend(body: FigureBase, handles: Sequence[Line2D], settings: FigureSettings) -> None:
    """Set a legend under the drawing, in as many columns as fit, at most four."""
    widest = max(text_width(str(handle.get_label()), SMALL) for handle in handles)
    # handle, its gap and the space between columns: 5 widths of the letter
    columns = int(settings.width_mm * POINTS / (widest + 5 * SMALL))
    body.legend(
        handles=handles,
        loc="outside lower center",
        ncols=max(1, min(4, columns, len(handles))),
    )
