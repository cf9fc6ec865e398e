"""Take one metric's scores of a data set's pairs from somebody's table: rule `read_scores`."""

import logging
import zlib

import numpy as np
import pandas as pd

from dissect_iqa.baselines.outside import ScoresEntry
from dissect_iqa.baselines.outside_table import match_rows, read_outside, scores_of
from dissect_iqa.distances.tables import Measured, distance_table
from dissect_iqa.errors import UserError

log = logging.getLogger(__name__)


def read_scores(
    metric: str,
    entry: ScoresEntry,
    pairs: pd.DataFrame,
    *,
    named: pd.DataFrame | None = None,
    expect: str | None = None,
    rehearse: bool = False,
) -> pd.DataFrame:
    """Read the scores of every pair of a data set from a table that somebody else made.

    Parameters
    ----------
    metric : str
        One of the entry's metrics.
    entry : ScoresEntry
        Where they are.
    pairs : DataFrame
        The data set's pairs.
    named : DataFrame, optional
        The pairs by whose file names the table knows these, in the same order: those of the data
        set whose pictures this one shows displaced.
    expect : str, optional
        What `OutsideTable.sum` gave when the run was planned.
    rehearse : bool
        Make numbers up instead, always the same ones: a rehearsal's pictures are others.

    Returns
    -------
    DataFrame
        As `dissect_iqa.baselines.score_baselines.score_baselines` returns it.

    Raises
    ------
    UserError
        If the table can't be read, has changed, or lacks a pair; see `read_outside`, `match_rows`.
    """
    if rehearse:
        values = np.random.default_rng(zlib.crc32(metric.encode())).random(len(pairs))
    else:
        table = read_outside(entry)
        if expect is not None and table.sum(metric) != expect:
            raise UserError(
                f"{entry.table}: the scores of {metric} have changed since this run was planned; "
                "start Snakemake again"
            )
        keys = pairs if named is None else named
        values = scores_of(table, metric, match_rows(table, keys, repr(entry.dataset)))
    log.info("%s: %d scores from %s", metric, len(values), entry.table)
    sign = entry.metrics[metric].sign
    return distance_table(pairs, [Measured("", np.nan, metric, values, "metric")], sign)
