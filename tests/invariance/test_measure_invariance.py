"""What misalignment leaves: exact shares, intervals that cover, published numbers reproduced."""

from pathlib import Path

import correlation_data as data
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.distances.tables import Measured, distance_table
from dissect_iqa.errors import UserError
from dissect_iqa.invariance.measure_invariance import (
    BEST,
    COLUMNS,
    measure_invariance,
    summarise_invariance,
)

SETTINGS = StatisticsSettings(draws=100, repeats=30)
ZS_IQA = Path(__file__).parents[3] / "shared/data/zs_iqa/tid2013_scores.parquet"


def run(pairs, *measured, settings=SETTINGS, after=None):
    named = [(f"m{i}", before, moved) for i, (before, moved) in enumerate(measured)]
    others = pairs if after is None else after
    return measure_invariance(named, pairs, others, settings, dataset_name="moved", of="set")


def layers(pairs, noises, seed=0):
    """Return distances of layers with so much noise on what people say."""
    rng = np.random.default_rng([seed, 7])
    quality = pairs["quality"].to_numpy()
    values = [noise * rng.normal(size=len(quality)) - quality for noise in noises]
    return distance_table(
        pairs,
        [Measured(f"l{i}", (i + 1) / len(values), "rmse", v) for i, v in enumerate(values)],
    )


def test_shares_are_those_of_the_two_correlations():
    pairs = data.pairs(references=8, seed=1)
    before, after = layers(pairs, (0.3, 1.0, 2.0)), layers(pairs, (1.0, 1.0, 9.0), seed=1)
    table = run(pairs, (before, after))
    assert list(table.columns) == COLUMNS
    for row in table[table["layer"] != BEST].itertuples():
        wanted = [
            stats.spearmanr(-part.loc[part["layer"] == row.layer, "value"], pairs["quality"])[0]
            for part in (before, after)
        ]
        assert (row.aligned, row.misaligned) == pytest.approx(wanted)
        assert row.lost == pytest.approx(wanted[0] - wanted[1])
        assert row.kept == pytest.approx(wanted[1] / wanted[0])
        assert row.kept_low < row.kept < row.kept_high and row.lost_low < row.lost < row.lost_high
    assert set(table["n"]) == {len(pairs)} and set(table["references"]) == {8}
    assert set(table["dataset"]) == {"moved"} and set(table["of"]) == {"set"}


def test_the_order_of_layers_and_pairs_does_not_matter():
    pairs = data.pairs(references=6)
    before, after = layers(pairs, (0.5, 1.0)), layers(pairs, (1.0, 2.0), seed=1)
    shuffled = after.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(run(pairs, (before, after)), run(pairs, (before, shuffled)))


def test_what_does_not_move_keeps_all_for_sure():
    pairs = data.pairs(references=5)
    same = layers(pairs, (0.5, 1.0))
    table = run(pairs, (same, same))
    np.testing.assert_allclose(table[["kept", "kept_low", "kept_high"]], 1)
    np.testing.assert_allclose(table[["lost", "lost_low", "lost_high"]], 0, atol=1e-12)


def test_of_nothing_no_share_is_kept():
    pairs = data.pairs(references=8)
    rng = np.random.default_rng(0)
    quality = pairs["quality"].to_numpy()
    for values in (rng.normal(size=len(quality)), quality, np.zeros(len(quality))):
        before = distance_table(pairs, [Measured("l", 1.0, "rmse", values)])
        table = run(pairs, (before, layers(pairs, (0.1,)).assign(layer="l")))
        assert table[["kept", "kept_low", "kept_high"]].isna().all(axis=None)
    assert run(pairs, (before, before))["lost"].isna().all()


def test_a_choice_among_layers_that_say_nothing_keeps_no_share():
    """Opinions at random: the layer that happens to be best exceeds chance, but not for sure."""
    found = []
    for seed in range(20):
        pairs = data.pairs(references=8, seed=seed)
        tables = [layers(pairs, (1e6, 1e6, 1e6), seed), layers(pairs, (1.0, 1.0, 1.0), seed)]
        found.append(run(pairs, tuple(tables)).set_index("layer").loc[BEST, "kept"])
    assert np.isfinite(found).mean() < 0.15


@pytest.mark.parametrize("settings", [SETTINGS, StatisticsSettings(draws=0)])
def test_without_intervals_shares_stay(settings):
    pairs = data.pairs(references=2 if settings.draws else 8)
    table = run(pairs, (layers(pairs, (0.3,)), layers(pairs, (1.0,), seed=1)), settings=settings)
    assert np.isfinite(table["kept"]).all()
    assert table[["kept_low", "kept_high", "lost_low", "lost_high"]].isna().all(axis=None)


def test_the_best_layer_is_chosen_on_other_references():
    """Many equal layers: the one that happens to be best is chosen, and judged elsewhere."""
    pairs = data.pairs(references=10, types=3, levels=4)
    noises = (1.5,) * 30
    naive, honest = [], []
    for seed in range(20):
        table = run(pairs, (layers(pairs, noises, seed), layers(pairs, noises, seed + 100)))
        best = table[table["layer"] == BEST].iloc[0]
        chosen = table[table["layer"] != BEST].sort_values("aligned").iloc[-1]
        naive.append(chosen["kept"])
        honest.append(best["kept"])
        assert best["kept_low"] < best["kept"] < best["kept_high"] and np.isnan(best["depth"])
    # before and after are equally good, so that all is kept; the naive best was flattered before
    assert np.mean(naive) < 0.9
    assert np.mean(honest) == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("before, after", [(0.5, 1.5), (1.0, 1.0)])
