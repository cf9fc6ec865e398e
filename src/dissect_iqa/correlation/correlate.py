"""Agreement of one model or metric with people's opinions on one data set: the rule `correlate`."""

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from dissect_iqa.correlation import forms
from dissect_iqa.correlation.best_layer import choose_honestly, honest_interval
from dissect_iqa.correlation.clusters import (
    FEW_REFERENCES,
    Clusters,
    Columns,
    Subset,
    cap_infinite,
    check_pairs,
    describe,
    read_columns,
    subsets,
)
from dissect_iqa.correlation.jackknife import FEWEST, grouped, interval, make_plan
from dissect_iqa.correlation.logistic import fit_logistic
from dissect_iqa.correlation.means import means
from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.correlation.triplets import agreement, is_triplets
from dissect_iqa.distances.tables import KEYS

log = logging.getLogger(__name__)

#: The columns of every table of correlations; `references` is the number of clusters behind `n`.
COLUMNS = [
    *("dataset", "model", *KEYS, "subset", "distortion", "statistic"),
    *("value", "low", "high", "n", "references"),
]
#: Where a row concerns no single layer but the one that is chosen honestly.
BEST = "best"


def correlate(
    distances: pd.DataFrame,
    dataset: pd.DataFrame,
    *,
    dataset_name: str,
    model: str,
    settings: StatisticsSettings,
) -> pd.DataFrame:
    """Correlate every layer and distance of a model, or a metric, with the scores of a data set.

    Parameters
    ----------
    distances : DataFrame
        The model's distances; see `dissect_iqa.distances.tables.distance_table`.
    dataset : DataFrame
        The pairs: `pair, reference, distortion, quality`, any `subset_<name>`; for triplets also
        `triplet` and `preferred`.
    dataset_name, model : str
        Names that go into the table.
    settings : StatisticsSettings
        What to compute.

    Returns
    -------
    DataFrame
        `COLUMNS`, one row a layer, distance, subset and statistic. `subset` is ``all``,
        ``type:<distortion>``, ``subset:<name>`` or ``within_reference``; `distortion` is the type
        where it is one type's. Statistics:

        - `srcc`, `krcc` (tau-b), `plcc`: with intervals over references, negative if inverted;
        - `plcc4`, `rmse4`, `plcc5`, `rmse5`: after the logistic with 4 and 5 parameters, fitted
          on all pairs; their intervals hold the fitted mapping fixed. `plcc4` and `plcc5` are
          negative if the mapping falls. `fitted4`, `fitted5` are 1 if the logistic converged and
          0 if it is a straight line; `monotone5` is 1 if the mapping is monotone;
        - `srcc_nested`, `krcc_nested`, `plcc_nested` with layer ``best``: the honestly chosen
          layer; `srcc_chosen` is the share of halves of the references that chose a layer;
        - `agreement` on triplets: share of human choices agreed with.

        `low` and `high` are NaN where no interval can be had: fewer than three references, or no
        draws.

    Raises
    ------
    UserError
        If tables don't fit each other or hold no usable numbers; names data set, pair, layer.
    """
    check_pairs(dataset, dataset_name)
    columns = read_columns(distances, dataset, dataset=dataset_name, model=model)
    where = f"{model} on {dataset_name}"
    if is_triplets(dataset):
        table = agreement(columns, dataset, settings)
    else:
        table = _correlations(columns, dataset, settings, where)
    table.insert(0, "dataset", dataset_name)
    table.insert(1, "model", model)
    return table[COLUMNS]


def _correlations(
    columns: Columns, pairs: pd.DataFrame, settings: StatisticsSettings, where: str
) -> pd.DataFrame:
    clusters = Clusters.of(pairs)
    tell_few(clusters.count, where)
    quality = pairs["quality"].to_numpy(np.float64)
    tables = []
    for subset in subsets(pairs, settings):
        block = _Block(subset, columns, quality, clusters, settings)
        tables.extend(block.correlations())
        if subset.whole:
            _tell_undefined(tables[0], where)
            if settings.logistic:
                tables.extend(block.logistics())
    if settings.within_reference:
        tables.append(_within_reference(columns, quality, clusters, settings))
    return pd.concat(tables, ignore_index=True)


def tell_few(references: int, where: str) -> None:
    """Log how far intervals from so few references can be trusted."""
    if references < FEWEST:
        count = "one reference" if references == 1 else f"{references} references"
        log.warning("%s: %s only, so there are no intervals", where, count)
    elif references < FEW_REFERENCES:
        log.warning(
            "%s: %d references only; intervals from so few are a rough guide", where, references
        )


def _tell_undefined(table: pd.DataFrame, where: str) -> None:
    undefined = table[table["value"].isna()]
    if len(undefined):
        log.warning(
            "%s, %s: correlation is undefined (constant values or scores, or a single pair)%s",
            where,
            describe(undefined.iloc[0]),
            f", and for {len(undefined) - 1} more" if len(undefined) > 1 else "",
        )


