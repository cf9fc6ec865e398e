"""The share of its correlation that a layer's distance or a metric keeps on misaligned pictures."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from dissect_iqa.correlation import forms
from dissect_iqa.correlation.clusters import Clusters, Columns, check_pairs, read_columns
from dissect_iqa.correlation.jackknife import Plan, grouped, make_plan, standard_errors
from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.correlation.triplets import credits, human_share, is_triplets, rows_of_triplets
from dissect_iqa.distances.tables import KEYS
from dissect_iqa.errors import UserError

log = logging.getLogger(__name__)

#: Where a row concerns no single layer but the one that is chosen on other references.
BEST = "best"
COLUMNS = [
    *("dataset", "of", "model", *KEYS, "statistic", "aligned", "misaligned"),
    *("kept", "kept_low", "kept_high", "lost", "lost_low", "lost_high", "n", "references"),
]
_SAME = ("reference", "distortion", "score")


def measure_invariance(
    measured: Iterable[tuple[str, pd.DataFrame, pd.DataFrame]],
    pairs: pd.DataFrame,
    misaligned_pairs: pd.DataFrame,
    settings: StatisticsSettings,
    *,
    dataset_name: str,
    of: str,
) -> pd.DataFrame:
    """Measure what misalignment leaves of each layer's and metric's agreement with people.

    Parameters
    ----------
    measured : iterable of (str, DataFrame, DataFrame)
        Models' ids and metrics' names, each with its distances between aligned and between
        misaligned pictures.
    pairs, misaligned_pairs : DataFrame
        The pairs of a data set, and of the one that shows its distorted pictures displaced.
    settings : StatisticsSettings
        Level and seed; without draws there are no intervals.
    dataset_name, of : str
        Names of the misaligned data set and of the other one; go into the table.

    Returns
    -------
    DataFrame
        `COLUMNS`, one row a layer and distance. `aligned` and `misaligned` are SRCC over all pairs,
        negative if inverted (`statistic` ``srcc``), or, of triplets, the share of human choices
        agreed with (``agreement``). `lost` is aligned - misaligned; `kept` is misaligned / aligned,
        of triplets that of what exceeds chance. It is NaN where the aligned one doesn't exceed
        chance for sure, or, where there are no intervals, doesn't exceed it. Rows with layer
        ``best`` concern, of each distance, the layer that is best on one half of the references,
        all judged on the other half.

        Intervals are those of the paired jackknife: of the differences and shares without each
        reference in turn, by Student's t with references - 1 degrees of freedom; NaN with fewer
        than three references, or no draws.

    Raises
    ------
    UserError
        If the two data sets aren't the same pairs in the same order, or tables don't fit them.
    """
    check_pairs(pairs, of)
    _check_same(pairs, misaligned_pairs, dataset_name, of)
    judge = _Judge.of(pairs, settings)
    tables = []
    for name, aligned, misaligned in measured:
        before = read_columns(aligned, pairs, dataset=of, model=name)
        after = read_columns(misaligned, misaligned_pairs, dataset=dataset_name, model=name)
        after = _in_order(after, before.keys, f"{name} on {dataset_name}")
        table = _table(before.keys, judge(before.values), judge(after.values), judge, settings)
        tables.append(table.assign(model=name))
        log.info("%s: invariance of %d layers and distances", name, len(before.keys))
    if not tables:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat(tables, ignore_index=True).assign(dataset=dataset_name, of=of)
    return table.assign(statistic=judge.statistic, **judge.counts)[COLUMNS]


def _check_same(pairs: pd.DataFrame, others: pd.DataFrame, dataset: str, of: str) -> None:
    same = len(pairs) == len(others) and all(
        pairs[name].astype(str).equals(others[name].astype(str)) for name in _SAME
    )
    if not same:
        raise UserError(
            f"data set {dataset!r}: its pairs are not those of {of!r} in their order; "
            f"make it again: snakemake --forcerun resources/datasets/{dataset}/pairs.parquet"
        )


def _in_order(columns: Columns, keys: pd.DataFrame, where: str) -> Columns:
    """Return the same columns in the order of other keys."""
    names = ["layer", "distance", "fitted_on"]
    place = pd.MultiIndex.from_frame(columns.keys[names]).get_indexer(
        pd.MultiIndex.from_frame(keys[names])
    )
    if (place < 0).any() or len(columns.keys) != len(keys):
        raise UserError(f"{where}: other layers or distances than on aligned pictures")
    return Columns(keys, columns.values[:, place])


@dataclass(frozen=True)
class _Judge:
    """Agreement of some columns with people, on the whole and without each reference.

    Attributes
    ----------
    statistic : str
        ``srcc`` or ``agreement``.
    chance : float
        What guessing gives.
    plan : Plan
        Which references each row holds.
    """

    statistic: str
    chance: float
    plan: Plan
    counts: dict[str, int]
    block: forms.Pairs
    rows: np.ndarray | None = None
    share: np.ndarray | None = None

    @classmethod
    def of(cls, pairs: pd.DataFrame, settings: StatisticsSettings) -> "_Judge":
        rows = rows_of_triplets(pairs) if is_triplets(pairs) else None
        judged = pairs if rows is None else pairs.iloc[rows[:, 0]]
        clusters = Clusters.of(judged)
        codes, count = grouped(clusters.codes, settings)
        quality = judged["quality"].to_numpy(np.float64)
        return cls(
            statistic="srcc" if rows is None else "agreement",
            chance=0.0 if rows is None else 0.5,
            plan=make_plan(count, settings, twos=False),
            counts={"n": len(judged), "references": clusters.count},
            block=forms.Pairs(codes, quality, count),
            rows=rows,
            share=None if rows is None else human_share(pairs, rows),
        )

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return the statistic, shape (rows of the plan, columns)."""
        if self.rows is None or self.share is None:
            return forms.spearman(self.block, values, self.plan.weights)
        credit = self.block.sums(self.block.sorted(credits(values, self.rows, self.share)))
        sizes = self.plan.weights @ self.block.sizes
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.plan.weights @ credit / sizes[:, None]


