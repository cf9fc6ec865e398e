"""The tables of `correlate` and `summarise`: right numbers, right rows, clear words."""

import logging

import correlation_data as data
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dissect_iqa.correlation.correlate import COLUMNS, correlate
from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.correlation.summary import summarise
from dissect_iqa.errors import UserError


def settings(**changes):
    return StatisticsSettings(**{"draws": 60, "repeats": 4, **changes})


def run(distances, pairs, model="net", dataset="set", **changes):
    return correlate(
        distances, pairs, dataset_name=dataset, model=model, settings=settings(**changes)
    )


def row(table, **wanted):
    for name, value in wanted.items():
        table = table[table[name] == value]
    assert len(table) == 1, wanted
    return table.iloc[0]


@pytest.fixture(scope="module")
def pairs():
    return data.pairs()


@pytest.fixture(scope="module")
def distances(pairs):
    return data.distances(pairs, noise=(1.0, 0.4, 0.8))


@pytest.fixture(scope="module")
def table(distances, pairs):
    return run(distances, pairs)


def test_schema(table):
    assert list(table.columns) == COLUMNS
    keys = ["layer", "distance", "subset", "statistic"]
    assert not table.duplicated(keys).any()
    subsets = {"all", "within_reference", "subset:mild", *(f"type:type {t}" for t in range(4))}
    assert set(table["subset"]) == subsets
    distortions = {name.partition("type:")[2] for name in subsets}
    assert set(table["distortion"]) == distortions and set(table["kind"]) == {"network"}
    assert (table["references"] == 6).all()
    assert set(table.loc[table["subset"] == "type:type 1", "n"]) == {30}


@pytest.mark.parametrize("subset", ["all", "type:type 2", "subset:mild"])
def test_values_are_scipys(table, distances, pairs, subset):
    mask = {
        "all": np.ones(len(pairs), bool),
        "type:type 2": pairs["distortion"] == "type 2",
        "subset:mild": pairs["subset_mild"],
    }[subset]
    values = -distances.loc[distances["layer"] == "layer1", "value"].to_numpy()[mask]
    quality = pairs["quality"][mask]
    found = table[(table["layer"] == "layer1") & (table["subset"] == subset)]
    for name, function in (
        ("srcc", stats.spearmanr), ("krcc", stats.kendalltau), ("plcc", stats.pearsonr),
    ):  # fmt: skip
        one = row(found, statistic=name)
        assert one["value"] == pytest.approx(function(values, quality).statistic, abs=1e-10)
        assert one["low"] < one["value"] < one["high"]


def test_within_reference_is_the_mean_over_references(table, distances, pairs):
    values = distances.loc[distances["layer"] == "layer0", "value"].to_numpy()
    expected = [
        stats.spearmanr(-values[rows], pairs["quality"].iloc[rows]).statistic
        for rows in pairs.groupby("reference").indices.values()
    ]
    one = row(table, layer="layer0", subset="within_reference")
    assert one["value"] == pytest.approx(np.mean(expected), abs=1e-12)


def test_logistics_improve_on_the_raw_correlation(table):
    whole = table[(table["subset"] == "all") & (table["layer"] == "layer1")]
    values = whole.set_index("statistic")["value"]
    assert values["plcc5"] >= values["plcc4"] - 1e-3 > values["plcc"]
    assert values["rmse5"] <= values["rmse4"] + 1e-3
    assert values["fitted4"] == values["fitted5"] == 1 and values["monotone5"] in (0, 1)


def test_all_models_are_treated_alike(pairs, distances):
    one, other = run(distances, pairs), run(distances, pairs, model="twin")
    pd.testing.assert_frame_equal(one.drop(columns="model"), other.drop(columns="model"))


def test_any_order_of_rows_gives_the_same_table(pairs, distances, table):
    shuffled = distances.sample(frac=1, random_state=1)
    found = run(shuffled, pairs.sample(frac=1, random_state=2))
    keys = ["layer", "distance", "subset", "statistic"]
    pd.testing.assert_frame_equal(
        found.sort_values(keys, ignore_index=True),
        table.sort_values(keys, ignore_index=True),
        rtol=1e-6,
    )


def test_an_inverted_metric_is_shown_negative(pairs):
    quality = pairs["quality"].to_numpy()
    found = run(data.metric(pairs, -np.tanh(quality), sign=1), pairs)
    whole = found[found["subset"] == "all"].set_index("statistic")["value"]
    assert whole["srcc"] == whole["krcc"] == -1
    assert whole["plcc"] < -0.9 and whole["plcc4"] < -0.95 and whole["plcc5"] < -0.95
    turned = run(data.metric(pairs, -np.tanh(quality), sign=-1), pairs)
    assert row(turned, subset="all", statistic="srcc")["value"] == 1


