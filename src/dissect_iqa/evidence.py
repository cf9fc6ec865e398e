"""What a number of models says: verdicts from shares, rank correlations and matched differences."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.proportion import proportion_confint

HOLDS, FAILS, OPEN = "holds", "does not hold", "can't be told"
#: With fewer models than this, a rank correlation over models says next to nothing.
FEWEST_MODELS = 6
#: A rank correlation up to this is "not more than moderate".
MODERATE = 0.5


@dataclass(frozen=True)
class Finding:
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
    n : int
        Number of models behind it.
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


def shape_of(x: np.ndarray, y: np.ndarray) -> str:
    """Name the shape of y over x: ``inverted U``, ``U``, ``rising``, ``falling`` or ``none``.

    A U of either kind needs two lines of opposite, significant slope on either side of the
    parabola's vertex (two-lines test, Simonsohn 2018), not only a significant square term.
    """
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return "none, all being equal"
    z = (x - x.mean()) / x.std()
    square = OLS(y, np.column_stack([np.ones_like(z), z, z**2])).fit()
    vertex = -square.params[1] / (2 * square.params[2]) if square.params[2] else np.nan
    below, above = z < vertex, z >= vertex
    if square.pvalues[2] < 0.05 and min(below.sum(), above.sum()) > 2:
        left, right = (stats.linregress(z[part], y[part]) for part in (below, above))
        if left.pvalue < 0.05 and right.pvalue < 0.05 and left.slope * right.slope < 0:
            return "inverted U" if left.slope > 0 else "U"
    rho = stats.spearmanr(x, y)
    if not rho.pvalue < 0.05:
        return "none that could be told from chance"
    return "rising" if rho.statistic > 0 else "falling"


def too_few(count: int, what: str, needed: int = FEWEST_MODELS) -> Finding | None:
    """Return the finding that there are too few models, or None if there are enough."""
    if count >= needed:
        return None
    return Finding(OPEN, f"This run has {count} {what}.", f"at least {needed} are needed", n=count)


def share(success: pd.Series, text: str, name: str) -> Finding:
    """Judge whether most models succeed, by Wilson's interval of their share."""
    count, total = int(success.sum()), len(success)
    low, high = proportion_confint(count, total, alpha=0.05, method="wilson")
    verdict = HOLDS if low > 0.5 else (FAILS if high < 0.5 else OPEN)
    why = f"the interval of the share holds one half (models: {total})" if verdict == OPEN else ""
    return Finding(verdict, text, why, name, count / total, float(low), float(high), n=total)


def rank_correlation(x: pd.Series, y: pd.Series) -> tuple[float, float, float, float]:
    """Spearman's correlation over models with the interval of Bonett and Wright (2000)."""
    if x.nunique() < 2 or y.nunique() < 2:
        return 0.0, -1.0, 1.0, 1.0
    found = stats.spearmanr(x, y)
    rho = float(np.clip(found.statistic, -0.9999, 0.9999))
    error = np.sqrt((1 + rho**2 / 2) / (len(x) - 3))
    low, high = np.tanh(np.arctanh(rho) + np.array([-1.96, 1.96]) * error)
    return rho, float(low), float(high), float(found.pvalue)


def within_strata(
    value: pd.Series,
    kind: pd.Series,
    stratum: pd.Series,
    names: tuple[str, str],
    what: str,
) -> Finding:
    """Compare two kinds of models among those that are otherwise equal."""
    table = pd.DataFrame({"value": value, "kind": kind, "stratum": stratum})
    table = table[table["kind"].isin(names)]
    counts = " and ".join(f"{(table['kind'] == name).sum()} {name}" for name in names)
    table = table[table.groupby("stratum")["kind"].transform("nunique") == 2]
    groups = table["stratum"].nunique()
    freedom = len(table) - groups - 1
    if groups == 0 or freedom < 2:
        text = f"This run has {counts} models, {len(table)} of them in {groups} group(s) of {what}."
        return Finding(OPEN, text, f"too few models of {what} to compare", n=len(table))
    design = pd.get_dummies(table["stratum"]).astype(float)
    design.insert(0, "effect", (table["kind"] == names[0]).astype(float))
    fit = OLS(table["value"], design).fit()
    effect, (low, high) = fit.params["effect"], fit.conf_int(0.05).loc["effect"]
    verdict = HOLDS if low > 0 else (FAILS if high < 0 else OPEN)
    text = (
        f"Among {len(table)} models in {groups} group(s) of {what}, {names[0]} is {effect:+.3f} "
        f"SRCC from {names[1]}."
    )
    why = "the interval holds 0" if verdict == OPEN else ""
    return Finding(
        *(verdict, text, why, f"SRCC of {names[0]} over {names[1]}"),
        *(float(effect), float(low), float(high), float(fit.pvalues["effect"]), len(table)),
    )
