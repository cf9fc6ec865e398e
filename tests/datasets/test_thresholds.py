"""Stimuli of threshold experiments: the light that they need is the light that the file makes."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from castlecsf import HEAD, OBSERVERS, TARGET, make, text

from dissect_iqa.datasets.decoding.decode import decode_picture
from dissect_iqa.datasets.fetch_dataset import fetch_dataset
from dissect_iqa.datasets.registry import parse_entry
from dissect_iqa.datasets.status import datasets_status
from dissect_iqa.datasets.tables import read_dataset
from dissect_iqa.datasets.thresholds.display import Display
from dissect_iqa.datasets.thresholds.make import make_thresholds, planned, screen_of, selected
from dissect_iqa.datasets.thresholds.stimuli import (
    Screen,
    background_of,
    choose,
    draw,
    modulation_of,
    phases_of,
    showable,
    waveform,
)
from dissect_iqa.datasets.thresholds.table import (
    DIRECTIONS,
    STUDIES,
    read_observers,
    read_thresholds,
)
from dissect_iqa.errors import UserError
from dissect_iqa.study.costs import expected

SHARED = Path(__file__).parents[2].parent / "shared"
DISPLAY = Display(200.0, 0.1, "sRGB", 32.0)
SCREEN = Screen(DISPLAY, 288, (0.5, 1, 2, 4, 8), (0, 90))
TABLE = read_thresholds()
SHOWN, REASONS = showable(TABLE, SCREEN)


def entry(**options):
    return parse_entry("t", {"kind": "thresholds", **options})


def contrasts(row, picture):
    """Return a picture's three cone contrasts, shape (pixels, pixels, 3), from its pixels alone."""
    background = background_of(row)
    return (DISPLAY.light(picture) - background) / background


# ------------------------------------------------------------------------------------ the table


def test_the_table_holds_what_the_studies_published():
    assert len(TABLE) == 1202 and TABLE["study"].nunique() == 12
    assert set(TABLE["study"]) == set(STUDIES) and set(TABLE["direction"]) == set(DIRECTIONS)
    norms = np.linalg.norm(TABLE[[f"direction_{c}" for c in "lms"]], axis=1)
    np.testing.assert_allclose(norms, 1, atol=1e-6)
    assert TABLE["frequency"].between(0, 32).all() and (TABLE["sigma"] > 0).all()
    observers = read_observers()
    assert len(observers) == 5633 and observers["observer"].nunique() == 85
    # two conditions were published twice; observers go with the first
    assert set(observers["stimulus"]) == set(TABLE.index) - {177, 251}
    # most aggregated thresholds are the mean of the observers' (published medians of few aside)
    means = observers.groupby("stimulus")["log_contrast"].mean()
    gaps = (means - TABLE["log_contrast"]).abs()
    assert gaps.median() < 1e-6 and (gaps > 0.12).mean() < 0.01


@pytest.mark.skipif(not (SHARED / "data/castlecsf").is_dir(), reason="the originals are not here")
def test_the_tables_are_made_from_the_published_ones():
    table, observers = make(SHARED / "data/castlecsf")
    assert text(table, HEAD) == (TARGET / "thresholds.csv").read_text()
    assert text(observers, OBSERVERS) == (TARGET / "observers.csv").read_text()


# ----------------------------------------------------------------------------------- the display


def test_white_and_black_have_the_luminance_that_is_stated():
    for display in (DISPLAY, Display(400.0, 0.5, "Display P3", 64.0)):
        pixels = np.uint16([[0, 0, 0], [65535, 65535, 65535]])
        from dissect_iqa.datasets.thresholds.display import XYZ_OF_CONES

        xyz = display.light(pixels) @ XYZ_OF_CONES.T
        np.testing.assert_allclose(xyz[:, 1], [display.black, display.peak], rtol=1e-6)
        # both spaces have the white of D65
        np.testing.assert_allclose(xyz[1] / xyz[1, 1], [0.9505, 1, 1.0891], atol=2e-3)


def test_light_survives_the_way_into_pixels_and_back():
    rng = np.random.default_rng(0)
    pixels = rng.integers(3000, 65536, (500, 3)).astype(np.uint16)
    light = DISPLAY.light(pixels)
    np.testing.assert_array_equal(DISPLAY.encode(light), pixels)


def test_the_curve_is_that_of_srgb():
    grey = (
        DISPLAY.light(np.uint16([[32768, 32768, 32768]])).sum()
        - DISPLAY.light(np.zeros((1, 3), np.uint16)).sum()
    )
    full = (
        DISPLAY.light(np.uint16([[65535] * 3])).sum()
        - DISPLAY.light(np.zeros((1, 3), np.uint16)).sum()
    )
    assert grey / full == pytest.approx(((32768 / 65535 + 0.055) / 1.055) ** 2.4, rel=1e-3)


