"""Agreement of one network or metric with people's opinions under every choice, one pass each."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dissect_iqa.correlation import forms
from dissect_iqa.correlation.clusters import Clusters, cap_infinite, read_columns
from dissect_iqa.correlation.hold_contests import Judged, judge
from dissect_iqa.correlation.jackknife import Plan, grouped, make_plan
from dissect_iqa.correlation.logistic import fit_logistic
from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.multiverse.choices import ALL, FLATTERING, HONEST, LAST, TYPES

_FORMS = {"srcc": forms.spearman, "krcc": forms.kendall, "plcc": forms.pearson}
#: Pearson's correlation after the logistic with four parameters, which never bends back.
MAPPED = "plcc4"
#: What is measured: distances that aren't fitted to scores, and metrics.
_KINDS = ("network", "concatenation", "metric")


class World(NamedTuple):
    """The choices that a pass over the pairs settles."""

    statistic: str
    pairs: str
    references: str
    identical: str


@dataclass(frozen=True)
class Agreement:
    """How well one network agrees with people at one distance, in one world.

    Attributes
    ----------
    kind : str
        One of `dissect_iqa.distances.tables.KINDS`.
    by_layer : dict of str to Judged
        By how the layer is chosen; a metric, or a distance over several layers, has no choice and
        the same everywhere.
    layers : int
        How many there are to choose from.
    rise : float
        Rank correlation of the layers' values with their depth; NaN with fewer than three.
    """

    kind: str
    by_layer: dict[str, Judged]
    layers: int
    rise: float


class Population:
    """Some of a data set's pairs, with what all networks and metrics are measured by.

    Parameters
    ----------
    pairs : DataFrame
        All pairs: `reference, distortion, quality`.
    mask : ndarray of bool, shape (pairs,)
        Which of them count.
    settings : StatisticsSettings
        `draws`, `repeats` and `seed` are used.
    references, identical : str
        The options that these pairs are.
    """

    def __init__(
        self,
        pairs: pd.DataFrame,
        mask: np.ndarray,
        settings: StatisticsSettings,
        references: str,
        identical: str,
    ):
        self.references, self.identical, self.mask = references, identical, mask
        own = pairs[mask]
        self.quality = own["quality"].to_numpy(np.float64)
        codes, count = grouped(Clusters.of(own).codes, settings)
        self.plan: Plan = make_plan(count, settings, twos=False)
        self.block = forms.Pairs(codes, self.quality, count)
        kinds, names = pd.factorize(own["distortion"].astype(object))
        members = [np.flatnonzero(kinds == kind) for kind in range(len(names))]
        # the weights of references hold in every type, even where it lacks some of them
        self.types = [
            (rows, forms.Pairs(codes[rows], self.quality[rows], count)) for rows in members
        ]

    @property
    def has_types(self) -> bool:
        """Whether there is more than one type of distortion to average over."""
        return len(self.types) > 1

    @property
    def can_halve(self) -> bool:
        """Whether a layer can be chosen on other references than those it is judged on."""
        return self.plan.halves.stop > self.plan.halves.start

    def results(
        self, values: np.ndarray, statistics: Collection[str], rows: int
    ) -> Iterator[tuple[World, np.ndarray]]:
        """Yield every statistic, over all pairs and as the mean over types.

        Parameters
        ----------
        values : ndarray, shape (pairs, columns)
            Of all of the data set's pairs, larger means better.
        statistics : collection of str
            Of ``srcc``, ``krcc``, ``plcc`` and `MAPPED`.
        rows : int
            How many rows of the plan.

        Yields
        ------
        World, ndarray of shape (rows, columns)
            The mapping of `MAPPED` is fitted to all pairs and held fixed, for types and without
            references, too. A type whose statistic is undefined is not averaged over.
        """
        ranked = values[self.mask]
        capped, weights = cap_infinite(ranked), self.plan.weights[:rows]
        for name in statistics:
            sign, shown = np.ones(values.shape[1]), capped
            if name == MAPPED:
                shown, sign = self._mapped(capped)
            elif name != "plcc":
                shown = ranked
            form = _FORMS.get(name, forms.pearson)
            yield self._world(name, ALL), sign * _defined(form, self.block, shown, weights)
            if self.has_types:
                parts = [_defined(form, block, shown[own], weights) for own, block in self.types]
                yield self._world(name, TYPES), sign * _mean(np.stack(parts))

    def _world(self, statistic: str, pairs: str) -> World:
        return World(statistic, pairs, self.references, self.identical)

    def _mapped(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        fits = [fit_logistic(column, self.quality, 4) for column in values.T]
        mapped = np.stack([fit.mapped for fit in fits], axis=1)
        return mapped, np.array([fit.direction for fit in fits])


def _defined(form: Any, block: forms.Pairs, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Evaluate a form for the columns that have a value; a mapping may have none."""
    known = ~np.isnan(values).any(axis=0)
    found = np.full((len(weights), values.shape[1]), np.nan)
    if known.any():
        found[:, known] = form(block, values[:, known], weights)
    return found


