"""What an explorer shows, as tables; free of plotting libraries, so that it loads fast."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Explored:
    """What an explorer shows; networks go by their titles.

    Attributes
    ----------
    study, notice : str
        Its name, and what stands below the title.
    remarks : dict of str to str
        What must accompany a data set's numbers, by data set.
    correlations, models, sizes : DataFrame
        As figures take them.
    tuned_on : dict of str to str
        What judgements metrics were fitted to.
    contests, predictions, misjudged, thumbnails, pairs : dict of str to DataFrame
        By data set whose pictures were rated. Without thumbnails there are names of files.
    closed : dict of str to str
        By data set why its pictures can't be shown, as a sentence; empty if they can.
    layers, invariance : DataFrame
        Thresholds and misalignment, of all data sets; may be empty.
    """

    study: str
    notice: str
    correlations: pd.DataFrame
    models: pd.DataFrame
    sizes: pd.DataFrame
    remarks: Mapping[str, str] = field(default_factory=dict)
    tuned_on: Mapping[str, str] = field(default_factory=dict)
    contests: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    predictions: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    misjudged: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    thumbnails: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    pairs: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    closed: Mapping[str, str] = field(default_factory=dict)
    layers: pd.DataFrame = field(default_factory=pd.DataFrame)
    invariance: pd.DataFrame = field(default_factory=pd.DataFrame)
