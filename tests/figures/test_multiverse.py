"""Specification curves: what is drawn, of which findings, and that any table can be drawn."""

import numpy as np
import pandas as pd
import pytest

from dissect_iqa.claims.evidence import FAILS, HOLDS, OPEN
from dissect_iqa.figures.multiverse import MOST, draw_multiverse
from dissect_iqa.figures.plot import plot
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.multiverse.choices import CHOICES, universes


def table(claims=3, dataset="set", intervals=True, **options):
    """Return made-up universes of some findings with effects, and one without."""
    given = {choice: ["only"] for choice in CHOICES}
    given |= {"distance": ["rmse", "cosine"], "statistic": ["srcc", "plcc"]}
    every = universes(given | {"layer": ["honest", "flattering", "last"]} | options)
    rng = np.random.default_rng(0)
    parts = []
    for k in range(claims + 1):
        effect = rng.normal(size=len(every)) if k < claims else np.full(len(every), np.nan)
        verdict = np.select([effect > 0.3, effect < -0.3], [HOLDS, FAILS], OPEN)
        width = 0.2 if intervals else np.nan
        parts.append(
            every.assign(
                dataset=dataset, claim=f"claim {k}", finding=f"Finding number {k} of several.",
                verdict=verdict, effect_name="SRCC of one over another", effect=effect,
                low=effect - width, high=effect + width, default=np.arange(len(every)) == 3,
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def curves(figure):
    """Return the axes with effects: those with a title."""
    return [axes for axes in figure.axes if axes.get_title()]


def matrices(figure):
    return [axes for axes in figure.axes if axes.images]


def test_effects_rise_and_options_stand_below_them():
    made = table()
    figure = draw_multiverse(made)
    assert len(curves(figure)) == len(matrices(figure)) == 3
    own = made[made["claim"] == "claim 0"].sort_values("effect", ignore_index=True)
    points = curves(figure)[0].collections[-1].get_offsets()
    np.testing.assert_allclose(points[:, 1], own["effect"])
    cells = matrices(figure)[0].images[0].get_array()
    labels = [text.get_text() for text in matrices(figure)[0].get_yticklabels()]
    assert labels[:4] == ["RMSE", "cosine", "SRCC", "PLCC, raw"] and len(labels) == 7
    taken = (np.asarray(cells) < 1).any(axis=2)
    np.testing.assert_array_equal(taken[0], own["distance"] == "rmse")
    np.testing.assert_array_equal(taken[3], own["statistic"] == "plcc")
    np.testing.assert_array_equal(taken[:2].sum(axis=0), 1)


def test_shares_stand_above_and_beside():
    made = table(claims=1)
    figure = draw_multiverse(made)
    own = made[made["claim"] == "claim 0"]
    shares = [100 * (own["verdict"] == name).mean() for name in (HOLDS, FAILS, OPEN)]
    title = curves(figure)[0].get_title()
    assert title.endswith(", ".join(f"{share:.0f} %" for share in shares))
    beside = [text.get_text() for text in matrices(figure)[0].texts]
    assert beside[0] == f"{100 * (own[own['distance'] == 'rmse']['verdict'] == HOLDS).mean():.0f}"
    assert "Not shown: 1 findings" in "".join(t.get_text() for t in figure.findobj(match=_text))


def _text(artist):
    return hasattr(artist, "get_text")


def test_the_reported_universe_is_marked():
    made = table(claims=1)
    figure = draw_multiverse(made)
    own = made[made["claim"] == "claim 0"].sort_values("effect", ignore_index=True)
    place = int(np.flatnonzero(own["default"])[0])
    marks = [line for line in matrices(figure)[0].lines if line.get_xdata()[0] == place]
    assert marks


def test_of_many_findings_the_most_disputed_are_shown():
    made = table(claims=MOST + 4)
    agreed = made["claim"].isin(["claim 1", "claim 5"])
    made.loc[agreed, "verdict"] = HOLDS
    figure = draw_multiverse(made)
    titles = " ".join(axes.get_title().replace("\n", " ") for axes in curves(figure))
    assert len(curves(figure)) == MOST and "number 1 " not in titles and "number 5 " not in titles


@pytest.mark.parametrize(("palette", "intervals"), [("colorblind", True), ("grey", False)])
def test_it_is_written_in_all_formats(tmp_path, palette, intervals):
    made = {"universes": table(dataset="two", intervals=intervals, layer=["last"])}
    plot(
        "multiverse", made, "A notice.", tmp_path / "multiverse", spec="{}",
        palette=palette, png_dpi=60, width_mm=140,
    )  # fmt: skip
    assert {path.suffix for path in tmp_path.iterdir()} == {".pdf", ".svg", ".png"}
    first = (tmp_path / "multiverse.svg").read_bytes()
    plot(
        "multiverse", made, "A notice.", tmp_path / "multiverse", spec="{}",
        palette=palette, png_dpi=60, width_mm=140,
    )  # fmt: skip
    assert (tmp_path / "multiverse.svg").read_bytes() == first


@pytest.mark.parametrize("made", [table().iloc[:0], table(claims=0)])
def test_without_an_effect_the_figure_says_so(made):
    figure = draw_multiverse(made, "A notice.", FigureSettings())
    said = " ".join(text.get_text() for text in figure.texts).replace("\n", " ")
    assert "No finding has an effect" in said and "A notice." in said
