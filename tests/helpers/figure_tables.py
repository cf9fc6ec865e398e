"""Made-up tables of a whole study, as `Study.figure_tables` hands them to each figure."""

import numpy as np
import pandas as pd
import yaml
from correlation_data import pairs
from model_rows import MODELS, REPOSITORY

from dissect_iqa.figures.titles import titled
from dissect_iqa.multiverse.choices import CHOICES, universes
from dissect_iqa.zoo.table import read_models

NOTICE = (
    "Demo: scores are transferred (mean TID2013 opinion of each type and level over its 25 "
    "references); nobody rated these pictures."
)
TID2013 = (
    "additive Gaussian noise", "additive noise in colour components",
    "spatially correlated noise", "masked noise", "high-frequency noise", "impulse noise",
    "quantization noise", "Gaussian blur", "image denoising", "JPEG compression",
    "JPEG2000 compression", "JPEG transmission errors", "JPEG2000 transmission errors",
    "non-eccentricity pattern noise", "local block-wise distortions", "mean shift",
    "contrast change", "change of colour saturation", "multiplicative Gaussian noise",
    "comfort noise", "lossy compression of noisy images", "colour quantization with dither",
    "chromatic aberrations", "sparse sampling and reconstruction",
)  # fmt: skip
DISTANCES = ("rmse", "normalized_rmse", "cosine", "lpips_uniform", "dists", "mean_std")
METRICS = {7: ("psnr", "ssim", "ssim_downsampled", "ms_ssim")}
_FAMILY = {"VGG": 0.02, "ResNet": 0.0, "ViT": -0.03, "EfficientNet": 0.01}
_FUNCTION = {"supervised classification": 0.02, "self-supervised": -0.01}


def rows_of(size):
    """Return rows of the model table: the demo's 7; or the paper's, the last three untrained."""
    rows = list(read_models(MODELS).values())
    if size == 7:
        return [row for row in rows if row.set == "demo"]
    paper = [row for row in rows if row.set == "paper"]
    return paper[: size - 3] + [row for row in rows if row.id.startswith("rand_")][:3]


def metrics_of(size):
    study = yaml.safe_load((REPOSITORY / "config/paper.yaml").read_text())
    return METRICS.get(size, tuple(study["baselines"]))


def models_of(size):
    return pd.DataFrame([row.description() for row in rows_of(size)])


def correlations_of(size, models, dataset, seed, types=TID2013, distances=DISTANCES):
    """Return what `collect` would: profiles over depth, honest values, types, a ceiling."""
    rng = np.random.default_rng(seed)
    metrics = metrics_of(size)
    parts = []
    same = np.random.default_rng(1)  # a network's merit is its own on every data set
    for row in models.itertuples():
        points = int(same.integers(8, 40))
        merit = 0.80 + same.normal(0, 0.03) + _FAMILY.get(row.family, 0.0)
        merit += _FUNCTION.get(row.group, 0.0) - 0.12 * row.untrained + rng.normal(0, 0.02)
        peak = 0.5 + same.normal(0, 0.18)
        depth = (np.arange(points) + 1) / points
        for k, distance in enumerate(distances):
            value = merit - 0.5 * (depth - peak) ** 2 - 0.012 * k + rng.normal(0, 0.008, points)
            layers = [f"features.block{i // 4}.conv{i % 4}.activation" for i in range(points)]
            parts.append(_rows(row.id, "network", layers, depth, distance, "all", "srcc", value))
            best = value.argmax()
            honest = value[[best]] - 0.01
            parts.append(
                _rows(row.id, "network", [""], [np.nan], distance, "all", "srcc_nested", honest)
            )
            if k:
                continue
            for number, kind in enumerate(types):
                one = value[[best]] + 0.1 - 0.03 * (number % 7) + rng.normal(0, 0.04)
                one = np.where(kind == "contrast change", -0.3, np.minimum(one, 0.98))
                parts.append(
                    _rows(row.id, "network", [layers[best]], depth[[best]], distance,
                          f"type:{kind}", "srcc", one, 30)
                )  # fmt: skip
        for name, kind in (("rmse on all layers", "concatenation"), ("nnls_mse", "readout")):
            value = np.array([merit + (0.02 if kind == "readout" else -0.02)])
            layer = ["all layers"] if kind == "concatenation" else ["features.1"]
            where = [np.nan] if kind == "concatenation" else [0.4]
            parts.append(_rows(row.id, kind, layer, where, name, "all", "srcc", value))
    for number, name in enumerate(metrics):
        value = np.array([0.62 + 0.27 * (number + 1) / len(metrics) + rng.normal(0, 0.01)])
        parts.append(_rows(name, "metric", [""], [np.nan], name, "all", "srcc", value))
        for kind_number, kind in enumerate(types):
            one = value + 0.02 * (kind_number % 5) - 0.03
            parts.append(
                _rows(name, "metric", [""], [np.nan], name, f"type:{kind}", "srcc", one, 30)
            )
    ceiling = np.array([0.953])
    parts.append(
        _rows("noise ceiling", "ceiling", [""], [np.nan], "noise ceiling", "all", "srcc", ceiling)
    )
    return pd.concat(parts, ignore_index=True).assign(dataset=dataset)