def test_intervals_cover_the_share_of_many_references(before, after):
    """References differ in how noisy they are; the two share them, so that they vary together."""

    def simulated(references, seed):
        rng = np.random.default_rng(seed)
        pairs = data.pairs(references=references, types=4, levels=5, seed=seed)
        quality = pairs["quality"].to_numpy()
        own = np.exp(0.4 * rng.normal(size=references))[pd.factorize(pairs["reference"])[0]]
        first = -quality + own * before * rng.normal(size=len(quality))
        second = -quality + own * after * rng.normal(size=len(quality))
        return pairs, *(
            distance_table(pairs, [Measured("l", 1.0, "rmse", v)]) for v in (first, second)
        )

    pairs, one, other = simulated(3000, 10**6)
    settings = StatisticsSettings(draws=2, repeats=1)
    truth = run(pairs, (one, other), settings=settings)["kept"].iloc[0]
    hits, runs = 0, 200
    for seed in range(runs):
        pairs, one, other = simulated(15, seed)
        row = run(pairs, (one, other), settings=settings).iloc[0]
        hits += row["kept_low"] <= truth <= row["kept_high"]
    assert 0.9 <= hits / runs <= 0.99


def test_triplets_keep_a_share_of_what_exceeds_chance():
    rng = np.random.default_rng(0)
    count = 60
    share = rng.random(count)
    pairs = pd.DataFrame(
        {
            "pair": np.arange(2 * count),
            "reference": np.repeat([f"r{i % 12}" for i in range(count)], 2),
            "distortion": "all", "level": pd.array([1] * (2 * count), "Int64"),
            "distorted_file": "x", "score": np.stack([share, 1 - share], 1).ravel(),
            "triplet": np.repeat(np.arange(count), 2),
            "preferred": np.stack([share, 1 - share], 1).ravel(),
        }
    )  # fmt: skip
    pairs["quality"] = pairs["score"]
    good = -pairs["preferred"].to_numpy()
    half = np.where(np.repeat(np.arange(count) % 2, 2) == 0, good, -good)
    half[:40] = good[:40]
    tables = [distance_table(pairs, [Measured("l", 1.0, "rmse", v)]) for v in (good, half)]
    row = run(pairs, tuple(tables)).iloc[0]
    most = np.maximum(share, 1 - share)
    kept = np.where((np.arange(count) % 2 == 0) | (np.arange(count) < 20), most, 1 - most)
    assert row["statistic"] == "agreement" and row["n"] == count
    assert row["aligned"] == pytest.approx(most.mean())
    assert row["misaligned"] == pytest.approx(kept.mean())
    assert row["kept"] == pytest.approx((kept.mean() - 0.5) / (most.mean() - 0.5))


def test_tables_that_do_not_belong_together_are_refused():
    pairs = data.pairs()
    table = layers(pairs, (0.5, 1.0))
    with pytest.raises(UserError, match="its pairs are not those of 'set' in their order"):
        run(pairs, (table, table), after=pairs.iloc[::-1].reset_index(drop=True))
    with pytest.raises(UserError, match="other layers or distances than on aligned"):
        run(pairs, (table, table[table["layer"] == "l0"]))


def test_the_summary_names_the_layer_before_and_after():
    pairs = data.pairs(references=8)
    one = run(pairs, (layers(pairs, (0.2, 1.0)), layers(pairs, (3.0, 1.0), seed=1)))
    summary = summarise_invariance(one)
    row = summary.iloc[0]
    assert (row["layer"], row["layer_after"]) == ("l0", "l1")
    assert row["misaligned"] < row["misaligned_after"] and np.isfinite(row["best_kept"])
    assert len(summary) == 1


@pytest.mark.skipif(not ZS_IQA.is_file(), reason="scores of TID2013 by other people are not here")
def test_published_numbers_come_out_of_published_scores():
    """SRCC before and after a shift by 1 %, as in Ghildyal et al. (ICASSP 2025)."""
    scores = pd.read_parquet(ZS_IQA)
    pairs = pd.DataFrame(
        {
            "pair": np.arange(len(scores)), "reference": scores["ref"].str.lower(),
            "distortion": scores["dis"].str[4:6], "level": pd.array([1] * len(scores), "Int64"),
            "distorted_file": scores["dis"], "score": scores["mos"], "quality": scores["mos"],
        }
    )  # fmt: skip
    wanted = {
        "psnr": (0.687, 0.034), "msssim": (0.786, 0.165), "fsim": (0.851, 0.286),
        "dists": (0.708, 0.716), "lpips": (0.769, 0.749),
    }  # fmt: skip
    for name, (before, after) in wanted.items():
        columns = (scores[name], scores[f"{name}@shift1%"])
        rho = stats.spearmanr(columns[0], scores["mos"])[0]
        tables = [
            distance_table(pairs, [Measured("", np.nan, name, c.to_numpy(float), "metric")],
                           sign=int(np.sign(rho)))
            for c in columns
        ]  # fmt: skip
        row = run(pairs, tuple(tables)).iloc[0]
        assert row["aligned"] == pytest.approx(before, abs=6e-4)
        assert abs(row["misaligned"]) == pytest.approx(after, abs=6e-4)
        assert row["references"] == 25
        assert row["kept_low"] < row["misaligned"] / row["aligned"] < row["kept_high"]
