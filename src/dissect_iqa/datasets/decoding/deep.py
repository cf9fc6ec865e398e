"""Pictures of more than 8 bits per channel: PNG, TIFF and PPM files as 16 bits, nothing rounded."""

import io
import re

import numpy as np

from dissect_iqa.datasets.decoding import png

#: The largest value that a channel can have.
MOST = 65535
_HEADER = re.compile(rb"P([2356])(?:(?:\s|#[^\r\n]*[\r\n])+(\d+)){3}\s")
_NUMBER = re.compile(rb"(?:\s|#[^\r\n]*[\r\n])+(\d+)")
_DAMAGED = "is damaged: it is cut short, or holds more than its largest number"
#: TIFF's photometric interpretations of grey from black to white, and of colour.
_BLACK_IS_ZERO, _RGB = 1, 2


def deep_pixels(data: bytes, bits: int) -> np.ndarray:
    """Decode a PNG, TIFF or PPM file whose channels have 9 to 16 bits.

    Parameters
    ----------
    data : bytes
        Content of the file.
    bits : int
        Per channel. Fewer than 16 are spread over 0..65535, so that white is white.

    Returns
    -------
    ndarray of uint16, shape (height, width, channels)
        1 to 4 channels: grey, grey and opacity, RGB, RGB and opacity; 0..65535.

    Raises
    ------
    ValueError
        If its numbers mean something else.
    Exception
        Whatever the libraries raise for a damaged file.
    """
    if png.is_png(data):
        import imagecodecs

        # a colour that stands for transparency becomes a channel of opacity
        pixels, most = imagecodecs.png_decode(data), MOST
    elif data[:1] == b"P":
        pixels, most = _netpbm(data)
    else:
        pixels, most = _tiff(data), 2**bits - 1
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if most != MOST:
        pixels = np.rint(pixels * (MOST / most))
    return np.ascontiguousarray(pixels, np.uint16)


def widened(pixels: np.ndarray) -> np.ndarray:
    """Return 8-bit pixels as 16-bit ones (times 257, so that white stays white); others as is."""
    return pixels * np.uint16(257) if pixels.dtype == np.uint8 else pixels


def alike(a: np.ndarray, b: np.ndarray) -> bool:
    """Tell whether two pictures are the same, whatever depth they are stored with."""
    if a.dtype != b.dtype:
        a, b = widened(a), widened(b)
    return np.array_equal(a, b)


def netpbm_bits(data: bytes) -> int | None:
    """Return the bits per channel that the header of a PPM or PGM file states; None of others."""
    header = _HEADER.match(data)
    return int(header[2]).bit_length() if header else None


def _netpbm(data: bytes) -> tuple[np.ndarray, int]:
    header = _HEADER.match(data)
    assert header is not None  # or nobody would know its bits
    width, height, most = (int(number) for number in _NUMBER.findall(header[0]))
    colours = 3 if header[1] in b"36" else 1
    count = width * height * colours
    if header[1] in b"56":
        body = data[header.end() : header.end() + 2 * count]
        pixels = np.frombuffer(body[: len(body) // 2 * 2], ">u2")
    else:
        pixels = np.array(data[header.end() :].split()[:count], np.int64)
    if len(pixels) < count or (len(pixels) and pixels.max() > most):
        raise ValueError(_DAMAGED)
    return pixels.reshape(height, width, colours), most


def _tiff(data: bytes) -> np.ndarray:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        if page.photometric not in (_BLACK_IS_ZERO, _RGB) or page.dtype != np.uint16:  # type: ignore[union-attr]
            raise ValueError("is neither grey nor RGB in whole numbers; save it as a 16-bit PNG")
        pixels = page.asarray()
        planar = page.planarconfig == 2  # type: ignore[union-attr]
    return np.moveaxis(pixels, 0, -1) if planar and pixels.ndim == 3 else pixels
