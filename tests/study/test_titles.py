"""What a study shows goes by networks' titles, and no stage's numbers depend on them."""

from pathlib import Path

import figure_data as data
import pytest
from small_study import MODELS, write_study

from dissect_iqa.errors import UserError
from dissect_iqa.files.provenance import write_table
from dissect_iqa.study.study import Study
from dissect_iqa.study.summary import print_study

IDS = ["tiny_resnet", "tiny_mobile"]
VALUES = {"models": ["demo"], "datasets": ["own"], "baselines": ["psnr", "ms_ssim"]}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(write_study(tmp_path / "study"))
    return tmp_path / "study"


def called(*titles):
    """Return the small study with other titles."""
    head, *rows = MODELS.splitlines()
    pairs = zip(rows, titles, strict=True)
    text = "\n".join([f"{head}\ttitle", *(f"{row}\t{title}" for row, title in pairs)])
    Path("config/models.tsv").write_text(text + "\n")
    return Study.from_values(VALUES)


def test_figures_and_the_summary_show_titles(folder, monkeypatch, capsys):
    study = called("ResNet-18 untrained", "")
    models = data.models().iloc[:2].assign(id=IDS)
    table = data.correlations(models, "own", distances=("rmse",), types=())
    path = folder / "results" / study.name / "correlations.parquet"
    path.parent.mkdir(parents=True)
    write_table(table, path, study.spec("collect"))
    shown = study.figure_tables("ranking", "own", {"correlations": [path]})
    wanted = ["ResNet-18 untrained", "tiny_mobile"]
    assert list(shown["models"]["id"]) == wanted
    assert set(shown["correlations"]["model"]) == {*wanted, *data.BASELINES}
    monkeypatch.setattr(Study, "labels", lambda self: {})
    monkeypatch.setenv("COLUMNS", "100")
    print_study(study)
    told = capsys.readouterr().out
    assert "ResNet-18 untrained" in told and "tiny_mobile" in told and "tiny_resnet" not in told


def test_another_title_draws_figures_anew_and_computes_no_distance_or_correlation(folder):
    before, after = called("One", "Two"), called("One", "Three")
    for stage in ("fetch_weights", "extract_features", "measure_distances", "correlate"):
        assert after.spec(stage, "own", IDS[1]) == before.spec(stage, "own", IDS[1])
    assert after.spec("collect") == before.spec("collect")
    for figure in ("ranking", "contests", "factors"):
        assert after.spec("plot", "own", figure) != before.spec("plot", "own", figure)


def test_a_title_is_no_metric_s_name(folder):
    with pytest.raises(UserError, match="'psnr' of model 'tiny_mobile' is also the name of a me"):
        called("One", "psnr")
