"""How high any predictor can score, given that the scores themselves are uncertain."""

import logging

import numpy as np
import pandas as pd

from dissect_iqa.correlation import forms
from dissect_iqa.correlation.bootstrap import interval, make_plan
from dissect_iqa.correlation.clusters import Clusters, check_pairs
from dissect_iqa.correlation.layers import COLUMNS, subsets
from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.correlation.summary import CEILING
from dissect_iqa.correlation.triplets import human_share, is_triplets, means, rows_of_triplets

log = logging.getLogger(__name__)

#: Imagined repetitions of the whole experiment.
REDRAWS = 40


def noise_ceiling(
    dataset: pd.DataFrame, *, dataset_name: str, settings: StatisticsSettings
) -> pd.DataFrame:
    """Correlate the scores with imagined repetitions of the experiment that gave them.

    Each repetition draws every score anew from a normal distribution around it with its standard
    error. What the scores correlate with these, on average over `REDRAWS` repetitions, is what a
    predictor that knew the true quality could reach, to first order in the noise.

    For triplets the ceiling is the mean over triplets of the larger share of people: what a
    predictor reaches that always sides with the majority.

    Parameters
    ----------
    dataset : DataFrame
        The pairs: `pair, reference, distortion, quality, score_se`, any `subset_<name>`.
    dataset_name : str
        Goes into the table.
    settings : StatisticsSettings
        Seed and intervals, by bootstrap over references.

    Returns
    -------
    DataFrame
        In the form of `correlate`: model and distance ``noise_ceiling``, layer empty, statistics
        `srcc`, `krcc` and `plcc`, or `agreement`. Without rows if the data set gives no standard
        errors.
    """
    check_pairs(dataset, dataset_name)
    if is_triplets(dataset):
        table = _majority(dataset, settings)
    else:
        table = _repetitions(dataset, dataset_name, settings)
    fixed = {
        "dataset": dataset_name, "model": CEILING, "layer": "", "depth": np.nan, "distance": CEILING
    }  # fmt: skip
    return table.assign(**fixed).reindex(columns=COLUMNS)


def _majority(dataset: pd.DataFrame, settings: StatisticsSettings) -> pd.DataFrame:
    rows = rows_of_triplets(dataset)
    share = human_share(dataset, rows)
    credit = np.maximum(share, 1 - share)[:, None]
    parts = means(credit, dataset.iloc[rows[:, 0]], settings)
    return pd.DataFrame(
        [
            {"subset": name, "statistic": "agreement", **{k: _scalar(v) for k, v in part.items()}}
            for name, part in parts
        ]
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
    repeated = quality[:, None] + error[:, None] * generator.normal(size=(len(error), REDRAWS))
    clusters = Clusters.of(dataset)
    plan = make_plan(clusters.count, settings, divisions=False)
    rows = []
    for subset, mask in subsets(dataset, settings):
        block = forms.Pairs(clusters.codes[mask], quality[mask], clusters.count)
        references = int((block.sizes > 0).sum())
        for name, function in (
            ("srcc", forms.spearman),
            ("krcc", forms.kendall),
            ("plcc", forms.pearson),
        ):
            mean = function(block, repeated[mask], plan.weights).mean(axis=1, keepdims=True)
            low, high = interval(
                *(mean[0], mean[plan.draws], mean[plan.jackknife], settings, references)
            )
            rows.append(
                {
                    "subset": subset, "statistic": name, "value": mean[0, 0], "low": low[0],
                    "high": high[0], "n": int(mask.sum()), "references": references,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)
