"""One line of a report on what is here: of the doctor, and of `dissect-iqa check`."""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["PASS", "FAIL", "NOTE"]

#: What to do after something was mended by hand.
AGAIN = "then look again: dissect-iqa doctor"


@dataclass(frozen=True)
class Check:
    """What was looked at, what it is like, and what to do.

    Attributes
    ----------
    outcome : {"PASS", "FAIL", "NOTE"}
        A NOTE doesn't keep the study from running.
    what : str
        What was looked at.
    found : str
        What it is like.
    mend : str
        What to do, as a command where there is one; empty where nothing is to be done.
    """

    outcome: Outcome
    what: str
    found: str
    mend: str = ""

    @property
    def passed(self) -> bool:
        """Whether it keeps nothing from running."""
        return self.outcome != "FAIL"
