"""How far reduced precision moves correlations: the rule is that no SRCC may move by over 0.001.

Extracts a prepared data set with networks of the study at several precisions, and compares the
SRCC of every layer and distance with that of float32; and float32 as extraction computes it with
PyTorch's own statistics.

Run after the demo: ``python benchmarks/extraction_precision.py [--precisions bfloat16]``.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from extraction_setup import SPEC, machine, report
from scipy.stats import spearmanr

from dissect_iqa.datasets.tables import read_dataset
from dissect_iqa.distances.measure_distances import DISTANCES, measure_distances
from dissect_iqa.features.extract_features import extract_features
from dissect_iqa.models.load import load_network
from dissect_iqa.study.study import Study

ALLOWED = 0.001


def correlations(table: pd.DataFrame, quality: np.ndarray) -> pd.Series:
    """Return the SRCC of each layer and distance."""
    groups = table.groupby(["layer", "distance"], observed=True)["value"]
    return groups.apply(lambda values: spearmanr(-values.to_numpy(), quality).statistic)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dataset", default="demo")
    parser.add_argument("--models", default="", help="ids; default: those of the study")
    parser.add_argument("--precisions", default="plain,bfloat16", help="also tf32, float16")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--name", default="extraction_precision")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    config = Path("config/config.yaml")
    study = Study.from_values(yaml.safe_load(config.read_text()), [config])
    data = read_dataset(Path("resources/datasets") / options.dataset)
    quality = data.pairs["quality"].to_numpy()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for model in options.models.split(",") if options.models else study.models:
            found: dict[str, pd.Series] = {}
            for precision in ["float32", *options.precisions.split(",")]:
                network = load_network(
                    study.models[model], f"resources/weights/{model}.safetensors"
                )
                path = Path(folder) / f"{model}.h5"
                start = time.perf_counter()
                _extract(network, data, path, precision, options.device)
                seconds = time.perf_counter() - start
                table = measure_distances(path, data.pairs, list(DISTANCES), SPEC)
                found[precision] = correlations(table, quality)
                moved = (found[precision] - found["float32"]).abs()
                rows.append(
                    {
                        "network": model,
                        "precision": precision,
                        "seconds": seconds,
                        "largest change of SRCC": float(moved.max()),
                        "median": float(moved.median()),
                        "where": " ".join(moved.idxmax()),
                        "allowed": bool(moved.max() <= ALLOWED),
                    }
                )
                print(rows[-1], flush=True)
    settings = {key: value for key, value in vars(options).items() if key != "name"}
    report(options.name, rows, {"machine": machine(options.device), "settings": settings})


def _extract(network, data, path: Path, precision: str, device: str) -> None:
    """Extract; ``plain`` is float32 with PyTorch's statistics."""
    plain = precision == "plain"
    actual = "float32" if plain else precision
    extract_features(
        network, data, path, SPEC, device, precision=actual, progress=False, plain=plain
    )


if __name__ == "__main__":
    main()
