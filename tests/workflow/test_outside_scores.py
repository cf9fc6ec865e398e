"""Scores from outside in a whole study: used as metrics are, run again only when they change."""

import shutil
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import yaml
from plans import COLLECTING, HTML, planned
from small_study import RESULTS, shared, snakemake, write_study

from dissect_iqa.files.provenance import read_table
from dissect_iqa.study.bundle import bundle, unbundle
from dissect_iqa.study.study import Study

pytestmark = pytest.mark.slow

CONFIG = Path("config/config.yaml")
SCORES = """\
scores:
  - table: theirs.csv
    dataset: own
    distorted: picture
    metrics:
      theirs: {column: Their best, better: lower, tuned_on: KADID-10k, source: their code of 2024}
      other: higher
  - {table: elsewhere.csv, dataset: another, metrics: {theirs: lower}}
"""
SHIFTED = "own_shift: {kind: misaligned, of: own, misalign: {shift: 3 %}}\n"
ANOTHER = "another: {kind: folder, folder: none, csv: none.csv, direction: higher is better}\n"


def write_scores(folder: Path, change: float = 0.0) -> pd.DataFrame:
    """Write two metrics' scores of every pair, one of them the opinions themselves."""
    pairs = pd.read_csv(folder / "pictures/scores.csv")
    table = pd.DataFrame(
        {
            "picture": pairs["distorted"],
            "Their best": -pairs["score"],
            "other": range(len(pairs)),
        }
    )
    table.loc[3, "Their best"] += change
    table.to_csv(folder / "theirs.csv", index=False)
    return table


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the small study with two metrics from outside and a displaced data set."""
    folder = write_study(tmp_path_factory.mktemp("outside") / "study")
    datasets, config = folder / "config/datasets.yaml", folder / CONFIG
    datasets.write_text(datasets.read_text() + SHIFTED + ANOTHER)
    config.write_text(config.read_text().replace("[own]", "[own, own_shift]") + SCORES)
    write_scores(folder)
    run = snakemake(folder, "--quiet", "rules")
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


@pytest.fixture
def study(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "study"))


def test_they_are_in_every_table(finished: Path) -> None:
    assert not planned(finished)
    results = finished / RESULTS
    summary = pd.read_csv(results / "summary.csv").set_index(["dataset", "model"])
    assert summary.loc[("own", "theirs"), "best"] == pytest.approx(1)
    assert summary.loc[("own", "theirs"), "tuned_on"] == "KADID-10k"
    assert set(summary.loc["own_shift"].index) == {"tiny_resnet", "tiny_mobile", "psnr", "ssim"}
    held = read_table(results / "contests/own.parquet")
    assert ((held["first"] == "psnr") & (held["second"] == "theirs")).sum() == 1
    kept = pd.read_csv(results / "invariance/own_shift/summary.csv")
    assert "theirs" not in set(kept["model"])
    methods = (results / "methods.md").read_text()
    assert "theirs (tuned on KADID-10k): their code of 2024; other" in methods


def test_only_what_changed_runs_again(study: Path) -> None:
    table = write_scores(study).assign(more=1)[::-1]
    table.to_csv(study / "theirs.csv", sep=";", index=False)
    assert not planned(study), "other columns and another order of rows change nothing"
    write_scores(study, change=20)
    later = COLLECTING + Counter(correlate=1, plot_invariance=1, plot_answers=1)
    assert planned(study) == later + Counter(read_scores=1)
    run = snakemake(study, shared(study, "distances", "theirs"))
    assert run.returncode == 0, run.stdout + run.stderr
    assert planned(study) == later


def test_a_wrong_table_ends_it_before_anything_runs(study: Path) -> None:
    write_scores(study).drop(index=[2, 5]).to_csv(study / "theirs.csv", index=False)
    config = study / CONFIG
    config.write_text(config.read_text().replace("other: higher", "psnr: higher"))
    run = snakemake(study, "--dry-run")
    assert run.returncode == 1
    assert "'psnr' is a metric of this project" in run.stdout + run.stderr
    config.write_text(config.read_text().replace("psnr: higher", "other: up"))
    run = snakemake(study, "--dry-run")
    said = " ".join((run.stdout + run.stderr).split())
    assert run.returncode == 1 and "config.yaml, line " in said and "higher" in said
    config.write_text(config.read_text().replace("other: up", "other: higher"))
    run = snakemake(study, "--dry-run")
    assert run.returncode == 1
    assert "no row for 2 of 16 pairs of 'own': a_2.png, a_5.png" in run.stdout + run.stderr


def test_entries_that_contradict_each_other(study: Path) -> None:
    config = study / CONFIG
    text = config.read_text()
    for old, new, wanted in (
        ("{theirs: lower}", "{theirs: higher}", "the lower in another"),
        ("dataset: another", "dataset: anther", "'anther' is not in"),
        ("dataset: another", "dataset: own", "'theirs' on own is in entry 1, too"),
        ("other: higher", "tiny_resnet: higher", "'tiny_resnet' is a model of"),
        ("other: higher", "'a b': higher", "say under 'column'"),
    ):  # fmt: skip
        config.write_text(text.replace(old, new))
        run = snakemake(study, "--dry-run")
        assert run.returncode == 1 and wanted in run.stdout + run.stderr, (new, run.stderr)


def test_a_colleague_needs_no_table(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study)
    configured = Study.from_values(yaml.safe_load(CONFIG.read_text()), [CONFIG])
    bundle(configured, tmp_path / "all.tar", [CONFIG])
    unbundle(tmp_path / "all.tar", tmp_path / "colleague")
    assert planned(tmp_path / "colleague") == HTML
    shutil.copytree(study / "pictures", tmp_path / "colleague/pictures")
    write_scores(tmp_path / "colleague")
    # the same table changes nothing
    assert planned(tmp_path / "colleague") == HTML
    write_scores(tmp_path / "colleague", change=20)
    assert planned(tmp_path / "colleague")["read_scores"] == 1
