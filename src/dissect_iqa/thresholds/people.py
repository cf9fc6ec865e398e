"""People as predictors of people: how far one observer is from the others."""

import numpy as np
import pandas as pd

from dissect_iqa.thresholds.resampling import Residuals

#: The `model` of these rows.
ONE_OBSERVER = "one observer"


def observers_residuals(observers: pd.DataFrame, studies: pd.Series) -> Residuals:
    """Hold each observer's thresholds against the mean of the others'.

    Parameters
    ----------
    observers : DataFrame
        `stimulus`, `observer`, `log_contrast`; those of stimuli that several people saw count.
    studies : Series of str
        The study of each stimulus, indexed by `stimulus`.

    Returns
    -------
    Residuals
        One column, one row an observer and stimulus.
    """
    table = observers[observers["stimulus"].isin(studies.index)]
    groups = table.groupby("stimulus")["log_contrast"]
    count, total = groups.transform("size"), groups.transform("sum")
    several = (count > 1).to_numpy()
    table, count, total = table[several], count[several], total[several]
    others = ((total - table["log_contrast"]) / (count - 1)).to_numpy()
    return Residuals(
        found=table["log_contrast"].to_numpy()[:, None],
        people=others,
        study=studies.loc[table["stimulus"]].to_numpy(),
        observer=table["observer"].to_numpy(),
        stimulus=table["stimulus"].to_numpy(),
    )


def redraw_people(
    observers: pd.DataFrame, stimuli: pd.DataFrame, draws: int, generator: np.random.Generator
) -> np.ndarray:
    """Return people's log thresholds as other observers of the same studies would have had them.

    In each study with several observers, as many are drawn from them; a stimulus moves by how far
    the drawn ones' mean is from all. Others keep what was published.

    Parameters
    ----------
    observers : DataFrame
        `stimulus`, `observer`, `log_contrast`.
    stimuli : DataFrame
        `study`, `log_threshold`; indexed by `stimulus`.
    draws : int
        How often.
    generator : Generator
        Draws.

    Returns
    -------
    ndarray, shape (draws, stimuli)
    """
    found = np.tile(stimuli["log_threshold"].to_numpy(np.float64), (draws, 1))
    for _, rows in stimuli.groupby("study", sort=True):
        place = stimuli.index.get_indexer(rows.index)
        single = observers[observers["stimulus"].isin(rows.index)]
        wide = single.pivot_table(
            index="observer", columns="stimulus", values="log_contrast", aggfunc="mean", sort=True
        ).reindex(columns=rows.index)
        if len(wide) < 2:
            continue
        values = wide.to_numpy()
        known = np.isfinite(values)
        filled = np.where(known, values, 0.0)
        times = generator.multinomial(len(wide), np.full(len(wide), 1 / len(wide)), draws)
        weight, total = times @ known, times @ filled
        mean = np.where(known.any(0), filled.sum(0) / np.maximum(known.sum(0), 1), 0.0)
        moved = np.where(weight > 0, total / np.maximum(weight, 1) - mean, 0.0)
        found[:, place] += moved
    return found
