"""Claims about several answers of a layer can hold, fail and stay open, and count families."""

import numpy as np
import pandas as pd
import pytest
from answers_data import made_up

from dissect_iqa.claims.answers import (
    ANSWERS_CLAIMS,
    Answers,
    all_answers,
    early_see_late_stay,
    join_answers,
    predict_and_see,
    within_depth,
)
from dissect_iqa.claims.evidence import FAILS, HOLDS, OPEN

CLAIMS = {claim.name: claim.check for claim in ANSWERS_CLAIMS}


@pytest.mark.parametrize("coupling, verdict", [(1.0, HOLDS), (-1.0, FAILS), (0.0, OPEN)])
def test_layers_that_predict_opinions_may_or_may_not_see(coupling, verdict):
    found = predict_and_see(made_up(coupling, noise=0.3 if coupling else 2.0))
    assert found.verdict == verdict
    assert found.low <= found.effect <= found.high
    assert "30 trained networks" in found.evidence and found.families == 15


def test_what_goes_together_only_by_depth_is_taken_off():
    """Both answers fall with depth in every network; only the networks' own parts may couple."""
    answers = made_up(0.0, noise=1.0)
    rho, low, high = within_depth(answers.table, answers.family)
    assert abs(rho) < 0.25 and low <= rho <= high
    plain = answers.table[["opinion", "thresholds"]].corr("spearman").iloc[0, 1]
    assert plain < -0.5


@pytest.mark.parametrize(
    "further, steadier, verdict",
    [(1, 1, HOLDS), (-1, 1, FAILS), (1, -1, FAILS), (-1, -1, FAILS)],
)
def test_early_layers_see_and_late_ones_stay_only_if_both_rise(further, steadier, verdict):
    found = early_see_late_stay(made_up(1.0, further, steadier))
    assert found.verdict == verdict and found.families == 15
    assert found.effect == (1.0 if verdict == HOLDS else 0.0)


def test_a_mixture_stays_open():
    one, other = made_up(models=8, families=8), made_up(further=-1, models=8, families=8)
    table = pd.concat([one.table, other.table.assign(model="x" + other.table["model"])])
    family = pd.concat([one.family, other.family.add_prefix("x")])
    found = early_see_late_stay(Answers("a", table, family + family.index.str[:1]))
    assert found.verdict == OPEN and found.effect == 0.5 and "holds one half" in found.why


@pytest.mark.parametrize("check", CLAIMS.values(), ids=CLAIMS)
def test_few_families_tell_nothing(check):
    found = check(made_up(models=12, families=3))
    assert found.verdict == OPEN and "at least 6 families" in found.why
    # nor do layers without a number
    empty = made_up()
    lacking = empty.table.assign(thresholds=np.nan, kept=np.nan)
    assert check(Answers("a", lacking, empty.family)).verdict == OPEN


def test_answers_that_do_not_differ_at_a_depth_tell_nothing():
    answers = made_up()
    flat = Answers("a", answers.table.assign(thresholds=5.0), answers.family)
    found = predict_and_see(flat)
    assert found.verdict == OPEN and "don't differ" in found.why and "nan" not in found.evidence


def test_more_networks_of_the_same_families_make_nothing_surer():
    answers = made_up(models=8, families=8)
    copies = [answers.table.assign(model=answers.table["model"] + f"_{k}") for k in range(4)]
    table = pd.concat([answers.table, *copies], ignore_index=True)
    names = table["model"].drop_duplicates()
    family = pd.Series(names.str.partition("_")[0].to_numpy(), index=names)
    alone = within_depth(answers.table, {name: name for name in answers.family.index})
    assert within_depth(table, family) == pytest.approx(alone, abs=0.01)


def opinions(answers):
    return answers.table.drop(columns=["thresholds", "kept"])


def test_answers_are_joined_by_layer_and_distance():
    answers = made_up(models=2)
    keys = answers.table[["model", "layer", "distance"]]
    light = keys.assign(statistic="rmse_db", direction="all", value=answers.table["thresholds"])
    best = light.head(1).assign(layer="best", value=-1.0)
    others = light.assign(value=99.0)
    light = pd.concat(
        [light, best, others.assign(direction="red-green"), others.assign(statistic="bias_db"),
         others.assign(distance="cosine")]
    )  # fmt: skip
    kept = keys.assign(kept=answers.table["kept"], aligned=0.8, misaligned=0.4)
    moved = pd.concat([kept, kept.assign(layer="best", kept=9)])
    joined = join_answers(opinions(answers), light.sample(frac=1), moved.sample(frac=1))
    pd.testing.assert_frame_equal(
        joined[answers.table.columns].reset_index(drop=True), answers.table, check_dtype=False
    )
    assert "kept" not in join_answers(opinions(answers), light)


def test_a_study_yields_its_data_sets_together():
    answers = made_up(models=3)
    correlations = opinions(answers).rename(columns={"opinion": "value"})
    correlations = correlations.assign(
        dataset="rated", subset="all", statistic="srcc", kind="network"
    )
    summary = correlations.drop_duplicates("model").assign(best=0.8, honest=0.7)
    models = pd.DataFrame({"id": [f"m{i}" for i in range(3)], "untrained": [False, False, True],
                           "family": "f"})  # fmt: skip
    keys = answers.table[["model", "layer", "distance"]]
    light = keys.assign(statistic="rmse_db", direction="all", value=5.0)
    moved = keys.assign(kept=0.5, aligned=0.8, misaligned=0.4, of="rated")
    elsewhere = moved.assign(of="another")
    found = list(
        all_answers(
            correlations, summary, models, {"light": light}, {"moved": moved, "no": elsewhere}
        )
    )
    assert [item.names for item in found] == ["rated and light", "rated, light and moved"]
    assert "kept" in found[1].table and "kept" not in found[0].table
    assert set(found[0].table["model"]) == {"m0", "m1"}  # untrained networks are controls
    assert not list(all_answers(correlations, summary, models, {}, {"moved": moved}))