def _table(
    keys: pd.DataFrame,
    before: np.ndarray,
    after: np.ndarray,
    judge: _Judge,
    settings: StatisticsSettings,
) -> pd.DataFrame:
    chance, plan = judge.chance, judge.plan
    without = plan.without_one
    reach = _reach(plan, settings)
    judged = without.stop > without.start
    error_before = standard_errors(before[without])
    # without intervals, any agreement beyond chance counts as some
    known = before[0] - (reach * error_before if judged else 0) > chance
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = (after - chance) / (before - chance)
    losses = before - after
    errors = [error_before, *(standard_errors(each[without]) for each in (shares, losses))]
    table = keys.assign(
        aligned=before[0],
        misaligned=after[0],
        **_around("kept", np.where(known, shares[0], np.nan), reach * errors[1]),
        **_around("lost", losses[0], reach * errors[2]),
    )
    best = []
    for _, columns in keys.groupby("distance", sort=False).groups.items():
        order = keys.loc[columns].sort_values("depth", kind="stable").index.to_numpy()
        chosen = _chosen(before[:, order], plan)
        if len(order) < 2 or chosen is None:
            continue
        picks, halves = chosen
        first, second = before[halves, order[picks]], after[halves, order[picks]]
        aligned, misaligned = float(first.mean()), float(second.mean())
        # the average of many choices would vary less than one: average their variances
        own = [np.sqrt(np.mean(error[order[picks]] ** 2)) for error in errors]
        key = {**keys.loc[order[0]], "layer": BEST, "depth": np.nan}
        told = aligned - (reach * own[0] if judged else 0) > chance
        share = (misaligned - chance) / (aligned - chance) if told else np.nan
        numbers = {
            **_around("kept", share, reach * own[1]),
            **_around("lost", aligned - misaligned, reach * own[2]),
        }
        best.append({**key, "aligned": aligned, "misaligned": misaligned, **numbers})
    return pd.concat([table, pd.DataFrame(best)], ignore_index=True) if best else table


def _chosen(before: np.ndarray, plan: Plan) -> tuple[np.ndarray, np.ndarray] | None:
    """Return which column each half chooses, and the row of the plan that judges it."""
    first = np.concatenate([before[plan.halves], before[plan.others]])
    judges = np.r_[plan.others.start : plan.others.stop, plan.halves.start : plan.halves.stop]
    defined = np.isfinite(first) & np.isfinite(before[judges])
    usable = np.flatnonzero(defined.any(axis=1))
    if not len(usable):
        return None
    picks = np.argmax(np.where(defined, first, -np.inf)[usable], axis=1)
    return picks, judges[usable]


def _reach(plan: Plan, settings: StatisticsSettings) -> float:
    freedom = max(plan.without_one.stop - plan.without_one.start - 1, 1)
    return float(stdtrit(freedom, (1 + settings.level) / 2))


def _around(name: str, value: np.ndarray | float, reach: np.ndarray | float) -> dict[str, object]:
    return {name: value, f"{name}_low": value - reach, f"{name}_high": value + reach}


def summarise_invariance(table: pd.DataFrame) -> pd.DataFrame:
    """Return what each model and metric keeps, a row a distance, the highest after first.

    Parameters
    ----------
    table : DataFrame
        What `measure_invariance` returned.

    Returns
    -------
    DataFrame
        `dataset, of, model, kind, distance`; `layer` and `depth` of the layer that is best on
        aligned pictures, with `aligned, misaligned, kept, kept_low, kept_high` there; the same
        `kept` of the layer that is chosen on other references (``best_kept``, ``_low``, ``_high``);
        `layer_after`, `depth_after` and `misaligned_after` of the layer that is best on misaligned
        pictures (chosen and judged on the same pairs); `statistic`, `n`, `references`.
    """
    keys = ["dataset", "model", "distance"]
    layers = table[table["layer"] != BEST]
    chosen = layers.sort_values("aligned", ascending=False, kind="stable").drop_duplicates(keys)
    after = layers.sort_values("misaligned", ascending=False, kind="stable").drop_duplicates(keys)
    after = after.set_index(keys)[["layer", "depth", "misaligned"]].add_suffix("_after")
    honest = table[table["layer"] == BEST].set_index(keys)[["kept", "kept_low", "kept_high"]]
    wide = chosen.join(honest.add_prefix("best_"), on=keys).join(after, on=keys)
    wide = wide.sort_values(["misaligned", "model"], ascending=[False, True], kind="stable")
    first = ["dataset", "of", "model", "kind", "distance", "layer", "depth"]
    first += ["aligned", "misaligned", "kept", "kept_low", "kept_high"]
    first += ["best_kept", "best_kept_low", "best_kept_high"]
    first += ["layer_after", "depth_after", "misaligned_after", "statistic", "n", "references"]
    return wide[first].reset_index(drop=True)
