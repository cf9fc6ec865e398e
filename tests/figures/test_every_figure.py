"""Every figure, of a small and of a large study: legible, on one page, and honest about gaps."""

import warnings

import numpy as np
import pandas as pd
import pytest
from drawn_text import check_text, covering, seen
from figure_tables import NOTICE, tables, tables_for
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from dissect_iqa.figures.plot import FIGURES
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.figures.style import look

_FOUND: dict[int, dict] = {}


def drawn(name, found, label=NOTICE, **settings):
    """Draw a figure by its name, layout included; a layout that fails is an error."""
    settings = FigureSettings(**settings)
    with look(settings), warnings.catch_warnings():
        warnings.simplefilter("error")
        record = FIGURES[name]
        figure = record.draw(*(found[table] for table in record.takes), label, settings)
        FigureCanvasAgg(figure).draw()
    return figure


def made(size):
    if size not in _FOUND:
        _FOUND[size] = tables(size)
    return _FOUND[size]


def texts(figure):
    """Return all text of a figure as one line."""
    found = [text.get_text() for text in figure.findobj(Text) if text.get_visible()]
    return " ".join(" ".join(found).split())


@pytest.mark.parametrize("palette", ["colorblind", "grey"])
@pytest.mark.parametrize("size", [7, pytest.param(46, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", FIGURES)
def test_text_is_legible_on_one_page_and_no_label_covers_another(name, size, palette):
    figure = drawn(name, tables_for(name, size, made(size)), palette=palette)
    check_text(figure)
    assert NOTICE in texts(figure)


def test_a_label_that_covers_another_is_found():
    figure = drawn("factors", tables_for("factors", 7, made(7)))
    place = seen(figure)[3][1]
    figure.text(*figure.transFigure.inverted().transform((place.x0, place.y0)), "covers it")
    assert any("covers it" in pair for pair in covering(seen(figure)))


@pytest.mark.parametrize("width", [140, 300])
@pytest.mark.parametrize("name", FIGURES)
def test_other_widths_leave_no_text_outside(name, width):
    figure = drawn(name, tables_for(name, 7, made(7)), width_mm=width)
    for text, box in seen(figure):
        inside = box.x0 > -1.5 and box.x1 < figure.bbox.width + 1.5
        assert inside, f"{text.get_text()!r} at {box.extents}"


# --- what is missing -------------------------------------------------------------------------


def one_network(found):
    name = found["models"]["id"].iloc[0]
    return {
        **found,
        "models": found["models"].iloc[:1],
        **{
            table: rows[(rows["model"] == name)]
            for table, rows in found.items()
            if isinstance(rows, pd.DataFrame) and "model" in rows
        },
        "contests": found["contests"].iloc[:0],
    }


def only_metrics(found):
    return {
        **found,
        **{
            table: rows[rows["kind"] == "metric"]
            for table, rows in found.items()
            if isinstance(rows, pd.DataFrame) and "kind" in rows
        },
    }


def nothing_finite(found):
    table = found["correlations"].assign(value=np.nan, low=np.nan, high=np.nan)
    return {**found, "correlations": table}


def holes_and_no_intervals(found):
    table, name = found["correlations"], found["models"]["id"].iloc[1]
    holes = (table["model"] == name) | (table.index % 7 == 3)
    value = table["value"].where(~holes)
    return {**found, "correlations": table.assign(low=np.nan, high=np.nan, value=value)}


def all_inverted(found):
    table = found["correlations"]
    return {
        **found,
        "correlations": table.assign(value=-table["value"], low=-table["high"], high=-table["low"]),
    }


@pytest.mark.parametrize(
    "change", [one_network, only_metrics, nothing_finite, holes_and_no_intervals, all_inverted]
)
@pytest.mark.parametrize("name", FIGURES)
def test_what_is_missing_gives_a_figure_or_a_statement(name, change):
    found = change(tables_for(name, 7, made(7)))
    figure = drawn(name, found)
    assert NOTICE in texts(figure)
    record = FIGURES[name]
    if change is nothing_finite and record.takes == ("correlations", "models"):
        assert "nothing" in texts(figure) or "no " in texts(figure).lower()
    if change is holes_and_no_intervals and name in ("depth", "ranking", "types"):
        assert f"No finite value: {found['models']['id'].iloc[1]}" in texts(figure)
        assert "jackknife" not in texts(figure)


# --- colours ---------------------------------------------------------------------------------


def test_a_function_looks_the_same_in_every_study_and_in_every_figure():
    from dissect_iqa.figures.looks import looks

    small, large = (
        looks(made(size)["models"].set_index("id", drop=False), FigureSettings())
        for size in (7, 46)
    )
    assert {*small.of.values()} != {*large.of.values()}
    for function in {*small.of.values()} & {*large.of.values()}:
        assert small.function(function) == large.function(function)


def test_functions_differ_in_colour_in_marker_and_where_printed_in_grey():
    from matplotlib.colors import to_rgb

    from dissect_iqa.figures.functions import FUNCTIONS, UNTRAINED
    from dissect_iqa.figures.looks import METRIC, Looks

    looks = Looks({})
    drawn = [looks.function(name) for name in (*FUNCTIONS, METRIC)]
    assert len({to_rgb(one.colour) for one in drawn}) == len(drawn)
    assert len({(one.marker, one.open) for one in drawn}) == len(drawn)
    assert [name for name in FUNCTIONS if looks.function(name).open] == [UNTRAINED]


@pytest.mark.parametrize(
    ("row", "function"),
    [
        ({"group": "self-supervised", "untrained": False}, "self-supervised"),
        ({"group": "none", "untrained": True}, "untrained"),
        ({"group": "supervised text detection", "untrained": False}, "supervised, other tasks"),
        ({"group": "reinforcement", "untrained": False}, "other function"),
        (
            {"group": "depth estimation", "supervision": "other labels", "untrained": False},
            "supervised, other tasks",
        ),
        (
            {"group": "semi-supervised, then supervised classification", "untrained": False},
            "several in turn",
        ),
    ],
)
def test_every_function_has_a_place(row, function):
    from dissect_iqa.figures.functions import function_of

    assert function_of(row) == function
