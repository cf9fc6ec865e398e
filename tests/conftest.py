"""What all tests share: the finished small study, and copies of it to work on."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from small_study import snakemake, write_study

if not torch.cuda.is_available():
    # Triton's kernels then run in its interpreter; said before anything imports Triton
    os.environ["TRITON_INTERPRET"] = "1"


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small study that has run; tests work on copies (see `study`).

    All processes that share the tests share it: the first makes it, the others wait.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, done = shared / "finished", shared / "finished.done"
    with FileLock(shared / "finished.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            run = snakemake(write_study(folder))
            assert run.returncode == 0, run.stdout + run.stderr
            done.touch()
    return folder


@pytest.fixture
def study(finished_study: Path, tmp_path: Path) -> Path:
    """Return a copy of the finished study, times of modification included."""
    return Path(shutil.copytree(finished_study, tmp_path / "study"))
