"""Three answers of every layer beside each other: opinions, thresholds, invariance.

Does its distance follow people's opinions, are its contrast thresholds people's, and does it keep
its verdict when the picture moves? Claims about the three are judged over trained networks, as sure
as over so many families.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from dissect_iqa.claims.evidence import FAILS, FEWEST_FAMILIES, HOLDS, OPEN, Verdict, share, too_few
from dissect_iqa.correlation.summary import common_distance
from dissect_iqa.invariance.measure_invariance import BEST
from dissect_iqa.thresholds.find_thresholds import BEST as CHOSEN

#: Relative depths within which layers of different networks are compared.
_DEPTHS = (0, 0.2, 0.4, 0.6, 0.8, 1.001)
#: Draws of families for the interval of a correlation over networks.
_DRAWS = 1000
#: Fewer layers than this have no order along the depth.
_FEWEST_LAYERS = 4


@dataclass(frozen=True)
class Answers:
    """The answers of one study's layers, on one data set of each kind.

    Attributes
    ----------
    names : str
        The data sets, in words.
    table : DataFrame
        What `join_answers` returned, of trained networks.
    family : Series of str
        Each network's family, by its id.
    """

    names: str
    table: pd.DataFrame
    family: pd.Series


@dataclass(frozen=True)
class AnswersClaim:
    """One sentence about several answers: its name, its sentence, which it needs, its check."""

    name: str
    finding: str
    needs: tuple[str, ...]
    check: Callable[[Answers], Verdict] = field(repr=False)


def join_answers(
    opinion: pd.DataFrame,
    thresholds: pd.DataFrame | None = None,
    invariance: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Put what is known of each layer and metric into one row.

    Parameters
    ----------
    opinion : DataFrame
        `model, layer, distance, depth` and `opinion`, a correlation.
    thresholds : DataFrame, optional
        What `dissect_iqa.thresholds.find_thresholds.find_thresholds` returned of one data set.
    invariance : DataFrame, optional
        What `dissect_iqa.invariance.measure_invariance.measure_invariance` returned of one.

    Returns
    -------
    DataFrame
        `model, layer, distance, depth, opinion`, with `thresholds` (`rmse_db` over all stimuli:
        less is closer to people), and `aligned`, `misaligned` and `kept` (the share of the
        agreement that is kept) where they are given.
    """
    keys = ["model", "layer", "distance"]
    joined = opinion[[*keys, "depth", "opinion"]].astype(dict.fromkeys(keys, object))
    if thresholds is not None:
        rows = thresholds[
            (thresholds["statistic"] == "rmse_db") & (thresholds["direction"] == "all")
            & (thresholds["layer"] != CHOSEN)
        ]  # fmt: skip
        rows = rows.astype(dict.fromkeys(keys, object)).set_index(keys)
        joined = joined.join(rows["value"].rename("thresholds"), on=keys)
    if invariance is not None:
        rows = invariance[invariance["layer"] != BEST]
        rows = rows.astype(dict.fromkeys(keys, object)).set_index(keys)
        joined = joined.join(rows[["aligned", "misaligned", "kept"]], on=keys)
    return joined


def within_depth(
    table: pd.DataFrame, family: Mapping[str, str] | pd.Series, seed: int = 0
) -> tuple[float, float, float]:
    """Return how opinions and thresholds go together over networks at the same depth.

    Parameters
    ----------
    table : DataFrame
        `model, depth, opinion, thresholds` (an error: less is better).
    family : mapping of str to str
        Each network's family.
    seed : int
        Of the draws.

    Returns
    -------
    rho, low, high : float
        Spearman's correlation of what is left of opinion and of minus thresholds when a straight
        line in each fifth of the depth is taken off; 95 % percentiles over draws of whole
        families, NaN with fewer than `FEWEST_FAMILIES`. Positive: layers that follow opinions see
        like people.
    """
    table = table[table["depth"].notna() & table["thresholds"].notna()]
    rng = np.random.default_rng(seed)
    # plain arrays: a draw of thousands of layers is otherwise mostly pandas' own work
    columns = table[["depth", "opinion", "thresholds"]].to_numpy(float)
    owner = table["model"].map(family).reset_index(drop=True)
    groups = [np.asarray(places) for _, places in owner.groupby(owner, sort=True).indices.items()]
    rho = _partial(columns)
    if len(groups) < FEWEST_FAMILIES or not np.isfinite(rho):
        return rho, np.nan, np.nan
    draws = [
        _partial(
            columns[
                np.concatenate([groups[i] for i in rng.integers(len(groups), size=len(groups))])
            ]
        )
        for _ in range(_DRAWS)
    ]
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return rho, float(low), float(high)


def _partial(columns: np.ndarray) -> float:
    """Return the rank correlation; columns are depth, opinion, thresholds, a row a layer."""
    if not len(columns):
        return np.nan
    place = np.digitize(columns[:, 0], _DEPTHS)
    left = np.concatenate([_residuals(columns[place == one]) for one in np.unique(place)]).round(12)
    if any(len(np.unique(values)) < 3 for values in left.T):
        return np.nan
    return float(spearmanr(left[:, 0], -left[:, 1]).statistic)


