"""Every finding can be seen to hold, to fail and to stay open, and says on what it rests."""

import numpy as np
import pandas as pd
import pytest
from answers_data import made_up

from dissect_iqa.claims import claims, evidence, preprint, test_claims
from dissect_iqa.claims.evidence import FAILS, HOLDS, OPEN
from dissect_iqa.errors import UserError
from dissect_iqa.zoo.table import read_models

NAMES = [claim.name for claim in (*claims.CLAIMS, *preprint.PREPRINT_CLAIMS)]


SUPERVISION = {"supe": "class labels", "self": "none", "lang": "language"}
SCALE = {
    **dict.fromkeys(("ImageNet-1k", "ImageNet-21k", "Places365"), "large and natural"),
    "CIFAR-10": "small or restricted",
}


def zoo(values, **columns):
    """Describe models `m00`, `m01`, ... whose honest SRCC is given."""
    count = len(values)
    table = pd.DataFrame(
        {
            "id": [f"m{i:02d}" for i in range(count)],
            "untrained": False,
            "function": "supervised classification",
            "name": "resnet50",
            "family": [f"family {i}" for i in range(count)],
            "environment": "ImageNet-1k",
            "top1": np.nan,
        }
    )
    table = table.assign(honest=values, **columns)
    return table.assign(
        supervision=table["function"].map(lambda word: SUPERVISION[word[:4]]),
        scale=table["environment"].map(SCALE),
    )


def summary(models, metrics=None, width=0.01, dataset="set", last=None, layers=18, references=25):
    """Return the summary of a run with these models and metrics."""
    rows = [
        {
            "model": row.id, "kind": "network", "distance": "rmse", "best_layer": "layer3",
            "best": row.honest + 0.01, "honest": row.honest,
            "layers": layers if np.isscalar(layers) else layers[i],
            "last": row.honest - 0.05 if last is None else last[i],
            "rise": getattr(row, "rise", np.nan),
        }
        for i, row in enumerate(models.itertuples())
    ]  # fmt: skip
    rows += [
        {
            "model": name,
            "kind": "metric",
            "distance": name,
            "best_layer": "",
            "best": value,
            "layers": 1,
        }
        for name, value in (metrics or {}).items()
    ]
    table = pd.DataFrame(rows).assign(dataset=dataset, statistic="srcc", n=3000)
    table = table.assign(references=references, rise=table.get("rise", np.nan))
    for name in ("best", "honest", "last"):
        values = table.get(name, np.nan)
        table = table.assign(
            **{name: values, f"{name}_low": values - width, f"{name}_high": values + width}
        )
    return table


def verdict(name, models, *arguments, contests=None, **options):
    table = summary(models, *arguments, **options)
    found, text = test_claims.test_claims(table, models, contests)
    assert list(found["claim"]) == NAMES and list(found.columns) == test_claims.COLUMNS
    row = found.set_index("claim").loc[name]
    assert row["evidence"] and row["evidence"] in text
    assert bool(row["why"]) == (row["verdict"] == OPEN)
    return row


@pytest.mark.parametrize(
    "values, width, expected",
    [
        ([0.8] * 9 + [0.6], 0.01, HOLDS),
        ([0.8] * 9 + [0.6], 0.2, OPEN),  # higher, but not significantly
        ([0.8] * 5 + [0.6] * 5, 0.01, OPEN),
        ([0.8] + [0.6] * 9, 0.01, FAILS),
    ],
)
def test_most_beat_ssim(values, width, expected):
    metrics = {"ssim": 0.65, "ssim_downsampled": 0.7}
    row = verdict("most_beat_ssim", zoo(values), metrics, width)
    assert row["verdict"] == expected
    assert row["effect"] == np.mean(np.array(values) > 0.7) and row["low"] < row["effect"] <= 1
    assert "than SSIM (downsampled) (0.700)" in row["evidence"]


def test_without_ssim_it_cannot_be_told():
    assert verdict("most_beat_ssim", zoo([0.8]), {"psnr": 0.6})["verdict"] == OPEN


@pytest.mark.parametrize(
    "best, width, expected", [(0.9, 0.01, HOLDS), (0.9, 0.1, OPEN), (0.7, 0.01, FAILS)]
)
def test_some_beat_lpips_and_dists(best, width, expected):
    metrics = {"lpips_alex": 0.75, "dists": 0.83}
    row = verdict("some_beat_learned", zoo([0.6, 0.65, best]), metrics, width)
    assert row["verdict"] == expected and row["effect"] == pytest.approx(best - 0.83)


