"""What networks were trained to do, as figures tell it apart; free of plotting libraries."""

from collections.abc import Mapping
from typing import Any

OTHER, UNTRAINED = "other function", "untrained"
OTHER_TASKS, IN_TURN = "supervised, other tasks", "several in turn"
#: By function: colour, grey and marker. The colours are told apart by the colour-blind; where they
#: are printed in grey, markers still tell the functions apart.
FUNCTIONS = {
    "supervised classification": ("#0173b2", "0.15", "o"),
    OTHER_TASKS: ("#de8f05", "0.55", "v"),
    "language supervision": ("#029e73", "0.35", "P"),
    IN_TURN: ("#ca9161", "0.65", "p"),
    "self-supervised": ("#d55e00", "0.45", "s"),
    "unsupervised": ("#b64fa8", "0.6", "^"),
    OTHER: ("#949494", "0.7", "h"),
    UNTRAINED: ("#222222", "0.0", "o"),
}


def function_of(row: Mapping[str, Any]) -> str:
    """Return which function of `FUNCTIONS` a network is drawn as.

    Parameters
    ----------
    row : mapping
        A network's description; see `dissect_iqa.zoo.row.ModelRow.description`.
    """
    group, supervision = str(row["group"]), row.get("supervision", "")
    if row["untrained"]:
        return UNTRAINED
    if group in FUNCTIONS:
        return group
    if supervision == "mixed" or ", then " in group:
        return IN_TURN
    if supervision == "other labels" or group.split()[0] == "supervised":
        return OTHER_TASKS
    return OTHER
