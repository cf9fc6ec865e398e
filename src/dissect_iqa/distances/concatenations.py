"""Several layers taken together: which ones, and the distance over all of them without weights."""

import fnmatch
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from dissect_iqa.distances.tables import Measured
from dissect_iqa.errors import UserError, suggest

log = logging.getLogger(__name__)

#: The distances over several layers, and what they are within a sentence.
PLAIN = {
    "euclidean": "the Euclidean distance between the features of {} side by side",
    "rmse": "the root of the sum of the mean squared differences at {}",
}


def plain_name(distance: str, title: str) -> str:
    """Return how tables call a distance over several layers.

    Nobody may choose it as a distance's best layer, so it is a distance of its own.
    """
    return f"{distance} on {title}"


def in_words(name: str) -> str | None:
    """Say within a sentence what a distance over several layers is; None if it is another one."""
    distance, on, title = name.partition(" on ")
    return PLAIN[distance].format(f"‘{title}’") if on and distance in PLAIN else None


def chosen_layers(
    known: Sequence[str], concatenations: Mapping[str, Sequence[str]], where: Path | str
) -> dict[str, list[int]]:
    """Return the positions of the layers that each title stands for.

    Parameters
    ----------
    known : sequence of str
        The layers of a network, by depth.
    concatenations : mapping of str to sequence of str
        Titles, and names or wildcards of layers.
    where : path or str
        Whose layers these are, for messages.

    Returns
    -------
    dict of str to list of int
        Without the titles none of whose layers the network has: they are meant for others.

    Raises
    ------
    UserError
        If a title is the name of a layer, or some of its layers are there and others are not.
    """
    chosen = {}
    for title, patterns in concatenations.items():
        if title in known:
            raise UserError(f"concatenation {title!r} has the name of a layer of {where}")
        found = {pattern: fnmatch.filter(known, pattern) for pattern in patterns}
        absent = [pattern for pattern in patterns if not found[pattern]]
        if len(absent) == len(found):
            log.info("%s: none of the layers of concatenation %r", where, title)
            continue
        if absent:
            raise UserError(
                f"concatenation {title!r}: no layer {absent[0]!r} in {where}"
                f"{suggest(absent[0], known)}; it has: {', '.join(known)}"
            )
        wanted = set().union(*found.values())
        chosen[title] = [i for i, name in enumerate(known) if name in wanted]
    return chosen


class Together:
    """Adds up squared differences layer by layer, for the distances over several.

    Parameters
    ----------
    chosen : mapping of str to list of int
        What `chosen_layers` returned.
    pairs : int
        Number of pairs.
    """

    def __init__(self, chosen: Mapping[str, Sequence[int]], pairs: int):
        self._chosen = chosen
        self._sums = {title: np.zeros(pairs) for title in chosen}
        self._means = {title: np.zeros(pairs) for title in chosen}

    @property
    def layers(self) -> set[int]:
        """Positions of all layers that are needed."""
        return {layer for layers in self._chosen.values() for layer in layers}

    def add(self, layer: int, rmse: np.ndarray, size: np.ndarray | int) -> None:
        """Take in a layer.

        Parameters
        ----------
        layer : int
            Its position.
        rmse : ndarray, shape (pairs,)
            Root of the mean squared difference over its channels and positions.
        size : int or ndarray of int, shape (pairs,)
            Number of its values: channels times positions.
        """
        for title, layers in self._chosen.items():
            if layer in layers:
                self._means[title] += rmse**2
                self._sums[title] += rmse**2 * size

    def measured(self) -> Iterator[Measured]:
        """Yield the distances over each title's layers.

        ``euclidean``: the root of the sum of all squared differences, so that a layer counts by
        its number of values; ``rmse``: the root of the sum of the layers' mean squared
        differences, so that each layer counts once.
        """
        for title in self._chosen:
            for name, squares in (("euclidean", self._sums), ("rmse", self._means)):
                values = np.sqrt(squares[title])
                name = plain_name(name, title)
                yield Measured(title, float("nan"), name, values, "concatenation")