@pytest.mark.parametrize("metrics, lacking", [({"dists": 0.8}, "LPIPS"), ({}, "LPIPS and DISTS")])
def test_without_lpips_or_dists_it_cannot_be_told(metrics, lacking):
    row = verdict("some_beat_learned", zoo([0.9]), metrics)
    assert row["verdict"] == OPEN and row["evidence"] == f"Not computed here: {lacking}."


def test_contests_overrule_overlapping_intervals():
    models = zoo([0.9, 0.6])
    metrics = {"lpips_alex": 0.75, "dists": 0.83}
    met = pd.DataFrame(
        [("m00", "lpips_alex", "m00"), ("dists", "m00", "m00")],
        columns=["first", "second", "winner"],
    ).assign(dataset="set")
    assert verdict("some_beat_learned", models, metrics, 0.2)["verdict"] == OPEN
    row = verdict("some_beat_learned", models, metrics, 0.2, contests=met)
    assert row["verdict"] == HOLDS and row["evidence"].startswith("1 of 2 models beat all")
    elsewhere = met.assign(dataset="other")
    row = verdict("some_beat_learned", models, metrics, 0.2, contests=elsewhere)
    assert row["verdict"] == OPEN


def matched(difference, noise=0.005, each=3):
    """Supervised and self-supervised networks in four strata that differ by a lot."""
    rng = np.random.default_rng(0)
    rows = []
    levels = {"resnet50": 0.8, "alexnet": 0.6, "vgg16": 0.7, "densenet121": 0.75}
    for architecture, level in levels.items():
        for _ in range(each):
            for function, gain in (
                ("supervised classification", difference), ("self-supervised: jigsaw", 0.0),
            ):  # fmt: skip
                rows.append((level + gain + noise * rng.normal(), architecture, function))
    values, architecture, function = zip(*rows, strict=True)
    columns = {"name": list(architecture), "family": list(architecture)}
    return zoo(list(values), function=list(function), **columns)


@pytest.mark.parametrize(
    "difference, expected", [(0.05, HOLDS), (-0.05, FAILS), (0.0, OPEN)]
)  # fmt: skip
def test_supervision_is_compared_within_equal_architecture_and_pictures(difference, expected):
    row = verdict("supervised_better", matched(difference))
    assert row["verdict"] == expected and (row["n"], row["families"]) == (24, 4)
    assert row["low"] < difference < row["high"]
    assert row["high"] - row["low"] < 0.03  # not blurred by the architectures' own difference


def test_kinds_that_never_meet_cannot_be_compared():
    models = matched(0.05)
    models["name"] = np.where(models["function"].str.startswith("sup"), "resnet50", "alexnet")
    row = verdict("supervised_better", models)
    assert row["verdict"] == OPEN and "12 supervised classification" in row["evidence"]


@pytest.mark.parametrize("difference, expected", [(0.05, HOLDS), (-0.05, FAILS)])
def test_environments_are_compared_within_equal_architecture_and_function(difference, expected):
    models = matched(difference)
    large = models["function"].str.startswith("sup")
    models = models.assign(
        function="supervised classification",
        supervision="class labels",
        environment=np.where(large, "Places365", "CIFAR-10"),
        scale=np.where(large, "large and natural", "small or restricted"),
    )
    assert verdict("large_natural_better", models)["verdict"] == expected


@pytest.mark.parametrize(
    "shape, expected, word",
    [
        (lambda x: -x, HOLDS, "falling"),
        (lambda x: x, FAILS, "rising"),
        (lambda x: -((x - 0.5) ** 2), HOLDS, "inverted U"),
    ],
)
def test_accuracy_and_correlation(shape, expected, word):
    x = np.linspace(0, 1, 16)
    wobble = 0.002 * np.random.default_rng(0).normal(size=16)
    models = zoo(list(0.7 + 0.1 * shape(x) + wobble), top1=60 + 20 * x)
    row = verdict("accuracy_no_guide", models)
    assert row["verdict"] == expected and row["evidence"].endswith(f"shape: {word}.")


