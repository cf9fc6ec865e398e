"""Thirteen of TID2013's distortions, each with one strength that is tuned to a wanted PSNR.

TID2013 (Ponomarenko et al., Signal Processing: Image Communication 30, 2015) gives its 24 types
at five levels with nominal PSNRs of 33, 30, 27, 24 and 21 dB. Its authors published pictures,
not programs, so the types here are re-creations from their descriptions; what had to be chosen
is said at each. Random fields are drawn once per picture and type and only scaled after that, so
that a stronger setting is the same distortion, only stronger.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from PIL import Image
from scipy import fft, optimize

#: Nominal PSNR in dB of TID2013's levels 1..5.
NOMINAL_PSNR = {1: 33.0, 2: 30.0, 3: 27.0, 4: 24.0, 5: 21.0}
#: Further than this from the nominal PSNR, in dB, counts as a miss.
TOLERANCE_DB = 0.1
#: The search stops at this distance, in dB.
_CLOSE_ENOUGH_DB = 0.02

#: RGB <-> YCbCr of JPEG (ITU-T T.871), without the offset of 128.
_TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
)
_TO_RGB = np.linalg.inv(_TO_YCC)

#: ``render(strength)`` returns the distorted picture, uint8 of the reference's shape.
Render = Callable[[float], np.ndarray]
#: ``prepare(reference, rng, level)`` returns the renderer of one picture and level.
Prepare = Callable[[np.ndarray, np.random.Generator, int], Render]


@dataclass(frozen=True)
class Distortion:
    """One type of distortion.

    Attributes
    ----------
    number : int
        TID2013's number of the type, 1..24.
    prepare : callable
        ``prepare(reference, rng, level)``: reference uint8 (height, width, 3); draws whatever is
        random and returns ``render(strength)``.
    weakest, strongest : float
        Range of the strength, both above 0; it is searched on a logarithmic scale.
    """

    number: int
    prepare: Prepare
    weakest: float
    strongest: float


@dataclass(frozen=True)
class Tuned:
    """A distorted picture as near to the wanted PSNR as its type allows.

    Attributes
    ----------
    picture : ndarray of uint8, shape (height, width, 3)
    strength : float
        In the type's own unit.
    psnr : float
        Reached, in dB.
    """

    picture: np.ndarray
    strength: float
    psnr: float


def psnr(reference: np.ndarray, distorted: np.ndarray) -> float:
    """Return 10 log10(255^2 / MSE) in dB over all pixels and channels; infinite if equal."""
    difference = reference.astype(np.int64) - distorted
    mse = int((difference * difference).sum()) / difference.size  # exact
    return float("inf") if mse == 0 else float(10 * np.log10(255**2 / mse))


def tune(
    reference: np.ndarray, distortion: Distortion, level: int, rng: np.random.Generator
) -> Tuned:
    """Distort a picture so that its PSNR is the level's nominal one.

    A root search (Brent's bisection with interpolation) over the logarithm of the strength. Where
    coarse steps of a type make it end beside the mark, the neighbourhood is searched finely.

    Parameters
    ----------
    reference : ndarray of uint8, shape (height, width, 3)
        Undistorted RGB picture.
    distortion : Distortion
        The type.
    level : int
        1..5.
    rng : Generator
        Source of the random field; equal state gives the equal field.

    Returns
    -------
    Tuned
        The nearest picture found. Its `psnr` can miss the nominal one: not every picture has,
        say, enough colour to lose.
    """
    render = distortion.prepare(reference, rng, level)
    wanted = NOMINAL_PSNR[level]
    best = Tuned(reference, 0.0, float("inf"))

    @cache  # brentq asks for both ends again
    def gap(log_strength: float) -> float:
        nonlocal best
        strength = float(np.exp(log_strength))
        picture = render(strength)
        reached = psnr(reference, picture)
        if abs(reached - wanted) < abs(best.psnr - wanted):
            best = Tuned(picture, strength, reached)
        # brentq stops at an exact zero; an infinite PSNR would spoil its interpolation.
        away = min(reached, 100.0) - wanted
        return 0.0 if abs(away) < _CLOSE_ENOUGH_DB else away

    low, high = np.log(distortion.weakest), np.log(distortion.strongest)
    if gap(high) < 0 < gap(low):
        optimize.brentq(gap, low, high, xtol=1e-3, disp=False)
        _search_around(gap, np.log(best.strength), lambda: abs(best.psnr - wanted))
    return best


def _search_around(gap: Callable[[float], float], centre: float, miss: Callable[[], float]) -> None:
    """Try strengths ever further from `centre`, up to 10 %, until the miss is small enough."""
    for step in range(1, 26):
        if miss() < TOLERANCE_DB / 2:
            return
        for sign in (-1, 1):
            gap(centre + sign * step * 0.004)


def _to_uint8(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _mixed(channels: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Apply a colour matrix, float32. Not by BLAS, whose kernels round differently by machine."""
    return np.einsum("hwc,kc->hwk", channels.astype(np.float32), matrix.astype(np.float32))


def _radial_frequency(height: int, width: int) -> np.ndarray:
    """Return the radial frequency of each DCT-II coefficient in cycles per pixel, (h, w, 1)."""
    rows, columns = np.arange(height) / (2 * height), np.arange(width) / (2 * width)
    return np.hypot(rows[:, None], columns[None, :])[..., None].astype(np.float32)


def _filtered(spectrum: np.ndarray, transfer: np.ndarray) -> np.ndarray:
    """Apply a transfer function to a DCT-II spectrum: filtering with mirrored borders."""
    return fft.idctn(spectrum * transfer, axes=(0, 1), norm="ortho")


def _spectrum(picture: np.ndarray) -> np.ndarray:
    return fft.dctn(picture.astype(np.float32), axes=(0, 1), norm="ortho")


def _gaussian_transfer(frequency: np.ndarray, sigma: float) -> np.ndarray:
    return np.exp(-2 * (np.pi * sigma * frequency) ** 2)


def _white(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(shape, dtype=np.float32)


def _additive(field: Callable[[tuple[int, ...], np.random.Generator], np.ndarray]) -> Prepare:
    """Make a type that adds a random field, scaled to a standard deviation in grey levels."""

    def prepare(reference: np.ndarray, rng: np.random.Generator, level: int) -> Render:
        noise = field(reference.shape, rng)
        noise /= noise.std()
        return lambda sigma: _to_uint8(reference + np.float32(sigma) * noise)

    return prepare


def _colour_noise(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """White noise in YCbCr whose chroma components have twice the luma's standard deviation."""
    scale = np.array([1.0, 2.0, 2.0], np.float32)
    return _mixed(_white(shape, rng) * scale, _TO_RGB)


def _correlated_noise(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """White noise smoothed by a Gaussian of one pixel: neighbours correlate with 0.78."""
    transfer = _gaussian_transfer(_radial_frequency(*shape[:2]), sigma=1.0)
    return _filtered(_spectrum(_white(shape, rng)), transfer)


def _high_frequency_noise(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """White noise without what lies below a quarter of a cycle per pixel (half of Nyquist)."""
    transfer = (_radial_frequency(*shape[:2]) > 0.25).astype(np.float32)
    return _filtered(_spectrum(_white(shape, rng)), transfer)


def _multiplicative(reference: np.ndarray, rng: np.random.Generator, level: int) -> Render:
    """Noise whose standard deviation is `strength` times the value itself, in each channel."""
    noise = reference * _white(reference.shape, rng)
    return lambda sigma: _to_uint8(reference + np.float32(sigma) * noise)


def _impulse(reference: np.ndarray, rng: np.random.Generator, level: int) -> Render:
    """Salt and pepper: a share of all values, channel by channel, becomes 0 or 255."""
    rank = rng.random(reference.shape, dtype=np.float32)
    impulse = np.where(rng.random(reference.shape, dtype=np.float32) < 0.5, 0, 255)
    return lambda share: np.where(rank < share, impulse, reference).astype(np.uint8)


def _quantization(reference: np.ndarray, rng: np.random.Generator, level: int) -> Render:
    """Uniform quantization of each channel to multiples of a step of `strength` grey levels."""
    values = np.arange(256, dtype=np.float32)
    return lambda step: _to_uint8(np.rint(values / step) * step)[reference]


def _blur(reference: np.ndarray, rng: np.random.Generator, level: int) -> Render:
    """Gaussian blur with a standard deviation of `strength` pixels, borders mirrored."""
    spectrum, frequency = _spectrum(reference), _radial_frequency(*reference.shape[:2])
    return lambda sigma: _to_uint8(_filtered(spectrum, _gaussian_transfer(frequency, sigma)))


@lru_cache
def _standard_jpeg_tables() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the luma and chroma tables of the JPEG standard (Annex K), which quality 50 means."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", quality=50)
    tables = Image.open(buffer).quantization  # type: ignore[attr-defined]
    return tuple(tables[0]), tuple(tables[1])


def _jpeg(reference: np.ndarray, rng: np.random.Generator, level: int) -> Render:
    """JPEG, 4:2:0, with the standard's quantization tables multiplied by `strength`.

    That is what quality numbers do, too, but only in whole steps. Baseline JPEG's entries end at
    255: a flat picture may lose too little there to fall to 21 dB.
    """
    picture = Image.fromarray(reference)
    standard = [np.array(table) for table in _standard_jpeg_tables()]

    def render(scale: float) -> np.ndarray:
        tables = [np.clip(np.rint(table * scale), 1, 255).astype(int) for table in standard]
        qtables = [table.tolist() for table in tables]
        return _coded(picture, "JPEG", qtables=qtables, subsampling="4:2:0")

    return render


def _jpeg2000(reference: np.ndarray, rng: np.random.Generator, level: int) -> Render:
    """JPEG 2000, irreversible wavelet, told to stop at a root mean square error of `strength`.

    The coder estimates its error in the wavelet domain, so what it reaches differs a little. It
    cuts its stream between passes over code blocks: smaller blocks make finer steps.
    """
    picture = Image.fromarray(reference)
    return lambda rmse: _coded(
        picture,
        "JPEG2000",
        quality_mode="dB",
        quality_layers=[20 * float(np.log10(255 / rmse))],
        irreversible=True,
        codeblock_size=(32, 32),
    )


def _coded(picture: Image.Image, codec: str, **options: object) -> np.ndarray:
    buffer = io.BytesIO()
    picture.save(buffer, codec, **options)
    return np.asarray(Image.open(buffer).convert("RGB"))


def _mean_shift(reference: np.ndarray, rng: np.random.Generator, level: int) -> Render:
    """Add a constant: dark pictures get brighter and bright ones darker, so that little clips.

    Whole grey levels would be too coarse for the weakest levels (6 of them are 32.6 dB, 5 are
    34.2 dB), so a fractional shift is rounded up in that fraction of the pixels, all three
    channels of a pixel alike.
    """
    sign = 1 if reference.mean() < 127.5 else -1
    dither = rng.random((*reference.shape[:2], 1), dtype=np.float32)
    # uint8 + float32 stays exact here; floor(shift + dither) is `shift` on average.
    return lambda shift: _to_uint8(reference + sign * np.floor(shift + dither))


def _contrast(reference: np.ndarray, rng: np.random.Generator, level: int) -> Render:
    """Scale the distances from the picture's mean by 1 - s (levels 1, 3, 5) or 1 + s (2, 4).

    TID2013's even levels raise the contrast, which its observers liked better than the weaker
    change of the level before.
    """
    mean = np.float32(reference.mean())
    distances = reference - mean
    sign = 1 if level in (2, 4) else -1
    return lambda change: _to_uint8(mean + (1 + sign * np.float32(change)) * distances)


def _saturation(reference: np.ndarray, rng: np.random.Generator, level: int) -> Render:
    """Scale both chroma components by 1 - s, s at most 1 (grey); luma stays.

    TID2013 does so: in its picture I04, type 18, level 5, chroma is the reference's times 0.09
    and luma is the same to within rounding.
    """
    grey = _mixed(reference, _TO_YCC[:1])
    colour = reference - grey
    return lambda loss: _to_uint8(grey + (1 - np.float32(loss)) * colour)


#: The types that can be re-created, by TID2013's number.
DISTORTIONS = {
    distortion.number: distortion
    for distortion in (
        Distortion(1, _additive(_white), 0.5, 200),
        Distortion(2, _additive(_colour_noise), 0.5, 200),
        Distortion(3, _additive(_correlated_noise), 0.5, 200),
        Distortion(5, _additive(_high_frequency_noise), 0.5, 200),
        Distortion(6, _impulse, 1e-4, 0.5),
        Distortion(7, _quantization, 2, 255),
        Distortion(8, _blur, 0.1, 500),
        Distortion(10, _jpeg, 0.02, 26),
        Distortion(11, _jpeg2000, 3, 40),
        Distortion(16, _mean_shift, 0.5, 200),
        Distortion(17, _contrast, 0.01, 5),
        Distortion(18, _saturation, 0.01, 1),
        Distortion(19, _multiplicative, 0.005, 5),
    )
}
