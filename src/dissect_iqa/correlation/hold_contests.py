"""Who beats whom: paired tests between models and metrics on one data set."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from dissect_iqa.correlation import dependent, forms
from dissect_iqa.correlation.best_layer import choose_honestly
from dissect_iqa.correlation.clusters import Clusters, cap_infinite, check_pairs, read_columns
from dissect_iqa.correlation.jackknife import Plan, grouped, make_plan, standard_errors
from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.errors import UserError

COLUMNS = [
    *("dataset", "statistic", "first", "second", "value_first", "value_second"),
    *("difference", "low", "high", "p", "p_holm", "winner"),
    *("williams_t", "williams_p", "steiger_z", "steiger_p", "meng_z", "meng_p"),
    *("n", "references"),
]
_FORMS = {"srcc": forms.spearman, "krcc": forms.kendall, "plcc": forms.pearson}


@dataclass(frozen=True)
class Judged:
    """What a paired comparison needs of one competitor.

    Attributes
    ----------
    value : float
        Its statistic.
    without : ndarray, shape (references, columns)
        The same without each reference: of its one column, or of those that its layer was chosen to
        be in each half of the references.
    """

    value: float
    without: np.ndarray


@dataclass(frozen=True)
class _Entry(Judged):
    """One competitor, and what it says of the pairs, shape (pairs,), for the analytic tests."""

    values: np.ndarray


def hold_contests(
    candidates: Mapping[str, pd.DataFrame | np.ndarray],
    pairs: pd.DataFrame,
    settings: StatisticsSettings,
    *,
    dataset_name: str = "",
    statistic: str = "srcc",
    contests: Sequence[tuple[str, str]] | None = None,
) -> pd.DataFrame:
    """Test which of several predictors agrees better with the scores of one data set.

    Parameters
    ----------
    candidates : mapping of str to DataFrame or ndarray
        By name: a table of distances limited to one distance (`pair, layer, depth, distance,
        value, sign`), or values, larger is better, in the order of `pairs`, shape (pairs,) or
        (pairs, layers). Of several layers one is chosen honestly, without the references it is
        judged on; see `best_layer.choose_honestly`.
    pairs : DataFrame
        The data set's pairs: `pair, reference, distortion, quality`.
    settings : StatisticsSettings
        Draws, seed, kind and level of the intervals.
    dataset_name : str
        Goes into the table.
    statistic : {'srcc', 'krcc', 'plcc'}
        What is compared.
    contests : sequence of pairs of names, optional
        Who meets whom; everyone meets everyone by default. The Holm correction is over these.

    Returns
    -------
    DataFrame
        `COLUMNS`, one row a contest. `p` is that of the paired jackknife: the difference over its
        standard error (of the differences without each reference in turn) against Student's t with
        references - 1 degrees of freedom; `low` and `high` are the interval that goes with it.
        `p_holm` is corrected for the number of contests (Holm 1979); `winner` is who has the higher
        statistic where `p_holm` is below 1 - level, else empty. With fewer than three references,
        and where a statistic is undefined, `p` is NaN and nobody wins. Williams, Steiger and Meng
        ignore that pairs share references: secondary.

    Raises
    ------
    UserError
        If a name is unknown, tables don't fit the pairs, or a table holds several distances.
    """
    check_pairs(pairs, dataset_name)
    if statistic not in _FORMS:
        raise UserError(f"statistic {statistic!r} can't be compared; one of {', '.join(_FORMS)}")
    contests = list(combinations(candidates, 2)) if contests is None else list(contests)
    for name in {name for contest in contests for name in contest}:
        if name not in candidates:
            raise UserError(f"contest: unknown name {name!r}; known: {', '.join(candidates)}")
    clusters = Clusters.of(pairs)
    codes, count = grouped(clusters.codes, settings)
    plan = make_plan(count, settings, twos=False)
    quality = pairs["quality"].to_numpy(np.float64)
    block = forms.Pairs(codes, quality, count)
    entries = {
        name: _entry(_matrix(name, found, pairs, dataset_name), block, plan, statistic)
        for name, found in candidates.items()
    }
    rows = [
        {
            "dataset": dataset_name, "statistic": statistic, "first": first, "second": second,
            **_contest(entries[first], entries[second], quality, settings.level, statistic),
            "n": len(pairs), "references": clusters.count,
        }
        for first, second in contests
    ]  # fmt: skip
    return corrected(pd.DataFrame(rows, columns=COLUMNS), 1 - settings.level)


def only(
    held: Iterable[pd.DataFrame], contests: Sequence[tuple[str, str]], level: float
) -> pd.DataFrame:
    """Keep the contests that were planned, with Holm's correction for those of a data set alone.

    Parameters
    ----------
    held : iterable of DataFrame
        What `hold_contests` returned for each data set.
    contests : sequence of pairs of names
        Those to keep, in either order; others of the table only cost power.
    level : float
        1 minus the share of false victories that is allowed over all contests together.

    Returns
    -------
    DataFrame
        In the form of `hold_contests`, with new `p_holm` and `winner`.
    """
    wanted = {frozenset(contest) for contest in contests}
    tables = []
    for table in held:
        pairs = zip(table["first"], table["second"], strict=True)
        planned = np.array([frozenset(pair) in wanted for pair in pairs], dtype=bool)
        kept = table[planned].reset_index(drop=True)
        tables.append(corrected(kept.assign(p_holm=np.nan), 1 - level))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def beats(contests: pd.DataFrame) -> pd.DataFrame:
    """Return the matrix of who beats whom.

    Parameters
    ----------
    contests : DataFrame
        What `hold_contests` returned.

    Returns
    -------
    DataFrame
        Names by names, most victories first: 1 where the row beats the column, -1 where it is
        beaten, 0 where it can't be told, NaN where they didn't meet.
    """
    names = list(dict.fromkeys([*contests["first"], *contests["second"]]))
    matrix = pd.DataFrame(np.nan, index=names, columns=names)
    for row in contests.itertuples():
        result = 0.0 if not row.winner else (1.0 if row.winner == row.first else -1.0)
        matrix.loc[row.first, row.second], matrix.loc[row.second, row.first] = result, -result
    order = matrix.eq(1).sum(axis=1).sort_values(ascending=False, kind="stable").index
    return matrix.loc[order, order] + 0.0  # no negative zeros


def _matrix(
    name: str, found: pd.DataFrame | np.ndarray, pairs: pd.DataFrame, dataset: str
) -> np.ndarray:
    if isinstance(found, pd.DataFrame):
        columns = read_columns(found, pairs, dataset=dataset, model=name)
        distances = columns.keys["distance"].unique()
        if len(distances) > 1:
            raise UserError(
                f"contest: {name!r} has {len(distances)} distances ({', '.join(distances)}); "
                "choose one"
            )
        order = columns.keys["depth"].argsort(kind="stable")
        return columns.values[:, order]
    values = np.asarray(found, dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if values.shape[0] != len(pairs) or np.isnan(values).any():
        raise UserError(
            f"contest: {name!r} must have one number for each of {len(pairs)} pairs, no NaN; "
            f"found shape {values.shape}"
        )
    return values


def _entry(values: np.ndarray, block: forms.Pairs, plan: Plan, statistic: str) -> _Entry:
    if statistic == "plcc":
        values = cap_infinite(values)
    several = values.shape[1] > 1
    weights = plan.weights if several else plan.weights[: plan.without_one.stop]
    judged, best = judge(_FORMS[statistic](block, values, weights), plan, len(values))
    return _Entry(judged.value, judged.without, values[:, best])


def judge(results: np.ndarray, plan: Plan, pairs: int) -> tuple[Judged, int]:
    """Judge a competitor by its one column, or by the one of several that is chosen honestly.

    Parameters
    ----------
    results : ndarray, shape (rows, columns)
        The statistic for the rows of `plan`, columns in order of depth; of a single column those of
        the halvings may be missing.
    plan : Plan
        Which references each row holds.
    pairs : int
        Number of pairs behind the statistic.

    Returns
    -------
    judged : Judged
        Of the column that is best on all references, where no choice can be made honestly.
    best : int
        That column.
    """
    without = results[plan.without_one]
    choice = choose_honestly(results, plan, pairs) if results.shape[1] > 1 else None
    if choice is not None:
        return Judged(choice.value, without[:, choice.chosen]), choice.naive
    best = int(np.nanargmax(results[0])) if np.isfinite(results[0]).any() else 0
    return Judged(float(results[0, best]), without[:, [best]]), best


def paired(one: Judged, other: Judged) -> tuple[float, float, int, float]:
    """Compare two competitors on the same references.

    Returns
    -------
    difference, error : float
        The first's statistic less the second's, and its standard error by the jackknife.
    freedom : int
        Of Student's t.
    p : float
        Two-sided; NaN where a value is undefined or there is no error.
    """
    difference = one.value - other.value
    error = standard_error(one.without - other.without)
    # of few references one is lost to their mean
    freedom = max(len(one.without) - 1, 1)
    return difference, error, freedom, paired_p(difference, error, freedom)


def _contest(
    one: _Entry, other: _Entry, quality: np.ndarray, level: float, statistic: str
) -> dict[str, float]:
    difference, error, freedom, p = paired(one, other)
    reach = stats.t.ppf((1 + level) / 2, freedom) * error
    row = {
        "value_first": one.value, "value_second": other.value, "difference": difference,
        "low": difference - reach, "high": difference + reach,
        "p": p,
    }  # fmt: skip
    r1, r2, r12 = _correlations(one.values, other.values, quality, statistic)
    for name, test, letter in (
        ("williams", dependent.williams, "t"),
        ("steiger", dependent.steiger, "z"),
        ("meng", dependent.meng, "z"),
    ):
        row[f"{name}_{letter}"], row[f"{name}_p"] = test(r1, r2, r12, len(quality))
    return row


def standard_error(without: np.ndarray) -> float:
    """Return the jackknife's standard error of a difference; NaN if there is none.

    Parameters
    ----------
    without : ndarray, shape (references, columns)
        The difference without each reference. Several columns are the layers that were chosen in
        turn: their variances are averaged, because their average varies less than a single choice.
    """
    return float(np.sqrt(np.mean(standard_errors(without) ** 2)))


def paired_p(difference: float, error: float, freedom: int) -> float:
    """Two-sided p of a difference over its standard error, by Student's t."""
    if not (np.isfinite(difference) and np.isfinite(error)):
        return np.nan
    if error <= 1e-12:
        return 1.0 if abs(difference) <= 1e-12 else 0.0
    return float(2 * stats.t.sf(abs(difference) / error, freedom))