def test_options_leave_out_rows(pairs, distances):
    found = run(
        *(distances, pairs),
        **{"logistic": False, "per_type": False, "subsets": False, "within_reference": False},
    )
    assert set(found["subset"]) == {"all"}
    assert not found["statistic"].str.contains("4|5").any()


def test_constant_distances_are_undefined_and_said_so(pairs, distances, caplog):
    flat = distances.assign(value=np.where(distances["layer"] == "layer1", 0.5, distances["value"]))
    with caplog.at_level(logging.WARNING):
        found = run(flat, pairs)
    one = row(found, layer="layer1", subset="all", statistic="srcc")
    assert np.isnan(one[["value", "low", "high"]].astype(float)).all()
    assert "layer 'layer1', rmse: correlation is undefined" in caplog.text
    summary = summarise(found)
    assert summary.loc[0, "best_layer"] == "layer2"


def test_identical_pairs_infinite_psnr(pairs):
    quality = pairs["quality"].to_numpy()
    psnr = 30 + 5 * quality
    infinite = np.where(quality > 1.5, np.inf, psnr)
    capped = np.where(quality > 1.5, 100.0, psnr)
    one = run(data.metric(pairs, infinite), pairs)
    other = run(data.metric(pairs, capped), pairs)
    pd.testing.assert_frame_equal(one, other)
    assert np.isfinite(one.loc[one["statistic"].isin(["srcc", "plcc"]), "value"]).all()


def test_three_pairs_of_one_reference(caplog):
    pairs = data.pairs(references=1, types=1, levels=3)
    with caplog.at_level(logging.WARNING):
        found = run(data.distances(pairs, noise=(0.01,)), pairs)
    assert "one reference only, so there are no intervals" in caplog.text
    whole = found[(found["subset"] == "all") & (found["statistic"] == "srcc")]
    np.testing.assert_allclose(whole["value"], 1)
    assert whole["low"].isna().all() and whole["high"].isna().all()
    assert found.loc[found["statistic"].isin(["plcc4", "plcc5"]), "value"].isna().all()
    assert not found["statistic"].str.endswith("nested").any()
    assert set(summarise(found)["note"]) == {"no interval: one reference"}


def test_one_pair_is_undefined_not_a_traceback():
    pairs = data.pairs(references=1, types=1, levels=1)
    found = run(data.distances(pairs), pairs)
    assert found.loc[found["statistic"] == "srcc", "value"].isna().all()
    assert summarise(found).loc[0, "note"].startswith("undefined")


def test_two_references_give_no_interval(caplog):
    pairs = data.pairs(references=2)
    with caplog.at_level(logging.WARNING):
        found = run(data.distances(pairs), pairs)
    assert "2 references only, so there are no intervals" in caplog.text
    assert found["low"].isna().all() and found["high"].isna().all()
    assert found.loc[found["statistic"] == "srcc_nested", "value"].notna().all()
    assert summarise(found).loc[0, "note"] == "no interval: 2 references"


def test_no_draws_no_intervals(pairs, distances):
    none = run(distances, pairs, draws=0)
    assert none["low"].isna().all()
    assert summarise(none).loc[0, "note"] == "no interval"


def test_a_subset_of_two_references_gives_no_interval_and_one_of_three_does(pairs, distances):
    names = pairs["reference"].unique()
    marked = pairs.assign(
        subset_two=pairs["reference"].isin(names[:2]), subset_three=pairs["reference"] > names[2]
    )
    found = run(distances, marked, logistic=False, per_type=False)
    two, three = (found[found["subset"] == f"subset:{name}"] for name in ("two", "three"))
    assert set(two["references"]) == {2} and two["low"].isna().all() and two["value"].notna().all()
    assert set(three["references"]) == {3} and (three["low"] < three["value"]).all()
    # what a subset says doesn't depend on what else is there
    kept = marked[marked["subset_three"]].reset_index(drop=True)
    alone = run(distances[distances["pair"].isin(kept["pair"])], kept, logistic=False)
    alone = alone[(alone["subset"] == "all") & ~alone["statistic"].str.contains("_")]
    np.testing.assert_allclose(
        three[["value", "low", "high"]], alone[["value", "low", "high"]], rtol=1e-9
    )


