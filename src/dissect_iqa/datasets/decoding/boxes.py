"""What the boxes of JPEG 2000 and AVIF files say of depth and colours; decoders don't tell."""

from collections.abc import Iterator

#: Boxes that hold boxes, with the bytes of their own before them.
_NESTED = {b"jp2h": 0, b"meta": 4, b"iprp": 0, b"ipco": 0}
_SRGB_ENUMERATED = {16, 17, 18}  # sRGB, grey with its curve, YCC of it
#: ITU-T H.273: primaries of BT.709 or not stated; curves of BT.709, BT.601, sRGB or not stated.
_PRIMARIES, _CURVES = {1, 2}, {1, 2, 6, 13}


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, bytes]]:
    """Yield (type, content) of the boxes of a file and of those inside that describe a picture."""
    end = len(data) if end is None else end
    while start + 8 <= end:
        size, kind, head = int.from_bytes(data[start : start + 4]), data[start + 4 : start + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[start + 8 : start + 16]), 16
        stop = end if size == 0 else min(end, start + size)
        if stop < start + head:
            return
        yield kind, data[start + head : stop]
        if kind in _NESTED:
            yield from boxes(data, start + head + _NESTED[kind], stop)
        start = stop


def jpeg2000_facts(data: bytes) -> tuple[int, bytes | None, bool]:
    """Return a JPEG 2000 picture's bits per channel, its colour profile, and whether it is sRGB.

    The last means little if there is a profile.
    """
    found = dict(boxes(data)) if data[4:8] == b"jP  " else {b"jp2c": data}
    stream = found.get(b"jp2c", b"")
    at = stream.find(b"\xff\x51")  # the size segment: its depths follow 36 bytes and their count
    count = int.from_bytes(stream[at + 38 : at + 40]) if at >= 0 else 0
    depths = stream[at + 40 : at + 40 + 3 * count : 3]
    bits = max(((depth & 0x7F) + 1 for depth in depths), default=8)
    colours = found.get(b"colr", b"\x01\0\0\0\0\0\x10")
    if colours[0] in (2, 3):
        return bits, colours[3:], False
    return bits, None, int.from_bytes(colours[3:7]) in _SRGB_ENUMERATED


def avif_facts(data: bytes) -> tuple[int, bool]:
    """Return an AVIF picture's bits per channel, and whether it is sRGB as far as is stated."""
    bits, srgb = 8, True
    for kind, content in boxes(data):
        if kind == b"av1C" and len(content) > 2 and content[2] & 0x40:
            bits = 12 if content[2] & 0x20 else 10
        elif kind == b"colr" and content[:4] == b"nclx":
            primaries, curve = (int.from_bytes(content[at : at + 2]) for at in (4, 6))
            srgb &= primaries in _PRIMARIES and curve in _CURVES
    return bits, srgb
