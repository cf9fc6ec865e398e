"""Figures of contrast thresholds show what their tables hold, and say what they rest on."""

import figure_data as data
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from dissect_iqa.figures.plot import THRESHOLD_FIGURES, plot_thresholds
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.figures.style import look
from dissect_iqa.figures.thresholds import draw_answers, draw_sensitivity, within_depth

DIRECTIONS = ("luminance", "red-green")


@pytest.fixture(scope="module")
def tables():
    """Correlations, thresholds of layers and of stimuli, models: all made up."""
    models = data.models()
    correlations = data.correlations(models, distances=("rmse",))
    rows, details, rng = [], [], np.random.default_rng(0)
    competitors = [(row.id, "network", int(row.points)) for row in models.itertuples()]
    competitors += [(name, "metric", 1) for name in data.BASELINES]
    for model, kind, points in competitors:
        network = kind == "network"
        for i in range(points):
            key = {
                "dataset": "light", "model": model, "kind": kind,
                "layer": f"features.{i}" if network else "",
                "depth": (i + 1) / points if network else np.nan,
                "distance": "rmse" if network else model, "fitted_on": "",
            }  # fmt: skip
            for direction in ("all", *DIRECTIONS):
                for statistic in ("rmse_db", "spread_db", "bias_db", "correlation"):
                    value = 8 + rng.normal() + i / points
                    rows.append({**key, "direction": direction, "statistic": statistic,
                                 "value": value, "low": value - 1, "high": value + 1,
                                 "n": 40, "studies": 5})  # fmt: skip
        for stimulus in range(40):
            people = -2 + 0.05 * stimulus
            details.append({**key, "stimulus": stimulus, "study": f"s{stimulus % 5}",
                            "direction": DIRECTIONS[stimulus % 2],
                            "frequency": 0.0 if stimulus < 2 else 0.5 * 2.0 ** (stimulus % 6),
                            "people": people, "found": people + 0.1,
                            "found_honest": people})  # fmt: skip
    ceiling = {**rows[0], "model": "one observer", "kind": "ceiling", "layer": "",
               "distance": "one observer", "direction": "all", "statistic": "rmse_db",
               "value": 4.0}  # fmt: skip
    layers = pd.DataFrame([*rows, ceiling])
    return {
        "correlations": correlations, "layers": layers, "stimuli": pd.DataFrame(details),
        "models": models,
    }  # fmt: skip


def texts(figure):
    return " ".join(
        " ".join(part.get_text().split()) for part in figure.findobj(Text) if part.get_text()
    )


ANSWERS = THRESHOLD_FIGURES["answers"].takes
LABELS = {"demo": data.NOTICE, "light": "Scores are multiples of thresholds."}


def test_sensitivity_is_the_inverse_of_people_s_contrast(tables):
    settings = FigureSettings()
    with look(settings):
        figure = draw_sensitivity(tables["layers"], tables["stimuli"], LABELS, settings)
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


def test_answers_are_read_at_the_same_layers(tables):
    settings = FigureSettings()
    with look(settings):
        figure = draw_answers(*(tables[n] for n in ANSWERS), LABELS, settings)
        figure.canvas.draw()
    words = texts(figure)
    for expected in ("one observer", "Over 7 networks", "rank correlation", "classic metric"):
        assert expected in words
    left, right = figure.subfigs[0].subfigs
    above, below = left.axes
    own = tables["layers"].query("statistic == 'rmse_db' and direction == 'all'")
    own = own[own["model"] == tables["models"]["id"].iloc[0]]
    wanted = own.sort_values("depth")["value"].to_numpy()
    assert any(np.array_equal(line.get_ydata(), wanted) for line in below.lines)
    assert below.yaxis_inverted() and right.axes[0].xaxis_inverted()
    assert len(right.axes[0].lines) == sum(tables["models"]["points"]) + len(data.BASELINES)
    assert len(above.lines) == len(tables["models"]) + len(data.BASELINES)


def test_without_rated_pictures_there_is_a_sentence(tables):
    only = tables["correlations"].assign(dataset="light")
    figure = draw_answers(only, tables["layers"], tables["models"], {}, FigureSettings())
    assert "No network was measured both on rated pictures and on thresholds" in texts(figure)


@pytest.mark.parametrize("name", THRESHOLD_FIGURES)
def test_files_of_all_formats(tables, tmp_path, name):
    plot_thresholds(name, tables, LABELS, tmp_path / name, spec="{}")
    assert {path.suffix for path in tmp_path.iterdir()} == {".pdf", ".svg", ".png"}


@pytest.mark.parametrize("coupling", [0.0, 1.0, -1.0])
def test_what_goes_together_only_by_depth_is_taken_off(coupling):
    """Both answers fall with depth in every network; only the networks' own parts may couple."""
    rng = np.random.default_rng(0)
    rows = []
    for model in range(30):
        quality = rng.normal()
        for depth in np.arange(1, 11) / 10:
            opinion = 0.8 - 0.5 * depth + 0.05 * quality
            error = 8 + 6 * depth - coupling * quality + (coupling == 0) * rng.normal()
            rows.append((f"m{model}", depth, opinion, error))
    table = pd.DataFrame(rows, columns=["model", "depth", "opinion", "thresholds"])
    rho, low, high = within_depth(table)
    assert low <= rho <= high
    if coupling:
        assert rho * coupling > 0.5 and low * high > 0
    else:
        assert abs(rho) < 0.25
    few = table[table["model"].isin(["m0", "m1"])]
    assert np.isnan(within_depth(few)[1])
