"""Why a job failed, as its log file says."""

from pathlib import Path

_ERROR = " ERROR "


def fault(log: Path | str) -> str:
    """Return in one sentence why the job of a log file failed, "" if it did not."""
    try:
        text = Path(log).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    lines = text.rstrip().splitlines()
    errors = [number for number, line in enumerate(lines) if _ERROR in line]
    if not errors:
        return ""
    sentence = lines[errors[-1]].partition(_ERROR)[2].partition(": ")[2]
    # a traceback follows what nobody has foreseen; its last line says most
    return sentence if errors[-1] == len(lines) - 1 else lines[-1].strip()
