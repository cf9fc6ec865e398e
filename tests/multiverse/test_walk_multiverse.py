"""Findings in every universe: all combinations, the study's own among them, and planted turns."""

from math import prod

import numpy as np
import pandas as pd
import pytest
from correlation_data import metric
from correlation_data import pairs as made_up
from multiverse_data import SETTINGS, described, network, noisy

from dissect_iqa.claims.test_claims import test_claims as claims_of
from dissect_iqa.correlation.correlate import correlate
from dissect_iqa.correlation.hold_contests import hold_contests
from dissect_iqa.correlation.summary import at_one_distance, summarise
from dissect_iqa.errors import UserError
from dissect_iqa.multiverse.choices import CHOICES, default_of, universes
from dissect_iqa.multiverse.count_verdicts import count_verdicts, turned
from dissect_iqa.multiverse.walk_multiverse import COLUMNS, walk_multiverse
from dissect_iqa.zoo.variants import Variant

NAMES = [f"m{i}" for i in range(8)]
PAIRS = made_up(references=8, types=3, levels=5, seed=2)
KEYS = list(CHOICES)


def walk(networks, metrics, pairs=PAIRS, models=None, **options):
    models = described(networks) if models is None else models
    options = {
        "dataset_name": "set",
        "distances": ("rmse",),
        "contests": [(name, rival) for name in models["id"] for rival in metrics],
        **options,
    }
    settings = options.pop("settings", SETTINGS)
    return walk_multiverse(networks.items(), metrics, pairs, models, settings, **options)


def rival(pairs, noise, seed=9):
    rng = np.random.default_rng(seed)
    return metric(pairs, pairs["quality"] + noise * rng.normal(size=len(pairs)), name="ssim")


@pytest.fixture(scope="module")
def study():
    """Networks of several qualities, with SSIM among them."""
    networks = {name: noisy(PAIRS, i, noise=0.4 + 0.1 * i) for i, name in enumerate(NAMES)}
    return networks, {"ssim": rival(PAIRS, 0.9)}


@pytest.fixture(scope="module")
def table(study):
    return walk(*study, distances=("rmse", "cosine"))


def test_every_combination_is_there_once(table):
    options = {choice: set(table[choice]) for choice in CHOICES}
    assert [len(options[choice]) for choice in CHOICES] == [2, 4, 3, 2, 1, 1, 1]
    assert list(table.columns) == COLUMNS
    for claim, rows in table.groupby("claim"):
        asked = 2 / 3 if claim == "best_not_last" else 1  # not of the last layer itself
        assert len(rows) == asked * prod(map(len, options.values()))
        assert not rows[KEYS].duplicated().any()
        assert rows["default"].sum() == 1


def test_six_distances_make_at_least_ninety_six_universes():
    options = {
        "distance": list("abcdef"), "statistic": list("stuv"), "layer": ["honest", "last"],
        "pairs": ["all", "types"], "references": ["all", "all"], "identical": ["kept"],
        "reading": ["plain"],
    }  # fmt: skip
    table = universes(options)
    assert len(table) == 96 and not table.duplicated().any() and list(table.columns) == KEYS


def test_what_cannot_be_chosen_honestly_is_reported_as_it_can():
    options = {choice: ["plain"] for choice in CHOICES} | {"layer": ["flattering", "last"]}
    assert default_of(options, "rmse")["layer"] == "flattering"


def test_the_default_universe_is_the_study(study, table):
    """The same verdicts, effects and intervals as of correlate, hold_contests and test_claims."""
    networks, metrics = study
    tables = networks | metrics
    correlations = pd.concat(
        [
            correlate(one, PAIRS, dataset_name="set", model=name, settings=SETTINGS)
            for name, one in tables.items()
        ],
        ignore_index=True,
    )
    summary = summarise(correlations)
    competitors, distance = at_one_distance(tables, summary, NAMES)
    contests = [(name, "ssim") for name in NAMES]
    held = hold_contests(competitors, PAIRS, SETTINGS, dataset_name="set", contests=contests)
    reported, _ = claims_of(summary, described(NAMES), held)
    ours = table[table["default"]].set_index("claim")
    assert set(ours["distance"]) == {distance}
    theirs = reported.set_index("claim")
    assert list(ours.index) == list(theirs.index)
    assert ours["verdict"].to_dict() == theirs["verdict"].to_dict()
    assert {"holds", "can't be told"} <= set(ours["verdict"])
    numbers = ["effect", "low", "high", "n", "families"]
    np.testing.assert_allclose(
        ours[numbers].to_numpy(float), theirs[numbers].to_numpy(float), rtol=0, atol=1e-12
    )
    assert np.isfinite(ours["effect"]).sum() > 2


