"""A study that asks more than opinions: thresholds and displaced pictures, from end to end."""

import shutil
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import yaml
from PIL import Image
from plans import COLLECTING, HTML, UNIVERSES, planned
from small_study import RESULTS, snakemake, write_study

from dissect_iqa.files.provenance import read_table
from dissect_iqa.study.bundle import bundle, unbundle
from dissect_iqa.study.study import Study

pytestmark = pytest.mark.slow

CONFIG = Path("config/config.yaml")
MORE = """\
own_shift: {kind: misaligned, of: own, misalign: {shift: 3 %}}
light: {kind: thresholds, most: 8, pixels: 96, phases: [0], multiples: [1, 4, 16]}
"""
ANSWERS = Counter(find_thresholds=1, measure_invariance=1, plot_sensitivity=1, plot_invariance=1,
                  plot_answers=1)  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the small study with both."""
    folder = write_study(tmp_path_factory.mktemp("answers") / "study")
    for path, old, new in (
        (folder / "config/datasets.yaml", "", MORE),
        (folder / CONFIG, "datasets: [own]", "datasets: [own, own_shift, light]"),
    ):
        text = path.read_text()
        path.write_text(text.replace(old, new, 1) if old else text + new)
    run = snakemake(folder, "--quiet", "rules")
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


@pytest.fixture
def study(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "study"))


def test_every_answer_is_there_and_counted_once(finished: Path) -> None:
    assert not planned(finished)
    results = finished / RESULTS
    summary = pd.read_csv(results / "summary.csv")
    assert set(summary["dataset"]) == {"own", "own_shift", "light"}
    # opinions are transferred to opinions only, and there are no others here
    assert summary["transferred"].isna().all()
    kept = pd.read_csv(results / "invariance/own_shift/summary.csv")
    assert set(kept["model"]) == {"tiny_resnet", "tiny_mobile", "psnr", "ssim"}
    correlations = read_table(results / "correlations.parquet")
    rows = correlations.query("statistic == 'srcc' and subset == 'all' and model == 'psnr'")
    values = rows.set_index("dataset")["value"]
    psnr = kept.set_index("model").loc["psnr"]
    assert psnr["aligned"] == pytest.approx(values["own"])
    assert psnr["misaligned"] == pytest.approx(values["own_shift"])
    assert psnr["kept"] == pytest.approx(values["own_shift"] / values["own"])
    claims = (results / "claims.md").read_text()
    assert "# Beyond the paper" in claims and "- **own**:" in claims
    assert "- **own_shift**:" not in claims and "- **light**:" not in claims
    methods = (results / "methods.md").read_text()
    assert "What layers see was measured" in methods and "distorted pictures moved" in methods
    assert not list((results / "contests").glob("own_shift*"))
    assert not (finished / "results/shared/readouts").exists()


def test_another_misalignment_leaves_the_rest_alone(study: Path) -> None:
    table = study / "config/datasets.yaml"
    table.write_text(table.read_text().replace("3 %", "5 %"))
    own = Counter(fetch_dataset=1, extract_features=2, measure_distances=2, score_baselines=2,
                  correlate=4)  # fmt: skip
    unmoved = UNIVERSES + Counter(find_thresholds=1, plot_sensitivity=1)
    assert planned(study) == own + COLLECTING + ANSWERS - unmoved


def test_a_changed_picture_is_displaced_anew(study: Path) -> None:
    path = study / "pictures/a_3.png"
    with Image.open(path) as picture:
        changed = picture.point(lambda value: max(value - 20, 0))
    changed.save(path)
    plan = planned(study)
    assert (plan["fetch_dataset"], plan["extract_features"], plan["find_thresholds"]) == (2, 4, 0)
    run = snakemake(study, "resources/datasets/own_shift/pairs.parquet")
    assert run.returncode == 0, run.stdout + run.stderr
    assert planned(study)["fetch_dataset"] == 0


def test_a_damaged_displaced_picture_is_made_again(study: Path) -> None:
    picture = next((study / "resources/datasets/own_shift/pictures").glob("*.png"))
    whole = picture.read_bytes()
    picture.write_bytes(whole[:-9])
    assert planned(study)["fetch_dataset"] == 1
    run = snakemake(study, "resources/datasets/own_shift/pairs.parquet")
    assert run.returncode == 0, run.stdout + run.stderr
    assert picture.read_bytes() == whole


def test_a_colleague_has_all_of_it(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study)
    configured = Study.from_values(yaml.safe_load(CONFIG.read_text()), [CONFIG])
    bundle(configured, tmp_path / "all.tar", [CONFIG])
    unbundle(tmp_path / "all.tar", tmp_path / "colleague")
    assert planned(tmp_path / "colleague") == HTML
    shutil.copytree(study / "pictures", tmp_path / "colleague/pictures")
    assert planned(tmp_path / "colleague") == HTML, "who has the parent's pictures needs no others"
    for path in ("thresholds/light/stimuli.parquet", "invariance/own_shift/summary.csv"):
        assert (tmp_path / "colleague" / RESULTS / path).is_file()


def test_a_misaligned_data_set_needs_its_parent(study: Path) -> None:
    config = study / CONFIG
    config.write_text(config.read_text().replace("[own, own_shift, light]", "[own_shift]"))
    run = snakemake(study, "--dry-run")
    assert run.returncode == 1
    assert "'own_shift' is 'own' with its distorted pictures displaced" in run.stdout + run.stderr
