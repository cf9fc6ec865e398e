"""Figures of what is answered beside opinions show what their tables hold, and say on what."""

import figure_data as data
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from dissect_iqa.figures.answers import draw_answers
from dissect_iqa.figures.invariance import draw_invariance
from dissect_iqa.figures.plot import FIGURES, plot
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.figures.style import look
from dissect_iqa.figures.thresholds import draw_sensitivity


@pytest.fixture(scope="module")
def tables():
    return data.answers()


def texts(figure):
    return " ".join(
        " ".join(part.get_text().split()) for part in figure.findobj(Text) if part.get_text()
    )


LABEL = "Scores are multiples of thresholds. Pictures are moved."


def test_sensitivity_is_the_inverse_of_people_s_contrast(tables):
    settings = FigureSettings()
    with look(settings):
        figure = draw_sensitivity(tables["layers"], tables["stimuli"], LABEL, settings)
        figure.canvas.draw()
    words = texts(figure)
    for expected in (
        "luminance",
        "red-green",
        "5 studies, 40 stimuli",
        "PSNR",
        "multiples of thresholds",
        "people",
    ):
        assert expected in words
    assert "mathdefault" not in words and "$" not in words
    axes = figure.subfigs[0].axes
    dots = next(line for line in axes[0].lines if line.get_linestyle() == "None")
    people = (
        tables["stimuli"].drop_duplicates("stimulus").query("direction == 'luminance'")["people"]
    )
    np.testing.assert_allclose(np.sort(dots.get_ydata()), np.sort(10**-people))
    # what was found is 0.1 decades less sensitive
    thick, thin = axes[0].lines[1], axes[0].lines[2]
    np.testing.assert_allclose(thin.get_ydata() / thick.get_ydata(), 10**-0.1)


def answered(tables, **others):
    tables = {**tables, **others}
    opinions = tables["correlations"]
    tables["correlations"] = opinions[opinions["dataset"] == "demo"]
    settings = FigureSettings()
    with look(settings):
        takes = FIGURES["answers"].takes
        figure = draw_answers(*(tables[name] for name in takes), LABEL, settings)
        figure.canvas.draw()
    return figure


def test_answers_are_read_at_the_same_layers(tables):
    figure = answered(tables)
    words = texts(figure)
    for expected in (
        *("one observer", "trained networks", "rank correlation", "metric"),
        *("kept, shifted", "kept, turned", "Pictures are moved", "multiples of thresholds"),
    ):
        assert expected in words, expected
    left, right = figure.subfigs[0].subfigs
    above, below, *moved = left.axes
    own = tables["layers"].query("statistic == 'rmse_db' and direction == 'all'")
    model = tables["models"]["id"].iloc[0]
    own = own[own["model"] == model]
    wanted = own.sort_values("depth")["value"].to_numpy()
    assert any(np.array_equal(line.get_ydata(), wanted) for line in below.lines)
    assert below.yaxis_inverted() and right.axes[0].xaxis_inverted()
    dots = sum(len(dots.get_offsets()) for dots in right.axes[0].collections)
    assert dots == sum(tables["models"]["points"]) + len(data.BASELINES)
    assert len(above.lines) == len(tables["models"]) + len(data.BASELINES)
    for axes, name in zip(moved, ("shifted", "turned"), strict=True):
        kept = tables["invariance"]
        kept = kept[(kept["dataset"] == name) & (kept["model"] == model) & kept["kept"].notna()]
        kept = kept.sort_values("depth")["kept"].to_numpy()
        assert any(np.array_equal(line.get_ydata(), kept) for line in axes.lines)


@pytest.mark.parametrize("lacking, panels", [("layers", 3), ("invariance", 2)])
def test_answers_that_were_not_asked_for_have_no_panel(tables, lacking, panels):
    figure = answered(tables, **{lacking: pd.DataFrame()})
    body = figure.subfigs[0]
    column = body if lacking == "layers" else body.subfigs[0]
    assert len(column.axes) == panels
    assert ("rank correlation" in texts(figure)) == (lacking == "invariance")