# ---------------------------------------------------------------------------------- the pictures


def sample(per_group=2):
    """Some stimuli of every study, aperture and colour direction that are shown."""
    shown = TABLE.loc[list(SHOWN)]
    groups = shown.groupby(["study", "direction"], group_keys=False)
    return list(pd.concat([rows.iloc[:: max(1, len(rows) // per_group)] for _, rows in groups])
                .itertuples())  # fmt: skip


@pytest.mark.parametrize("row", sample(), ids=lambda row: f"{row.study}-{row.Index}")
def test_background_and_contrast_of_the_picture_are_those_of_the_row(row):
    multiple = SHOWN[row.Index][-1]
    picture = draw(row, SCREEN, multiple, 0)
    assert picture.dtype == np.uint16 and picture.shape == (288, 288, 3)
    background = DISPLAY.light(DISPLAY.encode(background_of(row)))
    np.testing.assert_allclose(background, background_of(row), rtol=0.01)
    found = contrasts(row, picture)
    wave = waveform(row, SCREEN, 0)
    # least squares against the waveform: the amplitude of each cone's contrast
    amplitude = np.tensordot(wave, found, 2) / (wave**2).sum()
    wanted = multiple * modulation_of(row) / background_of(row)
    scale = np.abs(wanted).max()
    np.testing.assert_allclose(amplitude, wanted, atol=0.01 * scale)
    rms = math.sqrt((amplitude**2).mean())
    assert math.log10(rms / multiple) == pytest.approx(row.log_contrast, abs=0.005)


def gabors():
    rows = [row for row in sample(4) if row.aperture == "gauss" and row.frequency * row.sigma > 1]
    return rows[::2]


@pytest.mark.parametrize("row", gabors(), ids=lambda row: f"{row.study}-{row.Index}")
def test_frequency_orientation_and_envelope_are_found_by_fourier_analysis(row):
    picture = draw(row, SCREEN, SHOWN[row.Index][-1], 0)
    cone = int(np.abs(modulation_of(row) / background_of(row)).argmax())
    plane = contrasts(row, picture)[:, :, cone]
    power = np.abs(np.fft.fft2(plane)) ** 2
    axis = np.fft.fftfreq(288, 1 / 32.0)
    fy, fx = np.meshgrid(axis, axis, indexing="ij")
    half = (fx * math.cos(math.radians(row.orientation)) > 1e-9) if row.orientation == 0 else fy > 0
    weight = np.where(half, power, 0)
    weight[weight < 0.01 * weight.max()] = 0
    centre = np.array([(weight * f).sum() for f in (fx, fy)]) / weight.sum()
    assert math.hypot(*centre) == pytest.approx(row.frequency, rel=0.01)
    angle = math.degrees(math.atan2(centre[1], centre[0]))
    assert angle == pytest.approx(row.orientation, abs=1)
    # a Gaussian window of SD s makes a peak whose power has SD 1 / (2 pi s sqrt 2)
    across = fy if row.orientation == 0 else fx
    spread = math.sqrt((weight * across**2).sum() / weight.sum())
    if row.sigma * 3 < SCREEN.degrees / 2:  # else the picture's edge cuts it
        wanted = 1 / (2 * math.pi * row.sigma * math.sqrt(2))
        assert spread == pytest.approx(wanted, rel=0.15, abs=0.5 / SCREEN.degrees)


@pytest.mark.parametrize("aperture", ["disc", "square"])
def test_patches_have_the_area_of_the_row(aperture):
    for row in sample(3):
        if row.aperture == aperture and row.frequency == 0:
            wave = waveform(row, SCREEN, 0)
            assert wave.sum() / 32.0**2 == pytest.approx(row.area, rel=0.03)
        elif row.aperture == aperture:
            window = np.abs(waveform(row, SCREEN, 0)) ** 2 + np.abs(waveform(row, SCREEN, 90)) ** 2
            assert np.sqrt(window).sum() / 32.0**2 == pytest.approx(row.area, rel=0.05)


def test_windows_of_few_cycles_are_shown_in_one_phase():
    for row in sample():
        few = row.frequency * (row.sigma if row.aperture == "gauss" else math.sqrt(row.area)) < 0.4
        if row.frequency == 0 or few:
            assert phases_of(row, SCREEN) == (0,)
    assert any(phases_of(row, SCREEN) == (0, 90) for row in sample())


# --------------------------------------------------------------------------- what can't be shown


def test_what_is_left_out_is_counted_by_reason():
    reasons = {**REASONS}
    partly = reasons.pop("single contrasts beyond the display's colours")
    assert len(SHOWN) + sum(reasons.values()) == 1202 and partly > 0
    assert set(reasons) == {
        "frequency beyond the display's (Nyquist)",
        "larger than the picture",
        "background beyond the display's luminance or colours",
        "contrasts beyond the display's colours",
    }
    assert TABLE.loc[list(SHOWN), "study"].nunique() == 10


def test_a_dark_display_shows_fewer_and_a_wide_one_more():
    def count(**display):
        options = {"peak": 200.0, "black": 0.1, "primaries": "sRGB", "pixels_per_degree": 32.0}
        return len(
            showable(TABLE, Screen(Display(**{**options, **display}), 288, (1, 2, 4), (0,)))[0]
        )

    usual = count()
    assert count(peak=60.0) < usual < count(primaries="ITU-R BT.2020")
    assert count(black=5.0) < usual and count(pixels_per_degree=300.0) < usual


@pytest.mark.parametrize(
    "options, words",
    [
        ({"peak": 0.05}, r"'black' \(0.1 cd/m²\) is not darker than 'peak' \(0.05 cd/m²\)"),
        ({"peak": -1}, "greater than 0"),
        ({"primaries": "CRT"}, "sRGB"),
        ({"studies": ["hdr_cfs"]}, "did you mean 'hdr_csf'"),
        ({"multiples": [1]}, "at least 2"),
        ({"multiples": [1, 2, 2]}, "'multiples' names one value twice"),
        ({"phases": [400]}, "360"),
        ({"csv": "a.csv"}, "'csv' means nothing for kind 'thresholds'"),
        ({"folder": "a"}, "'folder' means nothing for kind 'thresholds'"),
    ],
)
def test_options_that_can_not_be_are_named(options, words):
    with pytest.raises(UserError, match=words):
        entry(**options)


def test_options_of_a_display_mean_nothing_elsewhere():
    with pytest.raises(UserError, match="'peak' means nothing for kind 'demo'"):
        parse_entry("d", {"kind": "demo", "peak": 100})


def test_a_display_that_shows_nothing_is_refused():
    with pytest.raises(UserError, match=r"shows none of the stimuli \(.*larger than the picture: "):
        selected(entry(pixels=64, pixels_per_degree=3000))


# ---------------------------------------------------------------------------------- the data set


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("thresholds") / "t"
    chosen = entry(most=14, pixels=128, pixels_per_degree=14)
    fetch_dataset(chosen, folder, folder / "downloads", json.dumps({"entry": chosen.spec()}))
    return chosen, folder


def test_the_data_set_is_one_like_the_others(made):
    chosen, folder = made
    dataset = read_dataset(folder)
    pairs, facts = dataset.pairs, dataset.facts
    assert (len(dataset.images), len(pairs)) == planned(chosen)
    assert expected(chosen, {}).pairs == len(pairs)
    assert (pairs["quality"] == -pairs["score"]).all() and set(pairs["score"]) == {0.5, 1, 2, 4, 8}
    assert set(pairs["reference"]) <= set(STUDIES) and pairs["reference"].nunique() >= 5
    assert set(pairs["distortion"]) == set(DIRECTIONS)
    assert pairs["stimulus"].nunique() == facts["stimuli"] == 14
    assert facts["identical_pairs"] == 0
    assert facts["not_shown"]["not chosen, option 'most'"] > 0
    assert facts["display"]["pixels_per_degree"] == 14
    row = datasets_status({"t": chosen}, Path("nowhere")).iloc[0]
    assert row["state"] == "at hand"
    for row in pairs.sample(5, random_state=0).itertuples():
        picture = decode_picture(dataset.path(row.distorted_file).read_bytes())
        plain = decode_picture(dataset.path(row.reference_file).read_bytes())
        assert picture.dtype == np.uint16 and np.ptp(plain.reshape(-1, 3), axis=0).max() == 0
        stimulus = TABLE.loc[row.stimulus]
        stimulus["Index"] = row.stimulus
        expected_picture = draw(stimulus, screen_of(chosen), row.score, row.phase)
        np.testing.assert_array_equal(picture, expected_picture)


def test_making_it_again_gives_the_same_bytes(made, tmp_path):
    chosen, folder = made
    frame, _ = make_thresholds(chosen, tmp_path)
    for file in frame["distorted_file"]:
        assert (tmp_path / file).read_bytes() == (folder / file).read_bytes()


def test_the_display_is_part_of_the_spec():
    specs = [entry().spec(), entry(peak=100).spec(), entry(pixels_per_degree=16).spec()]
    assert len({json.dumps(spec, sort_keys=True) for spec in specs}) == 3
    assert all(spec["version"] == 1 for spec in specs)


def test_the_choice_is_spread_over_directions_and_studies():
    shown = TABLE.loc[list(SHOWN)]
    few = choose(shown, 40)
    assert len(few) == 40 and set(few["direction"]) == set(DIRECTIONS)
    assert few["study"].nunique() >= 8
    assert set(choose(shown, 20).index) <= set(few.index)
    assert len(choose(shown, 10**6)) == len(shown)
