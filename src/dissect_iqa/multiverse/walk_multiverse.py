"""Every finding of the paper under every combination of choices: the study's multiverse."""

import gc
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice, product
from typing import Any

import joblib
import numpy as np
import pandas as pd
from scipy.special import stdtrit

from dissect_iqa.claims.claims import CLAIMS
from dissect_iqa.claims.preprint import PREPRINT_CLAIMS
from dissect_iqa.claims.run import make_run
from dissect_iqa.correlation.clusters import check_pairs, read_columns
from dissect_iqa.correlation.hold_contests import Judged, corrected, paired, standard_error
from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.correlation.summary import common_distance
from dissect_iqa.multiverse.choices import (
    ALL,
    CHOICES,
    FLATTERING,
    HONEST,
    KEPT,
    LAST,
    LEFT_OUT,
    NATURAL,
    NOT_ASKED,
    PLAIN,
    TYPES,
    default_of,
    universes,
)
from dissect_iqa.multiverse.measure_choices import (
    MAPPED,
    Agreement,
    Population,
    World,
    measure_choices,
)
from dissect_iqa.zoo.variants import Variant

log = logging.getLogger(__name__)

COLUMNS = [
    *("dataset", *CHOICES, "default", "claim", "finding", "verdict"),
    *("effect_name", "effect", "low", "high", "n", "families"),
]
#: The metric that tells pixel-identical pictures: it is infinite there, and nowhere else.
_EXACT = "psnr"
_NUMBERS = ("", "_low", "_high")


def walk_multiverse(
    networks: Iterable[tuple[str, pd.DataFrame]],
    metrics: Mapping[str, pd.DataFrame],
    pairs: pd.DataFrame,
    models: pd.DataFrame,
    settings: StatisticsSettings,
    *,
    dataset_name: str,
    distances: Sequence[str],
    contests: Sequence[tuple[str, str]],
    artificial: str | None = None,
    variants: Sequence[Variant] = (),
    processes: int = 1,
) -> pd.DataFrame:
    """Test every finding on one data set in every universe: each combination of choices once.

    After Steegen, Tuerlinckx, Gelman and Vanpaemel (Perspectives on Psychological Science 2016).

    Parameters
    ----------
    networks : iterable of (str, DataFrame)
        Models' ids and their distances.
    metrics : mapping of str to DataFrame
        By metric, its values. Where ``psnr`` is infinite, pictures are identical.
    pairs : DataFrame
        The data set's pairs, which people rated.
    models : DataFrame
        See `dissect_iqa.zoo.row.ModelRow.description`.
    settings : StatisticsSettings
        Level, seed and halvings; without draws nobody wins a contest. `logistic` says whether the
        mapped correlation is one of the statistics.
    dataset_name : str
        Goes into the table.
    distances : sequence of str
        What networks are compared with; those that are fitted to scores are none.
    contests : sequence of pairs of names
        Those that are planned; Holm's correction is over those that can be held, in each universe.
    artificial : str, optional
        The reference that is no photograph.
    variants : sequence of Variant
        Rows that are another reading of a network: no models by themselves.
    processes : int
        How many networks are measured at a time.

    Returns
    -------
    DataFrame
        `COLUMNS`, a row a universe and finding. `default` marks the universe in which the study
        reports its findings.

    Raises
    ------
    UserError
        If tables don't fit the pairs.
    """
    check_pairs(pairs, dataset_name)
    same = _identical(metrics, pairs, dataset_name)
    populations = list(_populations(pairs, settings, artificial, same))
    statistics = ["srcc", "krcc", "plcc", *([MAPPED] if settings.logistic else [])]
    found = _measure(
        chain(networks, metrics.items()),
        (pairs, populations, statistics),
        dataset_name,
        processes,
    )
    first = populations[0]
    options = {
        "distance": list(distances),
        "statistic": statistics,
        "layer": [*([HONEST] if first.can_halve else []), FLATTERING, LAST],
        "pairs": [ALL, *([TYPES] if first.has_types else [])],
        "references": [population.references for population in populations],
        "identical": [population.identical for population in populations],
        "reading": [PLAIN, *dict.fromkeys(variant.reading for variant in variants)],
    }
    others = {variant.id for variant in variants}
    measured = _Measured(
        found=found,
        names=[name for name in models["id"] if name in found and name not in others],
        metrics=[name for name in metrics if name in found],
        source={(variant.of, variant.reading): variant.id for variant in variants},
        level=settings.level,
        dataset=dataset_name,
    )
    default = default_of(options, measured.best_distance(default_of(options, "")))
    every = universes(options)
    rows = list(_findings(measured, every, models, contests))
    table = pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "default"])
    table["default"] = (table[list(CHOICES)] == pd.Series(default)).all(axis=1)
    log.info("%s: %d universes", dataset_name, len(every))
    return table[COLUMNS]