def test_few_classifiers_cannot_tell_of_accuracy():
    row = verdict("accuracy_no_guide", zoo([0.8] * 5, top1=[60.0, 65, 70, 75, 80]))
    assert row["verdict"] == OPEN and row["why"] == "at least 6 families are needed"
    noise = np.random.default_rng(3).normal(size=7)
    row = verdict("accuracy_no_guide", zoo(list(0.7 + 0.02 * noise), top1=np.arange(60.0, 67)))
    assert row["verdict"] == OPEN


@pytest.mark.parametrize("sign, expected", [(-1, HOLDS), (1, FAILS), (0, OPEN)])
def test_simpler_architectures(sign, expected):
    layers = np.arange(8, 24)
    wobble = 0.003 * np.random.default_rng(5).normal(size=16)
    models = zoo(list(0.7 + sign * 0.01 * (layers - 8) + wobble))
    row = verdict("simpler_better", models, layers=list(layers))
    assert row["verdict"] == expected and "8 to 23 layers" in row["evidence"]


@pytest.mark.parametrize("gain, expected", [(0.05, HOLDS), (-0.01, FAILS)])
def test_best_layer_is_not_the_last(gain, expected):
    models = zoo([0.8] * 10)
    row = verdict("best_not_last", models, last=[0.8 - gain] * 10)
    assert row["verdict"] == expected
    assert verdict("best_not_last", zoo([0.8, 0.7]))["verdict"] == OPEN


@pytest.mark.parametrize(
    "values, width, expected",
    [([0.9, 0.8, 0.7], 0.01, HOLDS), ([0.9, 0.8, 0.7], 0.2, OPEN), ([0.7, 0.8, 0.9], 0.01, FAILS)],
)
def test_best_classifier_is_not_the_best_metric(values, width, expected):
    models = zoo(values, top1=[60.0, 70.0, 80.0])
    row = verdict("best_classifier_not_best", models, None, width)
    assert row["verdict"] == expected and row["effect"] == pytest.approx(max(values) - values[2])


@pytest.mark.parametrize(
    "values, width, expected",
    [
        ([0.8] * 10, 0.01, HOLDS),
        ([0.8] * 9 + [0.72], 0.1, OPEN),  # all are above, but few significantly
        ([0.8] * 9 + [0.69], 0.02, OPEN),  # one is below, but not significantly
        ([0.8] * 9 + [0.6], 0.01, FAILS),
    ],
)
def test_all_beat_ssim(values, width, expected):
    found = verdict("all_beat_ssim", zoo(values), {"ssim": 0.7}, width)
    assert found["verdict"] == expected
    assert found["effect"] == pytest.approx(min(values) - 0.7)


@pytest.mark.parametrize(
    "best, width, expected", [(0.9, 0.01, HOLDS), (0.76, 0.1, OPEN), (0.6, 0.01, FAILS)]
)
def test_self_supervised_against_lpips(best, width, expected):
    function = ["self-supervised: jigsaw"] * 3 + ["supervised classification"]
    models = zoo([0.5, 0.5, best, 0.95], function=function)
    metrics = {"lpips_alex": 0.75, "lpips_vgg": 0.7}
    found = verdict("self_supervised_beat_lpips", models, metrics, width)
    assert (found["verdict"], found["n"]) == (expected, 3)
    assert "jigsaw" in found["evidence"]
    none = verdict("self_supervised_beat_lpips", models, {"ssim": 0.7})
    assert none["verdict"] == OPEN


@pytest.mark.parametrize(
    "slope, start, expected", [(-0.1, 0.9, HOLDS), (0.1, -0.5, FAILS), (-0.1, -0.1, FAILS),
                               (0.0, 0.5, OPEN)]
)  # fmt: skip
def test_where_correlation_rises_with_depth(slope, start, expected):
    rng = np.random.default_rng(0)
    rise = start + slope * np.arange(12) + rng.normal(0, 0.02, 12)
    found = verdict("rises_in_simple_nets", zoo([0.8] * 12, rise=rise), layers=np.arange(12) + 8)
    assert found["verdict"] == expected


@pytest.mark.parametrize("difference, expected", [(0.01, HOLDS), (0.2, FAILS)])
def test_environments_that_are_large_and_natural_all(difference, expected):
    models = matched_environments(difference)
    assert verdict("environment_matters_little", models)["verdict"] == expected
    alone = models.drop_duplicates("name")
    assert verdict("environment_matters_little", alone)["verdict"] == OPEN


