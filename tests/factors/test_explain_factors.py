"""The stage: from tables of distances to shares, with a reason where there are none."""

import numpy as np
import pandas as pd
import pytest
from correlation_data import distances, pairs

from dissect_iqa.correlation.correlate import BEST, correlate
from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.distances.tables import Measured, distance_table
from dissect_iqa.factors import explain_factors as stage
from dissect_iqa.factors.explain_factors import explain_factors, honest_cells

SETTINGS = StatisticsSettings(
    draws=100, repeats=10, logistic=False, per_type=False, subsets=False, within_reference=False
)
SETS = {"one": pairs(6, 2, 4, seed=1), "two": pairs(5, 2, 4, seed=2)}


def models(count: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "id": [f"m{i:02d}" for i in range(count)],
            "untrained": False,
            "group": rng.choice(["classification", "self-supervised"], count),
            "family": rng.choice(["ResNet", "VGG"], count),
            "scale": rng.choice(["large and natural", "small or restricted"], count),
        }
    )


def measure(table: pd.DataFrame, seed: int, noise: float) -> pd.DataFrame:
    """Return the distances of three layers by two measures, the second of them the noisier."""
    one = distances(table, layers=3, noise=(noise, noise + 0.2, 2.0), seed=seed)
    other = distances(table, layers=3, noise=(noise + 0.5,), seed=seed + 1000)
    return pd.concat([one, other.assign(distance="cosine")], ignore_index=True)


@pytest.fixture(scope="module")
def made() -> tuple:
    """24 networks; those that are self-supervised are noisier."""
    described = models(24)
    noise = 0.3 + 0.5 * (described["group"] == "self-supervised")
    tables = {
        (name, model): measure(table, number, noise[number])
        for name, table in SETS.items()
        for number, model in enumerate(described["id"])
    }
    found = [
        correlate(table, SETS[name], dataset_name=name, model=model, settings=SETTINGS)
        for (name, model), table in tables.items()
    ]
    return described, tables, pd.concat(found, ignore_index=True)


def explain(made: tuple, described: pd.DataFrame | None = None, **options) -> pd.DataFrame:
    models, tables, correlations = made
    sizes = pd.DataFrame(
        {"model": models["id"], "parameters": 1000 * np.arange(1, len(models) + 1)}
    )
    models = models if described is None else described
    given = [(*key, table) for key, table in tables.items()]
    arguments = {"correlations": correlations, "settings": SETTINGS, **options}
    return explain_factors(
        arguments["correlations"], models, sizes, given, SETS, arguments["settings"]
    )


def test_what_was_planted_is_found(made: tuple) -> None:
    table = explain(made).set_index("factor")
    assert list(table.columns) == stage.COLUMNS[1:]
    assert table["share"].sum() == pytest.approx(1)
    between = table.loc[["function", "architecture", "environment"], "share"]
    assert between.idxmax() == "function" and table.loc["distance", "share"] > 0.1
    known = table[["low", "share", "high"]]
    assert (known["low"] < known["share"]).all() and (known["share"] < known["high"]).all()


def test_values_without_a_reference_are_those_of_a_study_without_it(made: tuple) -> None:
    described, tables, correlations = made
    found = honest_cells(correlations, described["id"])
    given = [(*key, table) for key, table in tables.items()]
    without = stage._without_references(found, given, SETS, SETTINGS)
    assert [part.shape for part in without] == [(6, 24, 2), (5, 24, 2)]
    rows = correlations.query("model == 'm03' and dataset == 'two' and distance == 'cosine'")
    shares = rows[rows["statistic"] == "srcc_chosen"].set_index("layer")["value"]
    pairs_two, table = SETS["two"], tables["two", "m03"].query("distance == 'cosine'")

    def weighted(kept: np.ndarray) -> float:
        quality = pairs_two["quality"][kept]
        total = 0.0
        for layer, share in shares.items():
            values = table.loc[table["layer"] == layer, "value"].to_numpy()[kept]
            total += share * quality.corr(pd.Series(-values, quality.index), method="spearman")
        return total

    whole = np.ones(len(pairs_two), dtype=bool)
    for number, name in enumerate(sorted(pairs_two["reference"].unique())):
        kept = (pairs_two["reference"] != name).to_numpy()
        expected = found.value[3, 1, 1] + weighted(kept) - weighted(whole)
        assert without[1][number, 3, 1] == pytest.approx(expected)
    assert shares.sum() == pytest.approx(1)


