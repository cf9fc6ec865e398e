"""Decode a picture as a viewer shows it, or say in one sentence why not.

Pillow cuts 16 bits per channel to 8, overlooks what carries transparency or a colour space
without a channel of its own, and turns a picture the way up that its Exif data say in TIFF files
only; so the files' own headers are read here, and the pixels of deep pictures by other libraries.
"""

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from dissect_iqa.datasets.decoding import png
from dissect_iqa.datasets.decoding.boxes import avif_facts, jpeg2000_facts
from dissect_iqa.datasets.decoding.colours import profile_problem
from dissect_iqa.datasets.decoding.deep import MOST, deep_pixels, netpbm_bits
from dissect_iqa.errors import UserError
from dissect_iqa.files.regular_files import read_bytes

#: The formats whose depth, transparency and colours are looked at below, as Pillow calls them.
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "PPM", "GIF", "WEBP", "JPEG2000", "AVIF", "TGA", "PCX")
#: Pixels of the largest picture that is decoded; more is no photograph but an attack or a mistake.
MOST_PIXELS = 178_956_970
#: Bytes of the largest file that is read as a picture: that many pixels as they are, and some.
MOST_BYTES = 4 * MOST_PIXELS
#: How to turn pictures stored with each of Exif's orientations; 1 is upright.
_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels),
}
_ORIENTATION, _BITS, _SAMPLE_FORMAT = 274, 258, 339
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)\s*([0-9])')


def decode_picture(data: bytes) -> np.ndarray:
    """Decode an opaque grey or colour picture in sRGB.

    Parameters
    ----------
    data : bytes
        Content of the file.

    Returns
    -------
    ndarray of uint8 or uint16, shape (height, width, 3)
        RGB, the way up that viewers show it; 0..255, or 0..65535 of a PNG, TIFF or PPM file with
        more than 8 bits per channel.

    Raises
    ------
    ValueError
        If the picture has several frames, more bits per channel than are read of its format,
        transparency or colours other than sRGB, is too large, or is in a format that isn't read.
    Exception
        Whatever Pillow raises for a damaged file.
    """
    bits = _bits(data)
    with _open(data) as picture:
        return _decode(picture, data, bits)


def read_picture(path: Path) -> np.ndarray:
    """Decode a picture's file, see `decode_picture`.

    Raises
    ------
    UserError
        Naming the file, if it is missing or can't be decoded.
    """
    try:
        return decode_picture(read_bytes(path, MOST_BYTES))
    except FileNotFoundError as error:
        raise UserError(f"{path}: picture is missing; fetch the data set again") from error
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:  # decoders fail in many ways, and each means the same here
        raise UserError(f"{path}: can't be decoded ({error or type(error).__name__})") from error


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise ValueError("is damaged or no picture that is read here; save it as a PNG") from None
    except Image.DecompressionBombError:
        raise ValueError(f"has more than the {MOST_PIXELS:,} pixels that are read") from None


def _decode(picture: Image.Image, data: bytes, bits: int) -> np.ndarray:
    if picture.width * picture.height > MOST_PIXELS:
        raise ValueError(f"has more than the {MOST_PIXELS:,} pixels that are read")
    if getattr(picture, "n_frames", 1) > 1:
        raise ValueError("has several frames or pages; save the one that people saw as a picture")
    if picture.format == "TIFF":
        bits = _tiff_bits(picture)
    if picture.format == "GIF" and picture.tile[0][1] != (0, 0, *picture.size):  # type: ignore[attr-defined]
        raise ValueError(_TRANSPARENT)
    deep, turned = bits > 8, False
    if picture.format == "TIFF":
        turn = _TURNS.get(_orientation(picture))
        picture.load()  # which turns it, and forgets the tag
        turned = not deep
    else:
        picture.load()
        turn = _TURNS.get(_orientation(picture))
    if picture.mode not in (*_MODES, *(_DEEP_MODES if deep else ())):
        raise ValueError(
            f"is of mode {picture.mode}; only grey and RGB are supported: save it as such"
        )
    if not deep:
        _refuse_transparent(picture, data)
    problem = _colour_problem(picture, data)
    if problem:
        raise ValueError(
            f"{problem}, so its colours depend on the viewer; convert it to sRGB, or take that "
            "out if people saw it without"
        )
    if deep:
        pixels = _opaque(deep_pixels(data, bits))
    else:
        # Pillow would copy what is RGB
        pixels = np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
    return pixels if turn is None or turned else np.ascontiguousarray(turn(pixels))


def _opaque(pixels: np.ndarray) -> np.ndarray:
    """Return deep pixels as RGB; refuse what shines through."""
    channels = pixels.shape[2]
    if channels in (2, 4) and pixels[:, :, -1].min() < MOST:
        raise ValueError(_TRANSPARENT)
    colours = pixels[:, :, :1] if channels < 3 else pixels[:, :, :3]
    return np.ascontiguousarray(np.broadcast_to(colours, (*pixels.shape[:2], 3)))


def check_whole(data: bytes) -> None:
    """Check a picture's data for damage that decoders pass over in silence, as far as it shows.

    PNG files have checksums, the codes of a JPEG must come out even; other formats have nothing
    of the kind, so that only a missing end is found, by `decode_picture`.

    Raises
    ------
    ValueError
        If the picture is damaged.
    """
    if png.is_png(data):
        for _ in png.chunks(data):
            pass
    elif data.startswith(b"\xff\xd8"):
        from dissect_iqa.datasets.decoding.jpeg import check_jpeg  # compiled when used

        check_jpeg(data)


