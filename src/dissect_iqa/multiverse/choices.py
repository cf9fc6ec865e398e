"""The choices that a study of this kind makes, their options, and all their combinations."""

from collections.abc import Mapping, Sequence
from itertools import product

import pandas as pd

#: Every choice, with what it is about. They are columns of the tables.
CHOICES = {
    "distance": "how features are compared",
    "statistic": "which correlation",
    "layer": "how each network's layer is chosen",
    "pairs": "over all pairs, or the mean over types of distortion",
    "references": "with the artificial reference, or without it",
    "identical": "pairs of identical pictures",
    "reading": "what the networks are shown, and which layers and tokens are read",
}

HONEST, FLATTERING, LAST = "honest", "flattering", "last"
ALL, TYPES, NATURAL = "all", "types", "natural only"
KEPT, LEFT_OUT = "kept", "left out"
PLAIN = "plain"

#: What the findings of the paper are tested with; the distance is the one that suits a data set.
REPORTED = {
    "statistic": "srcc",
    "layer": HONEST,
    "pairs": ALL,
    "references": ALL,
    "identical": KEPT,
    "reading": PLAIN,
}

#: A finding about a choice isn't asked where this choice has been made already.
NOT_ASKED = {"best_not_last": ("layer", LAST)}


def universes(options: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Return all combinations of options, a row each.

    Parameters
    ----------
    options : mapping of str to sequence of str
        By choice, what can be chosen here; every one of `CHOICES`.

    Returns
    -------
    DataFrame
        A column a choice, in the order of `CHOICES`; each combination once.
    """
    rows = product(*(dict.fromkeys(options[choice]) for choice in CHOICES))
    return pd.DataFrame(list(rows), columns=list(CHOICES))


def default_of(options: Mapping[str, Sequence[str]], distance: str) -> dict[str, str]:
    """Return the options with which the findings are tested.

    Parameters
    ----------
    options : mapping of str to sequence of str
        By choice, what can be chosen here.
    distance : str
        The one that suits the data set best.

    Returns
    -------
    dict of str to str
        By choice; of those that can't be made here the one that is left, as with one reference the
        layer, which can't be chosen on others.
    """
    wanted = {"distance": distance, **REPORTED}
    return {
        choice: wanted[choice] if wanted[choice] in options[choice] else options[choice][0]
        for choice in CHOICES
    }