def _rows(model, kind, layers, depth, distance, subset, statistic, value, n=390):
    type = subset.removeprefix("type:") if subset.startswith("type:") else ""
    return pd.DataFrame(
        {"model": model, "kind": kind, "layer": layers, "depth": depth, "distance": distance,
         "subset": subset, "distortion": type, "statistic": statistic, "value": value,
         "low": value - 0.05, "high": np.minimum(value + 0.04, 1), "n": n, "references": 25,
         "fitted_on": ""}
    )  # fmt: skip


def contests_of(models, correlations):
    """Return everyone against everyone, by their correlations and a made-up error."""
    whole = correlations[correlations["subset"] == "all"]
    honest = whole[(whole["statistic"] == "srcc_nested") & (whole["distance"] == "rmse")]
    metrics = whole[whole["kind"] == "metric"]
    value = pd.concat([honest, metrics]).set_index("model")["value"]
    names, rows = list(value.index), []
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            gap = value[first] - value[second]
            winner = "" if abs(gap) < 0.035 else (first if gap > 0 else second)
            rows.append((first, second, gap, gap - 0.03, gap + 0.03, winner))
    columns = ["first", "second", "difference", "low", "high", "winner"]
    facts = {"dataset": "demo", "statistic": "srcc", "distance": "rmse", "n": 390}
    return pd.DataFrame(rows, columns=columns).assign(**facts, references=25)


