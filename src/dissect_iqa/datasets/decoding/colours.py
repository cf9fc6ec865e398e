"""Whether an embedded colour profile means sRGB, measured instead of read off its name."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

#: How far a profile's colours may be from sRGB, in linear light of 0..1. Every maker's sRGB and
#: plain gamma 2.2, which PNG takes for sRGB as well, stay within it; gamma 1.8, Adobe RGB and
#: Display P3 don't.
_TOLERANCE = 0.012


@lru_cache(maxsize=64)
def profile_problem(profile: bytes, grey: bool) -> str | None:
    """Say why a picture with this profile isn't taken as it is, or return None if it is sRGB.

    Parameters
    ----------
    profile : bytes
        An ICC profile.
    grey : bool
        Whether the picture has one channel. Such pictures may carry the profile of an RGB space.
    """
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = ImageCms.getProfileDescription(opened).strip().splitlines()
        space = opened.profile.xcolor_space.strip()
        if space == "RGB":
            deviation = _deviation(opened, "RGB", _cube())
        elif space == "GRAY" and grey:
            deviation = _deviation(opened, "L", np.arange(256, dtype=np.uint8).reshape(16, 16))
        else:
            return f"has a colour profile for {space.lower()} pictures"
    except (ImageCms.PyCMSError, OSError, ValueError):
        return "has a colour profile that can't be read"
    if deviation <= _TOLERANCE:
        return None
    return f"has a colour profile other than sRGB ({' '.join(name) or 'without a name'})"


def _deviation(profile: ImageCms.ImageCmsProfile, mode: str, colours: np.ndarray) -> float:
    """Return the largest difference in linear light that taking `colours` for sRGB makes."""
    srgb = ImageCms.createProfile("sRGB")
    shown = ImageCms.profileToProfile(
        Image.fromarray(colours),
        profile,
        srgb,
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
    )
    assert shown is not None
    taken = np.asarray(Image.fromarray(colours).convert("RGB"))
    return float(np.abs(_linear(np.asarray(shown)) - _linear(taken)).max())


def _cube() -> np.ndarray:
    """Return a picture of 6 steps in each of red, green and blue."""
    steps = np.arange(0, 256, 51, dtype=np.uint8)
    return np.stack(np.meshgrid(steps, steps, steps), -1).reshape(6, 36, 3)


def _linear(picture: np.ndarray) -> np.ndarray:
    x = picture / 255
    return np.where(x > 0.04045, ((x + 0.055) / 1.055) ** 2.4, x / 12.92)
