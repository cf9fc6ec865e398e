"""The matrix of who beats whom: who is shown, what for, and that it fits its page."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from dissect_iqa.figures.contests import MOST, draw_contests
from dissect_iqa.figures.plot import plot
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.figures.style import look

SETTINGS = FigureSettings()


def contests(count):
    """Everyone meets everyone; each beats those three places or more behind."""
    names = [f"network_number_{i}" for i in range(count - 2)] + ["psnr", "ms_ssim"]
    rows = [
        (first, second, first if j - i > 2 else "")
        for i, first in enumerate(names)
        for j, second in enumerate(names)
        if i < j
    ]
    table = pd.DataFrame(rows, columns=["first", "second", "winner"])
    return table.assign(statistic="srcc", distance="rmse", n=390, references=6)


def drawn(table, label=None):
    with look(SETTINGS):
        figure = draw_contests({"demo": table}, {"demo": label}, SETTINGS)
        FigureCanvasAgg(figure).draw()
    return figure


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


@pytest.mark.parametrize("count", [2, 12, 54, MOST + 10])
def test_names_fit_the_page_and_the_matrix_is_whole(count):
    figure = drawn(contests(count), "Scores are transferred.")
    page = figure.bbox
    for text in figure.findobj(Text):
        if text.get_text() and text.get_visible():
            box = text.get_window_extent()
            assert box.x0 >= page.x0 - 1 and box.x1 <= page.x1 + 1, text.get_text()
            assert box.y0 >= page.y0 - 1 and box.y1 <= page.y1 + 1, text.get_text()
    axes = figure.findobj(lambda artist: hasattr(artist, "get_xlim"))[0]
    shown = min(count, MOST)
    assert sum(len(part.get_offsets()) for part in axes.collections) == shown * (shown - 1)
    joined = " ".join(texts(figure))
    assert "Scores are transferred." in joined and "390 pairs, 6 references" in joined
    assert (f"{MOST} of {count} competitors" in joined) == (count > MOST)


def test_who_is_not_met_is_left_blank_and_victories_come_first():
    table = pd.DataFrame({"first": ["a", "b"], "second": ["ssim", "ssim"], "winner": ["", "b"]})
    figure = drawn(table.assign(statistic="srcc", distance="rmse", n=9, references=3))
    axes = figure.findobj(lambda artist: hasattr(artist, "get_xlim"))[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "a", "SSIM"]
    won, lost, open_ = (part.get_offsets() for part in axes.collections)
    np.testing.assert_array_equal(won, [[2, 0]])
    np.testing.assert_array_equal(lost, [[0, 2]])
    assert len(open_) == 2


def test_nobody_met(tmp_path):
    plot("contests", {"contests": {}}, {}, tmp_path / "contests", spec="{}", formats=["svg", "png"])
    assert {path.suffix for path in tmp_path.iterdir()} == {".svg", ".png"}
    assert any("No two networks" in text for text in texts(draw_contests({}, {}, SETTINGS)))
