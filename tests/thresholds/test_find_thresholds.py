"""Planted thresholds come back, flat answers of theory are flat, the ceiling is people's."""

import json

import numpy as np
import pandas as pd
import pytest

from dissect_iqa.baselines.score_baselines import score_baselines
from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.datasets.fetch_dataset import fetch_dataset
from dissect_iqa.datasets.registry import parse_entry
from dissect_iqa.datasets.tables import read_dataset
from dissect_iqa.datasets.thresholds.table import read_observers
from dissect_iqa.distances.tables import Measured, distance_table
from dissect_iqa.errors import UserError
from dissect_iqa.thresholds.curves import crossings, fit_criterion, read_curves
from dissect_iqa.thresholds.find_thresholds import BEST, COLUMNS, find_thresholds, predicted
from dissect_iqa.thresholds.people import observers_residuals, redraw_people

SETTINGS = StatisticsSettings(draws=200)
MULTIPLES = (0.5, 1, 2, 4, 8)
NO_OBSERVERS = pd.DataFrame({"stimulus": [], "observer": [], "log_contrast": []})


def pairs_of(stimuli, phases=(0,), multiples=MULTIPLES):
    """The pairs of some stimuli: a frame with `study`, `direction`, `log_threshold`."""
    rows = [
        {
            "reference": row.study, "reference_file": f"{row.study}.png",
            "distorted_file": f"{row.Index}_{phase}_{multiple}.png", "distortion": row.direction,
            "level": level, "score": multiple, "quality": -multiple, "stimulus": row.Index,
            "phase": phase, "frequency": 1.0, "log_threshold": row.log_threshold,
        }
        for row in stimuli.itertuples()
        for phase in phases
        for level, multiple in enumerate(multiples)
    ]  # fmt: skip
    table = pd.DataFrame(rows).assign(pair=range(len(rows)))
    return table.astype({"level": "Int64"})


