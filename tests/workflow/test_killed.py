"""Under Snakemake: whatever is killed in the middle of extraction, nothing finished is lost."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest
from PIL import Image
from small_study import REPOSITORY, log_of, shared, snakemake, write_study

MODEL = "net\tdemo\ttorchvision\tresnet50\tseed:0\tauto\timagenet\tnone\tresnet\tnone\n"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a study up to extraction, which takes some seconds; beside it, `whole` has run."""
    folder = write_study(tmp_path_factory.mktemp("killed") / "study")
    for path in folder.glob("pictures/*.png"):
        with Image.open(path) as picture:
            picture.resize((512, 512), Image.Resampling.NEAREST).save(path)
    table = folder / "config/models.tsv"
    table.write_text(table.read_text().splitlines(keepends=True)[0] + MODEL)
    config = folder / "config/config.yaml"
    config.write_text(config.read_text() + "extraction:\n  batch_size: 1\n")
    inputs = ["resources/weights/net.safetensors", "resources/datasets/own/pairs.parquet"]
    run = snakemake(folder, *inputs)
    assert run.returncode == 0, run.stderr
    whole = Path(shutil.copytree(folder, folder.with_name("whole")))
    assert snakemake(whole, cache_of(whole)).returncode == 0
    return folder


def cache_of(folder: Path) -> str:
    """Return where the network's features lie, or will lie."""
    return shared(folder, "features", "net")


def start(folder: Path) -> subprocess.Popen:
    """Start Snakemake and return when the job has written some rows."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
    cache = cache_of(folder)
    process = subprocess.Popen(
        [*command, "--directory", str(folder), "--cores", "2", cache],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        start_new_session=True,
    )
    part = folder / f"{cache}.part"
    deadline = time.monotonic() + 120
    while not part.exists() or part.stat().st_size < 600_000:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.002)
    return process


def job_of(process: subprocess.Popen) -> psutil.Process:
    children = psutil.Process(process.pid).children(recursive=True)
    return next(c for c in children if any("extract_features.py" in a for a in c.cmdline()))


def content(path: Path) -> dict[str, np.ndarray]:
    found = {}
    with h5py.File(path, "r") as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return found


@pytest.mark.parametrize("victim", ["job", "snakemake", "wall time"])
def test_the_next_run_goes_on_to_the_same_numbers(ready: Path, tmp_path: Path, victim: str) -> None:
    study = Path(shutil.copytree(ready, tmp_path / "study"))
    cache = cache_of(study)
    process = start(study)
    job = job_of(process)
    if victim == "job":
        job.kill()
    elif victim == "snakemake":  # the job lives on; it may even finish
        process.kill()
        job.wait(60)
    else:  # what a scheduler does: first the polite signal, then the other
        job.terminate()
        job.wait(30)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(60)
    if victim != "snakemake":
        assert not (study / cache).exists() and (study / f"{cache}.part").exists()
    if victim != "job":
        assert snakemake(study, "--unlock").returncode == 0
    run = snakemake(study, cache)
    assert run.returncode == 0, run.stdout + run.stderr
    if victim != "snakemake":
        log = log_of(study, "extract_features", "net").read_text()
        assert "pairs are there already" in log
    expected, found = content(ready.with_name("whole") / cache), content(study / cache)
    assert list(found) == list(expected)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)
    assert not (study / f"{cache}.part").exists()
