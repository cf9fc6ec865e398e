"""One look for all figures: sizes, colours, names, blocks and their notes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, NullLocator

from dissect_iqa.figures.labels import FONT, MM, POINTS, label_places, text_width, wrap
from dissect_iqa.figures.names import display
from dissect_iqa.figures.select import AGREEMENT, View
from dissect_iqa.figures.settings import STATISTICS, FigureSettings

#: Size of notes and of labels inside the axes, in points; titles have a point more.
SMALL = 7.0
INK, MUTED, CONTEXT, HAIRLINE = "#222222", "#5c5c5c", "#d4d4d4", "#e6e6e6"
DOTTED, DASHED = (0, (1, 1.6)), (0, (3.2, 1.4))


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
                "text.hinting": "no_hinting",  # or text is wider at few dots per inch
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


def number(value: float) -> str:
    """Return a correlation in two digits, without a leading zero, with a true minus sign."""
    text = f"{value:.2f}"
    if not float(text):
        return ".00"
    return text.replace("0.", ".", 1).replace("-", "\N{MINUS SIGN}")


def rule(view: View) -> str:
    """Return the distance of the figures that show only one, and how it was chosen."""
    return view.rule.format(distance=display(view.distance))


def interval_note(view: View, what: str) -> list[str]:
    """Return the sentence on intervals, if there are any."""
    if not view.layers["low"].notna().any() and not view.baselines["low"].notna().any():
        return []
    few = f" ({view.references} references)" if view.references else ""
    return [f"{what}: jackknife intervals over references{few}."]


def sheet(
    height: float, notes: Sequence[str], label: str | None, settings: FigureSettings
) -> tuple[Figure, SubFigure]:
    """Return an empty figure with notes at its foot, and the part above them to draw into.

    Parameters
    ----------
    height : float
        Of the drawing, in millimetres; notes come on top of it.
    notes : sequence of str
        Sentences to stand under the drawing.
    label : str or None
        A notice that must accompany the numbers; stands before the notes.
    settings : FigureSettings
        The look.
    """
    said = " ".join(_sentence(text) for text in (label or "", *notes) if text)
    text = wrap(said, settings.width_mm - 6)
    heights = [height, 3.1 * (text.count("\n") + 1) + 1.5]
    figure = Figure(figsize=(settings.width_mm * MM, sum(heights) * MM), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=heights, hspace=0)
    parts[1].text(0.01, 0.98, text, va="top", fontsize=SMALL, color=MUTED)
    return figure, parts[0]


def facts(view: View) -> list[str]:
    """Return the first sentences under a figure of one data set: which, and who has no value."""
    references = f", {view.references} references" if view.references else ""
    pairs = f": {view.pairs} pairs{references}" if view.pairs else ""
    missing = [f"No finite value: {', '.join(view.missing)}."] if view.missing else []
    return [f"Data set {view.dataset}{pairs}.", *missing]


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else text + "."


def log_axis(axis: Any, values: Sequence[float] | np.ndarray) -> None:
    """Make an axis logarithmic, with ticks at round numbers, at least two of which are in sight.

    Parameters
    ----------
    axis : Axis
        ``axes.xaxis`` or ``axes.yaxis``, before anything is drawn.
    values : sequence of float
        What is drawn along it.
    """
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known) & (known > 0)]
    decades = np.log10(known.max() / known.min()) if len(known) else 1.0
    subs = (1.0,) if decades > 2.5 else (1.0, 3.0) if decades > 1 else (1.0, 2.0, 3.0, 5.0)
    axes = axis.axes
    if axis is axes.xaxis:
        axes.set_xscale("log")
    else:
        axes.set_yscale("log")
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def statement(text: str, view_label: str | None, settings: FigureSettings) -> Figure:
    """Return a figure that says why there is nothing to draw, so that no panel is just missing."""
    figure = Figure(figsize=(settings.width_mm * MM, 28 * MM))
    figure.text(0.5, 0.58, wrap(text, 120, 8), ha="center", va="center", color=INK)
    if view_label:
        note = wrap(_sentence(view_label), settings.width_mm - 6)
        figure.text(0.01, 0.03, note, va="bottom", fontsize=SMALL, color=MUTED)
    return figure


def choice_note(view: View) -> str:
    """Return the sentence on how the layers of `View.judged` were chosen."""
    if view.is_honest:
        return "Layers are chosen on other references than those they are judged on."
    return "Best layers, chosen and judged on the same pairs."


def draw_best_metric(axes: Axes, view: View, height: float, named: bool = True) -> None:
    """Draw the best classic metric and the noise ceiling as levels, with their names beside.

    Parameters
    ----------
    axes : Axes
        Where to, with all else that is drawn there.
    view : View
        Whose metrics and ceiling.
    height : float
        Of the axes (roughly), in millimetres.
    named : bool
        Whether names are written.
    """
    levels: list[tuple[float, str, Any, Any]] = []
    if len(view.baselines):
        best = view.baselines.iloc[0]
        title = display(str(best["model"]), baseline=True)
        levels.append((float(best["value"]), title, DOTTED, MUTED))
    if view.ceiling is not None:
        levels.append((view.ceiling, "noise ceiling", "-", INK))
    if not levels:
        return
    low, high = axes.get_ylim()
    highest = max(value for value, *_ in levels)
    axes.set_ylim(low, max(high, highest + 0.03 * (highest - low)))
    places = label_places(axes, [value for value, *_ in levels], height, SMALL)
    for (value, title, dashes, colour), place in zip(levels, places, strict=True):
        axes.axhline(value, color=colour, linewidth=0.8, linestyle=dashes, zorder=1)
        if named:
            axes.text(
                1.012, float(place), title, transform=axes.get_yaxis_transform(), va="center",
                fontsize=SMALL, color=colour,
            )  # fmt: skip


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
