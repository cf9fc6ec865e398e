"""What people can tell apart: areas by their definition, outliers, and planted disagreements."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from correlation_data import distances, metric, pairs
from sklearn.metrics import roc_auc_score

from dissect_iqa.correlation import pairs_of_pairs
from dissect_iqa.correlation.disagreements import COLUMNS, disagreements
from dissect_iqa.correlation.judge_pairs import (
    PREDICTIONS,
    STATISTICS,
    _interval,
    following,
    judge_pairs,
    summarise_judgements,
)
from dissect_iqa.correlation.pairs_of_pairs import Couples
from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.errors import UserError

SETTINGS = StatisticsSettings(draws=100)
DATA = Path(__file__).parents[3] / "shared/data"


def drawn(seed=0, count=60, references=6):
    """Return scores with ties, their errors, references, and a predictor with ties."""
    rng = np.random.default_rng(seed)
    quality = rng.normal(size=count).round(1)
    error = rng.uniform(0.1, 0.4, count)
    codes = np.repeat(np.arange(references), count // references)
    return quality, error, codes, (quality + rng.normal(size=count)).round(1)


@pytest.mark.parametrize("seed", range(3))
def test_areas_follow_their_definition(seed):
    quality, error, codes, values = drawn(seed)
    found = Couples.of(quality, error, codes, 6, 0).judge(values)
    first, second = np.triu_indices(60, 1)
    z = (quality[first] - quality[second]) / np.hypot(error[first], error[second])
    gap, told = values[first] - values[second], np.abs(z) > 1.959964
    right = gap[told] * np.sign(z[told])
    assert found["auc_different"][0] == pytest.approx(roc_auc_score(told, np.abs(gap)))
    kind = np.repeat([1, 0], len(right))
    assert found["auc_better"][0] == pytest.approx(
        roc_auc_score(kind, np.concatenate([right, -right]))
    )
    assert found["correct"][0] == pytest.approx(np.mean((right > 0) + 0.5 * (right == 0)))


def test_values_without_a_reference_are_those_of_the_others():
    """The share exactly, the areas to first order: no reference of 20 moves them by more."""
    quality, error, codes, values = drawn(1, 400, 20)
    found = Couples.of(quality, error, codes, 20, 0).judge(values)
    for left in range(20):
        kept = codes != left
        alone = Couples.of(quality[kept], error[kept], codes[kept], 20, 0).judge(values[kept])
        assert found["correct"][1][left] == pytest.approx(alone["correct"][0])
        for name in ("auc_different", "auc_better"):
            assert found[name][1][left] == pytest.approx(alone[name][0], abs=5e-4)


@pytest.mark.parametrize("kind, better, different", [
    ("perfect", 1.0, None), ("inverted", 0.0, None), ("constant", 0.5, 0.5),
])  # fmt: skip
def test_the_ends_of_the_scale(kind, better, different):
    quality, error, codes, _ = drawn()
    values = {"perfect": quality, "inverted": -quality, "constant": np.zeros(60)}[kind]
    found = Couples.of(quality, error, codes, 6, 0).judge(values)
    assert found["auc_better"][0] == found["correct"][0] == better
    if different is not None:
        assert found["auc_different"][0] == different
    else:
        assert found["auc_different"][0] > 0.9


def test_people_who_can_tell_all_or_nothing():
    quality, error, codes, values = drawn()
    nothing = Couples.of(quality, error * 1e6, codes, 6, 0).judge(values)
    assert all(np.isnan(value) for value, _ in nothing.values())
    unique = np.argsort(np.argsort(quality)).astype(float)
    everything = Couples.of(unique, error * 1e-9, codes, 6, 0).judge(values)
    assert np.isnan(everything["auc_different"][0]) and everything["correct"][0] > 0.5


def test_of_very_many_couples_some_are_drawn(monkeypatch):
    quality, error, codes, values = drawn(2, 600, 6)
    whole = Couples.of(quality, error, codes, 6, 0)
    monkeypatch.setattr(pairs_of_pairs, "MOST", 60_000)
    some = Couples.of(quality, error, codes, 6, 0)
    assert len(whole.first) == 600 * 599 // 2 and len(some.first) == 60_000
    assert (some.first < some.second).all() and some.second.max() < 600
    assert len(set(zip(some.first.tolist(), some.second.tolist(), strict=True))) == 60_000
    for name, (value, _) in some.judge(values).items():
        assert value == pytest.approx(whole.judge(values)[name][0], abs=0.01)
    again = Couples.of(quality, error, codes, 6, 0)
    np.testing.assert_array_equal(again.first, some.first)


def test_couples_are_numbered_as_the_upper_triangle():
    first, second = pairs_of_pairs._couple(np.arange(45), 10)
    np.testing.assert_array_equal([first, second], np.triu_indices(10, 1))


def test_noise_is_told_from_nothing():
    table = pairs(10, 4, 5, se=0.3)
    noise = np.random.default_rng(3).normal(size=len(table))
    found, _ = judge_pairs({"noise": metric(table, noise, name="noise")}, table, SETTINGS)
    rows = found.set_index("statistic")
    for name in ("auc_better", "auc_different", "correct"):
        assert rows.loc[name, "low"] < 0.5 < rows.loc[name, "high"]


def test_intervals_of_few_references_hold_the_truth():
    """Of 300 studies of six references; symmetric intervals hold it in 88 % of such studies."""
    rng = np.random.default_rng(11)
    codes, error = np.repeat(np.arange(6), 20), np.full(120, 0.3)
    held = 0
    for _ in range(300):
        quality = rng.normal(size=120) + 0.3 * rng.normal(size=6)[codes]
        values = quality + 0.7 * rng.normal(size=120) + 0.5 * rng.normal(size=6)[codes]
        seen = quality + error * rng.normal(size=120)
        area, without = Couples.of(seen, error, codes, 6, 0).judge(values)["auc_better"]
        low, high = _interval(area, without, 120, SETTINGS)
        assert 0 <= low <= area <= high <= 1
        held += low < 0.9474 < high  # the area in 8 data sets of 600 references each
    assert 0.90 < held / 300 < 0.98


def test_intervals_of_high_shares_reach_further_down_than_up():
    low, high = _interval(0.95, np.array([0.93, 0.95, 0.96, 0.95]), 100, SETTINGS)
    assert low < 0.95 < high < 1 and high - 0.95 < 0.95 - low
    assert _interval(1.0, np.ones(5), 100, SETTINGS) == pytest.approx((1, 1))
    assert _interval(0.0, np.zeros(5), 100, SETTINGS) == pytest.approx((0, 0))
    assert np.isnan(_interval(0.9, np.array([0.9, np.nan, 0.9]), 100, SETTINGS)).all()


def test_outliers_of_the_true_scores_are_one_in_twenty():
    """People's scores miss the true ones by more than 1.96 standard errors in 5 %."""
    rng = np.random.default_rng(7)
    table = pairs(20, 10, 10, se=0.2)
    true = table["quality"].to_numpy().copy()
    table["quality"] = true + 0.2 * rng.normal(size=len(table))
    found, predictions = judge_pairs({"true": metric(table, true, name="true")}, table, SETTINGS)
    row = found.set_index("statistic").loc["outlier_ratio"]
    assert row["value"] == pytest.approx(0.05, abs=0.012) and row["n"] == 2000
    assert row["low"] < 0.05 < row["high"]
    assert np.corrcoef(following(predictions)["true"], true)[0, 1] > 0.999