def matched_environments(difference):
    """Ten architectures, each trained on ImageNet-1k and on Places365."""
    names = np.repeat([f"net {i}" for i in range(10)], 2)
    rng = np.random.default_rng(1)
    values = 0.7 + np.tile([0, difference], 10) + rng.normal(0, 0.003, 20)
    return zoo(values, name=names, family=names, environment=["ImageNet-1k", "Places365"] * 10)


@pytest.mark.parametrize("gain, expected", [(0.0, HOLDS), (0.1, FAILS), (-0.1, FAILS)])
@pytest.mark.parametrize(
    "name, distance",
    [
        ("descriptors_matter_little", "mean_std"),
        ("concatenation_matters_little", "euclidean on all"),
    ],
)
def test_what_is_said_to_matter_little(name, distance, gain, expected):
    models = zoo(np.linspace(0.6, 0.9, 10))
    rng = np.random.default_rng(2)
    table = summary(models)
    kind = "concatenation" if " on " in distance else "network"
    more = table.assign(distance=distance, kind=kind, honest=table["honest"] + gain
                        + rng.normal(0, 0.005, 10) - 0.001)  # fmt: skip
    found, _ = test_claims.test_claims(pd.concat([table, more]), models)
    row = found.set_index("claim").loc[name]
    assert row["verdict"] == expected and row["effect"] == pytest.approx(gain, abs=0.01)
    assert verdict(name, models)["verdict"] == OPEN, "nothing to compare with"


@pytest.mark.parametrize("gap, expected", [(0.2, HOLDS), (0.01, FAILS)])
def test_readout_as_a_factor(gap, expected):
    models = zoo(np.linspace(0.6, 0.9, 10))
    table = summary(models)
    both = pd.concat([table, table.assign(distance="cosine", honest=table["honest"] - gap)])
    found = test_claims.test_claims(both, models)[0].set_index("claim").loc["readout_is_a_factor"]
    assert found["verdict"] == expected
    assert verdict("readout_is_a_factor", models)["verdict"] == OPEN


def test_the_two_versions_stand_side_by_side():
    values = [0.8] * 9 + [0.6]
    _, text = test_claims.test_claims(summary(zoo(values), {"ssim": 0.7}), zoo(values))
    part = text.partition("# What the preprint says otherwise")[2]
    assert "## All models beat SSIM. *Does not hold.*" in part
    assert "The journal has instead: “Most models beat SSIM.” (holds on set)." in part
    journal = {claim.name for claim in claims.CLAIMS}
    assert {claim.versus for claim in preprint.PREPRINT_CLAIMS} - {""} <= journal


def test_untrained_networks_are_left_out_but_counted():
    models = zoo([0.8] * 10 + [0.1] * 10)
    models.loc[10:, "untrained"] = True
    found, text = test_claims.test_claims(summary(models, {"ssim": 0.7}), models)
    assert "trained configurations: 10 of 10 families (untrained controls, in no count: 10)" in text
    assert found.loc[0, "n"] == 10 and found.loc[0, "verdict"] == HOLDS


def test_one_distance_for_all_models_the_one_with_the_highest_median():
    models = zoo([0.8] * 8)
    good = summary(models, {"ssim": 0.7})
    bad = good[good["best_layer"] != ""].assign(distance="cosine", honest=0.5, best=0.95)
    found, text = test_claims.test_claims(pd.concat([bad, good]), models)
    assert "distance rmse" in text and found.loc[0, "effect"] == 1


def test_without_an_honest_choice_the_only_layer_counts():
    models = zoo([0.8] * 8)
    table = summary(models, {"ssim": 0.7}).assign(
        honest=np.nan, honest_low=np.nan, honest_high=np.nan
    )
    assert test_claims.test_claims(table, models)[0].loc[0, "verdict"] == HOLDS


