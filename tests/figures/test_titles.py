"""Figures call networks by their titles, and are otherwise the same."""

import figure_data as data
import numpy as np
import pandas as pd
import pytest
from matplotlib.lines import Line2D
from matplotlib.text import Text

from dissect_iqa.factors.shares import MODELS
from dissect_iqa.figures.plot import FIGURES
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.figures.style import look
from dissect_iqa.figures.titles import titled
from dissect_iqa.figures.training import draw_training
from dissect_iqa.multiverse.choices import CHOICES

IDS = [row[0] for row in data.DEMO]
TITLES = {id: f"{letter} network" for id, letter in zip(IDS, "ABCDEFG", strict=True)}
#: Figures that name no network, whatever they show.
NAMELESS = {"multiverse", "invariance", "answers"}


def contents():
    """Return whatever a figure may take; of one network nothing is finite."""
    made = data.answers()
    lost = made["correlations"]["model"] == IDS[4]
    pairs = [(a, b) for i, a in enumerate(IDS) for b in [*IDS[i + 1 :], "psnr"]]
    contests = pd.DataFrame(pairs, columns=["first", "second"]).assign(
        winner=[a if i % 3 else "" for i, (a, _) in enumerate(pairs)],
        statistic="srcc", distance="rmse", n=9, references=3,
    )  # fmt: skip
    factors = pd.DataFrame({"factor": ["depth", MODELS], "share": [0.4, 0.6]}).assign(
        low=np.nan, high=np.nan, alone=0.1, last=0.1, note=["", "without a value everywhere, left "
        f"out: {', '.join(IDS[:2])} and 3 more; not identifiable: it"],
    )  # fmt: skip
    universe = dict.fromkeys(CHOICES, "only") | {
        "claim": "c", "finding": "F.", "verdict": "holds", "effect_name": "SRCC", "effect": 1.0,
        "low": 0.5, "high": 1.5, "default": True,
    }  # fmt: skip
    universes = pd.DataFrame([universe, {**universe, "distance": "rmse", "default": False}])
    return {
        **made, "comparisons": list(data.COMPARISONS), "contests": {"demo": contests},
        "factors": factors, "universes": {"demo": universes},
        "correlations": made["correlations"].assign(
            value=made["correlations"]["value"].mask(lost),
            model=made["correlations"]["model"].astype("category"),  # as Parquet keeps it
        ),
    }  # fmt: skip


def drawn(name, given):
    settings = FigureSettings()
    with look(settings):
        takes = FIGURES[name].takes
        figure = FIGURES[name].draw(*(given[take] for take in takes), {}, settings)
        figure.canvas.draw()
    return figure


def words(figure):
    return " ".join(" ".join(text.get_text() for text in figure.findobj(Text)).split())


@pytest.mark.parametrize("name", FIGURES)
def test_no_figure_shows_an_id_where_there_are_titles(name):
    plain = drawn(name, contents())
    figure = drawn(name, {take: titled(given, TITLES) for take, given in contents().items()})
    said = words(figure)
    assert not [id for id in TITLES if id in said]
    assert any(title in said for title in TITLES.values()) == (name not in NAMELESS)
    for id, title in TITLES.items():
        said = said.replace(title, id)
    assert said == words(plain)
    assert len(figure.findobj(Line2D)) == len(plain.findobj(Line2D))
    if "correlations" in FIGURES[name].takes and not FIGURES[name].needs:
        assert f"No finite value: {TITLES[IDS[4]]}." in words(figure)


def test_ids_become_titles_wherever_networks_are_named_and_nowhere_else():
    given = contents()
    made = titled(given, TITLES)
    assert list(made["models"]["id"]) == list(TITLES.values())
    assert list(made["models"]["architecture"]) == list(given["models"]["architecture"])
    assert set(made["layers"]["model"]) == {*TITLES.values(), *data.BASELINES, "one observer"}
    assert made["comparisons"][0]["members"] == [TITLES[IDS[0]], TITLES[IDS[5]]]
    assert made["comparisons"][0]["title"] == "EfficientNet-Lite0: trained or not"
    for side in ("first", "winner"):
        assert set(made["contests"]["demo"][side]) <= {"", *TITLES.values()}
    assert (
        made["factors"]["note"]
        .iloc[1]
        .endswith("left out: A network, B network and 3 more; not identifiable: it")
    )
    assert given["models"]["id"].iloc[0] == IDS[0]


def test_an_architecture_is_called_as_its_networks_are():
    shown = dict(zip(IDS, ("Lite0", "Lite1", "Lite2", "VGG-16-BN text", "VGG-16 contours",
                           "Lite0 untrained", "VGG-16-BN untrained"), strict=True))  # fmt: skip
    models = titled(data.models(), shown)
    correlations = titled(data.correlations(distances=("rmse",), types=()), shown)
    for table, wanted in ((models, {"Lite0", "VGG-16-BN"}), (
        models.assign(name=["a", "b", "c", "d", "e", "f", "g"]),
        {"EfficientNet family", "VGG family"},
    )):  # fmt: skip
        figure = draw_training(correlations, table)
        panels = {axes.get_title(loc) for axes in figure.findobj(_has_title)
                  for loc in ("left", "center")}  # fmt: skip
        assert panels - {""} == wanted


def _has_title(artist):
    return hasattr(artist, "get_title") and hasattr(artist, "get_xlim")