def test_predictions_are_of_the_best_layer_in_the_order_of_the_pairs():
    table, rng = pairs(se=0.3), np.random.default_rng(1)
    quality = table["quality"].to_numpy()
    net, worse = distances(table, layers=2, noise=(2.0, 0.1)), quality + rng.normal(size=len(table))
    _, found = judge_pairs(
        {"net": net, "other": metric(table, worse, name="other")}, table, SETTINGS,
        dataset_name="set",
    )  # fmt: skip
    assert list(found.columns) == PREDICTIONS and len(found) == 2 * len(table)
    own = found[found["model"] == "net"]
    assert set(own["layer"]) == {"layer1"} and set(own["dataset"]) == {"set"}
    assert list(own["pair"]) == list(table["pair"])
    np.testing.assert_array_equal(own["quality"], quality)
    best = net[net["layer"] == "layer1"].set_index("pair").loc[table["pair"]]
    np.testing.assert_array_equal(own["predicted"], best["value"] * best["sign"])
    np.testing.assert_array_equal(found.loc[found["model"] == "other", "predicted"], worse)
    # the logistic rises with the prediction
    ordered = own.sort_values("predicted")
    assert ordered["mapped"].is_monotonic_increasing
    np.testing.assert_array_equal(following(found)["net"], own["mapped"])


