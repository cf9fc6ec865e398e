"""A run works from the copy that was made when it was planned, whatever happens to the files."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_study import REPOSITORY, shared, snakemake, write_study

from dissect_iqa.errors import UserError
from dissect_iqa.study.config_files import config_values
from dissect_iqa.study.frozen import FOLDER, VARIABLE, freeze, thaw
from dissect_iqa.study.study import Study

#: A network that takes as long to build as nobody writes a file called "go".
SLOW = """\
import time
from pathlib import Path

from torch import nn


def network():
    Path("waiting").touch()
    end = time.monotonic() + 300
    while not Path("go").exists() and time.monotonic() < end:
        time.sleep(0.05)
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.Conv2d(4, 6, 3, 2), nn.ReLU())
"""
ROW = "slow\tdemo\tslow_network:network\tnet\tseed:0\t1;3\timagenet\tnone\tnone\tnone\n"


def all_specs(study: Study) -> list[str]:
    specs = [study.spec(stage) for stage in ("collect", "test_claims", "write_methods")]
    specs += [study.spec("plot", name=figure) for figure in ("depth", "comparisons")]
    for dataset in study.datasets:
        specs += [study.spec(stage, dataset) for stage in ("fetch_dataset", "hold_contests")]
        specs += [study.distances_spec(dataset, name) for name in study.scored()]
        specs += [study.spec("extract_features", dataset, name) for name in study.models]
    return specs


@pytest.mark.parametrize("file", ["config.yaml", "paper.yaml"])
def test_a_thawed_study_is_the_same_and_reads_no_file(file, tmp_path, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    values, files = config_values([f"config/{file}"])
    study = Study.from_values({**values, "baselines": ["psnr", "lpips_vgg"]}, files)
    path = freeze(study, tmp_path / "copies")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    thawed = thaw(path)
    assert all_specs(thawed) == all_specs(study)
    assert thawed.config == study.config
    assert thawed.trunk("lpips_vgg") == study.trunk("lpips_vgg")
    assert thawed.comparisons == study.comparisons
    assert thawed.bibliography() == study.bibliography()
    assert thawed.models_frame().equals(study.models_frame())
    assert freeze(thawed, tmp_path / "copies") == path


def test_the_scores_of_an_own_data_set_are_frozen_by_their_sum(tmp_path, monkeypatch):
    monkeypatch.chdir(write_study(tmp_path / "study"))
    study = Study.from_values(*config_values())
    path = freeze(study)
    with Path("pictures/scores.csv").open("a") as table:
        table.write("\n")
    assert thaw(path).spec("fetch_dataset", "own") == study.spec("fetch_dataset", "own")
    again = Study.from_values(*config_values())
    assert again.spec("fetch_dataset", "own") != study.spec("fetch_dataset", "own")


def test_only_old_copies_are_deleted(tmp_path, monkeypatch):
    monkeypatch.chdir(write_study(tmp_path / "study"))
    values, files = config_values()
    first = freeze(Study.from_values(values, files))
    second = freeze(Study.from_values({**values, "baselines": []}, files))
    assert first.exists() and second.exists() and first != second
    long_ago = time.time() - 31 * 24 * 3600
    for path in (first, second):
        os.utime(path, (long_ago, long_ago))
    thaw(first)  # a job still works from it
    freeze(Study.from_values({**values, "baselines": ["ssim"]}, files))
    assert first.exists() and not second.exists()


@pytest.mark.parametrize("harm", ["lost", "changed", "cut"])
def test_a_copy_that_is_not_what_its_name_says_is_refused(tmp_path, monkeypatch, harm):
    monkeypatch.chdir(write_study(tmp_path / "study"))
    study = Study.from_values(*config_values())
    path = freeze(study)
    text = path.read_text()
    if harm == "lost":
        path.unlink()
    else:
        path.write_text(text.replace("psnr", "ssim") if harm == "changed" else text[:-1])
    with pytest.raises(UserError, match="start Snakemake again"):
        thaw(path)
    assert freeze(study) == path
    assert path.read_text() == text


def break_files(folder: Path) -> None:
    """Delete a row in use, break one file, take another away, change what is left."""
    table = folder / "config/models.tsv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join([lines[0], lines[1].replace("resnet18", "resnet34")]))
    (folder / "config/config.yaml").write_text("models: [demo\n")
    (folder / "config/more.yaml").write_text("models: [demo\n")
    (folder / "config/datasets.yaml").unlink()


@pytest.mark.slow
def test_files_edited_in_the_middle_of_a_run(study: Path) -> None:
    """The run ends as planned, with the same numbers; the next one shows what is stale."""
    (study / "slow_network.py").write_text(SLOW)
    with (study / "config/models.tsv").open("a") as table:
        table.write(ROW)
    (study / "config/more.yaml").write_text("{}\n")
    undisturbed = Path(shutil.copytree(study, study.with_name("undisturbed")))
    (undisturbed / "go").touch()
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
    options = ("results/more/summary.csv", "--cores", "2", "--configfile", "config/more.yaml")
    slow, kept = (shared(study, "features", name) for name in ("slow", "tiny_mobile"))
    process = subprocess.Popen(
        [*command, "--directory", str(study), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=study,
    )
    while not (study / "waiting").exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    break_files(study)
    (study / "go").touch()
    output = process.communicate(timeout=600)[0]
    assert process.returncode == 0, output
    assert snakemake(undisturbed, *options).returncode == 0
    for name in ("results/more/summary.csv", "results/more/published.csv", slow):
        assert (study / name).read_bytes() == (undisturbed / name).read_bytes(), name
    run = snakemake(study, "--dry-run")
    assert run.returncode != 0 and "config.yaml" in run.stdout + run.stderr
    for name in ("config.yaml", "more.yaml", "datasets.yaml"):
        shutil.copy(undisturbed / "config" / name, study / "config" / name)
    files_too = ("--logger-dissect-iqa-output", "snakemake")
    run = snakemake(study, "--dry-run", *options, *files_too)
    stale = shared(study, "features", "tiny_resnet")
    assert run.returncode == 0 and stale in run.stdout, run.stdout + run.stderr
    assert kept not in run.stdout


def test_a_snakemake_on_another_node_works_from_the_copy(study: Path) -> None:
    """What an executor starts there parses the workflow again, but reads no configuration."""
    (copy,) = (study / FOLDER).glob("*.json")
    target = study / shared(study, "correlations", "psnr")
    before = target.read_bytes()
    mark = target.suffixes[-2].removeprefix(".")
    shutil.rmtree(study / "config")
    target.unlink()
    job = ("--mode", "remote", "--force", "--nolock", "--allowed-rules", "correlate")
    wanted = ("--target-jobs", f"correlate:dataset=own,name=psnr,mark={mark}")
    assert VARIABLE not in os.environ
    run = snakemake(study, *job, *wanted)
    assert run.returncode != 0 and f"{VARIABLE} isn't set" in run.stdout + run.stderr
    os.environ[VARIABLE] = str(copy.relative_to(study))
    try:
        run = snakemake(study, *job, *wanted)
    finally:
        del os.environ[VARIABLE]
    assert run.returncode == 0, run.stdout + run.stderr
    assert target.read_bytes() == before
