"""Scores from outside go by names that nothing else in a study has."""

from pathlib import Path

import pytest

from dissect_iqa.errors import UserError
from dissect_iqa.files.validation import Origin
from dissect_iqa.study.config import Config
from dissect_iqa.study.outside_names import check_scores


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "datasets.yaml"
    path.write_text("own: {kind: folder, folder: x, csv: y.csv, direction: higher is better}\n")
    return path


def configured(table: Path, name: str, baselines=("psnr",)) -> Config:
    scores = {"dataset": "own", "table": "z.csv", "metrics": {name: {"better": "higher"}}}
    return Config.model_validate(
        {"models": ["demo"], "datasets": ["own"], "datasets_table": table, "scores": [scores],
         "baselines": list(baselines)}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("psnr", "a metric of this project"),
        ("PSNR", "what figures call a metric of this study"),
        ("mine", "a model of"),
    ],
)
def test_a_name_that_is_taken_is_refused(table, name, owner):
    with pytest.raises(UserError, match=rf"'{name}' is {owner}"):
        check_scores(configured(table, name), ["mine"], Origin())


def test_what_figures_would_call_a_metric_that_is_not_studied_is_free(table):
    check_scores(configured(table, "SSIM"), ["mine"], Origin())
    with pytest.raises(UserError, match="'SSIM' is what figures call"):
        check_scores(configured(table, "SSIM", ("psnr", "ssim")), ["mine"], Origin())