def test_the_best_layer_is_judged_and_said():
    table = pairs(se=0.3)
    found, predictions = judge_pairs(
        {"net": distances(table, layers=3, noise=(2.0, 0.1, 1.0))}, table, SETTINGS,
        dataset_name="set",
    )  # fmt: skip
    assert set(found["layer"]) == {"layer1"} and set(found["dataset"]) == {"set"}
    assert list(found["statistic"]) == list(STATISTICS) and set(following(predictions)) == {"net"}
    wide = summarise_judgements(found)
    assert len(wide) == 1 and wide.loc[0, "auc_better"] > 0.9
    assert (wide["auc_better_n"] < wide["auc_different_n"]).all()
    both = distances(table).assign(distance="cosine")
    with pytest.raises(UserError, match="2 distances"):
        judge_pairs({"net": pd.concat([distances(table), both])}, table, SETTINGS)


@pytest.mark.parametrize("change", ["none", "some"])
def test_without_errors_of_the_scores_nothing_is_judged(change):
    table = pairs() if change == "none" else pairs(se=0.3)
    if change == "some":
        table.loc[3, "score_se"] = np.nan
    found, predictions = judge_pairs({"net": distances(table)}, table, SETTINGS)
    assert found.empty and set(following(predictions)) == {"net"}
    assert summarise_judgements(found).empty


@pytest.mark.parametrize("references", [1, 2])
def test_too_few_references_or_no_draws_give_no_interval(references):
    table = pairs(references, se=0.3)
    found, _ = judge_pairs({"net": distances(table)}, table, SETTINGS)
    assert found["value"].notna().all() and found["low"].isna().all()
    many = pairs(se=0.3)
    found, _ = judge_pairs({"net": distances(many)}, many, StatisticsSettings(draws=0))
    assert found["low"].isna().all()


def test_constant_values_are_no_outliers_but_nothing():
    table = pairs(se=0.3)
    found, predictions = judge_pairs(
        {"flat": metric(table, np.ones(len(table)), name="flat")}, table, SETTINGS
    )
    rows = found.set_index("statistic")["value"]
    assert (
        rows["auc_better"] == 0.5 and np.isnan(rows["outlier_ratio"]) and not following(predictions)
    )


def test_who_says_the_opposite_has_no_mapping():
    """The logistic that fits an inverted predictor best falls: it would put it right."""
    table = pairs(se=0.3)
    quality = table["quality"].to_numpy()
    found, predictions = judge_pairs(
        {"inverted": metric(table, -quality), "right": metric(table, quality)}, table, SETTINGS
    )
    rows = found.set_index(["model", "statistic"])["value"]
    assert rows["inverted", "auc_better"] == 0 and rows["right", "auc_better"] == 1
    assert np.isnan(rows["inverted", "outlier_ratio"]) and rows["right", "outlier_ratio"] < 0.05
    assert set(following(predictions)) == {"right"}
    assert disagreements(following(predictions), table, [("inverted", "right")]).empty


def test_equal_opinions_and_infinite_values():
    table = pairs(se=0.3)
    quality = table["quality"].to_numpy().copy()
    quality[quality.argmax()] = np.inf  # the PSNR of equal pictures
    found, _ = judge_pairs({"psnr": metric(table, quality)}, table, SETTINGS)
    assert (found.set_index("statistic")["value"][["auc_better", "correct"]] > 0.98).all()
    same = table.assign(quality=1.0, score=1.0)
    found, predictions = judge_pairs({"net": distances(table)}, same, SETTINGS)
    assert found["value"].isna().all() and not following(predictions)
    undefined = metric(table, np.where(np.arange(len(table)) == 0, np.nan, quality))
    with pytest.raises(UserError, match="NaN"):
        judge_pairs({"psnr": undefined}, table, SETTINGS)


