"""Triplets: which of two pictures is closer to the reference, by people and by a distance."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from dissect_iqa.correlation.clusters import Clusters, Columns, subsets
from dissect_iqa.correlation.means import means
from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.errors import UserError


def is_triplets(pairs: pd.DataFrame) -> bool:
    """Tell whether a table of pairs holds triplets, two rows each."""
    return "triplet" in pairs and "preferred" in pairs


def rows_of_triplets(pairs: pd.DataFrame) -> np.ndarray:
    """Return the two rows of each triplet, shape (triplets, 2).

    Raises
    ------
    UserError
        If a triplet hasn't two rows of one reference.
    """
    order = np.argsort(pairs["triplet"].to_numpy(np.int64), kind="stable")
    sizes = pairs.groupby("triplet", sort=True).size()
    if (sizes != 2).any():
        name = sizes.index[sizes != 2][0]
        raise UserError(f"triplet {name} has {sizes[name]} rows instead of 2")
    rows = order.reshape(-1, 2)
    reference = pairs["reference"].astype(str).to_numpy()
    differs = reference[rows[:, 0]] != reference[rows[:, 1]]
    if differs.any():
        name = pairs["triplet"].iloc[rows[np.argmax(differs), 0]]
        raise UserError(f"triplet {name} has two different references")
    return rows


def human_share(pairs: pd.DataFrame, rows: np.ndarray) -> np.ndarray:
    """Return the share of people who preferred the first picture of each triplet, 0 to 1."""
    share = pairs["preferred"].to_numpy(np.float64)[rows]
    bad = ~(np.isfinite(share).all(axis=1) & (np.abs(share.sum(axis=1) - 1) < 1e-6))
    if bad.any():
        name = pairs["triplet"].iloc[rows[np.argmax(bad), 0]]
        raise UserError(f"triplet {name}: the shares in `preferred` don't add up to 1")
    return share[:, 0]


def agreement(columns: Columns, pairs: pd.DataFrame, settings: StatisticsSettings) -> pd.DataFrame:
    """Share of human choices that each column agrees with (BAPPS' 2AFC score).

    With d0, d1 the distances of a triplet's pictures and j the share of people who found picture
    1 closer: the mean over triplets of (d0 < d1)(1 - j) + (d0 > d1) j + (d0 = d1)/2, Zhang et al.,
    CVPR 2018. Intervals over references.

    Parameters
    ----------
    columns : Columns
        Values, larger is better.
    pairs : DataFrame
        `triplet`, `preferred`, `reference`, any `subset_<name>`; two rows a triplet.
    settings : StatisticsSettings
        Draws and interval.

    Returns
    -------
    DataFrame
        As of `correlate`, without the first two columns; `n` is the number of triplets.
    """
    rows = rows_of_triplets(pairs)
    share = human_share(pairs, rows)
    credit = credits(columns.values, rows, share)
    parts = mean_credit(credit, pairs.iloc[rows[:, 0]], settings)
    tables = [columns.keys.assign(statistic="agreement", **numbers) for numbers in parts]
    return pd.concat(tables, ignore_index=True)


def credits(values: np.ndarray, rows: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return the share of people whom each column agrees with, by triplet.

    Parameters
    ----------
    values : ndarray, shape (pairs, columns)
        Larger is better.
    rows : ndarray of int, shape (triplets, 2)
        See `rows_of_triplets`.
    share : ndarray, shape (triplets,)
        See `human_share`.

    Returns
    -------
    ndarray, shape (triplets, columns)
        0 to 1; one half where a column sees no difference.
    """
    first, second = values[rows[:, 0]], values[rows[:, 1]]
    credit = np.where(first > second, share[:, None], 1 - share[:, None])
    return np.where(first == second, 0.5, credit)


def mean_credit(
    credit: np.ndarray, triplets: pd.DataFrame, settings: StatisticsSettings
) -> Iterator[dict[str, Any]]:
    """Yield mean, interval and counts over all triplets and over each subset, with its names.

    Parameters
    ----------
    credit : ndarray, shape (triplets, columns)
        What is averaged, 0 to 1.
    triplets : DataFrame
        `reference`, `distortion` and any `subset_<name>`, one row a triplet.
    settings : StatisticsSettings
        What the intervals are made with.
    """
    codes = Clusters.of(triplets).codes
    for subset in subsets(triplets, settings):
        mask = subset.mask
        # from -1 to 1, as correlations are
        value, low, high = (
            (bound + 1) / 2 for bound in means(2 * credit[mask] - 1, codes[mask], settings)
        )
        yield {
            **subset.names, "value": value, "low": low, "high": high, "n": int(mask.sum()),
            "references": len(np.unique(codes[mask])),
        }  # fmt: skip
