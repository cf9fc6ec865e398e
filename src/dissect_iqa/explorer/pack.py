"""Numbers as a page can hold many of them: 16 bits each, compressed, with a description."""

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

#: What stands for a number that isn't there.
NOTHING = -32768
_MOST = 32000


class Numbers:
    """Arrays of 16-bit numbers behind each other; each is known by its place and scale."""

    def __init__(self) -> None:
        self._parts: list[np.ndarray] = []
        self._count = 0

    def add(self, values: Any, scale: float = 1e4) -> list[float]:
        """Keep numbers rounded to ``1 / scale``, or coarser if one is too large; NaN stays NaN.

        Returns
        -------
        list
            Where they begin, how many they are, their scale.
        """
        values = np.asarray(values, dtype=np.float64).ravel()
        known = np.isfinite(values)
        largest = float(np.abs(values[known]).max(initial=0))
        # an interval from three references, or a share of almost nothing, can be very wide
        scale = min(scale, _MOST / largest) if largest > 0 else scale
        whole = np.rint(np.where(known, values, 0) * scale)
        place = [self._count, len(values), scale]
        self._parts.append(np.where(known, whole, NOTHING).astype("<i2"))
        self._count += len(values)
        return place

    def add_spread(self, values: Any) -> list[float]:
        """Keep numbers of any size, rounded to a part in 64,000 of their range.

        Returns
        -------
        list
            As of `add`, and what is to be added to each number.
        """
        values = np.asarray(values, dtype=np.float64).ravel()
        known = values[np.isfinite(values)]
        low, high = (known.min(), known.max()) if len(known) else (0.0, 0.0)
        middle, reach = (low + high) / 2, (high - low) / 2
        scale = _MOST / reach if reach > 0 else 1.0
        return [*self.add(values - middle, scale), float(middle)]

    def packed(self, header: Mapping[str, Any]) -> str:
        """Return description and numbers in one text of a page: base64 of gzip.

        The first four bytes say how long the description is, as JSON; the numbers follow it, low
        byte first. Equal content gives equal text.
        """
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":"),
                          allow_nan=False).encode()  # fmt: skip
        text += b" " * (-len(text) % 2)  # numbers begin at an even place
        numbers = b"".join(part.tobytes() for part in self._parts)
        whole = len(text).to_bytes(4, "little") + text + numbers
        return base64.b64encode(gzip.compress(whole, 9, mtime=0)).decode()
