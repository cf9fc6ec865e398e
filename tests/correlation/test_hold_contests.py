"""Comparisons reject as often as they should, and the ceilings are where theory puts them."""

import correlation_data as data
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dissect_iqa.claims.test_claims import test_claims as find_claims
from dissect_iqa.correlation import dependent
from dissect_iqa.correlation.ceiling import noise_ceiling
from dissect_iqa.correlation.contests import MOST, contests, everyone
from dissect_iqa.correlation.correlate import correlate
from dissect_iqa.correlation.hold_contests import (
    COLUMNS,
    beats,
    hold_contests,
    only,
    paired_p,
    standard_error,
)
from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.correlation.summary import common_distance, summarise
from dissect_iqa.errors import UserError

SETTINGS = StatisticsSettings(draws=200, repeats=4)


def test_williams_equals_a_published_example():
    # the documentation of R's bruceR: r = .20 and .45, r12 = .80, n = 100 gives t(97) = -4.56
    t, p = dependent.williams(0.20, 0.45, 0.80, 100)
    assert round(t, 2) == -4.56 and p == pytest.approx(1.5e-5, abs=1e-6)


@pytest.mark.parametrize("test", [dependent.williams, dependent.steiger, dependent.meng])
def test_analytic_tests_keep_their_size_on_independent_pairs(test):
    rng = np.random.default_rng(0)
    below = []
    for _ in range(1500):
        y = rng.normal(size=200)
        x = y[:, None] + rng.normal(size=(200, 2))
        r = np.corrcoef(np.column_stack([x, y]), rowvar=False)
        below.append(test(r[0, 2], r[1, 2], r[0, 1], 200)[1] < 0.05)
    assert 0.035 <= np.mean(below) <= 0.065


@pytest.mark.parametrize("test", [dependent.williams, dependent.steiger, dependent.meng])
def test_analytic_tests_at_the_edges(test):
    assert test(0.5, 0.5, 1.0, 100) == (0.0, 1.0)
    assert np.isnan(test(0.5, 0.6, 1.0, 100)).all()
    assert np.isnan(test(1.0, 0.6, 0.6, 100)).all() or test(1.0, 0.6, 0.6, 100)[1] < 1e-6
    assert np.isnan(test(0.5, 0.6, 0.7, 3)).all()
    one, other = test(0.5, 0.6, 0.7, 50), test(0.6, 0.5, 0.7, 50)
    assert one[0] == -other[0] and one[1] == other[1]


@pytest.mark.slow
def test_the_paired_jackknife_keeps_its_size_where_the_analytic_tests_fail():
    # two equally good metrics, 25 references that stretch each metric's values
    pairs = pd.DataFrame({"pair": np.arange(1000), "distortion": "noise"})
    primary, secondary = [], []
    for run in range(30):
        rng = np.random.default_rng(run)
        codes, quality, values = data.clustered(rng, 25, 40, 8, gain=0.3)
        table = pairs.assign(reference=[f"i{c:02d}" for c in codes], quality=quality)
        found = hold_contests(
            {str(j): values[:, j] for j in range(8)}, table, SETTINGS,
            contests=[("0", "1"), ("2", "3"), ("4", "5"), ("6", "7")],
        )  # fmt: skip
        primary.extend(found["p"] < 0.05)
        secondary.extend(found["williams_p"] < 0.05)
    # 120 contests: the standard error of a share of 5 % is near 0.02
    assert 0.005 <= np.mean(primary) <= 0.10
    assert np.mean(secondary) > 0.2


def test_a_real_difference_is_found():
    pairs = data.pairs(references=12)
    rng = np.random.default_rng(3)
    quality = pairs["quality"].to_numpy()
    good, bad = (quality + noise * rng.normal(size=len(quality)) for noise in (0.3, 1.5))
    found = hold_contests({"bad": bad, "good": good}, pairs, SETTINGS, dataset_name="set")
    assert list(found.columns) == COLUMNS
    one = found.iloc[0]
    assert one["winner"] == "good" and one["high"] < 0 and one["p_holm"] < 0.001
    expected = [stats.spearmanr(values, quality).statistic for values in (bad, good)]
    np.testing.assert_allclose(one[["value_first", "value_second"]].astype(float), expected)
    assert one["difference"] == pytest.approx(expected[0] - expected[1])
    assert (one["n"], one["references"], one["dataset"]) == (240, 12, "set")