def test_without_other_pictures_there_is_a_sentence(tables):
    other = tables["invariance"].assign(of="another")
    figure = answered(tables, layers=pd.DataFrame(), invariance=other)
    assert "No network was measured on these pictures and on others" in texts(figure)


def shifted(tables):
    rows = tables["invariance"]
    return {**tables, "invariance": rows[rows["dataset"] == "shifted"]}


def test_invariance_shows_shares_and_what_was_before(tables):
    settings = FigureSettings()
    with look(settings):
        takes = FIGURES["invariance"].takes
        figure = draw_invariance(*(shifted(tables)[name] for name in takes), LABEL, settings)
        figure.canvas.draw()
    words = texts(figure)
    for expected in ("shifted", "PSNR", "Pictures are moved", "keep 0.", "aligned"):
        assert expected in words, expected
    left, right = figure.subfigs[0].axes
    rows = tables["invariance"].query("dataset == 'shifted'")
    model = tables["models"]["id"].iloc[0]
    kept = rows[rows["model"] == model].dropna(subset=["kept"]).sort_values("depth")["kept"]
    assert any(np.array_equal(line.get_ydata(), kept) for line in left.lines)
    offsets = np.concatenate([dots.get_offsets() for dots in right.collections])
    dots = {(float(x), float(y)) for x, y in offsets}
    wanted = set(zip(rows["aligned"], rows["misaligned"], strict=True))
    assert wanted == dots


def test_of_many_networks_the_median_of_a_function_stands_out(tables):
    names = [f"n{i:02d}" for i in range(14)]
    models = pd.concat([tables["models"].iloc[[0]].assign(id=name) for name in names])
    first = tables["models"]["id"].iloc[0]

    def copies(table):
        own = table[table["model"] == first]
        return pd.concat([own.assign(model=name) for name in names], ignore_index=True)

    parts = {name: copies(tables[name]) for name in ("correlations", "layers", "invariance")}
    figure = answered(tables, models=models, **parts)
    assert "Thick: the median network" in texts(figure)
    above = figure.subfigs[0].subfigs[0].axes[0]
    thick = [line for line in above.lines if line.get_linewidth() > 1.5]
    assert len(thick) == 1 and len(above.lines) == len(names) + 1
    # all networks are alike, so that the median is each of them
    one = above.lines[0]
    np.testing.assert_allclose(
        thick[0].get_ydata(), np.interp(thick[0].get_xdata(), one.get_xdata(), one.get_ydata())
    )


def drawn_invariance(tables, settings, **others):
    tables = {**shifted(tables), **others}
    with look(settings):
        takes = FIGURES["invariance"].takes
        figure = draw_invariance(*(tables[name] for name in takes), LABEL, settings)
        figure.canvas.draw()
    return figure


def test_a_share_is_named_after_what_it_is_a_share_of(tables):
    """Whatever statistic the other figures show: those of invariance are SRCC."""
    settings = FigureSettings(statistic="plcc")
    both = [tables["correlations"], tables["correlations"].assign(statistic="plcc")]
    figure = drawn_invariance(tables, settings, correlations=pd.concat(both))
    assert "share of SRCC kept" in texts(figure) and "PLCC" not in texts(figure)


def test_shares_of_triplets_are_of_what_exceeds_chance(tables):
    rows = tables["invariance"]
    rows = rows[rows["model"] == tables["models"]["id"].iloc[0]].head(2)
    rows = rows.assign(statistic="agreement", aligned=[0.8, 0.75], misaligned=[0.65, 0.7],
                       kept=[0.5, 0.8])  # fmt: skip
    words = texts(drawn_invariance(tables, FigureSettings(), invariance=rows))
    assert "Of their aligned agreement beyond chance 1 trained" in words
    assert "keep 0.50" in words and "and 0.67 of it" in words  # (.70 - .5) / (.80 - .5)


@pytest.mark.parametrize("name", ["sensitivity", "invariance", "answers"])
def test_files_of_all_formats(tables, tmp_path, name):
    plot(name, shifted(tables), LABEL, tmp_path / name, spec="{}")
    assert {path.suffix for path in tmp_path.iterdir()} == {".pdf", ".svg", ".png"}
