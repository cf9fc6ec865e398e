"""Studies share features through a folder: what is there is taken, and only what is right."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from features_data import SPEC, Pictures, make_dataset, stripes
from PIL import Image
from small_study import log_of, shared, snakemake

from dissect_iqa.features.extract_features import extract_features
from dissect_iqa.features.file.verify import verify_cache
from dissect_iqa.features.forward.runner import Runner
from dissect_iqa.models.network import Network

torch.set_num_threads(1)


@pytest.fixture
def dataset(tmp_path: Path) -> Pictures:
    return make_dataset(tmp_path / "data", 2, 3)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Network]:
    """Return a list to which every network that is made ready to run is added."""
    made = []
    start = Runner.__enter__

    def enter(self: Runner) -> Runner:
        made.append(self)
        return start(self)

    monkeypatch.setattr(Runner, "__enter__", enter)
    return made


def extract(dataset: Pictures, target: Path, store: Path, spec: str = SPEC) -> bytes:
    extract_features(stripes(), dataset, target, spec, device="cpu", store=store, progress=False)
    assert verify_cache(target, spec) == []
    return target.read_bytes()


def test_the_second_study_takes_what_the_first_has_left(tmp_path, dataset, runs):
    store = tmp_path / "lab" / "features"
    first = extract(dataset, tmp_path / "a.h5", store)
    (shared,) = store.rglob("*.h5")
    elsewhere = Pictures(dataset.pairs, dataset.images, tmp_path / "colleague")
    shutil.copytree(dataset.root, elsewhere.root)
    second = extract(elsewhere, tmp_path / "b.h5", store)
    assert first == second == shared.read_bytes()
    assert len(runs) == 1
    assert sorted(p.suffix for p in tmp_path.rglob("*") if p.is_file()) == [".h5"] * 3 + [
        ".png"
    ] * 2 * len(dataset.images)


def test_a_copy_is_not_a_link(tmp_path, dataset, runs):
    first = extract(dataset, tmp_path / "a.h5", tmp_path / "store")
    (shared,) = (tmp_path / "store").rglob("*.h5")
    shared.write_bytes(b"gone")
    assert (tmp_path / "a.h5").read_bytes() == first


def change_a_picture(dataset: Pictures) -> Pictures:
    return make_dataset(dataset.root.with_name("changed"), 2, 3, seed=1)


def swap_two_pairs(dataset: Pictures) -> Pictures:
    return Pictures(dataset.pairs.iloc[::-1].reset_index(drop=True), dataset.images, dataset.root)


@pytest.mark.parametrize("change", [change_a_picture, swap_two_pairs])
def test_what_was_made_from_something_else_is_not_taken(tmp_path, dataset, runs, change):
    store = tmp_path / "store"
    extract(dataset, tmp_path / "a.h5", store)
    other = change(dataset)
    shared = extract(other, tmp_path / "b.h5", store)
    assert len(runs) == 2
    assert shared == extract(other, tmp_path / "c.h5", tmp_path / "another store")


def test_another_spec_or_other_weights_are_not_taken(tmp_path, dataset, runs, monkeypatch):
    store = tmp_path / "store"
    extract(dataset, tmp_path / "a.h5", store)
    extract(dataset, tmp_path / "b.h5", store, SPEC.replace("1", "2"))
    network = stripes()
    object.__setattr__(network, "weights_sha256", "1" * 64)
    extract_features(
        network, dataset, tmp_path / "c.h5", SPEC, device="cpu", store=store, progress=False
    )
    assert len(runs) == 3
    assert len(list(store.rglob("*.h5"))) == 3


def test_a_file_under_a_wrong_name_is_not_taken(tmp_path, dataset, runs, caplog):
    store = tmp_path / "store"
    wanted = extract(dataset, tmp_path / "a.h5", store)
    (shared,) = store.rglob("*.h5")
    changed = change_a_picture(dataset)
    shutil.copyfile(_only_other(store, changed, tmp_path), shared)
    with caplog.at_level(logging.WARNING):
        assert extract(dataset, tmp_path / "c.h5", store) == wanted
    assert "images_sha256" in caplog.text and str(shared) in caplog.text


def _only_other(store: Path, dataset: Pictures, folder: Path) -> Path:
    extract(dataset, folder / "other.h5", store)
    return folder / "other.h5"


def test_a_damaged_file_is_named_and_replaced(tmp_path, dataset, runs, caplog):
    store = tmp_path / "store"
    wanted = extract(dataset, tmp_path / "a.h5", store)
    (shared,) = store.rglob("*.h5")
    damaged = bytearray(wanted)
    damaged[len(damaged) // 2] ^= 1
    shared.write_bytes(damaged)
    with caplog.at_level(logging.WARNING):
        assert extract(dataset, tmp_path / "b.h5", store) == wanted
    assert str(shared) in caplog.text and "extracting instead" in caplog.text
    assert shared.read_bytes() == wanted
    assert len(runs) == 2


def test_a_store_that_cant_be_written_is_no_reason_to_fail(tmp_path, dataset, runs, caplog):
    store = tmp_path / "store"
    store.write_text("not a folder")
    with caplog.at_level(logging.WARNING):
        extract(dataset, tmp_path / "a.h5", store)
    assert "not shared" in caplog.text


def test_pictures_are_still_checked(tmp_path, dataset, runs):
    """What is taken is true only if the pictures are what the tables say."""
    store = tmp_path / "store"
    extract(dataset, tmp_path / "a.h5", store)
    path = dataset.path(dataset.images["file"][0])
    pixels = np.array(Image.open(path))
    Image.fromarray(255 - pixels).save(path)
    with pytest.raises(Exception, match="isn't the picture"):
        extract(dataset, tmp_path / "b.h5", store)


def test_two_studies_of_the_workflow(finished_study: Path, tmp_path: Path) -> None:
    """The second one's network never runs, and its numbers are those of a study without a store."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, word in ((first, "shared with"), (second, "nothing to extract")):
        for part in ("config", "pictures", "resources"):
            shutil.copytree(finished_study / part, folder / part)
        target = shared(folder, "distances", "tiny_mobile")
        options = ["--config", f"extraction={{store: {tmp_path / 'store'}}}"]
        run = snakemake(folder, target, *options)
        assert run.returncode == 0, run.stdout + run.stderr
        assert word in log_of(folder, "extract_features", "tiny_mobile").read_text()
        for path in (shared(folder, "features", "tiny_mobile"), target):
            assert (folder / path).read_bytes() == (finished_study / path).read_bytes()
