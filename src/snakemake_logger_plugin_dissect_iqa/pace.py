"""How far a running extraction is, by its log file; see `dissect_iqa.features.forward.loop`."""

import re
from pathlib import Path

#: Bytes at the end of a log file among which its last remark is looked for.
_TAIL = 2000
_REMARK = re.compile(r": (\d+ of \d+ pairs, \S+ a second)")


def pace(log: Path, started: float) -> str:
    """Return how far a job is and how fast, "" if its log doesn't say, or is an earlier job's."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            if log.stat().st_mtime < started:
                return ""
            file.seek(max(0, size - _TAIL))
            found = _REMARK.findall(file.read().decode("utf-8", errors="replace"))
    except OSError:
        return ""
    return found[-1] if found else ""