@pytest.mark.parametrize("statistic", ["krcc", "plcc"])
def test_other_statistics(statistic):
    pairs = data.pairs(references=12)
    quality = pairs["quality"].to_numpy()
    noise = np.random.default_rng(3).normal(size=len(quality))
    found = hold_contests(
        {"good": quality + 0.3 * noise, "psnr": np.where(quality > 2, np.inf, noise)},
        *(pairs, SETTINGS),
        statistic=statistic,
    )
    assert found.loc[0, "winner"] == "good"
    assert found.loc[0, "low"] < found.loc[0, "difference"] < found.loc[0, "high"]


def test_holm_is_over_the_contests():
    pairs = data.pairs(references=12)
    rng = np.random.default_rng(3)
    quality = pairs["quality"].to_numpy()
    names = {f"m{i}": quality + 0.2 * (i + 2) * rng.normal(size=len(quality)) for i in range(4)}
    found = hold_contests(names, pairs, SETTINGS)
    assert len(found) == 6
    order = found.sort_values("p", kind="stable")
    steps = np.maximum.accumulate(order["p"].to_numpy() * np.arange(6, 0, -1)).clip(max=1)
    np.testing.assert_allclose(order["p_holm"].astype(float), steps)
    few = hold_contests(names, pairs, SETTINGS, contests=[("m0", "m3")])
    assert few.loc[0, "p_holm"] == few.loc[0, "p"]


def test_a_model_meets_others_with_its_honest_layer():
    pairs = data.pairs(references=12)
    distances = data.distances(pairs, layers=6, noise=(1.0,))
    found = hold_contests({"net": distances, "flat": np.zeros(len(pairs))}, pairs, SETTINGS)
    one = correlate(distances, pairs, dataset_name="set", model="net", settings=SETTINGS)
    nested = one[one["statistic"] == "srcc_nested"]["value"]
    assert found.loc[0, "value_first"] == pytest.approx(nested.item())
    # a constant predictor has no correlation, so nobody wins
    assert np.isnan(found.loc[0, "p"]) and found.loc[0, "winner"] == ""


def test_a_model_against_itself():
    pairs = data.pairs(references=12)
    values = pairs["quality"].to_numpy() + np.random.default_rng(0).normal(size=len(pairs))
    found = hold_contests({"a": values, "b": values.copy()}, pairs, SETTINGS)
    assert found.loc[0, "p"] == found.loc[0, "williams_p"] == 1 and found.loc[0, "winner"] == ""


def test_matrix_of_who_beats_whom():
    table = pd.DataFrame(
        [("a", "b", "b"), ("a", "c", ""), ("b", "c", "b")], columns=["first", "second", "winner"]
    )
    matrix = beats(table)
    assert list(matrix.index) == list(matrix.columns) == ["b", "a", "c"]
    assert matrix.loc["b", "a"] == 1 and matrix.loc["a", "b"] == -1 and matrix.loc["a", "c"] == 0
    assert np.isnan(np.diag(matrix)).all()


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"contests": [("a", "z")]}, "unknown name 'z'; known: a, b"),
        ({"statistic": "rmse"}, "statistic 'rmse' can't be compared"),
        ({"more": np.zeros(3)}, "one number for each of 120 pairs"),
        ({"more": np.full(120, np.nan)}, "no NaN"),
    ],
)
def test_bad_input_ends_in_one_sentence(arguments, words):
    pairs = data.pairs()
    candidates = {"a": np.arange(120.0), "b": np.arange(120.0)}
    if "more" in arguments:
        candidates["c"] = arguments.pop("more")
    with pytest.raises(UserError, match=words):
        hold_contests(candidates, pairs, SETTINGS, **arguments)


def test_several_distances_must_be_narrowed_down():
    pairs = data.pairs()
    distances = data.distances(pairs)
    both = pd.concat([distances, distances.assign(distance="cosine")])
    with pytest.raises(UserError, match="has 2 distances"):
        hold_contests({"net": both, "x": np.arange(120.0)}, pairs, SETTINGS)


def test_p_is_that_of_students_t_over_references():
    rng = np.random.default_rng(5)
    differences = rng.normal(size=7)
    # the mean of seven references, and without each of them: the paired t test
    without = (differences.sum() - differences)[:, None] / 6
    expected = stats.ttest_1samp(differences, 0)
    p = paired_p(differences.mean(), standard_error(without), 6)
    assert p == pytest.approx(expected.pvalue, rel=1e-12)
    # several columns count by their mean variance
    both = np.concatenate([without, 3 * without], axis=1)
    assert standard_error(both) ** 2 == pytest.approx(5 * standard_error(without) ** 2)


