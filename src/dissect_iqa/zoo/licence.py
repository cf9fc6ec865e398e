"""Which weights may not be used commercially."""

import re

#: Forms of licences that forbid commercial use: Creative Commons NC in any spelling, licences
#: that say so in words, and named ones whose text says so (Apple AMLR, SEER, NVIDIA's for
#: research).
_NON_COMMERCIAL = re.compile(
    r"\bnc\b|non[- ]?commercial|research[- ]only|\bamlr\b|\bseer-license\b", re.IGNORECASE
)
_UNKNOWN = re.compile(r"^\s*$|not stated|unknown|see source", re.IGNORECASE)


def non_commercial(licence: str) -> bool:
    """Tell whether a licence forbids commercial use.

    Parameters
    ----------
    licence : str
        As the model table has it, e.g. ``CC BY-NC 4.0``.
    """
    return bool(_NON_COMMERCIAL.search(licence))


def licence_flag(licence: str) -> str:
    """Return ``non-commercial``, ``not stated``, or an empty string for all other licences."""
    if non_commercial(licence):
        return "non-commercial"
    return "not stated" if _UNKNOWN.search(licence) else ""
