"""The figure of factors' shares: order, intervals, what must be said, and that it fits its page."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from dissect_iqa.factors.shares import CELLS, MODELS
from dissect_iqa.figures.factors import draw_factors
from dissect_iqa.figures.plot import plot
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.figures.style import look

TOLD = "not identifiable: function can't be told from architecture; their share is given together"
LEFT_OUT = "without a value everywhere, left out: alexnet"


def table():
    rows = [
        ("environment", 0.1, -0.05, 0.25, 0.2, 0.02, ""),
        ("function or architecture", 0.4, 0.2, 0.6, 0.5, 0.3, TOLD),
        ("depth", -0.01, -0.9, 0.88, 0.01, -0.02, "depth: nothing that need be said"),
        (MODELS, 0.31, 0.2, 0.4, 0.31, 0.31, LEFT_OUT),
        (CELLS, 0.2, 0.1, 1.8, 0.2, 0.2, ""),
    ]
    return pd.DataFrame(
        rows, columns=["factor", "share", "low", "high", "alone", "last", "note"]
    ).assign(what="")


def drawn(rows, label=None, settings=None):
    settings = settings or FigureSettings()
    with look(settings):
        figure = draw_factors(rows, label, settings)
        FigureCanvasAgg(figure).draw()
    return figure


def said(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text)).replace("\n", " ")


def axes_of(figure):
    return figure.findobj(lambda artist: hasattr(artist, "get_xlim"))[0]


def intervals(figure):
    return [
        tuple(float(x) for x in line.get_xdata())
        for line in axes_of(figure).lines
        if len(line.get_xdata()) == 2 and line.get_xdata()[0] != line.get_xdata()[1]
    ]


def fits(figure):
    """What is drawn, ticks beyond the axis left out, lies on the page."""
    drawn_box, page = figure.get_tightbbox(), figure.bbox_inches
    assert drawn_box.x0 > -0.01 and drawn_box.x1 < page.x1 + 0.01
    assert drawn_box.y0 > -0.01 and drawn_box.y1 < page.y1 + 0.01


def test_the_largest_is_on_top_and_what_is_left_is_last():
    figure = drawn(table(), "Scores are transferred.")
    names = [label.get_text() for label in axes_of(figure).get_yticklabels()]
    assert names == ["function or architecture", "environment", "depth", MODELS, CELLS]
    assert "40 %" in said(figure) and "−1 %" in said(figure)
    fits(figure)


def test_what_the_networks_cannot_tell_and_who_is_left_out_is_said():
    text = said(drawn(table(), "Scores are transferred."))
    assert "Not identifiable: function can't be told from architecture" in text
    assert "Without a value everywhere, left out: alexnet." in text
    assert "Scores are transferred. Shapley values" in text
    assert "need be said" not in text


def test_intervals_are_those_of_the_table_below_zero_too():
    figure = drawn(table())
    assert intervals(figure) == [
        (0.2, 0.6), (-0.05, 0.25), (-0.9, 0.88), (0.2, 0.4), (0.1, 1.8)
    ]  # fmt: skip
    first, last = axes_of(figure).get_xlim()
    assert -0.4 < first < -0.05 and 0.6 < last < 1.2
    assert not intervals(drawn(table(), settings=FigureSettings(intervals=False)))


@pytest.mark.parametrize("why", ["not identifiable: " + "5 trained networks are too few " * 6])
def test_a_study_that_cannot_tell_says_so(why, tmp_path):
    none = table().assign(share=np.nan, low=np.nan, high=np.nan, note=why)
    figure = drawn(none, "Scores are transferred.")
    assert "No share of a factor can be told: not identifiable: 5 trained" in said(figure)
    assert "Scores are transferred." in said(figure)
    fits(figure)
    plot("factors", {"factors": none}, {}, tmp_path / "factors", spec="{}", formats=["svg", "png"])
    assert {path.suffix for path in tmp_path.iterdir()} == {".svg", ".png"}
