"""Untrained networks and the trained ones of the same build."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Twins:
    """Untrained networks and the trained ones that they are compared with.

    Attributes
    ----------
    title : str
        The architecture they share, or the family if the architecture isn't the same.
    exact : bool
        Whether it is the same architecture.
    trained, untrained : tuple of str
        Ids, in the model table's order.
    """

    title: str
    exact: bool
    trained: tuple[str, ...]
    untrained: tuple[str, ...]


def find_twins(models: pd.DataFrame) -> list[Twins]:
    """Pair untrained networks with trained ones of the same architecture, else the same family.

    Options behind an architecture's name, such as ``head=none``, don't make another architecture.
    An untrained network without either is left out.

    Parameters
    ----------
    models : DataFrame
        Indexed by id: `name` (of the architecture, without options), `family`, `untrained`.
    """
    table = models
    found: dict[tuple[bool, str], list[str]] = {}
    for id, row in table[table["untrained"]].iterrows():
        exact = ((table["name"] == row["name"]) & ~table["untrained"]).any()
        title = row["name"] if exact else str(row["family"])
        found.setdefault((bool(exact), title), []).append(str(id))
    groups = []
    for (exact, title), untrained in found.items():
        same = table["name" if exact else "family"] == title
        trained = tuple(table.index[same & ~table["untrained"]])
        if trained:
            groups.append(Twins(title, exact, trained, tuple(untrained)))
    return groups
