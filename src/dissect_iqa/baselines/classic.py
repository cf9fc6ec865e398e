"""Hand-crafted metrics of two RGB pictures in 0..255, with the published values.

The kept libraries do the work wherever they give the official value. What is written out here is
what none of them gives: luma as MATLAB makes it, and the way that Wang's code shrinks a
picture (average-pooling instead moves MS-SSIM by up to 0.004 on TID2013).
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image
from scipy.ndimage import uniform_filter
from skimage.metrics import structural_similarity

from dissect_iqa.errors import UserError

Picture = np.ndarray
Metric = Callable[[Picture, Picture], float]

#: First row of the inverse of NTSC's YIQ matrix: what MATLAB's rgb2gray multiplies by.
_LUMA = np.linalg.inv([[1, 0.956, 0.621], [1, -0.272, -0.647], [1, -1.106, 1.703]])[0]
#: Wang et al. 2003, section 3.2: the exponents of the five scales, finest first.
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
#: With K1 this large, SSIM's luminance term is 1 (to 1e-12), leaving contrast times structure.
_NO_LUMINANCE = 1e6


def luma(picture: Picture) -> np.ndarray:
    """Return the grey values of an RGB picture, as MATLAB's rgb2gray does.

    Parameters
    ----------
    picture : ndarray of uint8 or float64, shape (height, width, 3)
        0..255; float64 for a picture with more than 8 bits per channel.

    Returns
    -------
    ndarray of float64, shape (height, width)
        0..255; of an 8-bit picture rounded to whole numbers.
    """
    grey = picture.astype(np.float64) @ _LUMA
    return np.floor(grey + 0.5) if picture.dtype == np.uint8 else grey


def psnr(reference: Picture, distorted: Picture) -> float:
    """Peak signal-to-noise ratio in dB over all RGB values; infinite for identical pictures."""
    return _decibels(reference, distorted)


def psnr_y(reference: Picture, distorted: Picture) -> float:
    """Peak signal-to-noise ratio in dB of luma; infinite if that is identical."""
    return _decibels(luma(reference), luma(distorted))


def _decibels(x: np.ndarray, y: np.ndarray) -> float:
    mse = np.mean((x.astype(np.float64) - y) ** 2)
    return float(10 * np.log10(255**2 / mse)) if mse > 0 else float("inf")


def ssim(reference: Picture, distorted: Picture) -> float:
    """SSIM of luma at full size, range -1 to 1 (Wang et al. 2004; ssim_index.m).

    11x11 Gaussian window with SD 1.5, K1 = 0.01, K2 = 0.03, population covariance, mean over
    the positions where the whole window is inside.
    """
    return _ssim(luma(reference), luma(distorted))


def ssim_downsampled(reference: Picture, distorted: Picture) -> float:
    """SSIM after shrinking so that the short side is near 256 pixels (the authors' ssim.m).

    The factor is max(1, round(short side / 256)), halves rounded up; with factor 1 this is `ssim`.
    """
    factor = max(1, int(np.floor(min(reference.shape[:2]) / 256 + 0.5)))
    return _ssim(_shrink(luma(reference), factor), _shrink(luma(distorted), factor))


def ms_ssim(reference: Picture, distorted: Picture) -> float:
    """Multi-scale SSIM of luma, range 0 to 1 (Wang et al. 2003).

    Contrast times structure at five scales and luminance at the coarsest. A negative term has no
    real power; it counts as 0. The short side must have 176 pixels, as in the authors' code.
    """
    x, y = luma(reference), luma(distorted)
    value = 1.0
    for weight in _SCALE_WEIGHTS[:-1]:
        value *= max(0.0, _ssim(x, y, k1=_NO_LUMINANCE)) ** weight
        x, y = _shrink(x, 2), _shrink(y, 2)
    return value * max(0.0, _ssim(x, y)) ** _SCALE_WEIGHTS[-1]


def _ssim(x: np.ndarray, y: np.ndarray, k1: float = 0.01) -> float:
    return float(
        structural_similarity(
            x,
            y,
            data_range=255.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            K1=k1,
        )
    )


def _shrink(x: np.ndarray, factor: int) -> np.ndarray:
    """Average over factor x factor pixels with mirrored borders, then take every factor-th."""
    return uniform_filter(x, factor, mode="reflect")[::factor, ::factor]


def fsim(reference: Picture, distorted: Picture) -> float:
    """FSIM without chroma, range 0 to 1."""
    return _piq("fsim", reference, distorted, chromatic=False)


def fsimc(reference: Picture, distorted: Picture) -> float:
    """FSIM with chroma (FSIMc), range 0 to 1."""
    return _piq("fsim", reference, distorted, chromatic=True)


def gmsd(reference: Picture, distorted: Picture) -> float:
    """Gradient magnitude similarity deviation of luma; 0 for identical pictures."""
    return _piq("gmsd", luma(reference), luma(distorted))


def vsi(reference: Picture, distorted: Picture) -> float:
    """Visual saliency-induced index, range 0 to 1."""
    return _piq("vsi", reference, distorted)


def haarpsi(reference: Picture, distorted: Picture) -> float:
    """Haar wavelet-based perceptual similarity index, range 0 to 1; 1 for identical pictures."""
    if np.array_equal(reference, distorted):
        return 1.0  # which the formula gives only to rounding, and not at all (0/0) for black ones
    return _piq("haarpsi", reference, distorted)


def mdsi(reference: Picture, distorted: Picture) -> float:
    """Mean deviation similarity index; 0 for identical pictures."""
    return _piq("mdsi", reference, distorted)


def vifp(reference: Picture, distorted: Picture) -> float:
    """Visual information fidelity in the pixel domain, of luma; above 1 means more contrast.

    1 for identical pictures; NaN, as in the authors' code, for any other against a reference of
    one grey value, which holds no information that could be kept.
    In float32: its 17x17 windows take twenty times as long in float64, for a fifth digit.
    """
    if np.array_equal(reference, distorted):
        return 1.0
    if np.ptp(luma(reference)) == 0:
        return float("nan")
    return _piq("vif_p", luma(reference), luma(distorted), single=True)


def iw_ssim(reference: Picture, distorted: Picture) -> float:
    """SSIM weighted by information content, of luma, range 0 to 1 (five scales).

    NaN where a picture has so little on it that its information isn't defined.
    """
    import torch

    if np.array_equal(reference, distorted):
        return 1.0
    try:
        return _piq("information_weighted_ssim", luma(reference), luma(distorted))
    except torch.linalg.LinAlgError:
        return float("nan")


def ms_gmsd(reference: Picture, distorted: Picture) -> float:
    """Gradient magnitude similarity deviation of luma at four scales; 0 for identical pictures."""
    return _piq("multi_scale_gmsd", luma(reference), luma(distorted))


def ms_gmsdc(reference: Picture, distorted: Picture) -> float:
    """MS-GMSD with chroma; 0 for identical pictures."""
    return _piq("multi_scale_gmsd", reference, distorted, chromatic=True)


def sr_sim(reference: Picture, distorted: Picture) -> float:
    """Spectral residual similarity, range 0 to 1."""
    return _piq("srsim", reference, distorted)


def sr_simc(reference: Picture, distorted: Picture) -> float:
    """SR-SIM with chroma, range 0 to 1."""
    return _piq("srsim", reference, distorted, chromatic=True)


def dss(reference: Picture, distorted: Picture) -> float:
    """Similarity of DCT subbands of luma, range 0 to 1; 1 for identical pictures."""
    if np.array_equal(reference, distorted):
        return 1.0  # which the formula gives only to rounding
    return _piq("dss", luma(reference), luma(distorted))


def nlpd(reference: Picture, distorted: Picture) -> float:
    """Normalised Laplacian pyramid distance of luma, 0 or more (six scales)."""
    import torch
    from plenoptic.metric import nlpd as distance

    planes = (
        torch.from_numpy(luma(picture)[None, None] / 255) for picture in (reference, distorted)
    )
    with torch.inference_mode():
        return float(distance(*planes, epsilon=0.0))


def ssimulacra2(reference: Picture, distorted: Picture) -> float:
    """SSIMULACRA 2, 100 for identical pictures, 90 for no visible difference; may be negative.

    Raises
    ------
    UserError
        If a picture has more than 8 bits per channel.
    """
    from ssimulacra2 import compute_ssimulacra2

    if np.uint8 not in (reference.dtype, distorted.dtype) or reference.dtype != distorted.dtype:
        raise UserError(
            "ssimulacra2 reads pictures with 8 bits per channel only; take it out of the option "
            "'baselines', or the data set out of 'datasets'"
        )
    return float(compute_ssimulacra2(*map(_as_file, (reference, distorted))))


def _as_file(picture: Picture) -> io.BytesIO:
    """Return a picture as a file without loss, for what reads nothing else."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "BMP")
    file.seek(0)
    return file


def _piq(
    name: str, reference: np.ndarray, distorted: np.ndarray, single: bool = False, **options: bool
) -> float:
    """Call a metric of piq, which takes the distorted picture first."""
    import piq
    import torch

    def tensor(picture: np.ndarray) -> torch.Tensor:
        planes = picture if picture.ndim == 3 else picture[:, :, None]
        planes = planes.transpose(2, 0, 1)[None].astype(np.float64) / 255
        return torch.from_numpy(planes).to(torch.float32 if single else torch.float64)

    with torch.inference_mode():
        metric = getattr(piq, name)
        return float(metric(tensor(distorted), tensor(reference), data_range=1.0, **options))


#: The metrics of this module by the names of `dissect_iqa.baselines.names.BASELINES`.
CLASSIC: dict[str, Metric] = {
    function.__name__: function
    for function in (
        *(psnr, psnr_y, ssim, ssim_downsampled, ms_ssim),
        *(fsim, fsimc, gmsd, vsi, haarpsi, mdsi, vifp),
        *(iw_ssim, ms_gmsd, ms_gmsdc, sr_sim, sr_simc, dss, nlpd, ssimulacra2),
    )
}