def test_perfect_and_nearly_perfect_agreement_have_sane_intervals(pairs):
    quality = pairs["quality"].to_numpy()
    found = run(data.metric(pairs, quality), pairs, logistic=False)
    whole = row(found, subset="all", statistic="srcc")
    np.testing.assert_allclose(whole[["low", "value", "high"]].astype(float), 1, rtol=1e-12)
    swapped = quality.copy()
    swapped[np.argsort(quality)[[10, 11]]] = np.sort(quality)[[11, 10]]
    found = run(data.metric(pairs, swapped), pairs, logistic=False)
    defined = found[found["low"].notna()]
    assert (defined["low"] <= defined["value"]).all() and (defined["value"] <= 1).all()
    whole = row(found, subset="all", statistic="srcc")
    assert 0.99 < whole["low"] < whole["value"] < whole["high"] <= 1


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda d, p: (d.assign(value=d["value"].where(d["pair"] != 7)), p), "values are NaN"),
        (lambda d, p: (d, p.assign(quality=p["quality"].where(p["pair"] != 7))), "not finite"),
        (lambda d, p: (d, p.iloc[:0]), "the table of pairs is empty"),
        (lambda d, p: (d.iloc[:0], p), "the table of distances is empty"),
        (lambda d, p: (d[d["pair"] != 7], p), "pair 7 is there 0 times"),
        (lambda d, p: (pd.concat([d, d.iloc[:1]]), p), "is there 2 times"),
        (lambda d, p: (d, p[p["pair"] != 7]), "distances hold pair 7"),
        (lambda d, p: (d, p.drop(columns="quality")), "no column 'quality'"),
    ],
)  # fmt: skip
def test_bad_tables_end_in_one_sentence(pairs, distances, change, words):
    with pytest.raises(UserError, match=words) as caught:
        run(*change(distances, pairs))
    assert "\n" not in str(caught.value) and "set" in str(caught.value)


def test_settings_reject_unknown_names_and_values():
    for bad in ({"drows": 1}, {"draws": -1}, {"interval": "bca"}, {"level": 1.0}, {"repeats": 0}):
        with pytest.raises(ValueError):
            StatisticsSettings(**bad)


def test_summary_of_two_data_sets_and_a_metric(pairs, distances, table):
    other_pairs = data.pairs(references=8, seed=5)
    other = run(data.distances(other_pairs, noise=(0.4, 1.0, 2.0), seed=6), other_pairs,
                dataset="other")  # fmt: skip
    metric = run(data.metric(pairs, pairs["quality"] ** 3, name="psnr"), pairs, model="psnr")
    summary = summarise(pd.concat([table, metric, other], ignore_index=True))
    assert list(summary["dataset"]) == ["set", "set", "other"]
    first = row(summary, dataset="set", model="psnr")
    assert first["best"] == 1 and pd.isna(first["last"]) and pd.isna(first["transferred"])
    net = row(summary, dataset="set", model="net")
    assert net["best_layer"] == "layer1" and net["last_layer"] == "layer2"
    assert (net["chosen_on"], net["chosen_layer"]) == ("other", "layer0")
    own = table[(table["subset"] == "all") & (table["statistic"] == "srcc")]
    assert net["transferred"] == row(own, layer="layer0")["value"]
    assert net["best"] == row(own, layer="layer1")["value"] == own["value"].max()
    assert net["honest"] <= net["best"] and net["honest_low"] < net["honest"] < net["honest_high"]
    assert net["honest_share"] == 1
    types = table[table["subset"].str.startswith("type:") & (table["layer"] == "layer1")]
    types = types[types["statistic"] == "srcc"]
    assert net["types_mean"] == pytest.approx(types["value"].mean())
    assert net["types_min"] == types["value"].min()
    assert f"type:{net['types_worst']}" == types.loc[types["value"].idxmin(), "subset"]
    assert "6 references" in net["note"]


def test_summary_refuses_an_empty_table(table):
    with pytest.raises(UserError, match="nothing to summarise"):
        summarise(table[table["statistic"] == "plcc"])


def test_the_real_scores_of_tid2013_give_a_finite_table():
    from pathlib import Path

    path = Path(__file__).parents[2].parent / "shared" / "data" / "tid2013_mos.csv"
    if not path.exists():
        pytest.skip("the score table of TID2013 is not here")
    scores = pd.read_csv(path)
    pairs = pd.DataFrame(
        {
            "pair": np.arange(len(scores)), "reference": scores["reference"],
            "distorted_file": scores.index.astype(str), "distortion": scores["type"].astype(str),
            "level": scores["level"], "quality": scores["mos"], "score_se": scores["mos_std"],
        }
    )  # fmt: skip
    # the nominal PSNR of a level: what a metric knows that sees nothing but the level
    found = run(data.metric(pairs, 36 - 3.0 * scores["level"]), pairs, logistic=False)
    whole = row(found, subset="all", statistic="srcc")
    assert whole["value"] == pytest.approx(
        stats.spearmanr(-scores["level"], scores["mos"]).statistic, abs=1e-12
    )
    assert whole["references"] == 25 and whole["high"] - whole["low"] < 0.1
