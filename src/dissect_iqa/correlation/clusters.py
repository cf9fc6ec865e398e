"""From tables to arrays: values by pair and column, and the references the pairs hang together by.

Pairs of one reference share its content, so they are not independent. References are what is
resampled, left out and counted; a reference with all its pairs is called a cluster.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.distances.tables import KEYS
from dissect_iqa.errors import UserError

#: With fewer references than this, an interval from resampling them is only a rough guide.
FEW_REFERENCES = 10


@dataclass(frozen=True)
class Clusters:
    """Which reference each pair belongs to.

    Attributes
    ----------
    names : ndarray of str, shape (references,)
        The references' names, sorted, so that equal sets get equal draws.
    codes : ndarray of int, shape (pairs,)
        Position of each pair's reference in `names`.
    """

    names: np.ndarray
    codes: np.ndarray

    @property
    def count(self) -> int:
        """Number of references."""
        return len(self.names)

    @classmethod
    def of(cls, pairs: pd.DataFrame) -> "Clusters":
        """Read them from the column `reference` of a table of pairs."""
        codes, names = pd.factorize(pairs["reference"].astype(str), sort=True)
        return cls(np.asarray(names, dtype=object), np.asarray(codes, dtype=np.int64))


@dataclass(frozen=True)
class Columns:
    """Measured values as a matrix, one column a layer and distance.

    Attributes
    ----------
    keys : DataFrame
        `dissect_iqa.distances.tables.KEYS`, one row a column of `values`.
    values : ndarray, shape (pairs, columns)
        Turned so that larger means better quality; may hold infinities, no NaN.
    """

    keys: pd.DataFrame
    values: np.ndarray


def check_pairs(pairs: pd.DataFrame, dataset: str) -> None:
    """Check that a table of pairs has what correlation needs.

    Raises
    ------
    UserError
        If it is empty, lacks a column, or a score is not a finite number.
    """
    for column in ("pair", "reference", "distortion", "quality"):
        if column not in pairs:
            raise UserError(
                f"data set {dataset!r}: the table of pairs has no column {column!r}; "
                f"it has {', '.join(map(str, pairs.columns))}"
            )
    if pairs.empty:
        raise UserError(f"data set {dataset!r}: the table of pairs is empty; nothing to correlate")
    quality = pairs["quality"].to_numpy(dtype=np.float64, na_value=np.nan)
    bad = np.flatnonzero(~np.isfinite(quality))
    if len(bad):
        pair = pairs.iloc[bad[0]]
        raise UserError(
            f"data set {dataset!r}: {len(bad)} of {len(pairs)} scores are not finite numbers, "
            f"first pair {pair['pair']} of reference {pair['reference']!r}; "
            "give the score or remove the row"
        )


def read_columns(
    distances: pd.DataFrame, pairs: pd.DataFrame, *, dataset: str, model: str
) -> Columns:
    """Turn a tidy table of distances into a matrix in the order of `pairs`.

    Parameters
    ----------
    distances : DataFrame
        See `dissect_iqa.distances.tables.distance_table`; every layer and distance has every pair
        once.
    pairs : DataFrame
        The data set's pairs.
    dataset, model : str
        For messages.

    Raises
    ------
    UserError
        If pairs are missing, doubled or foreign, or a value is NaN.
    """
    where = f"{model} on {dataset}"
    if distances.empty:
        raise UserError(f"{where}: the table of distances is empty")
    layer = pd.factorize(distances["layer"].astype(object).fillna(""))
    name = pd.factorize(distances["distance"].astype(object))
    column, first = _number(layer[0] * len(name[1]) + name[0])
    row = pd.Index(pairs["pair"]).get_indexer(distances["pair"])
    if (row < 0).any():
        pair = distances["pair"].iloc[int(np.argmax(row < 0))]
        raise UserError(f"{where}: distances hold pair {pair}, which the data set doesn't have")
    keys = distances.iloc[first][list(KEYS)].reset_index(drop=True)
    keys = keys.astype({name: float if name == "depth" else str for name in KEYS})
    seen = np.zeros((len(pairs), len(keys)), dtype=np.int64)
    np.add.at(seen, (row, column), 1)
    if (seen != 1).any():
        i, j = np.argwhere(seen != 1)[0]
        raise UserError(
            f"{where}, {describe(keys.iloc[j])}: pair {pairs['pair'].iloc[i]} is there "
            f"{seen[i, j]} times instead of once; measure the distances again"
        )
    values = np.empty(seen.shape)
    signs = distances["sign"].to_numpy(np.float64)
    values[row, column] = signs * distances["value"].to_numpy(np.float64)
    _reject_nan(values, keys, pairs, where)
    return Columns(keys, values)


def describe(key: pd.Series) -> str:
    """Name a column for a message."""
    layer = f"layer {key['layer']!r}, " if key["layer"] else ""
    return f"{layer}{key['distance']}"


def _number(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number distinct codes by first appearance; return numbers and their first rows."""
    number, _ = pd.factorize(codes)
    _, first = np.unique(number, return_index=True)
    return number, first


def _reject_nan(values: np.ndarray, keys: pd.DataFrame, pairs: pd.DataFrame, where: str) -> None:
    bad = np.isnan(values)
    if bad.any():
        i, j = np.argwhere(bad)[0]
        pair = pairs.iloc[i]
        raise UserError(
            f"{where}, {describe(keys.iloc[j])}: {int(bad[:, j].sum())} of {len(values)} values "
            f"are NaN, first pair {pair['pair']} of reference {pair['reference']!r}; "
            "measure the distances again"
        )


def cap_infinite(values: np.ndarray, cap: float = 100.0) -> np.ndarray:
    """Replace infinities, such as the PSNR of identical pictures, by a finite bound.

    Ranks don't notice; Pearson's correlation and the logistic fits need it.

    Parameters
    ----------
    values : ndarray
        Values without NaN.
    cap : float
        What an infinity becomes: this (100 dB, as usual for PSNR), or the largest finite
        magnitude if that is larger.
    """
    infinite = np.isinf(values)
    if not infinite.any():
        return values
    finite = np.abs(values[~infinite])
    bound = max(cap, finite.max()) if finite.size else cap
    return np.where(infinite, np.sign(values) * bound, values)


@dataclass(frozen=True)
class Subset:
    """Some of a data set's pairs that are looked at by themselves.

    Attributes
    ----------
    name : str
        ``all``, ``type:<distortion>`` or ``subset:<name>``.
    mask : ndarray of bool, shape (pairs,)
        Which they are.
    distortion : str
        The type of distortion that they have in common for being chosen by it; else "".
    """

    name: str
    mask: np.ndarray
    distortion: str = ""

    @property
    def whole(self) -> bool:
        """Whether it is all pairs."""
        return self.name == "all"

    @property
    def names(self) -> dict[str, str]:
        """What tables say of it."""
        return {"subset": self.name, "distortion": self.distortion}


def subsets(pairs: pd.DataFrame, settings: StatisticsSettings) -> Iterator[Subset]:
    """Yield every subset of pairs that is to be looked at."""
    yield Subset("all", np.ones(len(pairs), dtype=bool))
    if settings.per_type:
        codes, names = pd.factorize(pairs["distortion"].astype(object))
        for code, name in enumerate(names):
            yield Subset(f"type:{name}", codes == code, str(name))
    if settings.subsets:
        for column in pairs.columns:
            if str(column).startswith("subset_"):
                mask = pairs[column].fillna(False).to_numpy(dtype=bool)
                if mask.any():
                    yield Subset(f"subset:{str(column).removeprefix('subset_')}", mask)