def test_p_at_the_edges():
    assert np.isnan(standard_error(np.empty((0, 1)))) and np.isnan(standard_error(np.ones((1, 1))))
    assert np.isnan(paired_p(np.nan, 0.1, 5)) and np.isnan(paired_p(0.1, np.nan, 5))
    assert paired_p(0.1, 0.0, 5) == 0 and paired_p(0.0, 0.0, 5) == 1


@pytest.mark.parametrize("references", [1, 2])
def test_two_references_decide_no_contest(references):
    pairs = data.pairs(references=references)
    quality = pairs["quality"].to_numpy()
    rng = np.random.default_rng(0)
    found = hold_contests(
        {"good": quality, "bad": rng.normal(size=len(pairs)), "net": data.distances(pairs)},
        *(pairs, SETTINGS),
    )
    assert found[["low", "high", "p", "p_holm"]].isna().all(axis=None)
    assert (found["winner"] == "").all() and found["difference"].notna().all()


def test_constant_scores_end_in_undefined_everything():
    pairs = data.pairs(se=0.2).assign(quality=0.5)
    net = pd.concat([data.distances(data.pairs()), data.distances(data.pairs(), seed=2).assign(
        distance="cosine")])  # fmt: skip
    tables = {"net": net, "psnr": data.metric(pairs, np.arange(120.0))}
    parts = [
        correlate(table, pairs, dataset_name="set", model=name, settings=SETTINGS)
        for name, table in tables.items()
    ]
    parts.append(noise_ceiling(pairs, dataset_name="set", settings=SETTINGS))
    summary = summarise(pd.concat(parts, ignore_index=True))
    assert set(summary["note"]) == {"undefined: constant values or scores"}
    distance = common_distance(summary[summary["model"] == "net"])
    assert distance == "cosine"  # of equal ones the first by name
    tables["net"] = net[net["distance"] == distance]
    found = hold_contests(tables, pairs, SETTINGS, dataset_name="set")
    assert found[["value_first", "value_second", "p", "low"]].isna().all(axis=None)
    assert found.loc[0, "winner"] == "" and only([found], [("net", "psnr")], 0.95)["p"].isna().all()
    described = {
        "id": "net", "untrained": False, "function": "supervised classification",
        "supervision": "class labels",
        "name": "resnet18", "family": "ResNet", "environment": "ImageNet-1k",
        "scale": "", "top1": 70.0,
    }  # fmt: skip
    claims, text = find_claims(summary, pd.DataFrame([described]), found)
    assert set(claims["verdict"]) == {"can't be told"} and "nan" not in text


def test_contests_pair_models_with_rivals_and_group_members_once():
    groups = [["a", "b", "x"], ["b", "a"]]
    found = contests(["a", "b"], ["psnr", "ssim", "dists"], groups)
    assert found == [("a", "ssim"), ("a", "dists"), ("b", "ssim"), ("b", "dists"), ("a", "b")]


def ceilings(table):
    found = noise_ceiling(table, dataset_name="set", settings=SETTINGS)
    assert set(found["model"]) == {"noise_ceiling"} and (found["layer"] == "").all()
    whole = found[found["subset"] == "all"].set_index("statistic")
    assert set(whole.index) == {"srcc", "krcc", "plcc"}
    return whole["value"]


@pytest.mark.parametrize("error", [0.2, 0.5, 1.0])
def test_noise_ceiling_is_what_a_predictor_that_knows_the_truth_reaches(error):
    pairs = data.pairs(references=20, types=10, levels=5, se=error)
    truth = np.random.default_rng(9).normal(size=len(pairs))
    noisy = truth + error * np.random.default_rng(8).normal(size=len(truth))
    found = ceilings(pairs.assign(quality=noisy))
    assert found["plcc"] == pytest.approx(1 / np.hypot(1, error), abs=0.025)
    for name, test in (("srcc", stats.spearmanr), ("krcc", stats.kendalltau)):
        assert found[name] == pytest.approx(test(truth, noisy).statistic, abs=0.03)


def test_errors_that_explain_all_scores_leave_no_ceiling(caplog):
    pairs = data.pairs(se=1.5)
    with caplog.at_level("INFO"):
        found = noise_ceiling(pairs, dataset_name="set", settings=SETTINGS)
    assert found["value"].isna().all() and found["low"].isna().all()
    assert "set, all: the scores' standard errors are as large as their spread" in caplog.text


