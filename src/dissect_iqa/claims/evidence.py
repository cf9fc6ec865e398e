"""What a number of models says: verdicts from shares, rank correlations and matched differences.

Networks of one family are variations of one design and no independent witnesses. What the models of
a run show is stated as it is, but how sure that is, is counted by families.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.regression.linear_model import OLS, RegressionResultsWrapper
from statsmodels.stats.proportion import proportion_confint

HOLDS, FAILS, OPEN = "holds", "does not hold", "can't be told"
#: With fewer families than this, a rank correlation over models says next to nothing.
FEWEST_FAMILIES = 6
#: A rank correlation up to this is "not more than moderate".
MODERATE = 0.5


@dataclass(frozen=True)
class Verdict:
    """A verdict with what it rests on.

    Attributes
    ----------
    verdict : str
        `HOLDS`, `FAILS` or `OPEN`.
    evidence : str
        One sentence with the numbers.
    why : str
        Why it can't be told, or what would be needed; empty otherwise.
    effect_name, effect, low, high, p
        The size of the effect, its 95 % interval and p where there are any.
    n, families : int
        Number of models behind it, and of the families they belong to.
    """

    verdict: str
    evidence: str
    why: str = ""
    effect_name: str = ""
    effect: float = np.nan
    low: float = np.nan
    high: float = np.nan
    p: float = np.nan
    n: int = 0
    families: int = 0


def shape_of(x: np.ndarray, y: np.ndarray, family: np.ndarray | None = None) -> str:
    """Name the shape of y over x: ``inverted U``, ``U``, ``rising``, ``falling`` or ``none``.

    A U of either kind needs two lines of opposite, significant slope on either side of the
    parabola's vertex (two-lines test, Simonsohn 2018), not only a significant square term. Errors
    are those of families, if these are given.
    """
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return "none, all being equal"
    own = np.arange(len(x)) if family is None else pd.factorize(np.asarray(family))[0]
    z = (x - x.mean()) / x.std()
    square = _fit(np.column_stack([np.ones_like(z), z, z**2]), y, own)
    vertex = -square.params[1] / (2 * square.params[2]) if square.params[2] else np.nan
    sides = (z < vertex, z >= vertex)
    # a line with its error needs more families than it has parameters
    enough = all(len(np.unique(own[side])) > 2 for side in sides)
    if square.pvalues[2] < 0.05 and enough:
        left, right = (
            _fit(np.column_stack([np.ones(side.sum()), z[side]]), y[side], own[side])
            for side in sides
        )
        slopes = left.params[1], right.params[1]
        if max(left.pvalues[1], right.pvalues[1]) < 0.05 and slopes[0] * slopes[1] < 0:
            return "inverted U" if slopes[0] > 0 else "U"
    rho, _, _, p = rank_correlation(pd.Series(x), pd.Series(y), len(np.unique(own)))
    if not p < 0.05:
        return "none that could be told from chance"
    return "rising" if rho > 0 else "falling"


def _fit(design: np.ndarray, y: np.ndarray, groups: np.ndarray) -> RegressionResultsWrapper:
    """Fit by least squares, with errors of groups where some have several members."""
    if len(np.unique(groups)) == len(groups):
        return OLS(y, design).fit()
    return OLS(y, design).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)


def too_few(families: pd.Series, what: str, needed: int = FEWEST_FAMILIES) -> Verdict | None:
    """Return the finding that there are too few families, or None if there are enough.

    Parameters
    ----------
    families : Series of str
        The family of each model.
    what : str
        What kind of models these are, in the plural.
    needed : int
        So many families are enough.
    """
    count, distinct = len(families), families.nunique()
    if distinct >= needed:
        return None
    text = f"This run has {count} {what}" + (f" of {_count(distinct)}." if count else ".")
    why = f"at least {needed} families are needed"
    return Verdict(OPEN, text, why, n=count, families=distinct)


def _count(families: int) -> str:
    return "one family" if families == 1 else f"{families} families"


def share(success: pd.Series, family: pd.Series, text: str, name: str) -> Verdict:
    """Judge whether most models succeed, by Wilson's interval of their share.

    It is the interval of a share that was seen among as many models as there are families.

    Parameters
    ----------
    success : Series of bool
        One a model.
    family : Series of str
        The family of each model.
    text, name : str
        The evidence in words, and what the share is called.
    """
    total, families = len(success), family.nunique()
    fraction = float(success.mean())
    low, high = proportion_confint(fraction * families, families, alpha=0.05, method="wilson")
    verdict = HOLDS if low > 0.5 else (FAILS if high < 0.5 else OPEN)
    counted = f"{total} models of {_count(families)}, which is what the interval counts"
    why = f"the interval of the share holds one half ({counted})" if verdict == OPEN else ""
    return Verdict(
        *(verdict, text, why, name, fraction, float(low), float(high)),
        n=total,
        families=families,
    )


def stays_within(
    difference: pd.Series, family: pd.Series, text: str, name: str, limit: float
) -> Verdict:
    """Judge whether a mean difference is small: whether its interval lies within +-limit.

    Parameters
    ----------
    difference : Series
        One a model, or a group of models.
    family : Series of str
        The family of each; the mean is over families, its interval Student's t.
    text, name : str
        The evidence in words, and what the difference is called.
    limit : float
        From where on a difference is a large one.
    """
    by_family = difference.groupby(family.reindex(difference.index)).mean()
    families, effect = len(by_family), float(by_family.mean())
    if families < 2:
        why = "one family says nothing about others"
        return Verdict(OPEN, text, why, name, effect, n=len(difference), families=families)
    error = float(by_family.std(ddof=1) / np.sqrt(families))
    low, high = effect + stats.t.ppf([0.025, 0.975], families - 1) * error
    verdict = HOLDS if -limit < low and high < limit else OPEN
    verdict = FAILS if low > limit or high < -limit else verdict
    why = f"the interval over {_count(families)} holds {limit}" if verdict == OPEN else ""
    return Verdict(
        *(verdict, text, why, name, effect, float(low), float(high)),
        n=len(difference),
        families=families,
    )


def rank_correlation(
    x: pd.Series, y: pd.Series, families: int
) -> tuple[float, float, float, float]:
    """Spearman's correlation over models, as sure as over so many families.

    Returns
    -------
    rho, low, high, p : float
        The interval of Bonett and Wright (2000), and Student's t, with the number of families in
        place of that of models.
    """
    if x.nunique() < 2 or y.nunique() < 2 or families < 4:
        return 0.0, -1.0, 1.0, 1.0
    rho = float(np.clip(stats.spearmanr(x, y).statistic, -0.9999, 0.9999))
    error = np.sqrt((1 + rho**2 / 2) / (families - 3))
    low, high = np.tanh(np.arctanh(rho) + np.array([-1.96, 1.96]) * error)
    t = rho * np.sqrt((families - 2) / (1 - rho**2))
    return rho, float(low), float(high), float(2 * stats.t.sf(abs(t), families - 2))


def within_strata(
    value: pd.Series,
    kind: pd.Series,
    stratum: pd.Series,
    family: pd.Series,
    names: tuple[str, str],
    what: str,
) -> Verdict:
    """Compare two kinds of models among those that are otherwise equal, family by family.

    Within a stratum, the difference of the two kinds' means; of a family's strata, the mean
    difference; over families, Student's t.

    Parameters
    ----------
    value, kind, stratum, family : Series
        Of each model: its correlation, its kind, what it has in common with others, its family.
    names : tuple of str
        The two kinds that are compared, the first minus the second.
    what : str
        What models of a stratum have in common, in words.
    """
    table = pd.DataFrame({"value": value, "kind": kind, "stratum": stratum, "family": family})
    table = table[table["kind"].isin(names)]
    counts = " and ".join(f"{(table['kind'] == name).sum()} {name}" for name in names)
    table = table[table.groupby("stratum")["kind"].transform("nunique") == 2]
    groups = table["stratum"].nunique()
    means = table.groupby(["family", "stratum", "kind"])["value"].mean().unstack("kind")
    text = f"This run has {counts} models, {len(table)} of them in {groups} group(s) of {what}."
    if groups == 0:
        return Verdict(OPEN, text, f"no models of {what} to compare")
    by_family = (means[names[0]] - means[names[1]]).groupby("family").mean()
    effect, families = float(by_family.mean()), len(by_family)
    listed = ", ".join(f"{name} {gain:+.3f}" for name, gain in by_family.items())
    text = (
        f"Among {len(table)} models in {groups} group(s) of {what}, {names[0]} is {effect:+.3f} "
        f"SRCC from {names[1]} (by family: {listed})."
    )
    title = f"SRCC of {names[0]} over {names[1]}"
    if families < 2:
        why = "one family says nothing about others"
        return Verdict(OPEN, text, why, title, effect, n=len(table), families=families)
    error = float(by_family.std(ddof=1) / np.sqrt(families))
    low, high = effect + stats.t.ppf([0.025, 0.975], families - 1) * error
    p = float(2 * stats.t.sf(abs(effect) / error, families - 1)) if error > 0 else np.nan
    verdict = HOLDS if low > 0 else (FAILS if high < 0 else OPEN)
    why = f"the interval over {_count(families)} holds 0" if verdict == OPEN else ""
    return Verdict(
        *(verdict, text, why, title, effect, float(low), float(high), p, len(table), families)
    )
