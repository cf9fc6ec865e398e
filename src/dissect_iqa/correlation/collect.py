"""All correlations of a study in one table, with the ceilings of its data sets."""

import logging
from collections.abc import Collection, Iterable, Mapping

import pandas as pd

from dissect_iqa.correlation.ceiling import noise_ceiling
from dissect_iqa.correlation.settings import StatisticsSettings

log = logging.getLogger(__name__)


def collect(
    tables: Iterable[pd.DataFrame],
    pairs: Mapping[str, pd.DataFrame],
    settings: StatisticsSettings,
    titles: Collection[str] = (),
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
    titles : collection of str
        Of layers that were to be taken together; the log says which no network has.
    """
    ceilings = (
        noise_ceiling(table, dataset_name=name, settings=settings) for name, table in pairs.items()
    )
    parts = [*tables, *ceilings]
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    for title in sorted(set(titles) - set(table.loc[table["kind"] == "concatenation", "layer"])):
        log.warning("concatenation %r: no network of this study has any of its layers", title)
    return table
