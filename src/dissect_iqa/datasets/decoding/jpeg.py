"""Whether the coded data of a JPEG are whole: libjpeg fills what is damaged without a word.

The Huffman codes of every scan are read to their end, without computing a pixel. Damage shows as
a code or number that can't be, as data that end before the last block or go on after it, or as a
restart marker out of turn. A changed bit that happens to give other valid codes of the same total
length can't be found: the format has no checksums.

The layout is ITU-T T.81; names are its own (a component's blocks, spectral selection, ...).
"""

from dataclasses import dataclass, field

import numpy as np

from dissect_iqa.datasets.decoding.jpeg_scan import FAULTS, scan

_END, _START = 0xD9, 0xDA
#: Markers without a segment: some encoders end the last scan with one for a restart.
_ALONE = {0x01, *range(0xD0, 0xD8)}
_FRAMES = {0xC0: "sequential", 0xC1: "sequential", 0xC2: "progressive"}
#: What a coefficient times its step can be: 1024, and a quarter for overshoot.
_LARGEST = 1280
_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}


@dataclass
class _Component:
    across: int  # blocks of a whole unit (MCU)
    down: int
    steps: int  # which table of quantization steps
    blocks: tuple[int, int] = (0, 0)  # (down, across) that hold pixels
    stride: int = 0  # blocks in a row, those that only fill a unit included
    known: np.ndarray = field(default_factory=lambda: np.zeros((0, 64), np.uint8))
    scanned: bool = False


@dataclass
class _Frame:
    progressive: bool
    units: tuple[int, int]
    components: dict[int, _Component]


def check_jpeg(data: bytes) -> None:
    """Check that a JPEG's scans are whole, up to its end marker.

    Parameters
    ----------
    data : bytes
        Content of the file.

    Raises
    ------
    ValueError
        If it is damaged, or coded in a way that isn't read here (arithmetic, lossless).
    """
    array = np.frombuffer(data, np.uint8)
    tables: dict[int, np.ndarray] = {}
    steps: dict[int, np.ndarray] = {}
    frame: _Frame | None = None
    restart, at = 0, 2
    while True:
        at, marker = _marker(data, at)
        if marker == _END:
            break
        if marker in _ALONE:
            continue
        segment = data[at + 2 : at + _size(data, at)]
        at += _size(data, at)
        if marker == 0xC4:
            _read_codes(segment, tables)
        elif marker == 0xDB:
            _read_steps(segment, steps)
        elif marker == 0xDD:
            restart = int.from_bytes(segment[:2])
        elif marker in _OTHER_FRAMES:
            raise ValueError("is a JPEG of a kind that can't be checked; save it as PNG")
        elif marker in _FRAMES:
            frame = _read_frame(segment, _FRAMES[marker] == "progressive")
        elif marker == _START:
            if frame is None:
                raise _damaged("it has no frame")
            at = _read_scan(array, at, segment, frame, tables, steps, restart)
    if frame is None or not all(part.scanned for part in frame.components.values()):
        raise _damaged("it ends before its last scan")


def _damaged(what: str) -> ValueError:
    return ValueError(f"is damaged ({what}); restore it, or save what people saw as PNG")


def _marker(data: bytes, at: int) -> tuple[int, int]:
    """Return where the next segment starts, and its marker."""
    if at < len(data) and data[at] != 0xFF:
        raise _damaged(f"no marker at byte {at}")
    while at < len(data) and data[at] == 0xFF:
        at += 1
    if at >= len(data):
        raise _damaged("it is cut short")
    return at + 1, data[at]


def _size(data: bytes, at: int) -> int:
    size = int.from_bytes(data[at : at + 2])
    if size < 2 or at + size > len(data):
        raise _damaged("it is cut short")
    return size


def _read_codes(segment: bytes, tables: dict[int, np.ndarray]) -> None:
    """Make of each code table one of all 16 bits that may come: 256 * length + value, or 0."""
    at = 0
    while at + 17 <= len(segment):
        name, counts = segment[at], segment[at + 1 : at + 17]
        table, code, value = np.zeros(1 << 16, np.int32), 0, at + 17
        for length, count in enumerate(counts, 1):
            for _ in range(count):
                first, last = code << (16 - length), (code + 1) << (16 - length)
                if last > 1 << 16 or value >= len(segment):
                    raise _damaged("a table of codes")
                table[first:last] = 256 * length + segment[value]
                code, value = code + 1, value + 1
            code <<= 1
        tables[name], at = table, value


