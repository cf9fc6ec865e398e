"""All correlations of a study in one table, with the ceilings of its data sets."""

from collections.abc import Iterable, Mapping

import pandas as pd

from dissect_iqa.correlation.ceiling import noise_ceiling
from dissect_iqa.correlation.settings import StatisticsSettings


def collect(
    tables: Iterable[pd.DataFrame],
    pairs: Mapping[str, pd.DataFrame],
    settings: StatisticsSettings,
) -> pd.DataFrame:
    """Put tables of correlations under each other, and each data set's noise ceiling after them.

    Parameters
    ----------
    tables : iterable of DataFrame
        What `correlate` returned, for every data set and every model or metric.
    pairs : mapping of str to DataFrame
        By data set, its pairs.
    settings : StatisticsSettings
        What ceilings are computed with.
    """
    ceilings = (
        noise_ceiling(table, dataset_name=name, settings=settings) for name, table in pairs.items()
    )
    parts = [*tables, *ceilings]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)
