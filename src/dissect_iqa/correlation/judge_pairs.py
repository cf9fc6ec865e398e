"""Judge predictors by what people can tell apart: on pairs of pictures, and within their errors."""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtrit

from dissect_iqa.correlation.clusters import Clusters, cap_infinite, check_pairs, read_columns
from dissect_iqa.correlation.jackknife import (
    FEWEST,
    grouped,
    restore,
    stabilise,
    standard_errors,
)
from dissect_iqa.correlation.logistic import fit_logistic
from dissect_iqa.correlation.pairs_of_pairs import ALPHA, Couples
from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.errors import UserError

log = logging.getLogger(__name__)

COLUMNS = [
    *("dataset", "model", "kind", "distance", "layer", "statistic"),
    *("value", "low", "high", "n", "references"),
]
PREDICTIONS = [
    *("dataset", "model", "kind", "distance", "layer"),
    *("pair", "distortion", "quality", "predicted", "mapped"),
]
#: In the order of the table for people.
STATISTICS = ("auc_better", "auc_different", "correct", "outlier_ratio")


def judge_pairs(
    competitors: Mapping[str, pd.DataFrame],
    pairs: pd.DataFrame,
    settings: StatisticsSettings,
    *,
    dataset_name: str = "",
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Judge networks and metrics on the pairs of pictures of one data set.

    Parameters
    ----------
    competitors : mapping of str to DataFrame
        By name, a table of distances limited to one distance; of several layers the one with the
        highest SRCC over all pairs is taken.
    pairs : DataFrame
        The data set's pairs: `pair, reference, quality`; for all but the mapping also `score_se`,
        the scores' standard errors.
    settings : StatisticsSettings
        Level and seed; without draws there are no intervals.
    dataset_name : str
        Goes into the table.

    Returns
    -------
    table : DataFrame
        `COLUMNS`, one row a competitor and statistic: `auc_different`, `auc_better` and `correct`
        as `Couples.judge` has them, and `outlier_ratio`, the share of pairs whose score, as the
        logistic with 4 parameters maps the prediction to it, is farther from people's than the
        half width of its 95 % interval (ITU-T P.1401). `n` is what is shared out: couples that
        people tell apart, all couples, or pairs. Intervals are those of the jackknife over
        references, the mapping held fixed; NaN with fewer than three references. Empty if not
        every score has a standard error.
    predictions : DataFrame
        `PREDICTIONS`, a row a competitor and pair: `quality` is people's, larger is better, and
        `predicted` the competitor's, larger is better; `mapped` is that on the scale of the scores
        by the logistic with 4 parameters, NaN for competitors that don't vary or are inverted: the
        logistic that fits these best falls, and would say their opposite.

    Raises
    ------
    UserError
        If tables don't fit the pairs, or one holds several distances.
    """
    check_pairs(pairs, dataset_name)
    quality = pairs["quality"].to_numpy(np.float64)
    clusters = Clusters.of(pairs)
    codes, count = grouped(clusters.codes, settings)
    error = errors_of(pairs)
    couples = None if error is None else Couples.of(quality, error, codes, count, settings.seed)
    if couples is None:
        log.info("%s: not every score has a standard error, so pairs aren't judged", dataset_name)
    rows, told_by = [], []
    for name, table in competitors.items():
        key, values = _best(table, pairs, dataset_name, name)
        fit = fit_logistic(values, quality, 4)
        follows = bool(np.isfinite(fit.mapped).all() and fit.direction > 0)
        told_by.append(
            pd.DataFrame(
                {"dataset": dataset_name, "model": name, **key, "pair": pairs["pair"].to_numpy(),
                 "distortion": pairs["distortion"].to_numpy(), "quality": quality,
                 "predicted": values, "mapped": fit.mapped if follows else np.nan}
            )
        )  # fmt: skip
        if couples is None or error is None:
            continue
        found = couples.judge(values)
        outside = np.abs(fit.mapped - quality) > ndtri(1 - ALPHA / 2) * error
        found["outlier_ratio"] = _share(outside, follows, codes, count)
        told = int((couples.sign != 0).sum())
        sizes = dict.fromkeys(STATISTICS, told)
        sizes |= {"auc_different": len(couples.sign), "outlier_ratio": len(quality)}
        for statistic in STATISTICS:
            value, without = found[statistic]
            low, high = _interval(value, without, len(quality), settings)
            rows.append(
                {"dataset": dataset_name, "model": name, **key, "statistic": statistic,
                 "value": value, "low": low, "high": high, "n": sizes[statistic],
                 "references": clusters.count}
            )  # fmt: skip
        log.info("%s: %d couples of pictures judged", name, len(couples.sign))
    predictions = pd.concat([pd.DataFrame(columns=PREDICTIONS), *told_by], ignore_index=True)
    return pd.DataFrame(rows, columns=COLUMNS), predictions


def following(predictions: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return, by competitor, its mapped predictions in the order of the pairs, where it has any.

    Parameters
    ----------
    predictions : DataFrame
        What `judge_pairs` returned.
    """
    groups = predictions.dropna(subset=["mapped"]).groupby("model", sort=False)["mapped"]
    return {str(name): values.to_numpy(np.float64) for name, values in groups}


def summarise_judgements(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table for people: a row a competitor, who tells better from worse first.

    Parameters
    ----------
    table : DataFrame
        What `judge_pairs` returned.
    """
    first = ["dataset", "model", "kind", "distance", "layer"]
    wanted = [
        f"{statistic}{end}" for statistic in STATISTICS for end in ("", "_low", "_high", "_n")
    ]
    columns = {"value": "", "low": "_low", "high": "_high", "n": "_n"}
    parts = []
    for statistic, rows in table.groupby("statistic", sort=False):
        names = {name: f"{statistic}{end}" for name, end in columns.items()}
        parts.append(rows.set_index(first)[list(columns)].rename(columns=names))
    wide = pd.concat(parts, axis=1) if parts else pd.DataFrame()
    wide = wide.reset_index().reindex(columns=[*first, *wanted])
    return wide.sort_values("auc_better", ascending=False, kind="stable", ignore_index=True)


def errors_of(pairs: pd.DataFrame) -> np.ndarray | None:
    """Return the scores' standard errors; None if one isn't known."""
    if "score_se" not in pairs:
        return None
    error = pairs["score_se"].to_numpy(np.float64, na_value=np.nan)
    return error if (np.isfinite(error) & (error >= 0)).all() else None


def _best(
    table: pd.DataFrame, pairs: pd.DataFrame, dataset: str, name: str
) -> tuple[dict[str, str], np.ndarray]:
    """Return the layer with the highest SRCC, and what it says of the pairs, larger is better."""
    columns = read_columns(table, pairs, dataset=dataset, model=name)
    distances = columns.keys["distance"].unique()
    if len(distances) > 1:
        raise UserError(f"{name} on {dataset}: {len(distances)} distances; choose one")
    order = columns.keys["depth"].argsort(kind="stable").to_numpy()
    ranks = pd.DataFrame(columns.values[:, order]).rank()
    # one that doesn't vary has no correlation
    agreement = ranks.corrwith(pairs["quality"].rank().reset_index(drop=True)).fillna(-2)
    best = order[int(agreement.to_numpy().argmax())]
    key = {name: str(columns.keys.loc[best, name]) for name in ("kind", "distance", "layer")}
    return key, cap_infinite(columns.values[:, best])


def _share(hit: np.ndarray, known: bool, codes: np.ndarray, count: int) -> tuple[float, np.ndarray]:
    if not known:
        return np.nan, np.full(count, np.nan)
    hits, sizes = np.bincount(codes, hit, count), np.bincount(codes, minlength=count)
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(hit.mean()), (hit.sum() - hits) / (len(hit) - sizes)


def _interval(
    value: float, without: np.ndarray, pictures: int, settings: StatisticsSettings
) -> tuple[float, float]:
    """Return the jackknife's interval of a share, 0 to 1.

    On the scale of its log odds (twice Fisher's, of what exceeds guessing): near 1 a share can fall
    by more than it can rise, and of few references symmetric intervals hold the truth too rarely.
    """
    if len(without) < FEWEST or not settings.draws:
        return np.nan, np.nan
    error = standard_errors(stabilise(2 * without[:, None] - 1, pictures))[0]
    reach = stdtrit(len(without) - 1, (1 + settings.level) / 2) * error
    centre = stabilise(np.array(2 * value - 1), pictures)
    low, high = (1 + restore(centre + np.array([-reach, reach]), pictures)) / 2
    return float(np.minimum(low, value)), float(np.maximum(high, value))