class _Block:
    """One subset of the pairs with everything that is computed on it."""

    def __init__(
        self,
        subset: Subset,
        columns: Columns,
        quality: np.ndarray,
        clusters: Clusters,
        settings: StatisticsSettings,
    ):
        self.subset, self.keys, self.settings = subset, columns.keys, settings
        mask = subset.mask
        codes, count = grouped(clusters.codes[mask], settings)
        self.plan = make_plan(count, settings)
        self.pairs = forms.Pairs(codes, quality[mask], count)
        self.quality = quality[mask]
        self.ranked = columns.values[mask]
        self.values = cap_infinite(self.ranked)
        references = len(np.unique(clusters.codes[mask]))
        self.count = int(mask.sum())
        self.facts = {**subset.names, "n": self.count, "references": references}

    def correlations(self) -> list[pd.DataFrame]:
        """SRCC, KRCC and PLCC; over all pairs also with the layer chosen honestly."""
        tables: list[pd.DataFrame] = []
        nested: list[Any] = []
        whole = self.subset.whole
        weights = self.plan.weights if whole else self.plan.for_intervals
        for name, function, values in (
            ("srcc", forms.spearman, self.ranked),
            ("krcc", forms.kendall, self.ranked),
            ("plcc", forms.pearson, self.values),
        ):
            results = function(self.pairs, values, weights)
            tables.append(self._table(name, results))
            if whole:
                nested.extend(self._nested(name, results))
        return tables + nested

    def _table(self, name: str, results: np.ndarray) -> pd.DataFrame:
        low, high = interval(results, self.plan, self.count, self.settings.level)
        return self._rows(name, value=results[0], low=low, high=high)

    def _rows(self, name: str, **numbers: Any) -> pd.DataFrame:
        numbers = {"low": np.nan, "high": np.nan, **numbers}
        return self.keys.assign(statistic=name, **numbers, **self.facts)

    def _nested(self, name: str, results: np.ndarray) -> Iterator[pd.DataFrame]:
        plan, count = self.plan, self.count
        for _, rows in self.keys.groupby("distance", sort=False).groups.items():
            order = self.keys.loc[rows].sort_values("depth", kind="stable").index.to_numpy()
            if len(order) < 2:
                continue
            choice = choose_honestly(results[:, order], plan, count)
            if choice is None:
                continue
            low, high = honest_interval(choice, results[:, order], plan, count, self.settings.level)
            key = {**self.keys.loc[order[0]], "layer": BEST, "depth": np.nan}
            row = {**key, "value": choice.value, "low": low, "high": high, **self.facts}
            yield pd.DataFrame([{**row, "statistic": f"{name}_nested"}])
            if name == "srcc":
                shares = pd.Series(choice.shares, index=order)
                chosen = order[choice.shares > 0]
                table = self._rows("srcc_chosen", value=0.0).loc[chosen]
                yield table.assign(value=shares.loc[chosen])

    def logistics(self) -> Iterator[pd.DataFrame]:
        """PLCC and RMSE after the logistic mappings."""
        for parameters in (4, 5):
            fits = [fit_logistic(x, self.quality, parameters) for x in self.values.T]
            mapped = np.stack([fit.mapped for fit in fits], axis=1)
            known = np.isfinite(mapped).all(axis=0)
            weights = self.plan.for_intervals
            results = np.full((len(weights), len(fits)), np.nan)
            results[:, known] = forms.pearson(self.pairs, mapped[:, known], weights)
            results *= np.array([fit.direction for fit in fits])
            yield self._table(f"plcc{parameters}", results)
            yield self._rows(f"rmse{parameters}", value=[fit.rmse for fit in fits])
            converged = [float(fit.converged) for fit in fits]
            yield self._rows(f"fitted{parameters}", value=converged)
            if parameters == 5:
                yield self._rows("monotone5", value=[float(fit.monotone) for fit in fits])


def _within_reference(
    columns: Columns, quality: np.ndarray, clusters: Clusters, settings: StatisticsSettings
) -> pd.DataFrame:
    """SRCC within each reference, averaged over the references where it is defined."""
    found = np.full((clusters.count, len(columns.keys)), np.nan)
    sizes = np.bincount(clusters.codes, minlength=clusters.count)
    for r in np.flatnonzero(sizes > 2):
        own = clusters.codes == r
        x = forms.ranks_of(columns.values[own])
        one = forms.Pairs(np.zeros(sizes[r], dtype=np.int64), forms.ranks_of(quality[own]), 1)
        found[r] = forms.pearson(one, x, np.ones((1, 1)))[0]
    known = np.isfinite(found)
    value, low, high = np.full((3, len(columns.keys)), np.nan)
    # columns that are defined on the same references are looked at together
    patterns, number = np.unique(known, axis=1, return_inverse=True)
    for k, pattern in enumerate(patterns.T):
        if pattern.any():
            own = np.flatnonzero(number.ravel() == k)
            value[own], low[own], high[own] = means(
                found[np.ix_(pattern, own)], np.flatnonzero(pattern), settings, len(quality)
            )
    return columns.keys.assign(
        subset="within_reference", distortion="", statistic="srcc", value=value, low=low, high=high,
        n=len(quality), references=known.sum(axis=0),
    )  # fmt: skip
