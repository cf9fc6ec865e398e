"""The matrix of who beats whom: who is shown, what for, and that it fits its page."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from dissect_iqa.figures.contests import MOST, draw_contests, effects
from dissect_iqa.figures.plot import plot
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.figures.style import look

SETTINGS = FigureSettings()


def contests(count):
    """Everyone meets everyone; each beats those three places or more behind."""
    names = [f"network_number_{i}" for i in range(count - 2)] + ["psnr", "ms_ssim"]
    rows = [
        (first, second, 0.01 * (j - i), first if j - i > 2 else "")
        for i, first in enumerate(names)
        for j, second in enumerate(names)
        if i < j
    ]
    return table_of(rows)


def table_of(rows):
    table = pd.DataFrame(rows, columns=["first", "second", "difference", "winner"])
    facts = {"dataset": "demo", "statistic": "srcc", "distance": "rmse", "n": 390}
    return table.assign(**facts, references=6)


def drawn(table, label=None):
    with look(SETTINGS):
        figure = draw_contests(table, label, SETTINGS)
        FigureCanvasAgg(figure).draw()
    return figure


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def matrix(figure):
    return next(axes for axes in figure.findobj(Axes) if axes.images)


@pytest.mark.parametrize("count", [2, 12, MOST, MOST + 10])
def test_names_fit_the_page_and_the_matrix_is_whole(count):
    figure = drawn(contests(count), "Scores are transferred.")
    page = figure.bbox
    for text in figure.findobj(Text):
        if text.get_text() and text.get_visible():
            box = text.get_window_extent()
            assert box.x0 >= page.x0 - 1 and box.x1 <= page.x1 + 1, text.get_text()
            assert box.y0 >= page.y0 - 1 and box.y1 <= page.y1 + 1, text.get_text()
    shown = min(count, MOST)
    drawn_effects = np.ma.filled(matrix(figure).images[0].get_array(), np.nan)
    assert np.isfinite(drawn_effects).sum() == shown * (shown - 1)
    joined = " ".join(texts(figure)).replace("\n", " ")
    assert "Scores are transferred." in joined and "390 pairs, 6 references" in joined
    assert (f"{MOST} of {count} competitors" in joined) == (count > MOST)


def test_effects_are_the_row_s_less_the_column_s_and_dots_say_who_can_t_be_told():
    table = table_of([("a", "ssim", 0.02, ""), ("ssim", "b", -0.1, "b")])
    figure = drawn(table)
    axes = matrix(figure)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "a", "SSIM"]
    np.testing.assert_allclose(
        effects(table, ["b", "a", "ssim"]),
        [[np.nan, np.nan, 0.1], [np.nan, np.nan, 0.02], [-0.1, -0.02, np.nan]],
    )
    (open_,) = (part.get_offsets() for part in axes.collections)
    np.testing.assert_array_equal(open_, [[2, 1], [1, 2]])


def test_nobody_met(tmp_path):
    nobody = contests(2).iloc[:0]
    plot("contests", {"contests": nobody}, None, tmp_path / "contests", formats=["svg", "png"])
    assert {path.suffix for path in tmp_path.iterdir()} == {".svg", ".png"}
    assert any("No two networks" in text for text in texts(draw_contests(nobody, None, SETTINGS)))