_TRANSPARENT = "is partly transparent; blend it with a background first"
_DEEP = "has {} bits per channel, which would be cut to 8; save it as a 16-bit PNG"
_MODES = ("1", "L", "P", "RGB", "LA", "PA", "RGBA")
#: What Pillow calls grey pictures of more than 8 bits.
_DEEP_MODES = ("I", "I;16", "I;16B", "I;16L")
_GREY_MODES = ("1", "L", "LA", *_DEEP_MODES)


def _bits(data: bytes) -> int:
    """Return the bits per channel that a file states where Pillow doesn't tell.

    Raises
    ------
    ValueError
        If these are more than are read of this format.
    """
    bits = 8
    if png.is_png(data):
        return png.depth(data)
    if (stated := netpbm_bits(data)) is not None:
        return stated
    if data[4:8] == b"jP  " or data.startswith(b"\xff\x4f\xff\x51"):
        bits = jpeg2000_facts(data)[0]
    elif data[4:8] == b"ftyp":
        bits = avif_facts(data)[0]
    elif data.startswith(b"\xff\xd8"):
        bits = _jpeg_bits(data)
    if bits > 8:
        raise ValueError(_DEEP.format(bits))
    return bits


def _jpeg_bits(data: bytes) -> int:
    """Return the precision in the frame header of a JPEG; 8 if there is none."""
    at = 2
    while at + 5 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return data[at + 4]
        fill = marker == 0xFF
        at += 1 if fill else 2 + int.from_bytes(data[at + 2 : at + 4])
    return 8


def _tiff_bits(picture: Image.Image) -> int:
    tags = picture.tag_v2  # type: ignore[attr-defined]
    bits = max(_whole_numbers(tags.get(_BITS, 1)), default=1)
    if set(_whole_numbers(tags.get(_SAMPLE_FORMAT, 1))) - {1} or bits > 16:
        raise ValueError("holds numbers other than 0..255 or 0..65535; save it as a PNG")
    return bits


def _whole_numbers(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)


def _refuse_transparent(picture: Image.Image, data: bytes) -> None:
    """Refuse a picture of which anything shines through: by a channel, a palette or a key."""
    if not picture.has_transparency_data:
        return
    key = picture.info.get("transparency")
    if png.is_png(data) and picture.mode == "L" and isinstance(key, int):
        picture.info["transparency"] = key * png.key_scale(data)
    if picture.convert("RGBA").getchannel("A").getextrema()[0] < 255:  # type: ignore[operator]
        raise ValueError(_TRANSPARENT)
    picture.info.pop("transparency", None)


def _colour_problem(picture: Image.Image, data: bytes) -> str | None:
    """Say in what a picture's colours aren't sRGB's, if they aren't."""
    profile, stated = picture.info.get("icc_profile"), None
    if picture.format == "PNG":
        stated = png.unusual_colours(data)
    elif picture.format == "JPEG2000":
        _, profile, srgb = jpeg2000_facts(data)
        stated = None if srgb or profile else "a colour space other than sRGB"
    elif picture.format == "AVIF" and not profile:
        stated = None if avif_facts(data)[1] else "a colour space other than sRGB"
    elif picture.format == "BMP":
        profile, linked = _bmp_profile(data)
        stated = "a linked colour profile" if linked else None
    if stated:
        return f"has {stated}"
    return profile_problem(profile, picture.mode in _GREY_MODES) if profile else None


def _bmp_profile(data: bytes) -> tuple[bytes | None, bool]:
    """Return the profile embedded in a version 5 header, and whether it names one elsewhere."""
    header, kind = int.from_bytes(data[14:18], "little"), data[70:74]
    if header < 124 or kind not in (b"DEBM", b"KNIL"):
        return None, False
    start, size = (int.from_bytes(data[at : at + 4], "little") for at in (126, 130))
    return (data[14 + start : 14 + start + size], False) if kind == b"DEBM" else (None, True)


def _orientation(picture: Image.Image) -> int:
    """Return which way up a picture is stored: 1 for upright to 8.

    Raises
    ------
    ValueError
        If its Exif data can't be read, or XMP says otherwise where Exif says nothing, which
        viewers read differently.
    """
    stated = None
    if picture.format == "TIFF":
        stated = picture.tag_v2.get(_ORIENTATION)  # type: ignore[attr-defined]
    else:
        exif = Image.Exif()
        try:
            exif.load(_exif(picture))
            stated = exif.get(_ORIENTATION)
        except Exception as error:  # Pillow's parser fails in many ways
            raise ValueError(
                "has Exif data that can't be read, so nobody knows which way up it was shown; "
                "take them out"
            ) from error
    if stated is None and (found := _XMP_ORIENTATION.search(_xmp(picture))) and found[1] != b"1":
        raise ValueError(
            "is to be turned by its XMP data alone, which not all viewers do; turn its pixels"
        )
    return stated if isinstance(stated, int) else 1


def _exif(picture: Image.Image) -> bytes:
    text = picture.info.get("Raw profile type exif")
    if text and "exif" not in picture.info:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    return picture.info.get("exif", b"")


def _xmp(picture: Image.Image) -> bytes:
    text = picture.info.get("XML:com.adobe.xmp") or picture.info.get("xmp") or b""
    return text.encode() if isinstance(text, str) else text