def test_the_order_of_tables_does_not_matter(study, table):
    networks, metrics = study
    backwards = {
        name: networks[name].sample(frac=1, random_state=0) for name in reversed(list(networks))
    }
    again = walk(backwards, metrics, models=described(NAMES), distances=("rmse", "cosine"))
    pd.testing.assert_frame_equal(again, table, rtol=1e-12)


def test_several_processes_give_the_same(study, table):
    again = walk(*study, distances=("rmse", "cosine"), processes=2)
    pd.testing.assert_frame_equal(again, table, rtol=1e-12)


def turning(found, claim):
    told = count_verdicts([found], found[found["default"]]).set_index("claim").loc[claim]
    others = [f"turned by {choice}" for choice in CHOICES if choice != told["turning_choice"]]
    return told, told[others].max()


def test_a_finding_that_raw_plcc_alone_denies_is_turned_by_the_statistic():
    """Networks order pairs well, on a scale so bent that Pearson's correlation is low."""
    rng = np.random.default_rng(0)
    quality = PAIRS["quality"].to_numpy()
    networks = {}
    for name in NAMES:
        values = [np.exp(6 * (quality + 0.05 * rng.normal(size=len(PAIRS)))) for _ in range(3)]
        networks[name] = network(PAIRS, values)
    found = walk(networks, {"ssim": rival(PAIRS, 0.3)})
    rows = found[found["claim"] == "most_beat_ssim"]
    raw = rows["statistic"] == "plcc"
    ranks = rows["statistic"].isin(["srcc", "krcc"])
    assert set(rows.loc[ranks, "verdict"]) == {"holds"}
    assert set(rows.loc[raw & (rows["pairs"] == "all"), "verdict"]) == {"does not hold"}
    told, next_one = turning(found, "most_beat_ssim")
    assert told["turning_choice"] == "statistic" and told["turned"] > 2 * next_one
    assert told["reported"] == "holds" and "srcc: holds 100 %" in told["by_its_options"]


def test_a_finding_that_the_artificial_reference_denies_is_turned_by_it():
    """On photographs networks are all but perfect; on one made-up picture they are blind."""
    rng = np.random.default_rng(0)
    quality, blind = PAIRS["quality"].to_numpy(), (PAIRS["reference"] == "i07").to_numpy()
    networks = {}
    for name in NAMES:
        seen = quality + 0.02 * rng.normal(size=(3, len(PAIRS)))
        networks[name] = network(PAIRS, np.where(blind, -5 * quality, seen))
    ssim = {"ssim": rival(PAIRS, 0.3)}
    settings = SETTINGS.model_copy(update={"logistic": False})
    found = walk(networks, ssim, artificial="i07", settings=settings)
    rows = found[found["claim"] == "most_beat_ssim"].set_index("references")["verdict"]
    assert set(rows.loc["natural only"]) == {"holds"}
    assert "holds" not in set(rows.loc["all"])
    told, next_one = turning(found, "most_beat_ssim")
    assert (told["turning_choice"], told["turned"]) == ("references", 1.0) and next_one == 0
    assert told["reported"] != "holds" and told["universes"] == 3 * 3 * 2 * 2


def test_identical_pairs_are_left_out_where_psnr_shows_some():
    networks = {name: noisy(PAIRS, i) for i, name in enumerate(NAMES[:2])}
    values = PAIRS["quality"].to_numpy().copy()
    values[[3, 50]] = np.inf
    psnr = {"psnr": metric(PAIRS, values)}
    found = walk(networks, psnr)
    assert set(found["identical"]) == {"kept", "left out"}
    assert set(found[found["default"]]["identical"]) == {"kept"}
    values[[3, 50]] = 1
    assert set(walk(networks, {"psnr": metric(PAIRS, values)})["identical"]) == {"kept"}
    effects = found[(found["claim"] == "best_not_last") & (found["statistic"] == "srcc")]
    assert len(effects) == 8


