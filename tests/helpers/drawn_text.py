"""The texts of a drawn figure, where they stand, and which cover each other."""

from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

#: Millimetres of a journal's page that a figure may fill, its notes included.
PAGE = 250


def check_text(figure):
    """Check that a figure fills a page at most, and its text is legible, inside and uncovered."""
    width, height = figure.bbox.size
    assert figure.get_figheight() * 25.4 <= PAGE
    labels = seen(figure)
    for text, box in labels:
        assert 7 <= text.get_fontsize() <= 9, text.get_text()
        inside = box.x0 > -1.5 and box.y0 > -1.5 and box.x1 < width + 1.5 and box.y1 < height + 1.5
        assert inside, f"{text.get_text()!r} at {box.extents} of {width} x {height}"
    assert not covering(labels)


def seen(figure):
    """Return the texts in sight, with their boxes in pixels."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    hidden = {label for axes in figure.findobj(Axes) for label in _out_of_view(axes)}
    found = []
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip() and text not in hidden:
            found.append((text, text.get_window_extent(renderer)))
    return found


def covering(labels):
    """Return the texts of each two labels of which one covers the other."""
    return [
        (one.get_text(), other.get_text())
        for (one, first), (other, second) in combinations(labels, 2)
        if covers(first, second)
    ]


def covers(first, second):
    """Tell whether two boxes share a pixel."""
    across = min(first.x1, second.x1) - max(first.x0, second.x0)
    up = min(first.y1, second.y1) - max(first.y0, second.y0)
    return across >= 1 and up >= 1


def _out_of_view(axes):
    for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        for tick in axis.get_major_ticks():
            if not min(limits) - 1e-9 <= tick.get_loc() <= max(limits) + 1e-9:
                yield from (tick.label1, tick.label2)
