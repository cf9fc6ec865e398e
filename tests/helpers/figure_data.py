"""Made-up correlations with the shape of the real ones, for the tests of figures and texts."""

import numpy as np
import pandas as pd
from model_rows import described

DISTANCES = ("rmse", "normalized_rmse", "cosine", "lpips_uniform", "dists", "mean_std")
BASELINES = {"psnr": 0.732, "ssim": 0.655, "ssim_downsampled": 0.694, "ms_ssim": 0.772}
TYPES = (
    "additive Gaussian noise",
    "additive noise in colour components",
    "spatially correlated noise",
    "high-frequency noise",
    "impulse noise",
    "quantization noise",
    "Gaussian blur",
    "JPEG compression",
    "JPEG2000 compression",
    "mean shift",
    "contrast change",
    "change of colour saturation",
    "multiplicative Gaussian noise",
)
NOTICE = (
    "Demo: scores are transferred (mean TID2013 opinion of each type and level over its 25 "
    "references); nobody rated these pictures."
)
# id, architecture, weights, function, family, environment, points, where the curve peaks, height
DEMO = (
    ("efflite0_in1k", "tf_efficientnet_lite0", "wheel:a==1!f", "supervised classification",
     "EfficientNet", "ImageNet-1k", 18, 0.45, 0.86),
    ("efflite1_in1k", "tf_efficientnet_lite1", "wheel:b==1!f", "supervised classification",
     "EfficientNet", "ImageNet-1k", 18, 0.50, 0.85),
    ("efflite2_in1k", "tf_efficientnet_lite2", "wheel:c==1!f", "supervised classification",
     "EfficientNet", "ImageNet-1k", 18, 0.40, 0.87),
    ("vgg16bn_craft", "vgg16_bn", "wheel:d==1!f", "supervised text detection",
     "VGG", "SynthText", 17, 0.60, 0.83),
    ("vgg16_hed", "vgg16", "wheel:e==1!f", "supervised contour detection",
     "VGG", "BSDS500", 17, 0.35, 0.81),
    ("efflite0_untrained", "tf_efficientnet_lite0", "seed:0", "none (untrained control)",
     "EfficientNet", "none", 18, 0.10, 0.74),
    ("vgg16bn_untrained", "vgg16_bn", "seed:0", "none (untrained control)",
     "VGG", "none", 17, 0.20, 0.76),
)  # fmt: skip
DIRECTIONS = ("luminance", "red-green")
COLUMNS = ["dataset", "model", "layer", "depth", "distance", "subset", "statistic"]
MODEL_NAMES = ["id", "architecture", "weights", "function", "family", "environment"]
MODEL_NAMES += ["points", "peak", "height"]


def models(rows=DEMO):
    return described(pd.DataFrame(rows, columns=MODEL_NAMES))


def zoo(count=46):
    """Return `count` models spread over functions, families and environments as in the paper."""
    rng = np.random.default_rng(1)
    families = ("AlexNet", "VGG", "ResNet", "DenseNet", "EfficientNet", "ConvNeXt", "ViT")
    functions = (
        ["supervised classification"] * 5
        + ["self-supervised: jigsaw", "self-supervised: rotation", "self-supervised: contrastive"]
        + ["supervised semantic segmentation", "unsupervised: autoencoding"]
    )
    places = ("ImageNet-1k (1.28M)", "Taskonomy (4M indoor)", "Places365 (1.80M)")
    rows = []
    for i in range(count):
        family = families[int(rng.integers(len(families)))]
        function = (
            functions[int(rng.integers(len(functions)))]
            if i < count - 3
            else ("none (untrained control)")
        )
        task = function.split(":")[-1].split()[-1][:7] if i < count - 3 else "random"
        rows.append(
            (f"{family.lower()}{i:02d}_{task}_in1k", family.lower() + str(i % 4),
             "seed:0" if i >= count - 3 else "enum:V1", function, family,
             places[int(rng.integers(3))], int(rng.integers(8, 53)),
             float(rng.uniform(0.2, 0.8)), float(rng.uniform(0.6, 0.88)))
        )  # fmt: skip
    return described(pd.DataFrame(rows, columns=MODEL_NAMES))


def _row(dataset, model, layer, depth, distance, subset, statistic, value, width, n):
    return (dataset, model, layer, depth, distance, subset, statistic, value,
            max(value - width, -1.0), min(value + 0.8 * width, 1.0), n)  # fmt: skip