def _correlations(
    x1: np.ndarray, x2: np.ndarray, y: np.ndarray, statistic: str
) -> tuple[float, float, float]:
    """Return r(x1, y), r(x2, y), r(x1, x2): of ranks, unless Pearson's correlation is compared."""
    table = np.stack([x1, x2, y], axis=1)
    if statistic != "plcc":
        table = stats.rankdata(table, axis=0)
    if (np.ptp(table, axis=0) == 0).any():
        return np.nan, np.nan, np.nan
    r = np.corrcoef(table, rowvar=False)
    return float(r[0, 2]), float(r[1, 2]), float(r[0, 1])


def corrected(table: pd.DataFrame, alpha: float) -> pd.DataFrame:
    """Fill in `p_holm` and `winner` of contests, from their `p` and `difference`.

    Parameters
    ----------
    table : DataFrame
        `first, second, difference, p, p_holm`, one row a contest; changed in place.
    alpha : float
        The share of false victories that is allowed over all of them together.
    """
    known = table["p"].notna().to_numpy()
    if known.any():
        table.loc[known, "p_holm"] = multipletests(table.loc[known, "p"], method="holm")[1]
    significant = table["p_holm"].astype(float) < alpha
    ahead = np.where(table["difference"] > 0, table["first"], table["second"])
    table["winner"] = np.where(significant, ahead, "")
    return table
