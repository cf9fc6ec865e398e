from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio

from dissect_iqa.datasets import distortions
from dissect_iqa.datasets.demo import PHOTOGRAPHS, reference_picture
from dissect_iqa.datasets.distortions import DISTORTIONS, NOMINAL_PSNR, psnr, tune

SHARED_PAIRS = Path(__file__).parents[2].parent / "shared" / "data" / "tid2013_pairs"
LUMA = np.array([0.299, 0.587, 0.114])


def make_picture(side: int = 96) -> np.ndarray:
    """Colourful, with smooth and fine structure, away from black and white."""
    y, x = np.mgrid[:side, :side] / side
    texture = np.random.default_rng(5).normal(0, 12, (side, side))
    red = 128 + 70 * np.sin(5 * x + 2 * y) + texture
    green = 128 + 60 * np.cos(7 * y) + texture
    blue = 128 + 70 * np.sin(4 * x - 6 * y) + texture
    return np.clip(np.stack([red, green, blue], axis=2), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return make_picture()


def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def render(number: int, picture: np.ndarray, strength: float, level: int = 1) -> np.ndarray:
    return DISTORTIONS[number].prepare(picture, rng(), level)(strength)


def middle_grey(side: int = 128) -> np.ndarray:
    return np.full((side, side, 3), 128, np.uint8)


def noise_of(number: int, sigma: float = 15.0) -> np.ndarray:
    return render(number, middle_grey(), sigma).astype(float) - 128


@pytest.mark.parametrize("number", DISTORTIONS)
def test_every_level_of_every_type_reaches_its_nominal_psnr(number):
    picture = reference_picture(PHOTOGRAPHS["flower"], (192, 192))
    strengths = []
    for level, nominal in NOMINAL_PSNR.items():
        tuned = tune(picture, DISTORTIONS[number], level, rng())
        assert tuned.picture.shape == picture.shape and tuned.picture.dtype == np.uint8
        assert tuned.psnr == psnr(picture, tuned.picture)
        assert tuned.psnr == pytest.approx(nominal, abs=0.1)
        strengths.append(tuned.strength)
    # Contrast alternates its direction, so its strengths compare only within one.
    for part in [strengths[::2], strengths[1::2]] if number == 17 else [strengths]:
        assert part == sorted(set(part))


@pytest.mark.parametrize("number", DISTORTIONS)
def test_same_seed_same_picture(number, picture):
    first, second = (tune(picture, DISTORTIONS[number], 4, rng()) for _ in range(2))
    assert first.picture.tobytes() == second.picture.tobytes()
    assert first.strength == second.strength


@pytest.mark.parametrize("number", [1, 2, 3, 5, 6, 16, 19])
def test_another_seed_gives_another_field(number, picture):
    other = DISTORTIONS[number].prepare(picture, np.random.default_rng(12), 1)
    strength = {6: 0.1, 16: 5.5, 19: 0.1}.get(number, 10.0)
    assert not np.array_equal(render(number, picture, strength), other(strength))


@pytest.mark.parametrize("number", [1, 2, 3, 5])
def test_levels_share_one_field_scaled(number):
    weak, strong = noise_of(number, 8), noise_of(number, 16)
    assert np.corrcoef(weak.ravel(), strong.ravel())[0, 1] > 0.99
    assert strong.std() / weak.std() == pytest.approx(2, rel=0.02)


def test_a_picture_without_colour_to_lose_misses_and_says_so():
    pale = make_picture() // 8 + 112
    tuned = tune(pale, DISTORTIONS[18], 5, rng())
    assert tuned.strength == pytest.approx(1)
    assert tuned.psnr == psnr(pale, tuned.picture) > 21.1
    assert np.ptp(tuned.picture, axis=2).max() == 0


def test_a_flat_picture_ends_at_the_coarsest_jpeg_tables():
    y, _ = np.mgrid[:96, :96]
    flat = np.repeat((100 + y // 4).astype(np.uint8)[..., None], 3, axis=2)
    tuned = tune(flat, DISTORTIONS[10], 5, rng())
    assert tuned.psnr > 21.1
    assert np.array_equal(tuned.picture, render(10, flat, DISTORTIONS[10].strongest))


def test_psnr_agrees_with_scikit_image(picture):
    noisy = render(1, picture, 20)
    assert psnr(picture, noisy) == pytest.approx(peak_signal_noise_ratio(picture, noisy), abs=1e-5)
    assert psnr(picture, picture) == float("inf")


def test_white_noise_is_white_and_independent_between_channels():
    noise = noise_of(1)
    assert abs(np.corrcoef(noise.reshape(-1, 3).T)[np.triu_indices(3, 1)]).max() < 0.03
    assert abs((noise[1:] * noise[:-1]).mean() / noise.var()) < 0.03


def test_colour_noise_is_twice_as_strong_in_chroma():
    noise = noise_of(2)
    luma = noise @ LUMA
    blueness = (noise[..., 2] - luma) / 1.772
    redness = (noise[..., 0] - luma) / 1.402
    assert blueness.std() / luma.std() == pytest.approx(2, rel=0.05)
    assert redness.std() / luma.std() == pytest.approx(2, rel=0.05)


def test_correlated_noise_has_the_stated_correlation():
    noise = noise_of(3)
    for a, b in ((noise[1:], noise[:-1]), (noise[:, 1:], noise[:, :-1])):
        assert (a * b).mean() / noise.var() == pytest.approx(np.exp(-1 / 4), abs=0.03)


def test_high_frequency_noise_has_nothing_below_a_quarter_cycle():
    noise = noise_of(5)
    power = (dctn(noise, axes=(0, 1), norm="ortho") ** 2).mean(axis=2)
    frequency = np.hypot(*np.meshgrid(*[np.arange(128) / 256] * 2))
    assert power[frequency < 0.24].mean() < 0.01 * power[frequency > 0.26].mean()


def test_impulses_are_black_or_white_and_nothing_else_changes(picture):
    noisy = render(6, picture, 0.05)
    changed = noisy != picture
    assert set(np.unique(noisy[changed])) == {0, 255}
    assert changed.mean() == pytest.approx(0.05, abs=0.01)
    assert (render(6, picture, 0.1) != picture)[changed].all()


def test_quantization_leaves_multiples_of_the_step(picture):
    assert set(np.unique(render(7, picture, 50))) <= {0, 50, 100, 150, 200, 250}


@pytest.mark.parametrize(("sigma", "tolerance"), [(1.5, 0.6), (3.0, 0.51)])
def test_blur_is_a_gaussian_with_mirrored_borders(sigma, tolerance, picture):
    expected = gaussian_filter(picture.astype(float), (sigma, sigma, 0), mode="reflect", truncate=6)
    assert abs(render(8, picture, sigma) - expected).max() <= tolerance


def test_jpeg_with_unscaled_tables_is_quality_50(picture, tmp_path):
    Image.fromarray(picture).save(tmp_path / "a.jpg", quality=50, subsampling="4:2:0")
    assert np.array_equal(render(10, picture, 1.0), np.asarray(Image.open(tmp_path / "a.jpg")))


def test_codecs_say_nothing_on_the_terminal(picture, capfd):
    for number in (10, 11):
        tune(picture, DISTORTIONS[number], 5, rng())
    assert capfd.readouterr() == ("", "")


def test_mean_shift_is_the_same_in_all_channels_and_goes_towards_grey(picture):
    for dark, sign in ((picture // 2, 1), (picture // 2 + 127, -1)):
        change = render(16, dark, 5.7).astype(int) - dark
        assert set(np.unique(sign * change)) == {5, 6}
        assert np.ptp(change, axis=2).max() == 0
        assert sign * change.mean() == pytest.approx(5.7, abs=0.05)


def test_contrast_falls_at_odd_levels_and_rises_at_even_ones(picture):
    for level in NOMINAL_PSNR:
        changed = tune(picture, DISTORTIONS[17], level, rng()).picture
        assert (changed.std() > picture.std()) == (level in (2, 4))
        assert changed.mean() == pytest.approx(picture.mean(), abs=1.5)


def test_saturation_keeps_luma(picture):
    changed = tune(picture, DISTORTIONS[18], 3, rng()).picture
    assert abs(changed @ LUMA - picture @ LUMA).max() <= 0.5
    assert np.ptp(changed, axis=2).mean() < 0.9 * np.ptp(picture, axis=2).mean()


def test_multiplicative_noise_grows_with_the_value():
    levels = np.repeat(np.repeat(np.uint8([[40, 160]]), 64, axis=1), 128, axis=0)
    noise = render(19, np.dstack([levels] * 3), 0.1).astype(float) - levels[..., None]
    assert noise[:, 64:].std() / noise[:, :64].std() == pytest.approx(4, rel=0.05)


needs_pairs = pytest.mark.skipif(not SHARED_PAIRS.is_dir(), reason="no real TID2013 pairs here")


def load(name: str) -> np.ndarray:
    return np.asarray(Image.open(SHARED_PAIRS / name).convert("RGB"))


@needs_pairs
def test_psnr_gives_the_published_values():
    values = pd.read_csv(SHARED_PAIRS / "values.csv")
    rows = values[values["metric"] == "psnr_rgb"]
    assert len(rows) == 3
    for row in rows.itertuples():
        assert psnr(load(row.reference), load(row.distorted)) == pytest.approx(row.value, abs=1e-3)


@needs_pairs
def test_saturation_is_done_as_in_tid2013():
    """TID2013's I04_18_5 and ours are the same picture to within two grey levels."""
    reference, published = load("I04_reference.bmp"), load("I04_distorted.bmp")
    ours = tune(reference, DISTORTIONS[18], 5, rng()).picture
    assert psnr(published, ours) > 40


@needs_pairs
def test_white_noise_is_as_in_tid2013():
    reference, published = load("I01.BMP"), load("i01_01_5.bmp")
    ours = tune(reference, DISTORTIONS[1], 5, rng()).picture
    theirs, mine = (p.astype(float) - reference for p in (published, ours))
    assert mine.std(axis=(0, 1)) == pytest.approx(theirs.std(axis=(0, 1)), rel=0.02)
    assert (mine @ LUMA).std() == pytest.approx((theirs @ LUMA).std(), rel=0.02)


def test_types_are_those_that_can_be_re_created():
    assert list(DISTORTIONS) == [1, 2, 3, 5, 6, 7, 8, 10, 11, 16, 17, 18, 19]
    assert distortions.TOLERANCE_DB == 0.1
