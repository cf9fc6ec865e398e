"""What is measured under each choice is what the study's own tables say, where these say it."""

import numpy as np
import pandas as pd
import pytest
from correlation_data import metric
from correlation_data import pairs as made_up
from multiverse_data import SETTINGS, network, noisy
from scipy import stats

from dissect_iqa.correlation.correlate import correlate
from dissect_iqa.correlation.hold_contests import hold_contests, paired
from dissect_iqa.correlation.summary import summarise
from dissect_iqa.multiverse.measure_choices import Population, World, measure_choices

STATISTICS = ("srcc", "krcc", "plcc", "plcc4")
PAIRS = made_up(references=7, types=4, levels=6)
WHOLE = np.ones(len(PAIRS), dtype=bool)


def measured(distances, pairs=PAIRS, mask=None, name="net", statistics=STATISTICS):
    mask = np.ones(len(pairs), dtype=bool) if mask is None else mask
    populations = [Population(pairs, mask, SETTINGS, "all", "kept")]
    return measure_choices(name, distances, pairs, populations, statistics, dataset_name="set")


def world(statistic="srcc", pairs="all"):
    return World(statistic, pairs, "all", "kept")


@pytest.fixture(scope="module")
def net():
    return noisy(PAIRS, 3)


@pytest.fixture(scope="module")
def correlations(net):
    table = correlate(net, PAIRS, dataset_name="set", model="net", settings=SETTINGS)
    return table.assign(kind="network")


@pytest.mark.parametrize("distance", ["rmse", "cosine"])
@pytest.mark.parametrize("statistic", STATISTICS)
def test_over_all_pairs_values_are_those_of_correlate(net, correlations, distance, statistic):
    rows = correlations[
        (correlations["subset"] == "all") & (correlations["distance"] == distance)
    ].sort_values("depth")
    layers = rows[rows["statistic"] == statistic]["value"].to_numpy()
    found = measured(net)[world(statistic)][distance]
    assert found.layers == 3 and found.kind == "network"
    assert found.by_layer["flattering"].value == pytest.approx(layers.max(), abs=1e-12)
    assert found.by_layer["last"].value == pytest.approx(layers[-1], abs=1e-12)
    honest = rows[rows["statistic"] == f"{statistic}_nested"]["value"]
    if len(honest):
        assert found.by_layer["honest"].value == pytest.approx(honest.item(), abs=1e-12)
    assert found.by_layer["honest"].value <= found.by_layer["flattering"].value


def test_the_summary_has_the_same(net, correlations):
    row = summarise(correlations).set_index("distance").loc["rmse"]
    found = measured(net)[world()]["rmse"]
    for column, layer in (("best", "flattering"), ("honest", "honest"), ("last", "last")):
        assert found.by_layer[layer].value == pytest.approx(row[column], abs=1e-12)
    assert found.rise == pytest.approx(row["rise"]) and found.layers == row["layers"]


@pytest.mark.parametrize("statistic", ["srcc", "krcc", "plcc"])
def test_the_mean_over_types_is_that_of_every_type_by_itself(net, correlations, statistic):
    rows = correlations[
        correlations["distortion"].ne("")
        & (correlations["statistic"] == statistic)
        & (correlations["distance"] == "rmse")
    ]
    means = rows.groupby("layer")["value"].mean()
    found = measured(net)[world(statistic, "types")]["rmse"].by_layer
    assert found["flattering"].value == pytest.approx(means.max(), abs=1e-12)
    assert found["last"].value == pytest.approx(means["layer2"], abs=1e-12)


def test_mapped_values_keep_one_mapping_for_all_types():
    """A saturating metric is straightened once, so that its types are correlated linearly."""
    values = PAIRS["quality"].to_numpy()
    scored = PAIRS.assign(quality=1 / (1 + np.exp(-4 * values)))
    found = measured(network(scored, [values]), scored)
    for kind in ("all", "types"):
        assert found[world("plcc4", kind)]["rmse"].by_layer["last"].value > 1 - 1e-6
    raw = found[world("plcc")]["rmse"].by_layer["last"].value
    assert raw == pytest.approx(stats.pearsonr(values, scored["quality"]).statistic) and raw < 0.97


@pytest.mark.parametrize("statistic", ["srcc", "krcc", "plcc"])
def test_contests_are_those_of_hold_contests(net, statistic):
    rng = np.random.default_rng(5)
    rival = metric(PAIRS, PAIRS["quality"] + rng.normal(size=len(PAIRS)))
    one_distance = net[net["distance"] == "rmse"]
    held = hold_contests(
        {"net": one_distance, "psnr": rival}, PAIRS, SETTINGS, statistic=statistic
    ).iloc[0]
    first = measured(net)[world(statistic)]["rmse"].by_layer["honest"]
    second = measured(rival, name="psnr")[world(statistic)]["psnr"].by_layer["honest"]
    difference, _, freedom, p = paired(first, second)
    assert difference == pytest.approx(held["difference"], abs=1e-12)
    assert p == pytest.approx(held["p"], abs=1e-12) and freedom == 6


def test_fewer_pairs_are_the_same_as_a_smaller_data_set(net):
    """Without a reference nothing of it is left, in no choice of a layer and no mapping."""
    mask = (PAIRS["reference"] != "i03").to_numpy()
    few = PAIRS[mask].reset_index(drop=True).assign(pair=range(int(mask.sum())))
    smaller = net[net["reference"] != "i03"]
    numbers = dict(zip(PAIRS["pair"][mask], few["pair"], strict=True))
    smaller = smaller.assign(pair=smaller["pair"].map(numbers))
    ours, theirs = measured(net, mask=mask), measured(smaller, few)
    for where, agreements in ours.items():
        for distance, one in agreements.items():
            for layer, judged in one.by_layer.items():
                other = theirs[where][distance].by_layer[layer]
                assert judged.value == pytest.approx(other.value, abs=1e-12)
                np.testing.assert_allclose(judged.without, other.without, atol=1e-12)


def test_a_type_without_a_value_is_left_out_of_the_mean():
    flat = PAIRS["distortion"] == "type 1"
    rng = np.random.default_rng(0)
    values = (PAIRS["quality"] + rng.normal(size=len(PAIRS))).where(~flat, 0.5)
    found = measured(network(PAIRS, [values]))[world("srcc", "types")]["rmse"].by_layer["last"]
    expected = [
        stats.spearmanr(values[PAIRS["distortion"] == name], rows["quality"]).statistic
        for name, rows in PAIRS.groupby("distortion")
        if name != "type 1"
    ]
    assert found.value == pytest.approx(np.mean(expected), abs=1e-12)
    assert np.isfinite(found.without).all()


def test_a_constant_has_no_value_and_ties_are_fine():
    flat = measured(network(PAIRS, [np.zeros(len(PAIRS))]))
    for agreements in flat.values():
        assert all(np.isnan(one.value) for one in agreements["rmse"].by_layer.values())
    tied = np.round(PAIRS["quality"])
    found = measured(network(PAIRS, [tied]))[world("krcc")]["rmse"].by_layer["last"].value
    assert found == pytest.approx(stats.kendalltau(tied, PAIRS["quality"]).statistic)


def test_readouts_are_no_plain_distance(net):
    fitted = net[net["distance"] == "cosine"].assign(kind="readout", distance="nnls_mse")
    both = pd.concat([net, fitted], ignore_index=True)
    assert set(measured(both)[world()]) == {"rmse", "cosine"}
