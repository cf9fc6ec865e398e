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


#: Folders and modules whose tests run whole studies, build the whole zoo, or simulate many studies.
SLOW = (
    *("workflow/", "slurm/", "zoo/test_zoo.py", "models/test_architectures.py"),
    *("models/test_layers_found.py", "features/test_shared.py", "study/test_undefined.py"),
    "correlation/test_jackknife.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what runs a study or stands in `SLOW`; ``make test`` leaves these out."""
    here = Path(__file__).parent
    for item in items:
        place = item.path.relative_to(here).as_posix()
        studies = "finished_study" in getattr(item, "fixturenames", ())
        if studies or place.startswith(SLOW):
            item.add_marker(pytest.mark.slow)


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
