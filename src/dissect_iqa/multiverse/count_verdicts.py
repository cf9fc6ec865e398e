"""How much of a verdict hangs on choices: shares of universes, and the choice that turns it."""

from collections.abc import Iterable
from itertools import combinations

import numpy as np
import pandas as pd

from dissect_iqa.claims.evidence import FAILS, HOLDS, OPEN
from dissect_iqa.multiverse.choices import CHOICES

VERDICTS = (HOLDS, FAILS, OPEN)
COLUMNS = [
    *("dataset", "claim", "finding", "reported", "universes", *VERDICTS),
    *("turning_choice", "turned", "by_its_options"),
    *(f"turned by {choice}" for choice in CHOICES),
]


def turned(table: pd.DataFrame) -> pd.Series:
    """Return how often each choice turns a verdict when nothing but it is changed.

    Parameters
    ----------
    table : DataFrame
        One finding's rows of what `walk_multiverse` returned of one data set.

    Returns
    -------
    Series
        By choice, of all pairs of universes that differ in nothing but this choice, the share in
        which the verdicts differ; NaN where there is one option.
    """
    codes = table.assign(code=table["verdict"].map(VERDICTS.index))
    shares = {}
    for choice in CHOICES:
        rest = [name for name in CHOICES if name != choice]
        # what a finding isn't asked about leaves a hole, which differs from nothing
        wide = codes.pivot(index=rest, columns=choice, values="code").to_numpy(float)
        pairs = [(wide[:, i], wide[:, j]) for i, j in combinations(range(wide.shape[1]), 2)]
        differ = [(one != other)[np.isfinite(one) & np.isfinite(other)] for one, other in pairs]
        shares[choice] = float(np.concatenate(differ).mean()) if differ else np.nan
    return pd.Series(shares)


def shares_by_option(table: pd.DataFrame, choice: str) -> pd.DataFrame:
    """Return how one finding's verdicts split by the options of a choice.

    Returns
    -------
    DataFrame
        An option a row, in the order of the table; a verdict a column; shares that add up to 1.
    """
    counts = pd.crosstab(table[choice], table["verdict"], normalize="index")
    return counts.reindex(index=list(dict.fromkeys(table[choice])), columns=VERDICTS, fill_value=0)


def count_verdicts(tables: Iterable[pd.DataFrame], reported: pd.DataFrame) -> pd.DataFrame:
    """Sum up the multiverse for people, a row a data set and finding.

    Parameters
    ----------
    tables : iterable of DataFrame
        What `walk_multiverse` returned of each data set.
    reported : DataFrame
        What `dissect_iqa.claims.test_claims.test_claims` returned: `dataset, claim, verdict`.

    Returns
    -------
    DataFrame
        `COLUMNS`. `reported` is the verdict of the study itself; then the number of universes and
        the share of each verdict; `turning_choice` is the choice that turns most verdicts when
        nothing else is changed, in the share `turned` of all such changes (empty where none does;
        of equal ones the first), and `by_its_options` how verdicts split by its options; then the
        same share for every choice, NaN where there was nothing to choose.
    """
    told = reported.set_index(["dataset", "claim"])["verdict"].to_dict()
    rows = []
    for table in tables:
        for (dataset, claim), own in table.groupby(["dataset", "claim"], sort=False):
            shares = own["verdict"].value_counts(normalize=True)
            by_choice = turned(own)
            most = float(by_choice.max())
            choice = str(by_choice.idxmax()) if most > 0 else ""
            rows.append(
                {
                    "dataset": dataset, "claim": claim, "finding": own["finding"].iloc[0],
                    "reported": told.get((dataset, claim), ""), "universes": len(own),
                    **{verdict: float(shares.get(verdict, 0)) for verdict in VERDICTS},
                    "turning_choice": choice, "turned": most,
                    "by_its_options": _in_words(shares_by_option(own, choice)) if choice else "",
                    **by_choice.add_prefix("turned by "),
                }
            )  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def _in_words(shares: pd.DataFrame) -> str:
    """Say it as in "srcc: holds 100 %; plcc: holds 25 %, can't be told 75 %"."""
    options = []
    for option, row in shares.iterrows():
        told = [f"{name} {100 * share:.0f} %" for name, share in row.items() if share > 0]
        options.append(f"{option}: {', '.join(told)}")
    return "; ".join(options)
