"""Figures call networks by their titles, and are otherwise the same."""

import re

import figure_data as data
import numpy as np
import pytest
from figure_tables import METRICS, tables, tables_for
from matplotlib.text import Text

from dissect_iqa.figures.plot import FIGURES
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.figures.style import look
from dissect_iqa.figures.titles import titled
from dissect_iqa.figures.training import draw_training

PLAIN = tables(7, titles=False)
IDS = list(PLAIN["models"]["id"])
TITLES = {id: f"{letter} network" for id, letter in zip(IDS, "ABCDEFG", strict=True)}
#: Figures that name no network, whatever they show.
NAMELESS = {"multiverse", "invariance"}


def contents(name):
    """Return whatever a figure may take; of one network nothing is finite."""
    table = PLAIN["correlations"]
    note = f"left out: {', '.join(IDS[:2])} and 3 more; not identifiable: it"
    found = tables_for(name, 7, PLAIN | {
        "correlations": table.assign(
            value=table["value"].mask(table["model"] == IDS[4]),
            model=table["model"].astype("category"),  # as Parquet keeps it
        ),
        "factors": PLAIN["factors"].assign(note=["without a value everywhere, " + note] + [""] * 7),
        "models": PLAIN["models"].assign(top1=np.linspace(60, 80, 7)),
    })  # fmt: skip
    return {take: found[take] for take in FIGURES[name].takes}


def drawn(name, given):
    settings = FigureSettings()
    with look(settings):
        takes = FIGURES[name].takes
        figure = FIGURES[name].draw(*(given[take] for take in takes), None, settings)
        figure.canvas.draw()
    return figure


def words(figure):
    return " ".join(" ".join(text.get_text() for text in figure.findobj(Text)).split())


@pytest.mark.parametrize("name", FIGURES)
def test_no_figure_shows_an_id_where_there_are_titles(name):
    plain = drawn(name, contents(name))
    figure = drawn(name, {take: titled(given, TITLES) for take, given in contents(name).items()})
    said = words(figure)
    assert not [id for id in TITLES if re.search(rf"\b{id}\b", said)]
    assert any(title in said for title in TITLES.values()) == (name not in NAMELESS)
    if name not in ("depth", "types", "datasets", "accuracy", "training"):
        # in these the room that names take decides where or whether they stand
        for id, title in TITLES.items():
            said = said.replace(title, id)
        assert said == words(plain)
    if "No finite value" in words(plain):
        assert f"No finite value: {TITLES[IDS[4]]}." in words(figure)


def test_ids_become_titles_wherever_networks_are_named_and_nowhere_else():
    given = PLAIN | {"factors": contents("factors")["factors"]}
    made = titled(given, TITLES)
    assert list(made["models"]["id"]) == list(TITLES.values())
    assert list(made["models"]["architecture"]) == list(given["models"]["architecture"])
    assert set(made["layers"]["model"]) == {*TITLES.values(), *METRICS[7], "one observer"}
    listed = [name for group in made["comparisons"] for name in group["members"]]
    assert {*TITLES.values()} & {*listed} and not {*IDS} & {*listed}
    assert made["comparisons"][0]["title"] == given["comparisons"][0]["title"]
    for side in ("first", "winner"):
        assert set(made["contests"][side]) <= {"", *TITLES.values(), *METRICS[7]}
    said = made["factors"]["note"].iloc[0]
    assert said.endswith("left out: A network, B network and 3 more; not identifiable: it")
    assert given["models"]["id"].iloc[0] == IDS[0]


def test_an_architecture_is_called_as_its_networks_are():
    ids = (row[0] for row in data.DEMO)
    shown = dict(zip(ids, ("Lite0", "Lite1", "Lite2", "VGG-16-BN text", "VGG-16 contours",
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
