"""The pictures on which two predictors disagree most, and whom people side with."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

_PARTS = ("reference", "distorted", "distortion", "attacker", "defender", "people")
COLUMNS = [
    *("dataset", "defender", "attacker", "rank"),
    *(f"{side}_{part}" for side in ("better", "worse") for part in _PARTS),
    "sides_with",
]


def disagreements(
    mapped: Mapping[str, np.ndarray],
    pairs: pd.DataFrame,
    contests: Iterable[tuple[str, str]],
    *,
    dataset_name: str = "",
    most: int = 2,
) -> pd.DataFrame:
    """Find the pictures on which two competitors disagree most, and say whom people side with.

    Ma et al., *Group MAD competition*, CVPR 2016: of the pictures that one competitor (the
    defender) holds equally good, the two that the other one (the attacker) holds farthest apart.

    Parameters
    ----------
    mapped : mapping of str to ndarray, shape (pairs,)
        What `judge_pairs` returned.
    pairs : DataFrame
        The data set's pairs: `reference_file, distorted_file, distortion, quality`.
    contests : iterable of pairs of names
        Who meets whom; each is the other's defender and attacker.
    dataset_name : str
        Goes into the table.
    most : int
        So many couples of pictures, none of them twice, for each defender and attacker.

    Returns
    -------
    DataFrame
        `dataset, defender, attacker, rank`; of the better and the worse picture by the attacker
        their reference, file and type of distortion; what attacker, defender and people say of
        both, all on the scale of the scores; `sides_with`: people's difference is nearer to the
        attacker's, or nearer to none, which is the defender's. The defender holds pictures equal
        if they lie in the same hundredth of its range.
    """
    files = pairs[["reference_file", "distorted_file", "distortion"]].to_numpy(object)
    quality = pairs["quality"].to_numpy(np.float64)
    levels = {name: _levels(values) for name, values in mapped.items()}
    rows = []
    for first, second in contests:
        for defender, attacker in ((first, second), (second, first)):
            if defender not in mapped or attacker not in mapped:
                continue
            found = _farthest(levels[defender], mapped[attacker], most)
            for rank, (good, bad) in enumerate(found, 1):
                gap, people = mapped[attacker][good] - mapped[attacker][bad], quality[good]
                people = people - quality[bad]
                rows.append(
                    {
                        "dataset": dataset_name, "defender": defender, "attacker": attacker,
                        "rank": rank,
                        **_of("better", good, files, mapped, attacker, defender, quality),
                        **_of("worse", bad, files, mapped, attacker, defender, quality),
                        "sides_with": "attacker" if people > gap / 2 else "defender",
                    }
                )  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def _of(
    side: str,
    place: int,
    files: np.ndarray,
    mapped: Mapping[str, np.ndarray],
    attacker: str,
    defender: str,
    quality: np.ndarray,
) -> dict[str, object]:
    said = (mapped[attacker][place], mapped[defender][place], quality[place])
    return {
        f"{side}_{part}": value for part, value in zip(_PARTS, (*files[place], *said), strict=True)
    }


def _levels(values: np.ndarray) -> np.ndarray:
    """Return in which hundredth of their range values lie."""
    low, high = values.min(), values.max()
    return np.minimum((100 * (values - low) / max(high - low, 1e-300)).astype(int), 99)


def _farthest(levels: np.ndarray, values: np.ndarray, most: int) -> list[tuple[int, int]]:
    """Return, of each level, the places of its highest and lowest value, the widest gaps first."""
    order = np.lexsort((np.arange(len(values)), values, levels))
    edges = np.flatnonzero(np.diff(levels[order])) + 1
    starts, ends = np.concatenate([[0], edges]), np.concatenate([edges, [len(order)]]) - 1
    low, high = order[starts], order[ends]
    gaps = values[high] - values[low]
    widest = np.argsort(-gaps, kind="stable")[:most]
    return [(int(high[i]), int(low[i])) for i in widest if gaps[i] > 0]
