"""Data sets on which something can't be told: the study finishes and says so."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from correlation_data import distances, metric, pairs
from model_rows import described

from dissect_iqa.claims.test_claims import test_claims as claims
from dissect_iqa.correlation.ceiling import noise_ceiling
from dissect_iqa.correlation.correlate import correlate
from dissect_iqa.correlation.golden import check_published
from dissect_iqa.correlation.hold_contests import hold_contests
from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.correlation.summary import common_distance, summarise
from dissect_iqa.figures.plot import FIGURES, plot
from dissect_iqa.figures.settings import FigureSettings

SETTINGS = StatisticsSettings(draws=20, repeats=2)
MODELS = described(
    pd.DataFrame(
        {
            "id": ["a", "b"],
            "set": "demo",
            "builder": "timm",
            "architecture": ["resnet18", "vgg11"],
            "weights": ["seed:0", "tag:a"],
            "function": ["none", "classification"],
            "family": ["ResNet", "VGG"],
            "environment": ["none", "ImageNet-1k"],
            "supervision": ["untrained", "class labels"],
            "scale": ["", "large and natural"],
            "licence": "MIT",
            "top1": [None, 70.0],
            "citation": "",
        }
    )
)


def constant_scores() -> tuple[pd.DataFrame, dict]:
    table = pairs().assign(score=3.0, quality=3.0)
    return table, plain(table)


def constant_subset() -> tuple[pd.DataFrame, dict]:
    table = pairs()
    table.loc[table["subset_mild"], ["score", "quality"]] = 1.0
    table.loc[table["distortion"] == "type 1", ["score", "quality"]] = 2.0
    table.loc[table["reference"] == "i00", ["score", "quality"]] = 3.0
    return table, plain(table)


def constant_distances() -> tuple[pd.DataFrame, dict]:
    table = pairs()
    found = plain(table)
    return table, {name: frame.assign(value=0.0) for name, frame in found.items()}


def two_references() -> tuple[pd.DataFrame, dict]:
    table = pairs(references=2)
    return table, plain(table)


def one_reference() -> tuple[pd.DataFrame, dict]:
    table = pairs(references=1)
    return table, plain(table)


def three_pairs() -> tuple[pd.DataFrame, dict]:
    table = pairs(references=3, types=1, levels=1)
    return table, plain(table)


def two_pairs() -> tuple[pd.DataFrame, dict]:
    table = pairs(references=1, types=1, levels=2)
    return table, plain(table)


def one_pair() -> tuple[pd.DataFrame, dict]:
    table = pairs(references=1, types=1, levels=1)
    return table, plain(table)


def plain(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(3)
    return {
        "a": distances(table),
        "b": distances(table, seed=2),
        "psnr": metric(table, rng.normal(size=len(table))),
    }


@pytest.mark.parametrize(
    "case",
    [
        *(constant_scores, constant_subset, constant_distances, two_references, one_reference),
        *(three_pairs, two_pairs, one_pair),
    ],
)
def test_a_study_finishes_and_says_what_is_undefined(case, tmp_path: Path) -> None:
    table, found = case()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        parts = [
            correlate(frame, table, dataset_name="own", model=name, settings=SETTINGS)
            for name, frame in found.items()
        ]
        parts.append(noise_ceiling(table, dataset_name="own", settings=SETTINGS))
        collected = pd.concat([part for part in parts if len(part)], ignore_index=True)
        summary = summarise(collected)
        check_published(collected)
        best = summary[summary["model"].isin(["a", "b"])]
        distance = common_distance(best)
        assert distance == "rmse"
        contests = hold_contests(found, table, SETTINGS, dataset_name="own")
        verdicts, text = claims(summary, MODELS, contests, labels={"own": None})
        assert len(verdicts) and text
        tables = {"correlations": collected, "models": MODELS, "comparisons": [],
                  "contests": contests.assign(distance=distance)}  # fmt: skip
        drawn = [name for name, figure in FIGURES.items() if set(figure.takes) <= set(tables)]
        for name in drawn:
            style = FigureSettings(formats=["svg"]).model_dump()
            plot(name, tables, None, tmp_path / name, spec="{}", **style)
    if case in (constant_scores, constant_distances, one_pair):
        assert contests["value_first"].isna().all()
        assert not contests["winner"].astype(bool).any()
        assert summary["best"].isna().all()
    assert {path.stem for path in tmp_path.glob("*.svg")} == set(drawn) >= {"depth", "contests"}