def test_another_reading_takes_the_place_of_the_plain_row():
    """Read as class tokens, the networks lose to SSIM; they are no networks beside themselves."""
    networks = {name: noisy(PAIRS, i, noise=0.1) for i, name in enumerate(NAMES)}
    others = {f"{name}_class": noisy(PAIRS, 50 + i, noise=3) for i, name in enumerate(NAMES)}
    variants = [Variant(f"{name}_class", name, "@tokens=class") for name in NAMES]
    ssim = {"ssim": rival(PAIRS, 0.6)}
    found = walk(networks | others, ssim, variants=variants)
    rows = found[found["claim"] == "most_beat_ssim"].set_index("reading")
    assert set(rows["n"]) == {len(NAMES)}
    assert set(rows.loc["plain", "verdict"]) == {"holds"}
    assert set(rows.loc["@tokens=class", "verdict"]) == {"does not hold"}
    told, next_one = turning(found, "most_beat_ssim")
    assert (told["turning_choice"], told["turned"]) == ("reading", 1.0) and next_one == 0
    plain = walk(networks, ssim)
    same = found[found["reading"] == "plain"].reset_index(drop=True)
    pd.testing.assert_frame_equal(same, plain)


def test_a_network_without_that_reading_stays_as_it_is():
    networks = {name: noisy(PAIRS, i) for i, name in enumerate(NAMES[:3])}
    networks["m0_small"] = noisy(PAIRS, 77, noise=2)
    variants = [Variant("m0_small", "m0", "size=224")]
    found = walk(networks, {"ssim": rival(PAIRS, 0.6)}, variants=variants)
    rows = found[(found["claim"] == "most_beat_ssim") & found["reading"].eq("size=224")]
    assert set(rows["n"]) == {3}


@pytest.mark.parametrize("references, layers", [(1, {"flattering", "last"}), (2, {"honest"})])
def test_of_few_references_nothing_is_significant(references, layers):
    few = made_up(references=references, types=2, levels=8)
    networks = {name: noisy(few, i, noise=0.01) for i, name in enumerate(NAMES)}
    found = walk(networks, {"ssim": rival(few, 2.0)}, few)
    assert layers <= set(found["layer"]) and ("honest" in set(found["layer"])) == (references > 1)
    rows = found[found["claim"] == "most_beat_ssim"]
    assert set(rows["verdict"]) == {"can't be told"} and rows["effect"].eq(1).all()


def test_two_networks_and_no_metric(study):
    networks = {name: study[0][name] for name in NAMES[:2]}
    found = walk(networks, {}, distances=("rmse", "cosine"))
    assert set(found[found["claim"] == "most_beat_ssim"]["verdict"]) == {"can't be told"}
    assert found["default"].sum() == found["claim"].nunique()


def test_a_network_without_a_value_is_in_no_count():
    networks = {name: noisy(PAIRS, i) for i, name in enumerate(NAMES[:3])}
    networks["m3"] = network(PAIRS, np.zeros((3, len(PAIRS))))
    found = walk(networks, {"ssim": rival(PAIRS, 0.6)})
    assert set(found[found["claim"] == "most_beat_ssim"]["n"]) == {3}


def test_without_draws_nobody_wins():
    networks = {name: noisy(PAIRS, i, noise=0.01) for i, name in enumerate(NAMES)}
    settings = SETTINGS.model_copy(update={"draws": 0})
    found = walk(networks, {"ssim": rival(PAIRS, 2.0)}, settings=settings)
    assert "holds" not in set(found[found["claim"] == "most_beat_ssim"]["verdict"])


def test_one_type_of_distortion_has_no_mean_over_types():
    one = made_up(references=6, types=1, levels=9)
    found = walk({"m0": noisy(one, 0), "m1": noisy(one, 1)}, {}, one)
    assert set(found["pairs"]) == {"all"}


def test_tables_of_another_data_set_are_refused(study):
    with pytest.raises(UserError, match="m0 on set"):
        walk({"m0": study[0]["m0"]}, {}, PAIRS.iloc[:50])


def test_two_universes_that_differ_in_two_things_turn_nothing(table):
    rows = table[table["claim"] == "most_beat_ssim"]
    alone = rows.groupby(["distance", "statistic"], sort=False).head(1)
    assert turned(alone.iloc[[0]]).isna().all()
