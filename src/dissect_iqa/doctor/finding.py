"""What one check says."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["PASS", "FAIL", "NOTE"]

#: What to do after something was mended by hand.
AGAIN = "then look again: dissect-iqa doctor"


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes
    ----------
    verdict : {"PASS", "FAIL", "NOTE"}
        A NOTE doesn't keep the study from running.
    what : str
        What was looked at.
    found : str
        What it is like.
    mend : str
        What to do, as a command where there is one; empty where nothing is to be done.
    """

    verdict: Verdict
    what: str
    found: str
    mend: str = ""