def _identical(
    metrics: Mapping[str, pd.DataFrame], pairs: pd.DataFrame, dataset: str
) -> np.ndarray:
    """Tell which pairs are of identical pictures; none where that wasn't measured."""
    if _EXACT not in metrics:
        return np.zeros(len(pairs), dtype=bool)
    columns = read_columns(metrics[_EXACT], pairs, dataset=dataset, model=_EXACT)
    return np.isposinf(columns.values[:, 0])


def _populations(
    pairs: pd.DataFrame, settings: StatisticsSettings, artificial: str | None, same: np.ndarray
) -> Iterator[Population]:
    """Yield the pairs of every option about pairs, all of them first."""
    everything = np.ones(len(pairs), dtype=bool)
    natural = (pairs["reference"].astype(str) != artificial).to_numpy()
    references, identical = {ALL: everything}, {KEPT: everything}
    # an option that leaves everything, or nothing, is none
    if 0 < natural.sum() < len(pairs):
        references[NATURAL] = natural
    if 0 < same.sum() < len(pairs):
        identical[LEFT_OUT] = ~same
    for (one, first), (other, second) in product(references.items(), identical.items()):
        if (first & second).any():
            yield Population(pairs, first & second, settings, one, other)


Found = dict[World, dict[str, Agreement]]


def _measure(
    tables: Iterable[tuple[str, pd.DataFrame]],
    common: tuple[Any, ...],
    dataset: str,
    processes: int,
) -> dict[str, Found]:
    """Measure all networks and metrics, as many at a time as there are processes."""
    found: dict[str, Found] = {}
    tables = iter(tables)
    config = joblib.parallel_config("loky", n_jobs=processes, inner_max_num_threads=1)
    with config, joblib.Parallel() as parallel:
        # drawn here, not in joblib's threads, where a file's error would be lost
        while batch := list(islice(tables, processes)):
            results = parallel(
                joblib.delayed(measure_choices)(name, table, *common, dataset_name=dataset)
                for name, table in batch
            )
            found |= {name: result for (name, _), result in zip(batch, results, strict=True)}
            log.info("%s: %s measured under every choice", dataset, ", ".join(n for n, _ in batch))
    return found


