"""How high any predictor can score, given that the scores themselves are uncertain."""

import logging

import numpy as np
import pandas as pd

from dissect_iqa.correlation import forms
from dissect_iqa.correlation.clusters import Clusters, check_pairs, subsets
from dissect_iqa.correlation.correlate import COLUMNS
from dissect_iqa.correlation.jackknife import grouped, interval, make_plan
from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.correlation.triplets import human_share, is_triplets, mean_credit, rows_of_triplets

log = logging.getLogger(__name__)

#: The `model` and the `distance` of its rows.
CEILING = "noise_ceiling"

#: Imagined repetitions of the whole experiment.
REDRAWS = 40


def noise_ceiling(
    dataset: pd.DataFrame, *, dataset_name: str, settings: StatisticsSettings
) -> pd.DataFrame:
    """Correlate what the true qualities could be with imagined scores of them.

    A predictor that knew the true quality would still not agree with scores that have errors. The
    true qualities are not known, but their spread is: that of the scores less the errors' mean
    square. So the scores, drawn together until they have this spread, stand for the true qualities,
    and each of `REDRAWS` repetitions of the experiment adds errors to them anew, normal ones with
    the scores' standard errors. The mean correlation of qualities and repetitions is the ceiling.
    (Errors added to the scores as they are would count twice: at a standard error of one standard
    deviation of the quality the ceiling of Pearson's correlation would be 0.82 instead of 0.71.)

    Where the errors' mean square exceeds the scores' variance, the scores can't be told from noise
    and there is no ceiling.

    For triplets the ceiling is the mean over triplets of the larger share of people: what a
    predictor reaches that always sides with the majority.

    Parameters
    ----------
    dataset : DataFrame
        The pairs: `pair, reference, distortion, quality, score_se`, any `subset_<name>`.
    dataset_name : str
        Goes into the table.
    settings : StatisticsSettings
        Seed and intervals, over references; they take the spread of the true qualities as known.

    Returns
    -------
    DataFrame
        In the form of `correlate`: model and distance ``noise_ceiling``, layer empty, statistics
        `srcc`, `krcc` and `plcc`, or `agreement`; NaN where there is no ceiling. Without rows if
        the data set gives no standard errors.
    """
    check_pairs(dataset, dataset_name)
    if is_triplets(dataset):
        table = _majority(dataset, settings)
    else:
        table = _repetitions(dataset, dataset_name, settings)
    fixed = {
        "dataset": dataset_name, "model": CEILING, "kind": "ceiling", "layer": "", "depth": np.nan,
        "distance": CEILING, "fitted_on": "",
    }  # fmt: skip
    return table.assign(**fixed).reindex(columns=COLUMNS)


def _majority(dataset: pd.DataFrame, settings: StatisticsSettings) -> pd.DataFrame:
    rows = rows_of_triplets(dataset)
    share = human_share(dataset, rows)
    credit = np.maximum(share, 1 - share)[:, None]
    parts = mean_credit(credit, dataset.iloc[rows[:, 0]], settings)
    return pd.DataFrame(
        [{"statistic": "agreement", **{k: _scalar(v) for k, v in part.items()}} for part in parts]
    )


def _scalar(value: object) -> object:
    return float(value[0]) if isinstance(value, np.ndarray) else value


def _repetitions(
    dataset: pd.DataFrame, dataset_name: str, settings: StatisticsSettings
) -> pd.DataFrame:
    if "score_se" not in dataset:
        return pd.DataFrame(columns=COLUMNS)
    error = dataset["score_se"].to_numpy(np.float64, na_value=np.nan)
    known = np.isfinite(error) & (error >= 0)
    if not known.all():
        log.info(
            "%s: %d of %d scores have a standard error, so there is no noise ceiling",
            *(dataset_name, int(known.sum()), len(error)),
        )
        return pd.DataFrame(columns=COLUMNS)
    quality = dataset["quality"].to_numpy(np.float64)
    generator = np.random.default_rng([settings.seed, 2])
    noise = error[:, None] * generator.normal(size=(len(error), REDRAWS))
    clusters = Clusters.of(dataset)
    rows = []
    for subset in subsets(dataset, settings):
        mask = subset.mask
        codes, count = grouped(clusters.codes[mask], settings)
        plan = make_plan(count, settings)
        truth = _drawn_together(quality[mask], error[mask])
        if truth is None:
            log.info(
                "%s, %s: the scores' standard errors are as large as their spread, so there is no "
                "noise ceiling",
                *(dataset_name, subset.name),
            )
        references = len(np.unique(clusters.codes[mask]))
        facts = {**subset.names, "n": int(mask.sum()), "references": references}
        for name, function in (
            ("srcc", forms.spearman),
            ("krcc", forms.kendall),
            ("plcc", forms.pearson),
        ):
            value = low = high = np.full(1, np.nan)
            if truth is not None:
                block = forms.Pairs(codes, truth, count)
                repeated = truth[:, None] + noise[mask]
                found = function(block, repeated, plan.for_intervals)
                mean = found.mean(axis=1, keepdims=True)
                value, (low, high) = mean[0], interval(mean, plan, int(mask.sum()), settings.level)
            row = {"statistic": name, "value": value[0], "low": low[0], "high": high[0]}
            rows.append({**facts, **row})
    return pd.DataFrame(rows)


def _drawn_together(scores: np.ndarray, error: np.ndarray) -> np.ndarray | None:
    """Return the scores with the spread of true qualities; None if errors explain all of theirs."""
    variance = scores.var(ddof=1) if len(scores) > 1 else 0.0
    noise = np.mean(error**2)
    if variance > 0 and noise >= variance:
        return None
    # constant scores without errors stay as they are: their correlation is undefined anyway
    share = np.sqrt(1 - noise / variance) if variance > 0 else 1.0
    return scores.mean() + share * (scores - scores.mean())