def planted(count=60, studies=6, seed=0, noise=0.3):
    """Stimuli, and a model observer's log thresholds, `noise` decades from people's."""
    rng = np.random.default_rng(seed)
    stimuli = pd.DataFrame(
        {
            "study": [f"study {i % studies}" for i in range(count)],
            "direction": [("luminance", "red-green")[i // studies % 2] for i in range(count)],
            "log_threshold": rng.uniform(-3, -0.5, count),
        },
        index=pd.Index(range(100, 100 + count), name="stimulus"),
    )
    return stimuli, stimuli["log_threshold"] + rng.normal(0, noise, count)


def distances(pairs, *responses, kind="network"):
    measured = [
        Measured(f"layer{i}", (i + 1) / len(responses), "rmse", np.asarray(values, float), kind)
        for i, values in enumerate(responses)
    ]
    return distance_table(pairs, measured)


def observer(pairs, thresholds, transducer=lambda r: r):
    """What a model observer responds: a function of contrast over its threshold."""
    contrast = np.log10(pairs["score"]) + pairs["log_threshold"]
    own = thresholds.loc[pairs["stimulus"]].to_numpy()
    return transducer(10 ** (contrast.to_numpy() - own))


def run(pairs, *tables, settings=SETTINGS, observers=NO_OBSERVERS):
    measured = [(f"net{i}", table) for i, table in enumerate(tables)]
    return find_thresholds(measured, pairs, settings, dataset_name="t", observers=observers)


def value(table, statistic, direction="all", layer="layer0", model="net0"):
    found = table[
        (table["statistic"] == statistic) & (table["direction"] == direction)
        & (table["layer"] == layer) & (table["model"] == model)
    ]  # fmt: skip
    assert len(found) == 1, found
    return found.iloc[0]


@pytest.mark.parametrize(
    "transducer",
    [
        lambda r: 0.37 * r,
        lambda r: 5 * r**0.4,
        lambda r: 1e-9 * r**2.5,
    ],
)
def test_planted_thresholds_come_back_within_a_tenth_of_a_decibel(transducer):
    stimuli, own = planted()
    pairs = pairs_of(stimuli, phases=(0, 90))
    curves = read_curves(distances(pairs, observer(pairs, own, transducer)), pairs, "here")
    found, honest = predicted(curves)
    # the criterion is free: what comes back is what was planted but for one number
    shift = found[:, 0] - own
    assert 20 * np.abs(shift - shift.mean()).max() < 0.1
    table, _ = run(pairs, distances(pairs, observer(pairs, own, transducer)))
    gap = own - stimuli["log_threshold"]
    assert value(table, "spread_db")["value"] == pytest.approx(20 * gap.std(ddof=0), abs=0.02)
    wanted = np.corrcoef(own, stimuli["log_threshold"])[0, 1]
    assert value(table, "correlation")["value"] == pytest.approx(wanted, abs=1e-3)
    assert np.isfinite(honest).all()


def test_a_transducer_that_bends_between_the_contrasts_costs_little():
    stimuli, own = planted(noise=0.2)
    pairs = pairs_of(stimuli)
    bent = observer(pairs, own, lambda r: r**2.4 / (1 + r**2))
    found, _ = predicted(read_curves(distances(pairs, bent), pairs, "here"))
    shift = (found[:, 0] - own).to_numpy()
    shown = (own - stimuli["log_threshold"]).between(-0.25, 0.8)
    assert 20 * np.abs(shift - np.median(shift))[shown].max() < 0.6


def test_a_perfect_observer_has_no_error():
    stimuli, _ = planted()
    pairs = pairs_of(stimuli)
    perfect = observer(pairs, stimuli["log_threshold"], lambda r: r**1.3)
    table, stimuli_table = run(pairs, distances(pairs, perfect))
    assert value(table, "rmse_db")["value"] < 1e-6
    assert value(table, "correlation")["value"] == pytest.approx(1)
    np.testing.assert_allclose(stimuli_table["found"], stimuli_table["people"], atol=1e-9)


def test_a_direction_that_is_seen_too_well_shows_as_bias():
    stimuli, _ = planted()
    own = stimuli["log_threshold"] - 0.25 * (stimuli["direction"] == "red-green")
    pairs = pairs_of(stimuli)
    table, _ = run(pairs, distances(pairs, observer(pairs, own)))
    green = value(table, "bias_db", "red-green")["value"]
    light = value(table, "bias_db", "luminance")["value"]
    assert light - green == pytest.approx(20 * 0.25, abs=1e-6)
    assert value(table, "rmse_db", "red-green")["value"] == pytest.approx(2.5, abs=0.1)


def test_the_criterion_is_honest():
    """A study that is measured by its own criterion would have no error of its own."""
    stimuli, _ = planted(noise=0)
    shift = stimuli["study"].map({f"study {i}": 0.1 * i for i in range(6)})
    own = stimuli["log_threshold"] + shift
    pairs = pairs_of(stimuli)
    table, _ = run(pairs, distances(pairs, observer(pairs, own)))
    naive, honest = value(table, "spread_db")["value"], value(table, "rmse_db")["value"]
    offsets = np.arange(6) * 0.1
    wanted = [o - np.delete(offsets, i).mean() for i, o in enumerate(offsets)]
    assert naive == pytest.approx(20 * offsets.std(), abs=1e-3)
    assert honest == pytest.approx(20 * np.sqrt(np.mean(np.square(wanted))), abs=1e-3)


def test_the_best_layer_is_chosen_on_other_studies():
    stimuli, own = planted(noise=0.1)
    pairs = pairs_of(stimuli)
    good, bad = own, stimuli["log_threshold"] + 0.5 * np.sin(np.arange(60))
    table, detail = run(pairs, distances(pairs, observer(pairs, bad), observer(pairs, good)))
    best = value(table, "rmse_db", layer=BEST)
    wanted = value(table, "rmse_db", layer="layer1")["value"]
    assert best["value"] == pytest.approx(wanted)
    assert set(detail["layer"]) == {"layer1"}


def test_multiples_that_are_not_shown_and_distances_of_zero_are_gone_beyond():
    stimuli, own = planted(noise=0.05)
    pairs = pairs_of(stimuli)
    some = pairs[(pairs["stimulus"] % 3 > 0) | (pairs["score"] < 8)].reset_index(drop=True)
    some = some.assign(pair=range(len(some)))
    blind = observer(some, own, lambda r: np.where(r < 0.9, 0, r))
    curves = read_curves(distances(some, blind), some, "here")
    found, _ = predicted(curves)
    shift = found[:, 0] - own
    assert 20 * np.abs(shift - shift.mean()).max() < 0.3


def test_what_never_responds_needs_the_most_that_can_be_said():
    stimuli, own = planted()
    pairs = pairs_of(stimuli)
    deaf = observer(pairs, own)
    deaf[pairs["stimulus"] == 100] = 0
    curves = read_curves(distances(pairs, deaf), pairs, "here")
    assert crossings(curves, fit_criterion(curves))[0, 0] == pytest.approx(np.log10(8) + 1)
    table, _ = run(pairs, distances(pairs, np.zeros(len(pairs))))
    assert np.isnan(value(table, "correlation")["value"]) or value(table, "rmse_db")["value"] > 20


def test_falling_responses_and_similarities():
    stimuli, own = planted(noise=0.1)
    pairs = pairs_of(stimuli)
    response = observer(pairs, own, lambda r: 1e-3 * r)
    wanted = predicted(read_curves(distances(pairs, response), pairs, "here"))[0]
    ssim = distance_table(pairs, [Measured("", np.nan, "ssim", 1 - response, "metric")], 1)
    psnr = distance_table(
        pairs, [Measured("", np.nan, "psnr", -20 * np.log10(response), "metric")], 1
    )
    for table in (ssim, psnr):
        found = predicted(read_curves(table, pairs, "here"))[0]
        np.testing.assert_allclose(found, wanted, atol=1e-6)
    dip = response.copy()
    dip[pairs["score"] == 4] = response[pairs["score"] == 1]
    found = predicted(read_curves(distances(pairs, dip), pairs, "here"))[0]
    assert np.isfinite(found).all()


def test_tables_that_do_not_fit_are_refused():
    stimuli, own = planted()
    pairs = pairs_of(stimuli)
    table = distances(pairs, observer(pairs, own))
    with pytest.raises(UserError, match="not those of the data set's pairs"):
        run(pairs, table.iloc[1:])


def test_intervals_cover_what_studies_would_have_given():
    """Studies differ by offsets; the interval of the spread holds the true one about as stated."""
    hits, runs = 0, 60
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        stimuli, own = planted(96, 12, seed, noise=0.15)
        offset = dict(zip(stimuli["study"].unique(), rng.normal(0, 0.15, 12), strict=True))
        own = own + stimuli["study"].map(offset)
        pairs = pairs_of(stimuli)
        settings = StatisticsSettings(draws=400, seed=seed)
        table, _ = run(pairs, distances(pairs, observer(pairs, own)), settings=settings)
        row = value(table, "spread_db")
        hits += row["low"] <= 20 * np.hypot(0.15, 0.15) <= row["high"]
    assert hits / runs > 0.7  # percentiles over 12 studies are narrow, which the manual says


def test_schema_and_determinism():
    stimuli, own = planted()
    pairs = pairs_of(stimuli)
    both = distances(pairs, observer(pairs, own), observer(pairs, own, np.sqrt))
    first, detail = run(pairs, both)
    again, _ = run(pairs, both.sample(frac=1, random_state=0))
    assert list(first.columns) == COLUMNS
    pd.testing.assert_frame_equal(
        first.sort_values(["layer", "direction", "statistic"], ignore_index=True),
        again.sort_values(["layer", "direction", "statistic"], ignore_index=True),
    )
    assert set(first["statistic"]) == {"rmse_db", "bias_db", "spread_db", "correlation"}
    assert len(detail) == len(stimuli) and (first["dataset"] == "t").all()


def test_few_studies_have_no_interval():
    stimuli, own = planted(studies=2)
    pairs = pairs_of(stimuli)
    table, _ = run(pairs, distances(pairs, observer(pairs, own)))
    assert table[["low", "high"]].isna().all(axis=None)
    alone, _ = run(pairs_of(stimuli[stimuli["study"] == "study 0"]), distances(
        pairs_of(stimuli[stimuli["study"] == "study 0"]),
        observer(pairs_of(stimuli[stimuli["study"] == "study 0"]), own)))  # fmt: skip
    assert np.isnan(value(alone, "rmse_db")["value"])
    assert np.isfinite(value(alone, "spread_db")["value"])


# ------------------------------------------------------------------------------------- people


@pytest.mark.parametrize("between, within", [(0.2, 0.05), (0.05, 0.2), (0.0, 0.1)])
def test_the_ceiling_is_reproduced_from_a_planted_spread(between, within):
    rng = np.random.default_rng(0)
    stimuli, _ = planted(600, 24, noise=0)
    people = 8
    rows = []
    for study, own in stimuli.groupby("study"):
        for k in range(people):
            offset = rng.normal(0, between)
            for stimulus, threshold in own["log_threshold"].items():
                rows.append((stimulus, f"{study} {k}", threshold + offset + rng.normal(0, within)))
    observers = pd.DataFrame(rows, columns=["stimulus", "observer", "log_contrast"])
    pairs = pairs_of(stimuli)
    perfect = observer(pairs, stimuli["log_threshold"])
    table, _ = run(pairs, distances(pairs, perfect), observers=observers)
    ceiling = table[(table["kind"] == "ceiling") & (table["direction"] == "all")]
    ceiling = ceiling.set_index("statistic")
    # one person against the mean of seven others
    wanted = 20 * np.sqrt((between**2 + within**2) * (1 + 1 / (people - 1)))
    assert ceiling.loc["rmse_db", "value"] == pytest.approx(wanted, rel=0.15)
    assert ceiling.loc["rmse_db", "low"] < wanted < ceiling.loc["rmse_db", "high"]


def test_single_observers_are_held_against_the_others_only():
    observers = pd.DataFrame(
        {
            "stimulus": [1, 1, 1, 2, 3, 3],
            "observer": ["a", "b", "c", "a", "a", "b"],
            "log_contrast": [-1.0, -1.2, -1.7, -2.0, -0.5, -0.9],
        }
    )
    studies = pd.Series("s", index=pd.Index([1, 2, 3], name="stimulus"))
    rows = observers_residuals(observers, studies)
    np.testing.assert_allclose(rows.found[:, 0], [-1.0, -1.2, -1.7, -0.5, -0.9])
    np.testing.assert_allclose(rows.people, [-1.45, -1.35, -1.1, -0.9, -0.5])


def test_redrawn_people_vary_as_means_of_observers_do():
    rng = np.random.default_rng(1)
    stimuli, _ = planted(20, 1, noise=0)
    rows = [
        (stimulus, f"o{k}", threshold + offset)
        for k, offset in enumerate(rng.normal(0, 0.2, 10))
        for stimulus, threshold in stimuli["log_threshold"].items()
    ]
    observers = pd.DataFrame(rows, columns=["stimulus", "observer", "log_contrast"])
    drawn = redraw_people(observers, stimuli, 3000, np.random.default_rng(0))
    offsets = np.array([row[2] for row in rows[::20]]) - stimuli["log_threshold"].iloc[0]
    assert drawn.std(axis=0) == pytest.approx(offsets.std(ddof=0) / np.sqrt(10), rel=0.1)
    assert drawn.mean(axis=0) == pytest.approx(stimuli["log_threshold"].to_numpy(), abs=0.01)
    alone = observers[observers["observer"] == "o0"]
    same = redraw_people(alone, stimuli, 3, np.random.default_rng(0))
    np.testing.assert_array_equal(same, np.tile(stimuli["log_threshold"], (3, 1)))


# ------------------------------------------------------------------------------ real stimuli


@pytest.fixture(scope="module")
def stimuli_of_colorfest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("thresholds") / "t"
    entry = parse_entry(
        "t", {"kind": "thresholds", "studies": ["colorfest"], "pixels": 192, "phases": [0]}
    )
    fetch_dataset(entry, folder, folder / "downloads", json.dumps({"entry": entry.spec()}))
    return read_dataset(folder)


def test_psnr_sees_all_frequencies_alike_as_theory_says(stimuli_of_colorfest):
    """Its threshold is the contrast of one energy: the same for windows of many cycles."""
    data = stimuli_of_colorfest
    table = score_baselines("psnr", data)
    curves = read_curves(table, data.pairs, "psnr")
    found, _ = predicted(curves)
    for direction, rows in curves.stimuli.groupby("direction"):
        several = (rows["frequency"] >= 2.4) & (rows["frequency"] <= 12)
        own = found[curves.stimuli.index.get_indexer(rows.index[several]), 0]
        thresholds = read_same_colour(rows[several], own)
        for group in thresholds:
            if len(group) > 1:
                assert 20 * np.ptp(group) < 0.3, direction


def read_same_colour(rows, found):
    """Split thresholds by the exact colour of their modulation."""
    from dissect_iqa.datasets.thresholds.table import read_thresholds

    unit = read_thresholds().loc[rows.index, [f"direction_{c}" for c in "lms"]].round(2)
    codes = unit.groupby(list(unit.columns)).ngroup().to_numpy()
    return [found[codes == code] for code in np.unique(codes)]


def test_people_are_not_flat_where_psnr_is(stimuli_of_colorfest):
    rows = stimuli_of_colorfest.pairs.drop_duplicates("stimulus")
    light = rows[(rows["distortion"] == "luminance") & rows["frequency"].between(2.4, 12)]
    assert 20 * np.ptp(light["log_threshold"]) > 3


def test_the_shipped_observers_give_a_ceiling(stimuli_of_colorfest):
    data = stimuli_of_colorfest
    table, _ = find_thresholds(
        [("psnr", score_baselines("psnr", data))], data.pairs, SETTINGS, dataset_name="t"
    )
    ceiling = table[table["kind"] == "ceiling"]
    assert len(read_observers()) and 1 < ceiling.query("statistic == 'rmse_db'")["value"].max() < 9
