"""Made-up contents of an explorer: a small study, and one of the size that it is to bear."""

from io import BytesIO

import numpy as np
import pandas as pd
from figure_tables import DISTANCES, TID2013, metrics_of, models_of, tables
from PIL import Image

from dissect_iqa.correlation.pick_misjudged import pick_misjudged
from dissect_iqa.explorer.explored import Explored


def small(colour):
    written = BytesIO()
    Image.new("RGB", (160, 120), colour).save(written, "WEBP", quality=60)
    return written.getvalue()


def pairs_of(predictions):
    """Return the pairs of one data set of which there are predictions."""
    first = predictions[predictions["model"] == predictions["model"].iloc[0]]
    names = [f"i{number:04}_{name.replace(' ', '_')}.png"
             for number, name in zip(first["pair"], first["distortion"], strict=True)]  # fmt: skip
    return pd.DataFrame(
        {"pair": first["pair"].to_numpy(), "reference_file": [f"r{i % 25}.png" for i in first.pair],
         "distorted_file": names, "distortion": first["distortion"].to_numpy(),
         "quality": first["quality"].to_numpy()}
    )  # fmt: skip


def thumbnails_of(pairs):
    files = [*pairs["reference_file"].unique(), *pairs["distorted_file"]]
    # references are blue, distorted pictures red
    webp = {True: small((20, 60, 200)), False: small((200, 60, 20))}
    return pd.DataFrame({"file": files, "webp": [webp[name.startswith("r")] for name in files]})


def explored(size=7, **more):
    """Return what the explorer shows of a made-up study of one data set."""
    found = tables(size)
    predictions = found["predictions"]
    pairs = pairs_of(predictions)
    given = {
        "study": "made-up", "notice": "Study made-up.",
        "correlations": found["correlations"],
        "models": found["models"], "sizes": found["sizes"], "remarks": {"demo": "Nobody rated."},
        "contests": {"demo": found["contests"]}, "predictions": {"demo": predictions},
        "misjudged": {"demo": pick_misjudged(predictions, pairs)},
        "thumbnails": {"demo": thumbnails_of(pairs)}, "pairs": {"demo": pairs},
        "layers": found["layers"], "invariance": found["invariance"],
    }  # fmt: skip
    return Explored(**{**given, **more})


def large(sets=("tid2013", "kadid10k"), layers=50, subsets=26, pairs=3000):
    """Return a study of 46 networks x 2 data sets x 50 layers x 8 distances x 26 subsets."""
    rng = np.random.default_rng(0)
    models, metrics = models_of(46), metrics_of(46)
    names = dict(zip(models["id"], models["title"], strict=True))
    distances = (*DISTANCES, "correlation", "rmse_three")
    kinds = [
        "all",
        *(f"type:{TID2013[i % 24]} {i // 24 or ''}".strip() for i in range(subsets - 1)),
    ]
    depth = np.linspace(0, 1, layers)
    cells = pd.MultiIndex.from_product(
        [sets, models["title"], range(layers), distances, kinds],
        names=["dataset", "model", "layer", "distance", "subset"],
    ).to_frame(index=False)  # fmt: skip
    merit = rng.normal(0.7, 0.05, len(models))[models["title"].factorize()[0].repeat(1)]
    value = np.repeat(np.tile(np.repeat(merit, layers), len(sets)), len(distances) * len(kinds))
    at = depth[cells["layer"].to_numpy()]
    value = value + 0.2 * np.sin(3 * at) + rng.normal(0, 0.02, len(cells)) - 0.2
    cells = cells.assign(
        kind="network", depth=at, layer="blocks." + cells["layer"].astype(str), distortion="",
        statistic="srcc", value=value, low=value - 0.05, high=value + 0.04, n=pairs,
    )  # fmt: skip
    lines = pd.MultiIndex.from_product([sets, metrics, kinds], names=["dataset", "model", "subset"])
    lines = lines.to_frame(index=False)
    level = rng.uniform(0.5, 0.9, len(metrics))[lines["model"].factorize()[0]]
    lines = lines.assign(kind="metric", layer="", depth=np.nan, distance=lines["model"],
                         distortion="", statistic="srcc", value=level, low=level - 0.05,
                         high=level + 0.04, n=pairs)  # fmt: skip
    everyone = [*models["title"], *metrics]
    predictions, contests = {}, {}
    for name in sets:
        quality = rng.uniform(0, 9, pairs)
        parts = []
        for who in everyone:
            predicted = quality + rng.normal(0, 1, pairs)
            parts.append(pd.DataFrame(
                {"dataset": name, "model": who,
                 "kind": "metric" if who in metrics else "network", "distance": "rmse",
                 "layer": "blocks.30", "pair": range(pairs), "quality": quality,
                 "distortion": [TID2013[i % 24] for i in range(pairs)],
                 "predicted": predicted, "mapped": predicted}
            ))  # fmt: skip
        predictions[name] = pd.concat(parts, ignore_index=True)
        first, second = np.triu_indices(len(everyone), 1)
        gap = rng.normal(0, 0.1, len(first))
        contests[name] = pd.DataFrame(
            {"first": np.array(everyone)[first], "second": np.array(everyone)[second],
             "winner": np.where(abs(gap) < 0.05, "", np.array(everyone)[first]), "difference": gap,
             "low": gap - 0.05, "high": gap + 0.05, "statistic": "srcc", "distance": "rmse"}
        )  # fmt: skip
    sizes = pd.DataFrame({"model": models["title"], "parameters": 10**7, "gflops": 4.0})
    every = {name: pairs_of(table) for name, table in predictions.items()}
    return Explored(
        study="large", notice="Study large.", models=models.assign(id=models["id"].map(names)),
        correlations=pd.concat([cells, lines], ignore_index=True), sizes=sizes,
        contests=contests, predictions=predictions, pairs=every,
        misjudged={name: pick_misjudged(table, every[name])
                   for name, table in predictions.items()},
        thumbnails={name: thumbnails_of(table).head(0) for name, table in every.items()},
    )  # fmt: skip