@pytest.mark.parametrize("seed", range(3))
def test_disagreements_follow_their_definition(seed):
    """By brute force over all pairs of pictures that the defender holds equal; values have ties."""
    table = pairs(4, 2, 5, seed=seed)
    rng = np.random.default_rng(seed)
    defender, attacker = rng.uniform(size=40).round(1), rng.normal(size=40).round(1)
    found = disagreements({"d": defender, "a": attacker}, table, [("d", "a")])
    first = found[(found["defender"] == "d") & (found["rank"] == 1)].iloc[0]
    one, other = np.triu_indices(40, 1)
    equal = np.floor(100 * (defender - defender.min()) / np.ptp(defender) + 1e-9)
    gaps = np.abs(attacker[one] - attacker[other])[equal[one] == equal[other]]
    assert first["better_attacker"] - first["worse_attacker"] == pytest.approx(gaps.max())
    assert first["better_defender"] == pytest.approx(first["worse_defender"])
    pd.testing.assert_frame_equal(
        found, disagreements({"a": attacker, "d": defender}, table, [("d", "a")])
    )


def test_equal_means_in_the_same_hundredth_of_the_range():
    table = pairs(1, 1, 5)
    values = {"d": np.array([0, 0.5, 0.513, 0.519, 1]), "a": np.array([0, 9, 1, 2, 4.0])}
    found = disagreements(values, table, [("d", "a")])
    row = found[found["defender"] == "d"].iloc[0]
    assert (row["better_attacker"], row["worse_attacker"]) == (2, 1)


def test_people_who_see_no_difference_side_with_the_defender():
    table = pairs(2, 2, 3).assign(quality=0.0)
    values = {"still": np.zeros(12), "jumpy": np.arange(12.0)}
    found = disagreements(values, table, [("still", "jumpy")])
    assert set(found["sides_with"]) == {"defender"} and set(found["defender"]) == {"still"}


def test_a_planted_disagreement_is_found_and_people_decide():
    """Two pictures that one holds equal and the other far apart; people side with the other."""
    table = pairs(4, 2, 5, seed=3)
    quality = table["quality"].to_numpy()
    seeing, blind = quality.copy(), quality.copy()
    best, worst = int(quality.argmax()), int(quality.argmin())
    blind[best] = blind[worst] = quality.mean()
    found = disagreements({"blind": blind, "seeing": seeing}, table, [("blind", "seeing")])
    assert list(found.columns) == COLUMNS
    first = found[(found["defender"] == "blind") & (found["rank"] == 1)].iloc[0]
    assert first["better_distorted"] == table.loc[best, "distorted_file"]
    assert first["worse_distorted"] == table.loc[worst, "distorted_file"]
    assert first["better_people"] == quality[best] and first["sides_with"] == "attacker"
    assert first["better_defender"] == pytest.approx(first["worse_defender"])


def test_disagreements_of_who_has_no_values_are_left_out():
    table = pairs(2, 2, 3)
    found = disagreements({"a": np.arange(12.0)}, table, [("a", "b")])
    assert found.empty and list(found.columns) == COLUMNS
    same = disagreements({"a": np.arange(12.0), "b": np.arange(12.0)}, table, [("a", "b")])
    assert (same["better_attacker"] > same["worse_attacker"]).all()


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "zs_iqa").is_dir(), reason="needs published scores of metrics")
def test_real_metrics_on_tid2013():
    """By people's errors, too, FSIM is above SSIM's scales, these above LPIPS, PSNR is last."""
    scores = pd.read_parquet(DATA / "zs_iqa/tid2013_scores.parquet")
    people = pd.read_csv(DATA / "tid2013_mos.csv")
    names = people["reference"].str.lower() + "_" + people["type"].map("{:02d}".format)
    people.index = names + "_" + people["level"].astype(str)
    people = people.loc[scores["dis"].str.lower().str[:-4]]
    codes = pd.factorize(people["reference"])[0]
    couples = Couples.of(people["mos"].to_numpy(), people["mos_std"].to_numpy(), codes, 25, 0)
    assert (couples.sign != 0).mean() == pytest.approx(0.823, abs=0.001)
    better = {}
    for name, sign in (("psnr", 1), ("msssim", -1), ("fsim", -1), ("lpips", -1)):
        found = couples.judge(sign * scores[name].to_numpy())
        better[name] = found["auc_better"][0]
        assert found["auc_different"][0] < found["correct"][0] < better[name]
    assert better == pytest.approx(
        {"psnr": 0.8713, "msssim": 0.9348, "fsim": 0.9585, "lpips": 0.9078}, abs=1e-4
    )
