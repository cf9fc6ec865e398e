"""A data set's pairs, as an explorer shows them."""

import base64
from typing import Any

import numpy as np
import pandas as pd

from dissect_iqa.explorer.explored import Explored
from dissect_iqa.explorer.pack import Numbers

#: Pairs of a data set that are drawn and ranked; of more, a sample beside those misjudged most.
MOST_PAIRS = 2000


def pairs_of(
    dataset: str,
    shown: Explored,
    names: list[str],
    numbers: Numbers,
    most_thumbnails: int,
    pictures: list[str],
) -> dict[str, Any]:
    """Return a data set's pairs and what competitors say of them, as plain data.

    Parameters
    ----------
    dataset : str
        One whose pictures were rated.
    shown : Explored
        All that the explorer shows.
    names : list of str
        The competitors, networks first.
    numbers : Numbers
        Where arrays are added.
    most_thumbnails : int
        Of so many pairs there are small pictures.
    pictures : list of str
        The page's small pictures, base64; those of this data set are added.
    """
    table, predictions = shown.pairs[dataset], shown.predictions[dataset]
    misjudged = shown.misjudged[dataset]
    worst = _worst(misjudged)
    kept = _sample(len(table), worst)
    places = {int(pair): number for number, pair in enumerate(kept)}
    by_name = dict(iter(predictions.groupby("model", sort=False)))
    said = [by_name.get(name) for name in names]
    own_worst = dict(iter(misjudged.groupby("model", sort=False)))
    types = list(dict.fromkeys(table["distortion"].astype(str)))
    networks = predictions[predictions["kind"] == "network"]
    closed = shown.closed.get(dataset, "")
    small = _small(shown.thumbnails[dataset], table, worst[:most_thumbnails], pictures)
    quality = table["quality"].to_numpy(float)[kept]
    return {
        "ranks": [
            None if own is None else numbers.add(_ranks(own["predicted"].to_numpy()[kept]), 1)
            for own in said
        ],
        "rank": numbers.add(_ranks(quality), 1),
        "predicted": [
            None if own is None else numbers.add_spread(own["predicted"].to_numpy()[kept])
            for own in said
        ],
        "worst": [
            {"pairs": [places[int(pair)] for pair in own_worst[name]["pair"]],
             "mapped": numbers.add_spread(own_worst[name]["mapped"])}
            if name in own_worst else None
            for name in names
        ],
        "layers": ["" if own is None else str(own["layer"].iloc[0]) for own in said],
        "distance": "" if networks.empty else str(networks["distance"].iloc[0]),
        "quality": numbers.add_spread(quality),
        "reference": [str(name) for name in table["reference_file"].iloc[kept]],
        "distorted": [str(name) for name in table["distorted_file"].iloc[kept]],
        "types": types,
        "type": [types.index(str(name)) for name in table["distortion"].iloc[kept]],
        "thumbs": {places[pair]: both for pair, both in small.items()},
        "closed": closed,
        "without": closed or "There are no small pictures of this pair.",
        "note": (f"{len(kept)} of {len(table)} pairs" if len(kept) < len(table) else
                 f"{len(table)} pairs") + "; networks at the layer with the highest SRCC over all "
        "pairs of the data set.",
    }  # fmt: skip


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return one more than how many are larger, for each; equal ones share a rank.

    They can't be had from what the page holds of the values, which are rounded.
    """
    return pd.Series(values, dtype=float).rank(method="min", ascending=False).to_numpy()


def _worst(misjudged: pd.DataFrame) -> list[int]:
    """Return the pairs that are misjudged most: every competitor's worst, then each one's second.

    Networks come first: it is they that the study is about.
    """
    turns = misjudged.assign(metric=misjudged["kind"] != "network")
    order = turns.sort_values(["metric", "place"], kind="stable")
    return [int(pair) for pair in dict.fromkeys(order["pair"])]


def _sample(count: int, wanted: list[int]) -> np.ndarray:
    """Return places of the pairs that are kept, in order: those wanted, and a sample of others."""
    rest = np.setdiff1d(np.arange(count), wanted)
    sample = np.random.default_rng(0).permutation(rest)[: max(MOST_PAIRS - len(wanted), 0)]
    return np.sort(np.concatenate([np.array(wanted, dtype=int), sample]))


def _small(
    thumbnails: pd.DataFrame, table: pd.DataFrame, pairs: list[int], pictures: list[str]
) -> dict[int, list[int]]:
    """Add small pictures to those of the study, each once; return where those of each pair are."""
    known = dict(zip(thumbnails["file"], thumbnails["webp"], strict=True))
    added: dict[str, int] = {}
    of: dict[int, list[int]] = {}
    for pair in pairs:
        both = [str(table[role].iloc[pair]) for role in ("reference_file", "distorted_file")]
        if all(name in known for name in both):
            for name in both:
                if name not in added:
                    added[name] = len(pictures)
                    pictures.append(base64.b64encode(known[name]).decode())
            of[pair] = [added[name] for name in both]
    return of
