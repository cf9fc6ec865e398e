"""A display: from the light that a stimulus needs to the picture that makes it, and back."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

#: Cone coordinates (CIE 2006, L + M near the luminance) to CIE 1931 XYZ in cd/m², for the spectra
#: of an LED-lit LCD, as the thresholds' publishers use it (castleCSF, lms2006_2xyz).
XYZ_OF_CONES = np.array(
    [
        [2.629129278399650, -3.780202391780134, 10.294956387893450],
        [0.865649062438827, 1.215555811642301, -0.984175688105352],
        [-0.008886561474676, 0.081612628990755, 51.371024830897888],
    ]
)
#: The largest value of a pixel.
WHITE = 65535


@dataclass(frozen=True)
class Display:
    """A display with the sRGB curve whose pixels carry 16 bits per channel.

    Parameters
    ----------
    peak, black : float
        Luminance of white and of black, cd/m².
    primaries : str
        Name of the colour space in colour-science that has its primaries and white.
    pixels_per_degree : float
        How densely pixels lie on the retina.
    """

    peak: float
    black: float
    primaries: str
    pixels_per_degree: float

    @cached_property
    def _space(self) -> tuple[np.ndarray, np.ndarray]:
        """XYZ to linear RGB, and the XYZ of white with Y = 1."""
        import colour

        space = colour.RGB_COLOURSPACES[self.primaries]
        white = colour.xy_to_XYZ(space.whitepoint)
        return np.linalg.inv(space.matrix_RGB_to_XYZ), white

    def linear(self, cones: np.ndarray) -> np.ndarray:
        """Return the linear RGB that gives some light; beyond 0..1 where it can't.

        Parameters
        ----------
        cones : ndarray, shape (..., 3)
            L, M, S.
        """
        to_rgb, white = self._space
        xyz = np.asarray(cones) @ XYZ_OF_CONES.T
        return (xyz - self.black * white) / (self.peak - self.black) @ to_rgb.T

    def encode(self, cones: np.ndarray) -> np.ndarray:
        """Return the pixels, uint16, shape (..., 3), that give some light which can be shown."""
        import colour

        values = colour.cctf_encoding(np.clip(self.linear(cones), 0, 1), function="sRGB")
        return np.rint(np.asarray(values) * WHITE).astype(np.uint16)

    def light(self, pixels: np.ndarray) -> np.ndarray:
        """Return the light of some pixels, uint16, as cone coordinates; the way back."""
        import colour

        to_rgb, white = self._space
        linear = np.asarray(colour.cctf_decoding(pixels / WHITE, function="sRGB"))
        xyz = linear @ np.linalg.inv(to_rgb).T * (self.peak - self.black) + self.black * white
        return xyz @ np.linalg.inv(XYZ_OF_CONES).T
