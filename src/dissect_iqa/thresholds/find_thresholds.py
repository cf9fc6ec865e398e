"""Contrast thresholds of every layer, distance and metric against people's: `find_thresholds`."""

import logging
from collections.abc import Iterable

import numpy as np
import pandas as pd

from dissect_iqa.baselines.names import BASELINES
from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.datasets.thresholds.table import read_observers
from dissect_iqa.distances.tables import KEYS
from dissect_iqa.thresholds.curves import Curves, crossings, fit_criterion, read_curves
from dissect_iqa.thresholds.people import ONE_OBSERVER, observers_residuals, redraw_people
from dissect_iqa.thresholds.resampling import (
    FEWEST_STUDIES,
    Residuals,
    bounds,
    statistics,
    study_weights,
)

log = logging.getLogger(__name__)

#: Where a row concerns no single layer but the one that is chosen on other studies.
BEST = "best"
#: What is said of a metric that was found from such thresholds.
ANCHOR = "upper anchor: has people's contrast sensitivity inside"
COLUMNS = [
    *("dataset", "model", *KEYS, "direction", "statistic"),
    *("value", "low", "high", "n", "studies"),
]
STIMULI_COLUMNS = [
    *("dataset", "model", *KEYS, "stimulus", "study", "direction", "frequency"),
    *("people", "found", "found_honest"),
]


