"""No room on the disk: every writer names the file, how far it got and what to do."""

import os
import re
import resource
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from model_rows import make_row
from safetensors.torch import save_file

from dissect_iqa.claims.write_methods import MethodsText, write_methods
from dissect_iqa.errors import UserError
from dissect_iqa.features.file.full_disk import SteadyFile
from dissect_iqa.figures.save import save
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.files.provenance import atomic_path, write_json, write_table
from dissect_iqa.files.writing import explain_write, is_full, saying_where
from dissect_iqa.models.weights.lock import Pin, pin
from dissect_iqa.study.job import job

ROOM = 10_000
NOISE = np.random.default_rng(0)


@contextmanager
def no_file_over(size: int) -> Iterator[None]:
    """Let every write beyond `size` bytes of a file fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system with no room; only root can, and not everywhere."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={ROOM // 4096 * 4096}", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(["mount", *options], check=False).returncode:
        pytest.skip("can't mount a file system here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def figure(suffix: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        drawn = Figure()
        drawn.add_subplot().imshow(NOISE.random((200, 200)))
        save(drawn, folder / "depth", FigureSettings(formats=(suffix,)), "a title", "a notice")

    return write


def table(folder: Path) -> None:
    write_table(pd.DataFrame({"x": NOISE.random(20_000)}), folder / "x.parquet", "{}")


def csv(folder: Path) -> None:
    with atomic_path(folder / "x.csv") as temporary:
        pd.DataFrame({"x": NOISE.random(20_000)}).to_csv(temporary)


def json(folder: Path) -> None:
    write_json(list(range(20_000)), folder / "x.json")


def text(folder: Path) -> None:
    methods = MethodsText("word " * 20_000, "")
    write_methods(methods, folder / "methods.md", folder / "references.bib", "{}")


def tensors(folder: Path) -> None:
    with atomic_path(folder / "x.safetensors") as temporary:
        save_file({"x": torch.zeros(20_000)}, temporary)


def hdf5(folder: Path) -> None:
    with (
        atomic_path(folder / "x.h5") as temporary,
        SteadyFile(temporary) as steady,
        h5py.File(steady, "w") as file,
    ):
        file["x"] = NOISE.random(20_000)


def archive(mode: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        with atomic_path(folder / "x.tar") as temporary, tarfile.open(temporary, mode) as tar:
            for path in sorted(Path(__file__).parent.glob("test_*.py")):
                tar.add(path)

    return write


def lock(folder: Path) -> None:
    for number in range(200):
        pin(folder / "weights.lock.tsv", f"source {number}", Pin("0" * 64, 1), folder / "guard")


WRITERS = {
    "depth.pdf": figure("pdf"),
    "depth.svg": figure("svg"),
    "depth.png": figure("png"),
    "x.parquet": table,
    "x.csv": csv,
    "x.json": json,
    "methods.md": text,
    "x.safetensors": tensors,
    "x.h5": hdf5,
    "x.tar": archive("w"),
    "x.tar (gz)": archive("w:gz"),
    "weights.lock.tsv": lock,
}


def refused(write: Callable[[Path], None], folder: Path, name: str) -> None:
    """Check that a writer ends in one sentence and leaves nothing half."""
    with pytest.raises(UserError) as caught:
        write(folder)
    message = str(caught.value)
    assert message.startswith(f"{folder / name}: the disk is full or a quota is reached; make room")
    told = re.search(r"\(([\d,]+) bytes were written, [\d,]+ bytes are free in", message)
    assert told and int(told[1].replace(",", "")) <= ROOM
    assert "\n" not in message
    left = {path.name for path in folder.iterdir()} - {"weights.lock.tsv", "guard"}
    assert not left


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_over_the_limit(tmp_path: Path, name: str) -> None:
    with no_file_over(ROOM):
        refused(WRITERS[name], tmp_path, name.split(" ")[0])


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk(small_disk: Path, name: str) -> None:
    refused(WRITERS[name], small_disk, name.split(" ")[0])


def test_what_was_there_stays(tmp_path: Path) -> None:
    before = pd.DataFrame({"x": [1.0]})
    write_table(before, tmp_path / "x.parquet", "{}")
    content = (tmp_path / "x.parquet").read_bytes()
    with no_file_over(ROOM), pytest.raises(UserError, match=r"x\.parquet: the disk is full"):
        table(tmp_path)
    assert (tmp_path / "x.parquet").read_bytes() == content


def test_a_folder_in_the_way_and_a_file_for_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x.json").mkdir()
    with pytest.raises(UserError, match=r"x\.json: can't be written \(Is a directory\)"):
        write_json(1, tmp_path / "x.json")
    (tmp_path / "results").write_text("")
    with pytest.raises(
        UserError, match=r"results/x\.json: can't be written \(File exists: .*results\)"
    ):
        write_json(1, tmp_path / "results" / "x.json")


def test_an_error_about_another_file_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), saying_where(tmp_path / "x"):
        (tmp_path / "other").read_bytes()
    with pytest.raises(ZeroDivisionError), atomic_path(tmp_path / "x"):
        1 / 0  # noqa: B018


def test_what_libraries_make_of_the_number() -> None:
    for error in (
        RuntimeError("can't write (file write failed: errno = 28, error message = 'No space')"),
        ValueError("Error while serializing: I/O error: No space left on device (os error 28)"),
        OSError(28, "No space left on device"),
    ):
        assert is_full(error), error
        assert "disk is full" in explain_write(error)
    assert not is_full(OSError(2, "No such file")) and not is_full(ValueError("28"))
    assert "choose a folder" in explain_write(OSError(30, "Read-only file system"))


def test_a_job_whose_libraries_meet_a_full_disk(tmp_path: Path, capsys) -> None:
    """A cache of some library's is no file of ours, but it is one sentence all the same."""
    with pytest.raises(SystemExit), job(tmp_path / "x.log"):
        raise OSError(28, "No space left on device", "/cache/index")
    said = capsys.readouterr().err
    assert said.startswith("error: /cache/index: the disk is full") and said.count("\n") == 1


def test_weights_that_do_not_fit_on_the_disk(tmp_path: Path) -> None:
    from dissect_iqa.models.weights.fetch_weights import fetch_weights

    row = make_row("tiny", "checkpoint_layouts:tiny_trunk", weights="seed:0", layers="conv1")
    target = tmp_path / "tiny.safetensors"
    with no_file_over(200), pytest.raises(UserError, match=r"tiny\.safetensors: the disk is full"):
        fetch_weights(row, target, tmp_path, "{}")
    assert not list(tmp_path.iterdir())


def test_a_job_whose_log_cannot_be_written(tmp_path: Path, capsys) -> None:
    (tmp_path / "logs").write_text("")
    with pytest.raises(SystemExit), job(tmp_path / "logs" / "x.log"):
        raise AssertionError("nothing is to be done then")
    said = capsys.readouterr().err
    assert said.startswith(f"error: {tmp_path}/logs/x.log: can't be written")
    assert said.count("\n") == 1