def test_several_data_sets_are_told_apart_and_labels_are_kept():
    models = zoo([0.8] * 10)
    one = summary(models, {"ssim": 0.7}, dataset="demo", references=6)
    other = summary(models, {"ssim": 0.9}, dataset="tid2013")
    labels = {"demo": "Transferred scores.", "tid2013": None}
    found, text = test_claims.test_claims(pd.concat([one, other]), models, labels=labels)
    assert len(found) == 2 * len(NAMES)
    assert set(found.loc[found["dataset"] == "demo", "label"]) == {"Transferred scores."}
    assert "## Most models beat SSIM. *Differs between data sets.*" in text
    assert "On demo, holds:" in text and "On tid2013, does not hold:" in text
    assert "Intervals from 6 references are a rough guide. Transferred scores." in text
    for claim in claims.CLAIMS:
        assert f"## {claim.finding} *" in text


def test_metrics_alone_and_nothing_at_all():
    models = zoo([0.8])
    table = summary(models.iloc[:0], {"ssim": 0.7})
    found, _ = test_claims.test_claims(table, models)
    assert set(found["verdict"]) == {OPEN}
    empty, text = test_claims.test_claims(table.iloc[:0], models)
    assert empty.empty and text.startswith("# ")


def test_undescribed_models_and_missing_columns_are_named():
    models = zoo([0.8, 0.9])
    with pytest.raises(UserError, match="model 'm01' is not in the model table"):
        test_claims.test_claims(summary(models), models.iloc[:1])
    with pytest.raises(UserError, match="no column 'top1'"):
        test_claims.test_claims(summary(models), models.drop(columns="top1"))


def test_shapes():
    rng = np.random.default_rng(0)
    x = np.linspace(0, 1, 30)
    noise = 0.02 * rng.normal(size=30)
    assert evidence.shape_of(x, (x - 0.5) ** 2 + noise) == "U"
    assert evidence.shape_of(x, np.sqrt(x) + noise) == "rising"  # bent, but no U
    assert evidence.shape_of(x, noise).startswith("none")
    assert evidence.shape_of(np.ones(30), noise).startswith("none")


def test_every_model_of_the_zoo_says_what_it_learned_from():
    from pathlib import Path

    rows = read_models(Path(__file__).parents[2] / "config" / "models.tsv").values()
    for row in rows:
        trained = row.supervision != "untrained"
        assert row.supervision and bool(row.scale) == trained, row.id
        assert trained == (row.weights_kind != "seed"), row.id
        # told in words, too, which must not say otherwise
        free = row.function.startswith(("self-supervised", "unsupervised"))
        assert free == (row.supervision == "none"), row.id
        assert row.function.startswith("language") == (row.supervision == "language"), row.id
        assert (row.function == "supervised classification") == (
            row.supervision == "class labels"
        ), row.id
        assert row.scale == "large and natural" or row.environment != "ImageNet-1k", row.id
        assert row.scale == "small or restricted" or not row.environment.startswith("CIFAR"), row.id


def test_networks_of_one_family_are_no_independent_witnesses():
    models = zoo([0.8] * 9)
    assert verdict("most_beat_ssim", models, {"ssim": 0.7})["verdict"] == HOLDS
    alike = models.assign(family=["EfficientNet"] * 5 + ["VGG"] * 4)
    row = verdict("most_beat_ssim", alike, {"ssim": 0.7})
    assert row["verdict"] == OPEN and (row["n"], row["families"]) == (9, 2)
    assert "9 models of 2 families" in row["why"] and row["effect"] == 1
    # as wide as if there were two models
    two = verdict("most_beat_ssim", zoo([0.8] * 2), {"ssim": 0.7})
    assert row["low"] == pytest.approx(two["low"])


def test_few_families_cannot_tell_of_accuracy_or_depth_either():
    x = np.linspace(0, 1, 16)
    models = zoo(list(0.9 - 0.1 * x), top1=60 + 20 * x).assign(family=["a", "b", "c", "d"] * 4)
    for name in ("accuracy_no_guide", "simpler_better"):
        row = verdict(name, models, layers=list(range(8, 24)))
        assert row["verdict"] == OPEN and "16 supervised" in row["evidence"]
        assert "of 4 families" in row["evidence"]


def test_supervision_in_one_family_says_nothing_about_others():
    models = matched(0.05).query("name == 'resnet50'")
    row = verdict("supervised_better", models.reset_index(drop=True))
    assert row["verdict"] == OPEN and "one family" in row["why"]
    assert row["effect"] == pytest.approx(0.05, abs=0.01)


