"""ColorVideoVDP, from its authors' package: it has people's contrast sensitivity inside.

That sensitivity (castleCSF) was found from the very thresholds that data sets of kind `thresholds`
show, so that there it is no rival but how close a measure can come.
"""

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

#: How pictures are seen whose data set doesn't say, as its authors name it: a 24-inch full-HD
#: display of 200 cd/m² at 60 cm, in an office.
_USUAL_DISPLAY = "standard_fhd"
#: The package's colour spaces by the names of ours.
_PRIMARIES = {
    "sRGB": "sRGB",
    "Display P3": "Display P3 Apple",
    "ITU-R BT.2020": "BT.2020-linear",
}


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep back what the package and its imports say of their own old ways, and of dark pictures.

    It takes a mean below 1 cd/m² for pictures that aren't in absolute units; stimuli may be darker.
    """
    before = logging.root.manager.disable
    logging.disable(max(before, logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def vdp_metric(
    device: str, display: Mapping[str, Any] | None = None
) -> Callable[[np.ndarray, np.ndarray], float]:
    """Return ColorVideoVDP as a distance: by how many JOD quality falls (Mantiuk et al. 2024).

    Parameters
    ----------
    device : str
        Where it runs.
    display : mapping, optional
        `peak` and `black` (cd/m²), `primaries`, `pixels_per_degree`; by default an office display.

    Returns
    -------
    callable
        ``metric(reference, distorted) -> float`` of two pictures of shape (height, width, 3),
        0..255: 10 minus their JOD; 0 for identical pictures, and for such as differ in their
        uniform brightness only.
    """
    with _hushed():
        import pycvvdp
    place: dict[str, Any] = {"display_name": _USUAL_DISPLAY}
    if display is not None:
        place["display_photometry"] = pycvvdp.vvdp_display_photo_eotf(
            Y_peak=display["peak"],
            contrast=display["peak"] / display["black"] if display["black"] > 0 else float("inf"),
            source_colorspace=_PRIMARIES[display["primaries"]],
            EOTF="sRGB",
        )
        place["display_geometry"] = pycvvdp.vvdp_display_geometry(
            resolution=[display["pixels"], display["pixels"]], ppd=display["pixels_per_degree"]
        )
    vdp = pycvvdp.cvvdp(**place, heatmap=None, quiet=True, device=torch.device(device))

    def metric(reference: np.ndarray, distorted: np.ndarray) -> float:
        shown = [
            torch.from_numpy((picture / 255).astype(np.float32))
            for picture in (distorted, reference)
        ]
        with _hushed(), torch.inference_mode():
            jod, _ = vdp.predict(*shown, dim_order="HWC")
        return max(10.0 - float(jod), 0.0)

    return metric
