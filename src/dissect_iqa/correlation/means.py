"""Means over pairs that hang together by their references, with intervals over references."""

import numpy as np

from dissect_iqa.correlation.jackknife import grouped, interval, make_plan
from dissect_iqa.correlation.settings import StatisticsSettings


def means(
    values: np.ndarray, codes: np.ndarray, settings: StatisticsSettings, pairs: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average every column, and tell how sure the average is.

    Parameters
    ----------
    values : ndarray, shape (rows, columns)
        What is averaged, -1 to 1.
    codes : ndarray of int, shape (rows,)
        The reference of each row.
    settings : StatisticsSettings
        What the intervals are made with.
    pairs : int, optional
        Number of pairs behind the rows, if they are averages themselves.

    Returns
    -------
    value, low, high : ndarray, shape (columns,)
        The interval is NaN with fewer than three references.
    """
    codes, count = grouped(codes, settings)
    plan = make_plan(count, settings)
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, codes, values)
    sizes = np.bincount(codes, minlength=count)
    results = plan.for_intervals @ sums / (plan.for_intervals @ sizes)[:, None]
    return results[0], *interval(results, plan, pairs or len(values), settings.level)