def controls():
    models = zoo([0.8, 0.74, 0.72, 0.78]).assign(
        name=["resnet18", "resnet18", "vgg16", "vgg16"], untrained=[False, False, False, True]
    )
    return models, {"psnr": 0.73, "ssim": 0.7}


def test_psnr_and_untrained_twins_stand_beside_ssim():
    models, metrics = controls()
    text = verdict("most_beat_ssim", models, metrics)["evidence"]
    assert "PSNR has 0.730 (no contest; intervals are apart)." in text
    assert "Of one network without training 1 is above SSIM (m03 0.780)." in text
    assert "m03 is also above 2 of 3 trained ones." in text
    assert "adds: m02 -0.060 from m03 (no contest; intervals are apart)." in text
    assert "As PSNR and untrained networks are above SSIM here, too, being above it is no" in text
    met = pd.DataFrame(
        [("m02", "m03", "m03"), ("psnr", "ssim", "")], columns=["first", "second", "winner"]
    ).assign(dataset="set")
    told = verdict("most_beat_ssim", models, metrics, contests=met)["evidence"]
    assert "m02 -0.060 from m03 (significant)" in told
    assert "PSNR has 0.730 (can't be told apart)" in told
    low = verdict("most_beat_ssim", models, {"psnr": 0.6, "ssim": 0.79}, 0.1)["evidence"]
    assert "PSNR has 0.600 (no contest; intervals overlap)." in low
    assert "0 are above SSIM" in low and "no evidence" not in low


def test_the_head_says_what_significant_means():
    models, metrics = controls()
    met = pd.DataFrame(
        [("m00", "ssim", "m00"), ("ssim", "m01", "m01"), ("m00", "m01", "")],
        columns=["first", "second", "winner"],
    ).assign(dataset="set")
    _, text = test_claims.test_claims(summary(models, metrics), models, met, level=0.99)
    assert "“Significantly” is at 1 % after Holm's correction over the 3 contests" in text
    _, text = test_claims.test_claims(summary(models, metrics), models)
    assert "No contests were held: “significantly” is where intervals don't overlap." in text


def test_values_of_constant_scores_leave_everything_open():
    models = zoo([np.nan] * 8)
    table = summary(models, {"ssim": np.nan, "psnr": np.nan})
    met = pd.DataFrame([("m00", "ssim", "")], columns=["first", "second", "winner"])
    found, text = test_claims.test_claims(table, models, met.assign(dataset="set"))
    assert set(found["verdict"]) == {OPEN} and "nan" not in text


def test_claims_contests_and_figures_have_one_distance():
    import figure_data as data

    from dissect_iqa.correlation.summary import common_distance, summarise
    from dissect_iqa.figures.select import views
    from dissect_iqa.figures.settings import FigureSettings

    models = data.models()
    correlations = data.correlations(models, distances=("rmse", "cosine"))
    # the naive best and the honest value prefer different distances
    nested = correlations["statistic"] == "srcc_nested"
    rmse = correlations["distance"] == "rmse"
    worse = (nested & rmse) * 0.3
    correlations = correlations.assign(value=correlations["value"] - worse)
    best = summarise(correlations.assign(references=6))
    networks = best[best["model"].isin(models["id"])]
    (view,) = views(correlations, models, None, FigureSettings())
    assert view.distance == common_distance(networks) == "cosine"
    naive = networks.groupby("distance")["best"].median()
    assert naive.idxmax() == "rmse"


def test_answers_beside_opinions_stand_in_a_part_of_their_own():
    several = made_up()
    light = type(several)("set and light", several.table.drop(columns="kept"), several.family)
    models = zoo([0.7, 0.8])
    found, text = test_claims.test_claims(summary(models), models, answers=[light, several])
    beyond = found[~found["claim"].isin(NAMES)]
    assert beyond[["claim", "dataset"]].values.tolist() == [
        ["predict_and_see", "set and light"],
        ["early_see_late_stay", "a and b"],
    ]
    head, tail = text.split("# Beyond the paper")
    assert "Verdicts: " in head and "see like people. *Holds.*" in tail
    # the tally is that of the paper's findings
    assert f"Verdicts: 0 {HOLDS}" in head or HOLDS in set(found["verdict"][: len(NAMES)])
    assert "Beyond" not in test_claims.test_claims(summary(models), models)[1]
