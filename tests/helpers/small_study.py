"""A study small enough to run for real in a test: two references, two tiny untrained networks."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from dissect_iqa.study.config_files import config_values
from dissect_iqa.study.study import Study

REPOSITORY = Path(__file__).parents[2]
#: Where the small study's conclusions lie in its folder.
RESULTS = Path("results/small")

MODELS = """\
id\tset\tbuilder\tarchitecture\tweights\tlayers\tinput\tfunction\tfamily\tenvironment
tiny_resnet\tdemo\ttorchvision\tresnet18\tseed:0\tauto\timagenet\tnone\tresnet\tnone
tiny_mobile\tdemo\ttimm\tmobilenetv3_small_050\tseed:1\tauto\timagenet\tnone\tmobilenet\tnone
"""
ONE_MORE = "tiny_again\tdemo\ttorchvision\tresnet18\tseed:7\tauto\timagenet\tnone\tresnet\tnone\n"
CONFIG = """\
models: [demo]
datasets: [own]
distances: [rmse, cosine]
baselines: [psnr, ssim]
statistics:
  draws: 50
study: small
"""
DATASETS = """\
own:
  kind: folder
  folder: pictures
  csv: scores.csv
  direction: higher is better
  distortion: distortion
"""


def make_pictures(folder: Path) -> None:
    """Write two references, eight distorted pictures each, and their scores."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = ["reference,distorted,score,distortion"]
    for reference in ("a", "b"):
        smooth = np.kron(rng.uniform(40, 215, (8, 8, 3)), np.ones((8, 8, 1)))
        Image.fromarray(smooth.astype(np.uint8)).save(folder / f"{reference}.png")
        for level in range(8):
            kind = "noise" if level % 2 else "shift"
            change = rng.normal(0, 4 + 6 * level, smooth.shape) if level % 2 else 5 * level + 5
            name = f"{reference}_{level}.png"
            picture = np.clip(smooth + change, 0, 255).astype(np.uint8)
            Image.fromarray(picture).save(folder / name)
            rows.append(f"{reference}.png,{name},{9 - level + rng.normal(0, 0.2):.3f},{kind}")
    (folder / "scores.csv").write_text("\n".join(rows) + "\n")


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this repository's workflow in `folder`."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
    return subprocess.run(
        [*command, "--directory", str(folder), "--cores", "2", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "COLUMNS": "200"},
        check=False,
        timeout=600,
    )


def write_study(folder: Path) -> Path:
    """Write pictures and configuration of the small study into a new folder."""
    make_pictures(folder / "pictures")
    (folder / "config").mkdir()
    (folder / "config" / "models.tsv").write_text(MODELS)
    (folder / "config" / "config.yaml").write_text(CONFIG)
    (folder / "config" / "datasets.yaml").write_text(DATASETS)
    return folder


def read_study(folder: Path) -> Study:
    """Return the study of a folder as its configuration is now."""
    with contextlib.chdir(folder):
        return Study.from_values(*config_values())


def shared(folder: Path, what: str, name: str, dataset: str = "own") -> str:
    """Return the path, in a study's folder, of a shared file as its configuration is now."""
    with contextlib.chdir(folder):
        return read_study(folder).shared(what, dataset, name)


def log_of(folder: Path, stage: str, name: str, dataset: str = "own") -> Path:
    """Return the log of a model's or metric's newest job."""
    found = folder.glob(f"logs/*/{stage}/{dataset}/{name}.*.log")
    return max(found, key=lambda path: path.stat().st_mtime)
