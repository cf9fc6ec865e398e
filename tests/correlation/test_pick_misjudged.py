"""Each competitor's pairs on which it and people disagree most."""

import numpy as np
import pandas as pd
import pytest

from dissect_iqa.correlation.pick_misjudged import COLUMNS, pick_misjudged

QUALITY = np.array([1.0, 2.0, 3.0, 4.0, 5.0])


def said(model, mapped, kind="network", predicted=None):
    return pd.DataFrame(
        {"dataset": "own", "model": model, "kind": kind, "distance": "rmse", "layer": "4",
         "pair": range(5), "distortion": list("aabbb"), "quality": QUALITY,
         "predicted": QUALITY if predicted is None else predicted, "mapped": mapped}
    )  # fmt: skip


@pytest.fixture
def pairs():
    return pd.DataFrame(
        {"pair": range(5), "reference_file": ["r.png"] * 5,
         "distorted_file": [f"d{number}.png" for number in range(5)]}
    )  # fmt: skip


def test_the_worst_comes_first_whichever_way_it_errs(pairs):
    worst = pick_misjudged(said("net", [1.5, 2.0, 0.5, 4.1, 9.0]), pairs, each=3)
    assert list(worst.columns) == COLUMNS
    assert worst["pair"].tolist() == [4, 2, 0] and worst["place"].tolist() == [1, 2, 3]
    assert worst["error"].tolist() == [4.0, -2.5, 0.5]
    assert worst["distorted_file"].tolist() == ["d4.png", "d2.png", "d0.png"]


def test_each_has_its_own_and_pairs_of_equal_error_keep_their_order(pairs):
    both = pd.concat([said("b", QUALITY + 1), said("a", [1, 2, 3, 4, 6])], ignore_index=True)
    worst = pick_misjudged(both, pairs, each=2)
    assert worst["model"].tolist() == ["b", "b", "a", "a"]
    assert worst["pair"].tolist() == [0, 1, 4, 0]


def test_what_psnr_says_stands_beside_it(pairs):
    decibels = [20.0, 25.0, 30.0, 35.0, 40.0]
    both = pd.concat(
        [said("net", QUALITY[::-1]), said("psnr", np.nan, kind="metric", predicted=decibels)],
        ignore_index=True,
    )
    worst = pick_misjudged(both, pairs, each=2)
    assert set(worst["model"]) == {"net"}  # what is inverted has no mapped value
    assert worst.set_index("pair")["psnr"].to_dict() == {0: 20.0, 4: 40.0}
    assert pick_misjudged(said("net", QUALITY), pairs)["psnr"].isna().all()


def test_nobody_who_follows_people_is_no_error(pairs):
    worst = pick_misjudged(said("net", np.nan), pairs)
    assert worst.empty and list(worst.columns) == COLUMNS