def _residuals(columns: np.ndarray) -> np.ndarray:
    """Return what is left of opinion and thresholds without a straight line over depth."""
    centred = columns - columns.mean(axis=0)
    x, y = centred[:, :1], centred[:, 1:]
    square = float((x**2).sum())
    return y - x * ((x * y).sum(axis=0) / square if square > 0 else 0.0)


def predict_and_see(answers: Answers) -> Verdict:
    """Hold if, at the same depth, layers that follow opinions better are closer to thresholds."""
    table = answers.table.dropna(subset=["opinion", "thresholds", "depth"])
    family = answers.family[answers.family.index.isin(table["model"])]
    few = too_few(family, "trained networks with opinions and thresholds")
    if few:
        return few
    rho, low, high = within_depth(table, family)
    if not np.isfinite(rho):
        text = f"This run has {len(family)} trained networks with opinions and thresholds."
        why = "at the same depth, opinions or thresholds don't differ"
        return Verdict(OPEN, text, why, n=len(family), families=family.nunique())
    text = (
        f"Over {len(family)} trained networks, within fifths of the depth, the rank correlation of "
        f"a layer's agreement with opinions and its closeness to people's thresholds is {rho:+.2f}."
    )
    verdict = HOLDS if low > 0 else (FAILS if high < 0 else OPEN)
    why = "the interval over families holds 0" if verdict == OPEN else ""
    return Verdict(
        *(verdict, text, why, "rank correlation within depth", rho, low, high),
        n=len(family),
        families=family.nunique(),
    )


def early_see_late_stay(answers: Answers) -> Verdict:
    """Hold if in most networks both the error of thresholds and the share kept rise with depth."""
    table = answers.table.dropna(subset=["depth"])
    rows = {}
    for model, own in table.groupby("model", sort=False):
        slopes = [_along_depth(own, name) for name in ("thresholds", "kept")]
        if np.isfinite(slopes).all():
            rows[model] = slopes
    slopes = pd.DataFrame.from_dict(rows, orient="index", columns=["thresholds", "kept"])
    family = answers.family.reindex(slopes.index)
    few = too_few(family, f"trained networks with both answers at {_FEWEST_LAYERS} layers or more")
    if few:
        return few
    both = (slopes > 0).all(axis=1)
    further, steadier = (slopes > 0).sum()
    medians = slopes.median()
    text = (
        f"With depth, thresholds get further from people's in {further} of {len(slopes)} trained "
        f"networks (median rank correlation {medians['thresholds']:+.2f}), the share of the "
        f"correlation that is kept rises in {steadier} ({medians['kept']:+.2f}), both in "
        f"{both.sum()}."
    )
    return share(both, family, text, "share of networks where both rise with depth")


def _along_depth(rows: pd.DataFrame, name: str) -> float:
    known = rows[rows[name].notna()]
    if len(known) < _FEWEST_LAYERS or known[name].nunique() < 2:
        return np.nan
    return float(spearmanr(known["depth"], known[name]).statistic)


#: What is claimed of several answers, beyond the paper.
ANSWERS_CLAIMS = (
    AnswersClaim(
        "predict_and_see",
        "Layers that predict opinions see like people.",
        ("thresholds",),
        predict_and_see,
    ),
    AnswersClaim(
        "early_see_late_stay",
        "Early layers see like people, late layers stay unmoved by misalignment.",
        ("thresholds", "kept"),
        early_see_late_stay,
    ),
)


def all_answers(
    correlations: pd.DataFrame,
    summary: pd.DataFrame,
    models: pd.DataFrame,
    thresholds: Mapping[str, pd.DataFrame],
    invariance: Mapping[str, pd.DataFrame],
) -> Iterator[Answers]:
    """Yield the answers of a study's trained networks, for all of its data sets together.

    Parameters
    ----------
    correlations : DataFrame
        The collected correlations.
    summary : DataFrame
        What `dissect_iqa.correlation.summary.summarise` returned, of data sets that people rated:
        each one's networks are compared at the distance that suits them best.
    models : DataFrame
        See `dissect_iqa.zoo.row.ModelRow.description`.
    thresholds, invariance : mapping of str to DataFrame
        By data set, what `find_thresholds` and `measure_invariance` returned.
    """
    trained = models[~models["untrained"].astype(bool)]
    family = trained.set_index("id")["family"]
    rows = correlations[
        (correlations["subset"] == "all") & (correlations["statistic"] == "srcc")
        & (correlations["kind"] == "network") & correlations["model"].isin(family.index)
    ]  # fmt: skip
    for dataset, best in summary.groupby("dataset", sort=False):
        distance = common_distance(best)
        own = rows[(rows["dataset"] == dataset) & (rows["distance"] == distance)]
        opinion = own.rename(columns={"value": "opinion"})
        displaced = {
            name: table for name, table in invariance.items() if (table["of"] == dataset).all()
        }
        for light, seen in thresholds.items():
            names = f"{dataset} and {light}"
            yield Answers(names, join_answers(opinion, seen), family)
            for moved, kept in displaced.items():
                names = f"{dataset}, {light} and {moved}"
                yield Answers(names, join_answers(opinion, seen, kept), family)
