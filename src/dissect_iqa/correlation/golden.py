"""Published figures beside those of a run: pass or fail, row by row."""

from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from dissect_iqa.errors import UserError

_TEXT = ("dataset", "model", "layer", "distance", "statistic", "source", "conditions")
#: The table of published figures; see `read_published` for its columns.
PUBLISHED_COLUMNS = [
    *("dataset", "model", "position", "positions", "layer", "distance", "statistic"),
    *("value", "tolerance", "n", "source", "conditions"),
]


def read_published() -> pd.DataFrame:
    """Return the published figures that ship with the package.

    Returns
    -------
    DataFrame
        `dataset`, `model` (a model's id or a metric's name), `position` (place of the layer in
        the order of depth, from 0; none for metrics) among `positions` layers, `layer` (its name
        in the publication), `distance`, `statistic`, `value`, `tolerance` (allowed difference),
        `n` (pairs), `source`, and `conditions` (how theirs differs from ours).
    """
    path = files("dissect_iqa.correlation") / "published.csv"
    with path.open(encoding="utf-8") as file:
        kinds = dict.fromkeys(_TEXT, str)
        table = pd.read_csv(file, dtype=kinds, keep_default_na=True)
    table[list(_TEXT)] = table[list(_TEXT)].fillna("")
    return table.astype({"position": "Int64", "positions": "Int64"})


def check_published(
    correlations: pd.DataFrame, published: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Compare a run with published figures.

    Parameters
    ----------
    correlations : DataFrame
        Collected tables of `correlate`.
    published : DataFrame, optional
        See `read_published`, which is the default.

    Returns
    -------
    DataFrame
        The published rows with `found`, `difference` (found - published), `verdict` (``pass``,
        ``fail`` or ``not compared``) and `reason`. What a run hasn't computed, or has computed on
        other pairs or other layers, is not compared.

    Raises
    ------
    UserError
        If the table of published figures lacks a column.
    """
    published = read_published() if published is None else published
    for name in PUBLISHED_COLUMNS:
        if name not in published:
            raise UserError(f"published figures: column {name!r} is missing")
    whole = correlations[correlations["subset"] == "all"]
    groups = dict(list(whole.groupby(["dataset", "model"], sort=False)))
    rows = [_check(row, groups) for row in published.itertuples(index=False)]
    result = pd.DataFrame(rows, columns=["found", "verdict", "reason"], index=published.index)
    found = result["found"].astype(float)
    return published.assign(
        found=found,
        difference=found - published["value"],
        verdict=result["verdict"],
        reason=result["reason"],
    )


def _check(row: Any, groups: dict[tuple, pd.DataFrame]) -> tuple[float, str, str]:
    if not any(dataset == row.dataset for dataset, _ in groups):
        return np.nan, "not compared", f"data set {row.dataset} is not in this run"
    if (row.dataset, row.model) not in groups:
        return np.nan, "not compared", f"{row.model} is not in this run"
    rows = groups[row.dataset, row.model]
    rows = rows[(rows["distance"] == row.distance) & (rows["statistic"] == row.statistic)]
    if rows.empty:
        return np.nan, "not compared", f"{row.statistic} of {row.distance} was not computed"
    if pd.isna(row.position):
        if row.layer or len(rows) > 1:
            return np.nan, "not compared", f"{row.layer or row.model} is no layer of ours"
        match = rows.iloc[0]
    else:
        if len(rows) != row.positions:
            reason = f"{len(rows)} layers here, {row.positions} there"
            return np.nan, "not compared", reason
        match = rows.sort_values("depth", kind="stable").iloc[int(row.position)]
    if match["n"] != row.n:
        return np.nan, "not compared", f"{match['n']} pairs here, {row.n} there"
    difference = match["value"] - row.value
    if not np.isfinite(difference):
        return np.nan, "fail", "undefined here"
    if abs(difference) <= row.tolerance:
        return match["value"], "pass", ""
    return match["value"], "fail", f"off by {difference:+.4f}, allowed {row.tolerance:g}"