def _mean(parts: np.ndarray) -> np.ndarray:
    """Average over types those whose statistic is defined on all references, then in each row."""
    known = np.isfinite(parts) & np.isfinite(parts[:, :1])
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, parts, 0).sum(axis=0) / np.maximum(count, 1), np.nan)


def measure_choices(
    name: str,
    distances: pd.DataFrame,
    pairs: pd.DataFrame,
    populations: Sequence[Population],
    statistics: Collection[str],
    *,
    dataset_name: str,
) -> dict[World, dict[str, Agreement]]:
    """Measure one network, or metric, under every choice that is made of its distances.

    Parameters
    ----------
    name : str
        The model's id, or the metric's name.
    distances : DataFrame
        Its distances; see `dissect_iqa.distances.tables.distance_table`.
    pairs : DataFrame
        The data set's pairs.
    populations : sequence of Population
        Which pairs count.
    statistics : collection of str
        Of ``srcc``, ``krcc``, ``plcc`` and `MAPPED`.
    dataset_name : str
        For messages.

    Returns
    -------
    dict of World to dict of str to Agreement
        By world, then by distance; a metric's distance is its name.

    Raises
    ------
    UserError
        If the distances don't fit the pairs.
    """
    columns = read_columns(
        distances[distances["kind"].isin(_KINDS)], pairs, dataset=dataset_name, model=name
    )
    groups = {
        str(distance): columns.keys.loc[rows].sort_values("depth", kind="stable")
        for distance, rows in columns.keys.groupby("distance", sort=False).groups.items()
    }
    several = any(len(keys) > 1 for keys in groups.values())
    found: dict[World, dict[str, Agreement]] = {}
    for population in populations:
        plan, count = population.plan, int(population.mask.sum())
        rows = len(plan.weights) if several else plan.without_one.stop
        for world, results in population.results(columns.values, statistics, rows):
            found[world] = {
                distance: _agreement(results[:, keys.index.to_numpy()], keys, plan, count)
                for distance, keys in groups.items()
            }
    return found


def _agreement(results: np.ndarray, keys: pd.DataFrame, plan: Plan, pairs: int) -> Agreement:
    """Judge by each way to choose a layer; columns in order of depth."""
    honest, best = judge(results, plan, pairs)
    by_layer = {HONEST: honest, FLATTERING: _at(results, best, plan), LAST: _at(results, -1, plan)}
    kind, layers = str(keys["kind"].iloc[0]), results.shape[1]
    return Agreement(kind, by_layer, layers, _rise(keys["depth"].to_numpy(), results[0]))


def _at(results: np.ndarray, column: int, plan: Plan) -> Judged:
    return Judged(float(results[0, column]), results[plan.without_one][:, [column]])


def _rise(depth: np.ndarray, values: np.ndarray) -> float:
    """Return the same as `dissect_iqa.correlation.summary` gives."""
    if len(values) < 3:
        return np.nan
    ranks = pd.DataFrame({"depth": depth, "value": values}).rank()
    return float(ranks.corr().loc["depth", "value"])