def correlations(table=None, dataset="demo", distances=DISTANCES, baselines=BASELINES,
                 types=TYPES, width=0.05, pairs=390):  # fmt: skip
    """Return smooth profiles over depth with a little noise, for every statistic and subset."""
    table = models() if table is None else table
    rng = np.random.default_rng(0)
    rows = []
    for model in table.itertuples():
        for k, distance in enumerate(distances):
            points = int(model.points)
            wobble = rng.normal(0, 0.008, points)
            for i in range(points):
                depth = (i + 1) / points
                value = model.height - 0.5 * (depth - model.peak) ** 2 - 0.012 * k + wobble[i]
                common = (dataset, model.id, f"features.{i}", depth, distance)
                rows.append(_row(*common, "all", "srcc", value, width, pairs))
                rows.append(_row(*common, "all", "plcc", value - 0.03, width, pairs))
                rows.append(_row(*common, "all", "krcc", value * 0.75, width, pairs))
                for t, name in enumerate(types):
                    inverted = name == "contrast change"
                    one = -0.3 + 0.3 * depth if inverted else value + 0.1 - 0.02 * (t % 7)
                    rows.append(
                        _row(*common, f"type:{name}", "srcc", min(one, 0.99), 2 * width, 30)
                    )
            best = model.height - 0.012 * k - 0.015
            rows.append(
                _row(dataset, model.id, "", np.nan, distance, "all", "srcc_nested", best, width,
                     pairs)
            )  # fmt: skip
    for metric, value in baselines.items():
        common = (dataset, metric, "", np.nan, metric)
        rows.append(_row(*common, "all", "srcc", value, width, pairs))
        rows.append(_row(*common, "all", "plcc", value - 0.05, width, pairs))
        rows.append(_row(*common, "all", "krcc", value * 0.75, width, pairs))
        for t, name in enumerate(types):
            rows.append(_row(*common, f"type:{name}", "srcc", value + 0.02 * (t % 9), width, 30))
    found = pd.DataFrame(rows, columns=[*COLUMNS, "value", "low", "high", "n"])
    subset = found["subset"].str
    return found.assign(
        kind=np.where(found["model"] == found["distance"], "metric", "network"),
        fitted_on="",
        distortion=subset.removeprefix("type:").where(subset.startswith("type:"), ""),
    )


def answers():
    """Return correlations, thresholds of layers and stimuli, invariance, models: all made up."""
    table = models()
    opinions = correlations(table, distances=("rmse",))
    rows, details, rng = [], [], np.random.default_rng(0)
    competitors = [(row.id, "network", int(row.points)) for row in table.itertuples()]
    competitors += [(name, "metric", 1) for name in BASELINES]
    for model, kind, points in competitors:
        network = kind == "network"
        for i in range(points):
            key = {
                "dataset": "light", "model": model, "kind": kind,
                "layer": f"features.{i}" if network else "",
                "depth": (i + 1) / points if network else np.nan,
                "distance": "rmse" if network else model, "fitted_on": "",
            }  # fmt: skip
            for direction in ("all", *DIRECTIONS):
                for statistic in ("rmse_db", "spread_db", "bias_db", "correlation"):
                    value = 8 + rng.normal() + i / points
                    rows.append({**key, "direction": direction, "statistic": statistic,
                                 "value": value, "low": value - 1, "high": value + 1,
                                 "n": 40, "studies": 5})  # fmt: skip
        for stimulus in range(40):
            people = -2 + 0.05 * stimulus
            details.append({**key, "stimulus": stimulus, "study": f"s{stimulus % 5}",
                            "direction": DIRECTIONS[stimulus % 2],
                            "frequency": 0.0 if stimulus < 2 else 0.5 * 2.0 ** (stimulus % 6),
                            "people": people, "found": people + 0.1,
                            "found_honest": people})  # fmt: skip
    ceiling = {**rows[0], "model": "one observer", "kind": "ceiling", "layer": "",
               "distance": "one observer", "direction": "all", "statistic": "rmse_db",
               "value": 4.0}  # fmt: skip
    layers = pd.DataFrame([*rows, ceiling])
    return {
        "correlations": opinions, "layers": layers, "stimuli": pd.DataFrame(details),
        "models": table, "invariance": invariance(opinions),
    }  # fmt: skip


def invariance(opinions):
    """Return what is left on two sets of displaced pictures; of one layer nothing can be said."""
    rows = opinions[
        (opinions["subset"] == "all") & (opinions["statistic"] == "srcc")
        & (opinions["kind"] != "ceiling") & (opinions["dataset"] == "demo")
    ]  # fmt: skip
    keys = ["model", "kind", "layer", "depth", "distance"]
    moved = rows[keys].assign(of="demo", aligned=rows["value"], n=390, statistic="srcc")
    moved["kept"] = np.where(moved["kind"] == "metric", 0.4, 0.6 + 0.3 * moved["depth"])
    moved["misaligned"] = moved["aligned"] * moved["kept"]
    moved.loc[moved.index[3], "kept"] = np.nan
    return pd.concat(
        [moved.assign(dataset="shifted"), moved.assign(dataset="turned", kept=moved["kept"] / 2)],
        ignore_index=True,
    )
