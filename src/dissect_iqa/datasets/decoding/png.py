"""The chunks of a PNG file: its checksums, and what they say of depth and colours."""

import struct
import zlib
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: sRGB as gAMA and cHRM have it, in 1/100000, and how far off libpng takes for the same.
_GAMMA, _GAMMA_TOLERANCE = 45455, 0.05
_CHROMATICITIES = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
_CHROMATICITY_TOLERANCE = 1000


def is_png(data: bytes) -> bool:
    """Tell whether a file is a PNG picture."""
    return data.startswith(_SIGNATURE)


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (type, content) of each chunk, the end included.

    Raises
    ------
    ValueError
        If a chunk's checksum is wrong or the file ends before its end chunk.
    """
    start = len(_SIGNATURE)
    while start + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, start)
        kind, content = data[start + 4 : start + 8], data[start + 8 : start + 8 + size]
        end = start + 8 + size
        if end + 4 > len(data):
            break
        if zlib.crc32(content, zlib.crc32(kind)) != struct.unpack_from(">I", data, end)[0]:
            raise ValueError(
                f"is damaged (the checksum of its {kind.decode('latin-1')!a} chunk is wrong)"
            )
        yield kind, content
        if kind == b"IEND":
            return
        start = end + 4
    raise ValueError("is cut short (it has no end chunk)")


def depth(data: bytes) -> int:
    """Return the bits per channel that the header states."""
    return data[24] if len(data) > 24 else 0


def key_scale(data: bytes) -> int:
    """Return by what a grey colour key is multiplied where fewer than 8 bits become 0..255."""
    bits = depth(data)
    return 255 // (2**bits - 1) if data[25] == 0 and 0 < bits < 8 else 1


def unusual_colours(data: bytes) -> str | None:
    """Say in what the colours differ from sRGB by chunks other than a profile, if they do.

    The PNG specification's order counts: cICP before a profile before sRGB before gAMA and cHRM.
    """
    stated = {kind: content for kind, content in _head(data) if kind != b"IDAT"}
    if b"cICP" in stated:
        return None if tuple(stated[b"cICP"][:2]) == (1, 13) else "coding-independent code points"
    if b"iCCP" in stated or b"sRGB" in stated:
        return None
    gamma, primaries = stated.get(b"gAMA", b""), stated.get(b"cHRM", b"")
    if len(gamma) == 4:
        value = int.from_bytes(gamma)
        if abs(value / _GAMMA - 1) > _GAMMA_TOLERANCE:
            return f"a gamma of 1/{100000 / value:.3g}" if value else "a gamma of 0"
    if len(primaries) == 32 and data[25] & 2:
        far = zip(struct.unpack(">8I", primaries), _CHROMATICITIES, strict=True)
        if any(abs(found - srgb) > _CHROMATICITY_TOLERANCE for found, srgb in far):
            return "primaries of its own"
    return None


def _head(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the chunks before the pixels."""
    for kind, content in chunks(data):
        if kind == b"IDAT":
            return
        yield kind, content