def _read_steps(segment: bytes, steps: dict[int, np.ndarray]) -> None:
    at = 0
    while at < len(segment):
        kind, name = (">u2" if segment[at] >> 4 else "u1"), segment[at] & 15
        size = 64 * np.dtype(kind).itemsize
        if at + 1 + size > len(segment):
            raise _damaged("a table of quantization steps")
        steps[name] = np.frombuffer(segment, kind, 64, at + 1).astype(np.int64)
        at += 1 + size


def _read_frame(segment: bytes, progressive: bool) -> _Frame:
    height, width = int.from_bytes(segment[1:3]), int.from_bytes(segment[3:5])
    parts = [segment[at : at + 3] for at in range(6, 6 + 3 * segment[5], 3)]
    if not height or not width or not parts or len(parts[-1]) < 3:
        raise _damaged("its frame header")
    components = {part[0]: _Component(part[1] >> 4, part[1] & 15, part[2]) for part in parts}
    across = max(part.across for part in components.values())
    down = max(part.down for part in components.values())
    if not all(1 <= part.across <= 4 and 1 <= part.down <= 4 for part in components.values()):
        raise _damaged("its frame header")
    units = (_ceil(height, 8 * down), _ceil(width, 8 * across))
    for part in components.values():
        part.blocks = (
            _ceil(_ceil(height * part.down, down), 8),
            _ceil(_ceil(width * part.across, across), 8),
        )
        part.stride = units[1] * part.across
        if progressive:
            part.known = np.zeros((units[0] * part.down * part.stride, 64), np.uint8)
    return _Frame(progressive, units, components)


def _ceil(a: int, b: int) -> int:
    return (a + b - 1) // b


def _read_scan(
    data: np.ndarray,
    at: int,
    segment: bytes,
    frame: _Frame,
    tables: dict[int, np.ndarray],
    steps: dict[int, np.ndarray],
    restart: int,
) -> int:
    """Check one scan and return where it ends."""
    count = segment[0] if segment else 0
    chosen = [frame.components.get(id) for id in segment[1 : 1 + 2 * count : 2]]
    if len(segment) != 4 + 2 * count or not 1 <= count <= 4 or None in chosen:
        raise _damaged("a scan header")
    parts = [part for part in chosen if part is not None]
    first, last, high, low = segment[-3], segment[-2], segment[-1] >> 4, segment[-1] & 15
    if not frame.progressive:
        first, last, high, low = 0, 63, 0, 0
    elif last > 63 or last < first or (first == 0) != (last == 0) or (first and count > 1):
        raise _damaged("a scan header")
    dc = np.zeros((count, 1 << 16), np.int32)
    ac = np.zeros((count, 1 << 16), np.int32)
    for place, selectors in enumerate(segment[2 : 2 + 2 * count : 2]):
        if first == 0 and not high:
            dc[place] = _table(tables, selectors >> 4)
        if last > 0:
            ac[place] = _table(tables, 0x10 | selectors & 15)
    if any(part.steps not in steps for part in parts):
        raise _damaged("a scan without its table of quantization steps")
    # No 8-bit picture has larger coefficients, even if its encoder lets white overshoot.
    most = np.array([2 + _LARGEST // np.maximum(steps[part.steps], 1) for part in parts]) >> low
    if count == 1:  # the blocks of one component come row by row, without those that only fill
        units, shape = parts[0].blocks, np.ones((1, 2), np.int64)
    else:
        units, shape = frame.units, np.array([(p.down, p.across) for p in parts], np.int64)
    bands = (first, last, high)
    fault, at = scan(
        data, at, units, shape, dc, ac, most, parts[0].known, parts[0].stride, restart, bands
    )
    if fault:
        raise _damaged(FAULTS[fault])
    for part in parts:
        part.scanned |= first == 0
    return at


def _table(tables: dict[int, np.ndarray], name: int) -> np.ndarray:
    if name not in tables:
        raise _damaged("a scan without its table of codes")
    return tables[name]