def test_no_standard_errors_no_ceiling_and_no_noise_a_ceiling_of_one():
    pairs = data.pairs()
    assert noise_ceiling(pairs, dataset_name="set", settings=SETTINGS).empty
    partly = pairs.assign(score_se=np.where(pairs["pair"] == 3, np.nan, 0.1))
    assert noise_ceiling(partly, dataset_name="set", settings=SETTINGS).empty
    exact = noise_ceiling(pairs.assign(score_se=0.0), dataset_name="set", settings=SETTINGS)
    np.testing.assert_allclose(exact["value"], 1)


def triplets(count=40, references=8, seed=0):
    rng = np.random.default_rng(seed)
    share = rng.integers(0, 6, count) / 5
    table = pd.DataFrame(
        {
            "pair": np.arange(2 * count),
            "triplet": np.repeat(np.arange(count), 2),
            "reference": np.repeat([f"r{k % references}" for k in range(count)], 2),
            "distorted_file": [f"{k}.png" for k in range(2 * count)],
            "distortion": np.repeat(np.where(np.arange(count) % 2, "cnn", "traditional"), 2),
            "level": pd.array([pd.NA] * 2 * count, dtype="Int64"),
            "preferred": np.column_stack([share, 1 - share]).ravel(),
        }
    )
    return table.assign(quality=table["preferred"], score=table["preferred"])


def test_agreement_with_triplets():
    pairs = triplets()
    share = pairs["preferred"].to_numpy().reshape(-1, 2)
    majority = data.metric(pairs, 1 - pairs["preferred"], sign=-1, name="oracle")
    undecided = data.metric(pairs, np.zeros(len(pairs)), sign=-1, name="coin")
    for table, expected in (
        (majority, np.where(share[:, 0] == share[:, 1], 0.5, share.max(axis=1)).mean()),
        (undecided, 0.5),
    ):
        found = correlate(table, pairs, dataset_name="set", model="m", settings=SETTINGS)
        assert set(found["statistic"]) == {"agreement"}
        whole = found[found["subset"] == "all"].iloc[0]
        assert whole["value"] == pytest.approx(expected) and whole["n"] == 40
        assert whole["low"] <= whole["value"] <= whole["high"]
        assert set(found["subset"]) == {"all", "type:cnn", "type:traditional"}
    ceiling = noise_ceiling(pairs, dataset_name="set", settings=SETTINGS)
    whole = ceiling[ceiling["subset"] == "all"].iloc[0]
    assert whole["value"] == pytest.approx(share.max(axis=1).mean())
    assert whole["statistic"] == "agreement"


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda t: t.assign(preferred=0.9), "don't add up to 1"),
        (lambda t: t.assign(triplet=0), "triplet 0 has 80 rows"),
        (lambda t: t.assign(reference=t["pair"].astype(str)), "two different references"),
    ],
)
def test_broken_triplets_end_in_one_sentence(change, words):
    pairs = change(triplets())
    table = data.metric(pairs, np.arange(80.0))
    with pytest.raises(UserError, match=words):
        correlate(table, pairs, dataset_name="set", model="m", settings=SETTINGS)


def test_only_planned_contests_are_corrected_for():
    pairs = data.pairs(references=15, types=4, levels=5)
    rng = np.random.default_rng(3)
    quality = pairs["quality"].to_numpy()
    noisy = {f"x{i}": quality + rng.normal(0, 0.2 + 0.2 * i, len(pairs)) for i in range(5)}
    every = hold_contests(noisy, pairs, SETTINGS)
    planned = only([every], [("x1", "x0"), ("x2", "x3")], SETTINGS.level)
    assert list(zip(planned["first"], planned["second"], strict=True)) == [
        ("x0", "x1"),
        ("x2", "x3"),
    ]
    alone = hold_contests(noisy, pairs, SETTINGS, contests=[("x0", "x1"), ("x2", "x3")])
    pd.testing.assert_frame_equal(planned, alone)
    assert (planned["p_holm"] <= every.set_index("first").loc[["x0", "x2"], "p_holm"].max()).all()
    assert only([every], [], SETTINGS.level).empty


def test_beyond_a_number_only_planned_contests_take_place():
    assert everyone(["a", "b"], ["psnr"], [], []) == [("a", "b"), ("a", "psnr"), ("b", "psnr")]
    many = [f"m{i}" for i in range(MOST)]
    assert everyone(many, ["ssim"], [], [("m0", "ssim")]) == [("m0", "ssim")]
    held = everyone(many, ["psnr"], ["theirs"], [("m0", "psnr")])
    assert len(held) == 1 + MOST + 1
    assert ("m7", "theirs") in held and ("psnr", "theirs") in held and ("m7", "psnr") not in held