@dataclass(frozen=True, eq=False)
class _Measured:
    """What was measured on a data set, to be looked at in any universe.

    Attributes
    ----------
    found : dict of str to dict
        By model or metric, what `measure_choices` returned.
    names, metrics : list of str
        The plain models, and the metrics.
    source : dict of (str, str) to str
        By plain model and reading, the row that was read so.
    level : float
        Of intervals and contests.
    dataset : str
        Its name.
    """

    found: dict[str, Found]
    names: list[str]
    metrics: list[str]
    source: dict[tuple[str, str], str]
    level: float
    dataset: str

    def agreements(self, universe: Mapping[str, str]) -> Iterator[tuple[str, str, Agreement]]:
        """Yield name, distance and agreement of every network and metric, at all distances."""
        world = World(**{name: universe[name] for name in World._fields})
        for name in [*self.names, *self.metrics]:
            row = self.source.get((name, universe["reading"]), name)
            yield from ((name, where, one) for where, one in self.found[row][world].items())

    def entries(self, universe: Mapping[str, str]) -> dict[str, Judged]:
        """Return what contests need: every network at the universe's distance, every metric."""
        return {
            name: one.by_layer[universe["layer"]]
            for name, where, one in self.agreements(universe)
            if where == (name if name in self.metrics else universe["distance"])
        }

    def summary(self, universe: Mapping[str, str]) -> pd.DataFrame:
        """Return the columns of `dissect_iqa.correlation.summary` that findings are made of.

        `honest` and `best` are of the layer that the universe takes, in its statistic; intervals
        are those of the jackknife, as of contests.
        """
        rows = []
        for name, where, one in self.agreements(universe):
            judged, last = one.by_layer[universe["layer"]], one.by_layer[LAST].value
            found = dict(zip(_NUMBERS, _around(judged, self.level), strict=True))
            rows.append(
                {
                    "dataset": self.dataset, "model": name, "kind": one.kind, "distance": where,
                    "layers": one.layers, "rise": one.rise,
                    "last": last if one.layers > 1 else np.nan,
                    **{f"{of}{end}": found[end] for of in ("honest", "best") for end in _NUMBERS},
                }
            )  # fmt: skip
        return pd.DataFrame(rows)

    def best_distance(self, universe: Mapping[str, str]) -> str:
        """Return the distance that suits the data set best, as findings are reported with."""
        return common_distance(self.summary(universe))


def _around(judged: Judged, level: float) -> tuple[float, float, float]:
    reach = _quantile(max(len(judged.without) - 1, 1), level) * standard_error(judged.without)
    return judged.value, judged.value - reach, judged.value + reach


@cache
def _quantile(freedom: int, level: float) -> float:
    return float(stdtrit(freedom, (1 + level) / 2))


def _findings(
    measured: _Measured,
    every: pd.DataFrame,
    models: pd.DataFrame,
    contests: Sequence[tuple[str, str]],
) -> Iterator[dict[str, Any]]:
    """Yield the verdict on every finding in every universe."""
    dataset, rest = measured.dataset, [name for name in CHOICES if name != "distance"]
    with _rested_collector():
        for _, several in every.groupby(rest, sort=False):
            # of universes that differ in the distance alone, all need the same table
            table = measured.summary(several.iloc[0].to_dict())
            for universe in several.to_dict("records"):
                held = _held(measured, universe, contests)
                run, _ = make_run(dataset, table, models, held, universe["distance"])
                for claim in (*CLAIMS, *PREPRINT_CLAIMS):
                    if not _asked(claim.name, universe):
                        continue
                    verdict = vars(claim.check(run))
                    yield {
                        "dataset": dataset, **universe, "claim": claim.name,
                        "finding": claim.finding,
                        **{name: verdict[name] for name in verdict if name in COLUMNS},
                    }  # fmt: skip


@contextmanager
def _rested_collector() -> Iterator[None]:
    """Spare the collector of rubbish what stays: every correction for contests calls it."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _asked(claim: str, universe: Mapping[str, Any]) -> bool:
    choice, option = NOT_ASKED.get(claim, ("", ""))
    return not choice or universe[choice] != option


def _held(
    measured: _Measured, universe: Mapping[str, Any], contests: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """Hold the planned contests in one universe."""
    entries, rows = measured.entries(universe), []
    for first, second in contests:
        if first in entries and second in entries:
            difference, *_, p = paired(entries[first], entries[second])
            rows.append((measured.dataset, first, second, difference, p, np.nan))
    names = ["dataset", "first", "second", "difference", "p", "p_holm"]
    return corrected(pd.DataFrame(rows, columns=names), 1 - measured.level)