def predictions_of(models, correlations):
    """Return what `judge_pairs` would: noisy predictions, and a logistic of them."""
    rng, data = np.random.default_rng(3), pairs(references=10, types=4, levels=8)
    quality = data["quality"].to_numpy()
    quality = (quality - quality.min()) / np.ptp(quality)
    metrics = correlations.loc[correlations["kind"] == "metric", "model"].unique()
    parts = []
    for name in (*models["id"], *metrics):
        network = name in set(models["id"])
        predicted = quality + rng.normal(0, 0.12, len(quality))
        mapped = 9 / (1 + np.exp(-6 * (predicted - 0.5)))
        parts.append(
            pd.DataFrame(
                {"dataset": "demo", "model": name, "kind": "network" if network else "metric",
                 "distance": "rmse" if network else name, "layer": "features.3" if network else "",
                 "pair": range(len(quality)), "distortion": data["distortion"],
                 "quality": 9 * quality, "predicted": predicted - network * 1.2,
                 "mapped": mapped if name != "psnr" else np.nan}
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def sizes_of(models):
    rng = np.random.default_rng(4)
    count = len(models)
    return pd.DataFrame(
        {"model": models["id"], "parameters": (10 ** rng.uniform(6, 8.3, count)).astype(int),
         "gflops": 10 ** rng.uniform(-0.5, 2, count), "layers": rng.integers(8, 80, count)}
    )  # fmt: skip


def thresholds_of(correlations, directions=("luminance", "red-green", "yellow-violet")):
    """Return layers and stimuli of a made-up set of thresholds, of the same layers as opinions."""
    rng = np.random.default_rng(5)
    rows, details = [], []
    plain = (correlations["distance"] == "rmse") | (correlations["kind"] == "metric")
    plain &= (correlations["subset"] == "all") & (correlations["statistic"] == "srcc")
    for (model, kind), own in correlations[plain].groupby(["model", "kind"], sort=False):
        network, points = kind == "network", len(own)
        for i in range(points):
            key = {
                "dataset": "light", "model": model, "kind": kind,
                "layer": own["layer"].iloc[i], "depth": own["depth"].iloc[i],
                "distance": "rmse" if network else model, "fitted_on": "",
            }  # fmt: skip
            for direction in ("all", *directions):
                for statistic in ("rmse_db", "spread_db", "bias_db", "correlation"):
                    value = 8 + rng.normal() + 2 * (i / points - 0.4) ** 2
                    rows.append({**key, "direction": direction, "statistic": statistic,
                                 "value": value, "low": value - 1, "high": value + 1,
                                 "n": 60, "studies": 5})  # fmt: skip
        for stimulus in range(60):
            octave = stimulus % 6
            people = -1.5 - 0.4 * octave + 0.1 * octave**2 + 0.1 * (stimulus % 5)
            found = people + rng.normal(0, 0.2)
            details.append({**key, "stimulus": stimulus, "study": f"s{stimulus % 5}",
                            "direction": directions[stimulus % 3],
                            "frequency": 0.0 if stimulus < 3 else 0.5 * 2.0**octave,
                            "people": people, "found": found,
                            "found_honest": found})  # fmt: skip
    ceiling = {**rows[0], "model": "one observer", "kind": "ceiling", "layer": "",
               "distance": "one observer", "direction": "all", "statistic": "rmse_db",
               "value": 4.0}  # fmt: skip
    return pd.DataFrame([*rows, ceiling]), pd.DataFrame(details)


def invariance_of(correlations, dataset="shifted", keeps=1.0):
    whole = correlations["subset"] == "all"
    plain = (correlations["statistic"] == "srcc") & correlations["kind"].isin(["network", "metric"])
    rows = correlations[whole & plain]
    keys = ["model", "kind", "layer", "depth", "distance"]
    moved = rows[keys].assign(of="demo", aligned=rows["value"], n=390, statistic="srcc")
    moved["kept"] = keeps * np.where(moved["kind"] == "metric", 0.4, 0.6 + 0.3 * moved["depth"])
    return moved.assign(misaligned=moved["aligned"] * moved["kept"], dataset=dataset)


def universes_of(claims=10):
    given = {choice: ["only"] for choice in CHOICES}
    given |= {"distance": list(DISTANCES), "statistic": ["srcc", "plcc", "plcc4"]}
    given |= {"layer": ["honest", "flattering", "last"], "pairs": ["all", "types"]}
    every, rng, parts = universes(given), np.random.default_rng(6), []
    for k in range(claims):
        effect = rng.normal(0.1, 0.1, len(every))
        verdict = np.select([effect > 0.1, effect < 0], ["holds", "does not hold"], "can't be told")
        parts.append(
            every.assign(
                dataset="demo", claim=f"claim {k}", verdict=verdict, effect=effect,
                finding=f"Finding number {k}: networks see more of what people see than metrics.",
                effect_name="SRCC of one over another", low=effect - 0.1, high=effect + 0.1,
                default=np.arange(len(every)) == 3,
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def factors_of():
    names = ("function", "architecture", "environment", "depth", "distance", "data set",
             "networks: unexplained", "cells: unexplained")  # fmt: skip
    share = np.array([0.1, 0.24, 0.06, 0.2, 0.1, 0.08, 0.12, 0.1])
    table = pd.DataFrame({"factor": names, "share": share, "low": share - 0.08})
    return table.assign(high=share + 0.12, alone=share + 0.03, last=share - 0.03, note="")


def tables(size, titles=True):
    """Return every table that a figure of such a study may take, networks by titles or ids."""
    models = models_of(size)
    names = dict(zip(models["id"], models["title"], strict=True))
    correlations = correlations_of(size, models, "demo", 0)
    layers, stimuli = thresholds_of(correlations)
    comparisons = yaml.safe_load((REPOSITORY / "config/comparisons.yaml").read_text())
    found = {
        "models": models,
        "correlations": correlations,
        "contests": contests_of(models, correlations),
        "predictions": predictions_of(models, correlations),
        "sizes": sizes_of(models),
        "layers": layers,
        "stimuli": stimuli,
        "invariance": invariance_of(correlations),
        "universes": universes_of(),
        "factors": factors_of(),
        "comparisons": comparisons["comparisons"],
    }
    return {name: titled(table, names) for name, table in found.items()} if titles else found


def tables_for(figure, size, found=None):
    """Return the tables that one figure takes: those of its data sets."""
    found = dict(found or tables(size))
    if figure == "datasets":
        models = models_of(size)
        names = dict(zip(models["id"], found["models"]["id"], strict=True))
        other = correlations_of(size, models, "other", 9, types=())
        parts = [found["correlations"], titled(other, names)]
        found["correlations"] = pd.concat(parts, ignore_index=True)
    if figure == "answers":
        turned = found["invariance"].assign(dataset="turned", kept=found["invariance"]["kept"] / 2)
        found["invariance"] = pd.concat([found["invariance"], turned], ignore_index=True)
    return found