def find_thresholds(
    measured: Iterable[tuple[str, pd.DataFrame]],
    pairs: pd.DataFrame,
    settings: StatisticsSettings,
    *,
    dataset_name: str,
    observers: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Find the contrast at which each layer's distance reaches a criterion, beside people's.

    The criterion is one number a layer and distance, and all that is fitted: the distance at which
    thresholds are people's on average. `rmse_db` and `bias_db` are honest: each study's thresholds
    are found by a criterion that is fitted to the other studies.

    Parameters
    ----------
    measured : iterable of (str, DataFrame)
        Models' ids and metrics' names, each with its table of distances.
    pairs : DataFrame
        The pairs of a data set of kind `thresholds`.
    settings : StatisticsSettings
        Draws, seed and level of the intervals.
    dataset_name : str
        Goes into the tables.
    observers : DataFrame, optional
        Single observers' thresholds; those that ship with the package by default.

    Returns
    -------
    table : DataFrame
        `COLUMNS`, one row a layer, distance, `direction` (of colour, or ``all``) and statistic:

        - `rmse_db`: root mean squared difference of log thresholds, in dB (20 a decade);
        - `bias_db`: mean difference; positive where more contrast is needed than by people;
        - `spread_db`: what is left of `rmse_db` with the criterion fitted to these very stimuli;
        - `correlation`: Pearson's, of log thresholds;
        - with layer ``best``, `rmse_db` of the layer that is closest to people in other studies.

        Rows of kind ``ceiling`` hold how far one observer is from the mean of the others.
        `low` and `high` are percentiles over draws of whole studies and, within studies, of
        observers; NaN with fewer than three studies.
    stimuli : DataFrame
        `STIMULI_COLUMNS`: people's and the found log10 contrasts of each stimulus, by metrics and
        by each network's layer that is closest to people's.
    """
    observers = read_observers() if observers is None else observers
    tables, details = [], []
    drawn: _Draws | None = None
    for name, distances in measured:
        curves = read_curves(distances, pairs, f"{name} on {dataset_name}")
        if drawn is None:
            drawn = _Draws.of(curves.stimuli, observers, settings)
        found, honest = predicted(curves)
        table = _table(curves, found, honest, drawn, settings)
        tables.append(table.assign(model=name))
        details.append(_stimuli(curves, found, honest, table).assign(model=name))
        log.info("%s: thresholds at %d layers and distances", name, len(curves.keys))
    if drawn is None:
        return pd.DataFrame(columns=COLUMNS), pd.DataFrame(columns=STIMULI_COLUMNS)
    people = observers_residuals(observers, drawn.stimuli["study"])
    if len(people.people):
        ceiling = _ceiling(people, drawn.stimuli["direction"], settings)
        tables.append(ceiling.assign(model=ONE_OBSERVER))
    table = pd.concat(tables, ignore_index=True).assign(dataset=dataset_name)
    stimuli = pd.concat(details, ignore_index=True).assign(dataset=dataset_name)
    return table[COLUMNS], stimuli[STIMULI_COLUMNS]


def predicted(curves: Curves) -> tuple[np.ndarray, np.ndarray]:
    """Return log10 thresholds, by a criterion fitted to all, and to the other studies.

    Returns
    -------
    found, honest : ndarray, shape (stimuli, columns)
        `honest` is NaN if there is one study only.
    """
    people = curves.stimuli["log_threshold"].to_numpy(np.float64)[:, None]
    study = curves.stimuli["study"].to_numpy()
    found = people + crossings(curves, fit_criterion(curves))
    honest = np.full_like(found, np.nan)
    names = np.unique(study)
    for name in names if len(names) > 1 else ():
        own = study == name
        honest[own] = (people + crossings(curves, fit_criterion(curves, ~own)))[own]
    return found, honest


class _Draws:
    """People's thresholds and the weights of stimuli, once as they are and then redrawn."""

    def __init__(self, stimuli: pd.DataFrame, people: np.ndarray, weights: np.ndarray):
        self.stimuli, self.people, self.weights = stimuli, people, weights

    @classmethod
    def of(
        cls, stimuli: pd.DataFrame, observers: pd.DataFrame, settings: StatisticsSettings
    ) -> "_Draws":
        generator = np.random.default_rng([settings.seed, 5])
        study = stimuli["study"].to_numpy()
        draws = settings.draws if stimuli["study"].nunique() >= FEWEST_STUDIES else 0
        weights = study_weights(study, draws, generator)
        people = redraw_people(observers, stimuli, draws, generator)
        itself = stimuli["log_threshold"].to_numpy(np.float64)[None]
        return cls(
            stimuli,
            np.concatenate([itself, people]),
            np.concatenate([np.ones((1, len(stimuli))), weights]),
        )


def _table(
    curves: Curves,
    found: np.ndarray,
    honest: np.ndarray,
    drawn: _Draws,
    settings: StatisticsSettings,
) -> pd.DataFrame:
    parts = []
    direction = curves.stimuli["direction"].to_numpy()
    for name in ("all", *dict.fromkeys(direction)):
        own = np.ones(len(direction), bool) if name == "all" else direction == name
        studies = curves.stimuli.loc[own, "study"].nunique()
        facts = {"direction": name, "n": int(own.sum()), "studies": studies}
        rows = slice(None) if studies >= FEWEST_STUDIES else slice(1)
        for values, names in (
            (honest, ("rmse_db", "bias_db")),
            (found, ("spread_db", "correlation")),
        ):
            results = statistics(
                values[own], drawn.people[rows][:, own], drawn.weights[rows][:, own]
            )
            for statistic in names:
                row = _with_bounds(results[statistic], settings)
                parts.append(curves.keys.assign(statistic=statistic, **row, **facts))
        if name == "all":
            parts += _best(curves, honest, drawn, facts, settings)
    return pd.concat(parts, ignore_index=True)


def _with_bounds(results: np.ndarray, settings: StatisticsSettings) -> dict[str, np.ndarray]:
    """Return the first row, and the bounds of the others."""
    low = high = np.full(results.shape[1], np.nan)
    if len(results) > 1:
        low, high = bounds(results[1:], settings.level)
    return {"value": results[0], "low": low, "high": high}


def _best(
    curves: Curves,
    honest: np.ndarray,
    drawn: _Draws,
    facts: dict[str, object],
    settings: StatisticsSettings,
) -> list[pd.DataFrame]:
    """Of each distance: thresholds of a study by the layer that is closest to the other studies."""
    study, rows = curves.stimuli["study"].to_numpy(), []
    people = drawn.people[0][:, None]
    for _, columns in curves.keys.groupby("distance", sort=False).groups.items():
        order = curves.keys.loc[columns].sort_values("depth", kind="stable").index.to_numpy()
        if len(order) < 2 or np.isnan(honest).all():
            continue
        chosen = np.full((len(study), 1), np.nan)
        for name in np.unique(study):
            own = study == name
            others = ((honest - people)[~own][:, order] ** 2).mean(axis=0)
            chosen[own, 0] = honest[own, order[int(np.argmin(others))]]
        results = statistics(chosen, drawn.people, drawn.weights)["rmse_db"]
        row = {name: value[0] for name, value in _with_bounds(results, settings).items()}
        key = {**curves.keys.loc[order[0]], "layer": BEST, "depth": np.nan}
        rows.append(pd.DataFrame([{**key, "statistic": "rmse_db", **row, **facts}]))
    return rows


def _stimuli(
    curves: Curves, found: np.ndarray, honest: np.ndarray, table: pd.DataFrame
) -> pd.DataFrame:
    """Return the thresholds of each stimulus at one column of each distance: the closest layer."""
    closest = closeness(table.assign(model="")).drop_duplicates("distance")
    parts = []
    for _, key in closest[list(KEYS)].sort_index().iterrows():
        same = curves.keys["layer"].eq(key["layer"]) & curves.keys["distance"].eq(key["distance"])
        column = int(np.flatnonzero(same)[0])
        facts = curves.stimuli[["study", "direction", "frequency"]].reset_index()
        parts.append(
            facts.assign(
                **key.to_dict(),
                people=curves.stimuli["log_threshold"].to_numpy(),
                found=found[:, column],
                found_honest=honest[:, column],
            )
        )
    return pd.concat(parts, ignore_index=True)


def _ceiling(rows: Residuals, directions: pd.Series, settings: StatisticsSettings) -> pd.DataFrame:
    """How far one observer is from the mean of the others, by colour direction."""
    generator = np.random.default_rng([settings.seed, 6])
    direction = directions.loc[rows.stimulus].to_numpy()
    weights = _observers_weights(rows, settings.draws, generator)
    parts = []
    for name in ("all", *dict.fromkeys(direction)):
        own = np.ones(len(direction), bool) if name == "all" else direction == name
        people = np.broadcast_to(rows.people[own], (len(weights), int(own.sum())))
        results = statistics(rows.found[own], people, weights[:, own])
        studies = len(np.unique(rows.study[own]))
        facts = {"direction": name, "n": int(own.sum()), "studies": studies}
        for statistic in ("rmse_db", "spread_db", "correlation"):
            row = _with_bounds(results[statistic], settings)
            value = {key: numbers[0] for key, numbers in row.items()}
            parts.append({"statistic": statistic, **value, **facts})
    key = {"kind": "ceiling", "layer": "", "depth": np.nan, "distance": ONE_OBSERVER}
    return pd.DataFrame(parts).assign(**key, fitted_on="")


def closeness(table: pd.DataFrame) -> pd.DataFrame:
    """Return how far every layer and metric is from people: the rule of which is closest.

    Parameters
    ----------
    table : DataFrame
        What `find_thresholds` returned, of one data set.

    Returns
    -------
    DataFrame
        Its rows of `rmse_db` over all stimuli, or of `spread_db` where one study gives no other;
        least first, without undefined ones, the choice of a layer and the ceiling.
    """
    whole = table[(table["direction"] == "all") & (table["layer"] != BEST)]
    whole = whole[(whole["kind"] != "ceiling") & whole["value"].notna()]
    for statistic in ("rmse_db", "spread_db"):
        rows = whole[whole["statistic"] == statistic]
        if len(rows):
            break
    return rows.sort_values(["value", "model"], kind="stable")


def summarise_thresholds(table: pd.DataFrame) -> pd.DataFrame:
    """Return each model's layer that is closest to people, a row a model and distance.

    Parameters
    ----------
    table : DataFrame
        What `find_thresholds` returned.

    Returns
    -------
    DataFrame
        `dataset, model, kind, distance, layer, depth`; `rmse_db` with `rmse_low` and `rmse_high`,
        `best_rmse_db` (the layer chosen on other studies), `spread_db`, `correlation`,
        ``bias_<direction>`` of each colour direction; `n` stimuli of `studies`; `note` of a metric
        that was found from such thresholds, so that it is an upper anchor. The layer is the
        one with the least `rmse_db` (`spread_db` where there is one study). Least first; one
        observer, held against the others, comes last.
    """
    whole = table[table["direction"] == "all"]
    layers = whole[whole["layer"] != BEST]
    keys = ["dataset", "model", "distance", "layer"]
    wide = layers.pivot_table(
        index=keys, columns="statistic", values="value", sort=False, dropna=False, observed=True
    )
    wide = wide.reindex(columns=["rmse_db", "spread_db", "correlation"])
    facts = layers.drop_duplicates(keys).set_index(keys)[["kind", "depth", "n", "studies"]]
    ends = layers[layers["statistic"] == "rmse_db"].set_index(keys)[["low", "high"]]
    wide = wide.join(facts, how="inner").join(ends.add_prefix("rmse_"))
    for direction, rows in table[table["statistic"] == "bias_db"].groupby("direction", sort=False):
        if direction != "all":
            wide[f"bias_{direction}"] = rows.set_index(keys)["value"]
    wide = wide.reset_index()
    order = wide["rmse_db"].fillna(wide["spread_db"])
    wide = wide.assign(_order=order, _last=wide["kind"] == "ceiling").sort_values(
        ["_last", "_order", "model"], kind="stable"
    )
    chosen = wide.drop_duplicates(["dataset", "model", "distance"]).drop(
        columns=["_order", "_last"]
    )
    best = whole[whole["layer"] == BEST].set_index(["dataset", "model", "distance"])["value"]
    chosen = chosen.join(best.rename("best_rmse_db"), on=["dataset", "model", "distance"])
    first = ["dataset", "model", "kind", "distance", "layer", "depth"]
    first += ["rmse_db", "rmse_low", "rmse_high", "best_rmse_db", "spread_db", "correlation"]
    rest = [name for name in chosen if str(name).startswith("bias_")]
    known = [name for name, metric in BASELINES.items() if metric.sees]
    chosen["note"] = np.where(chosen["model"].isin(known), ANCHOR, "")
    return chosen[[*first, *rest, "n", "studies", "note"]].reset_index(drop=True)


def _observers_weights(rows: Residuals, draws: int, generator: np.random.Generator) -> np.ndarray:
    """Draw observers with replacement, whole; the first row is all of them."""
    assert rows.observer is not None
    return np.concatenate(
        [np.ones((1, len(rows.people))), study_weights(rows.observer, draws, generator)]
    )