def test_the_depth_is_that_of_the_layers_chosen(made: tuple) -> None:
    described, _, correlations = made
    found = honest_cells(correlations, described["id"])
    rows = correlations.query(
        "model == 'm00' and dataset == 'one' and distance == 'rmse' and statistic == 'srcc_chosen'"
    )
    assert found.depth[0, 0, 0] == pytest.approx((rows["depth"] * rows["value"]).sum())


def test_too_few_networks_give_no_share_and_a_reason(made: tuple) -> None:
    few = explain(made, made[0][:5])
    assert few["share"].isna().all() and set(few["factor"]) == set(stage.WHAT)
    assert few["note"].str.contains("not identifiable: 5 trained networks are too few").all()
    one = explain(made, made[0][:1])
    assert one["note"].str.contains("1 trained networks have nothing to compare").all()
    untrained = explain(made, made[0].assign(untrained=True))
    assert untrained["share"].isna().all()


def test_networks_without_a_value_are_left_out_and_named(made: tuple) -> None:
    correlations = made[2].copy()
    gone = (correlations["model"] == "m07") & (correlations["dataset"] == "two")
    correlations.loc[gone, "value"] = np.nan
    table = explain(made, correlations=correlations)
    assert table["note"].str.contains("left out: m07").any()
    others = made[0][made[0]["id"] != "m07"]
    pd.testing.assert_series_equal(table["share"], explain(made, others)["share"])


def test_equal_correlations_have_no_variance_to_explain(made: tuple) -> None:
    correlations = made[2].copy()
    honest = (correlations["statistic"] == "srcc_nested") & (correlations["layer"] == BEST)
    correlations.loc[honest, "value"] = 0.5
    table = explain(made, correlations=correlations)
    assert table["share"].isna().all()
    assert table["note"].str.contains("every honest correlation is the same").all()


def test_one_reference_leaves_nothing_to_choose_layers_on(made: tuple) -> None:
    """Honest layers need two halves of references: with one, no network has a value."""
    _, tables, _ = made
    single = SETS["one"]["reference"] == SETS["one"]["reference"].iloc[0]
    few = SETS["one"][single].reset_index(drop=True)
    found = [
        correlate(
            table[table["pair"].isin(few["pair"])].reset_index(drop=True),
            few,
            dataset_name="one",
            model=model,
            settings=SETTINGS,
        )
        for (name, model), table in tables.items()
        if name == "one"
    ]
    table = explain(made, correlations=pd.concat(found, ignore_index=True))
    assert table["share"].isna().all()
    assert table["note"].str.contains("left out: m00").all()


def test_without_draws_intervals_are_those_over_networks(made: tuple) -> None:
    plain = explain(made, settings=SETTINGS.model_copy(update={"draws": 0}))
    full = explain(made)
    pd.testing.assert_series_equal(plain["share"], full["share"])
    assert ((full["high"] - full["low"]) > (plain["high"] - plain["low"])).all()


def test_concatenations_and_readouts_are_no_distances_of_the_model(made: tuple) -> None:
    described, tables, correlations = made
    row = tables["one", "m00"].iloc[:0]
    assert row.empty
    more = distance_table(
        SETS["one"],
        [Measured("all", np.nan, "euclidean on all", np.arange(48.0), "concatenation")],
    )
    extra = correlate(more, SETS["one"], dataset_name="one", model="m00", settings=SETTINGS)
    found = honest_cells(pd.concat([correlations, extra]), described["id"])
    assert found.distances == ["rmse", "cosine"] and len(found.models) == 24
