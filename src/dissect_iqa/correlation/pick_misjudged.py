"""Pick the pairs on which each network or metric and people disagree most."""

import pandas as pd

#: So many pairs of each competitor.
EACH = 20
COLUMNS = [
    *("dataset", "model", "kind", "distance", "layer", "place", "pair", "reference_file"),
    *("distorted_file", "distortion", "quality", "mapped", "error", "psnr"),
]


def pick_misjudged(
    predictions: pd.DataFrame, pairs: pd.DataFrame, each: int = EACH
) -> pd.DataFrame:
    """Return each competitor's pairs with the largest difference between prediction and score.

    Parameters
    ----------
    predictions : DataFrame
        What `dissect_iqa.correlation.judge_pairs.judge_pairs` returned of one data set.
    pairs : DataFrame
        The data set's pairs: `pair, reference_file, distorted_file`.
    each : int
        So many pairs of each competitor at most.

    Returns
    -------
    DataFrame
        `COLUMNS`, a row a competitor and pair, the worst of each at `place` 1. `quality` is
        people's score, larger is better; `mapped` what the competitor says on that scale by the
        logistic with 4 parameters; `error` is `mapped - quality`: above 0 where people see more
        distortion than it does. `psnr` is in dB, NaN where the study has none. Competitors
        without mapped predictions (they don't vary, or are inverted) have no rows.
    """
    known = predictions.dropna(subset=["mapped"])
    known = known.assign(error=known["mapped"] - known["quality"])
    # stable: pairs of equal error stay in the data set's order
    order = known["error"].abs().sort_values(ascending=False, kind="stable").index
    worst = known.loc[order].groupby("model", sort=False).head(each)
    place = worst.groupby("model", sort=False).cumcount() + 1
    competitors = {name: number for number, name in enumerate(predictions["model"].unique())}
    psnr = predictions[predictions["model"] == "psnr"].set_index("pair")["predicted"]
    found = worst.assign(
        place=place,
        psnr=worst["pair"].map(psnr).astype(float),
        rank=worst["model"].map(competitors),
    ).merge(pairs[["pair", "reference_file", "distorted_file"]], on="pair", how="left")
    return found.sort_values(["rank", "place"], kind="stable", ignore_index=True)[COLUMNS]
