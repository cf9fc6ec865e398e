"""Pictures, weights and code that change in place are noticed after a run, and nothing else is."""

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from features_data import make_dataset
from PIL import Image
from small_study import log_of, shared, snakemake

from dissect_iqa.datasets.changed import DAMAGE, changed_files, note_damage, still_damaged, sums_of
from dissect_iqa.doctor.inputs import data_sets
from dissect_iqa.errors import UserError
from dissect_iqa.features.forward.pictures import Loader
from dissect_iqa.files.provenance import read_table
from dissect_iqa.files.sums import sums
from dissect_iqa.study.config_files import config_values
from dissect_iqa.study.own_files import OwnFiles
from dissect_iqa.study.study import Study
from dissect_iqa.zoo.builder_source import builder_source
from dissect_iqa.zoo.on_disk import place_of_weights

OWN = Path("resources/datasets/own")


@pytest.fixture
def here(study: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(study)
    return study


def look() -> Study:
    return Study.from_values(*config_values())


def invert(path: Path) -> None:
    """Change every pixel, keep everything else, the time of modification included."""
    before = path.stat()
    pixels = np.asarray(Image.open(path))
    Image.fromarray(255 - pixels).save(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


# --- pictures -----------------------------------------------------------------------------


def test_untouched_and_touched_pictures_change_nothing(here):
    before = look().spec("extract_features", "own", "tiny_resnet")
    for path in here.glob("pictures/*.png"):
        path.touch()
    study = look()
    assert study.own.notices() == []
    assert study.spec("extract_features", "own", "tiny_resnet") == before


def test_changed_pictures_are_named_and_make_all_that_they_are_in_stale(here):
    before = look()
    invert(here / "pictures/a_3.png")
    (here / "pictures/b_1.png").unlink()
    study = look()
    (notice,) = study.own.notices()
    assert "data set own: 2 file(s) changed" in notice and "a_3.png, b_1.png" in notice
    for stage in ("extract_features", "measure_distances"):
        assert study.spec(stage, "own", "tiny_resnet") != before.spec(stage, "own", "tiny_resnet")
    assert study.spec("score_baselines", "own", "psnr") != before.spec(
        "score_baselines", "own", "psnr"
    )
    assert study.spec("fetch_weights", name="tiny_resnet") == before.spec(
        "fetch_weights", name="tiny_resnet"
    )
    assert look().spec("collect") == study.spec("collect")
    (finding,) = data_sets(study, Path("resources"))
    assert finding.outcome == "NOTE" and "a_3.png, b_1.png" in finding.found


def test_pictures_that_went_elsewhere_are_no_change(here):
    """As where a study was unbundled: tables are here, pictures aren't."""
    before = look().spec("fetch_dataset", "own")
    shutil.rmtree("pictures")
    study = look()
    assert study.spec("fetch_dataset", "own") == before and study.own.notices() == []


@pytest.mark.slow
def test_a_changed_picture_runs_its_data_set_again_and_then_all_is_done(study):
    invert(study / "pictures/a_3.png")
    plan = snakemake(study, "--dry-run")
    assert "a_3.png" in plan.stdout + plan.stderr and "Nothing to be done" not in plan.stdout
    for rule in ("fetch_dataset", "extract_features", "score_baselines"):
        assert rule in plan.stdout
    target = shared(study, "correlations", "psnr")
    run = snakemake(study, target)
    assert run.returncode == 0, run.stdout + run.stderr
    new, old = sorted(
        (study / "results/shared/distances/own").glob("psnr.*"),
        key=lambda path: path.stat().st_mtime,
        reverse=True,
    )
    assert new.name == Path(shared(study, "distances", "psnr")).name
    assert not read_table(new)["value"].equals(read_table(old)["value"])
    again = snakemake(study, "--dry-run", target)
    assert "Nothing to be done" in again.stdout + again.stderr
    assert "changed since" not in again.stdout + again.stderr


@pytest.mark.slow
def test_features_of_the_very_same_things_are_kept(study):
    """Tables that were only made again cost no second extraction."""
    target = shared(study, "features", "tiny_mobile")
    before = (study / target).read_bytes()
    run = snakemake(study, target, "--forcerun", "fetch_dataset")
    assert run.returncode == 0, run.stdout + run.stderr
    log = log_of(study, "extract_features", "tiny_mobile").read_text()
    assert "nothing to extract" in log
    assert (study / target).read_bytes() == before
    again = snakemake(study, "--dry-run", target)
    assert "Nothing to be done" in again.stdout + again.stderr


def test_damage_of_a_kept_copy_is_noted_until_it_is_mended(here):
    folder = Path(shutil.copytree(OWN, "resources/datasets/kept"))
    assert changed_files(folder)[0] == []
    whole = (here / "pictures/a_1.png").read_bytes()
    invert(here / "pictures/a_1.png")
    assert changed_files(folder)[0] == ["a_1.png"]
    note_damage(folder, ["a_1.png"])
    assert list(json.loads((folder / DAMAGE).read_text())) == ["a_1.png"]
    (folder / "a_1.png").write_bytes((here / "pictures/a_1.png").read_bytes())
    assert still_damaged(folder) == ["a_1.png"]
    (folder / "a_1.png").write_bytes(whole)
    assert still_damaged(folder) == []


# --- sums ---------------------------------------------------------------------------------


def old(path: Path) -> Path:
    past = time.time() - 60
    os.utime(path, (past, past))
    return path


def test_files_are_hashed_once_until_they_change(tmp_path, monkeypatch):
    from dissect_iqa.files import sums as module

    hashed = []
    real = module.sha256_file
    monkeypatch.setattr(module, "sha256_file", lambda path: hashed.append(path) or real(path))
    monkeypatch.setattr(module, "_YOUNG_NS", 0)
    files = {name: tmp_path / name for name in ("a", "b", "none")}
    for name in ("a", "b"):
        files[name].write_text(name)
    memory = tmp_path / "sums.json"
    first = sums(files, memory)
    assert first["none"] is None and len(hashed) == 2
    assert sums(files, memory) == first and len(hashed) == 2
    at = files["a"].stat().st_mtime_ns
    files["a"].write_text("c")
    os.utime(files["a"], ns=(at, at))
    assert sums(files, memory)["a"] != first["a"] and len(hashed) == 3
    memory.write_text("no JSON")
    assert sums(files, memory)["b"] == first["b"] and len(hashed) == 5


def test_a_file_written_just_now_is_not_trusted_to_stay(tmp_path):
    path = tmp_path / "a"
    path.write_text("a")
    sums({"a": path}, tmp_path / "sums.json")
    assert json.loads((tmp_path / "sums.json").read_text()) == {}


def test_preparing_leaves_the_sums_that_planning_needs(here):
    for path in here.glob("pictures/*.png"):
        old(path)
    assert changed_files(OWN)[0] == []
    assert sums_of(OWN).is_file()


# --- weights and code ---------------------------------------------------------------------


ROW = "own_net\tdemo\town_zoo.nets:net\tnet\t{weights}\t0;1\timagenet\tnone\tnone\tnone\n"


def write_zoo(folder: Path) -> None:
    zoo = folder / "own_zoo"
    zoo.mkdir()
    (zoo / "__init__.py").write_text("")
    (zoo / "nets.py").write_text("from . import parts\n\ndef net():\n    return parts.two()\n")
    (zoo / "parts.py").write_text("import own_helper\n\ndef two():\n    return own_helper.two()\n")
    (zoo / "unused.py").write_text("x = 1\n")
    network = "nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())"
    (folder / "own_helper.py").write_text(
        f"from torch import nn\n\ndef two():\n    return {network}\n"
    )


@pytest.mark.parametrize(
    "file", ["own_zoo/nets.py", "own_zoo/parts.py", "own_helper.py", "own_zoo/__init__.py"]
)
def test_code_of_an_own_builder_is_part_of_the_model(tmp_path, monkeypatch, file):
    monkeypatch.chdir(tmp_path)
    write_zoo(tmp_path)
    before = builder_source("own_zoo.nets:net")
    assert list(before) == ["builder_sha256"]
    (tmp_path / "own_zoo/unused.py").write_text("x = 2\n")
    assert builder_source("own_zoo.nets:net") == before
    with (tmp_path / file).open("a") as code:
        code.write("# another line\n")
    assert builder_source("own_zoo.nets:net") != before


def test_builders_of_packages_are_known_by_version_and_ours_by_ours():
    assert builder_source("torchvision") == builder_source("timm") == {}
    assert builder_source("dissect_iqa.models.architectures.hed:hed_trunk") == {}
    from importlib.metadata import version

    assert builder_source("timm.models.resnet:resnet18") == {
        "builder_package": f"timm=={version('timm')}"
    }
    assert builder_source("no_such_module_anywhere:net") == {}


def test_looking_for_code_imports_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loud").mkdir()
    (tmp_path / "loud/__init__.py").write_text("raise SystemExit(3)\n")
    (tmp_path / "loud/net.py").write_text("raise SystemExit(3)\n")
    assert "builder_sha256" in builder_source("loud.net:make")


def test_changed_weights_and_code_make_the_model_stale_and_are_named(here):
    import torch

    from dissect_iqa.models.weights.fetch_weights import fetch_weights

    write_zoo(here)
    torch.save({"0.weight": torch.ones(4, 3, 3, 3), "0.bias": torch.zeros(4)}, "net.pth")
    with Path("config/models.tsv").open("a") as table:
        table.write(ROW.format(weights="file:net.pth"))
    study = look()
    row = study.row("own_net")
    assert place_of_weights(row) == Path("net.pth")
    assert set(study.own.models) == {"own_net"}
    spec = study.spec("fetch_weights", name="own_net")
    target = Path("resources/weights/own_net.safetensors")
    fetch_weights(row, target, Path("cache"), spec)
    assert look().own.notices() == []
    assert look().spec("fetch_weights", name="own_net") == spec

    torch.save({"0.weight": torch.ones(4, 3, 3, 3), "0.bias": torch.ones(4)}, "net.pth")
    changed = look()
    assert changed.own.notices() == [
        "model own_net: its weights file net.pth changed since its weights were made; it is stale"
    ]
    for stage, dataset in (("fetch_weights", ""), ("extract_features", "own")):
        assert changed.spec(stage, dataset, "own_net") != study.spec(stage, dataset, "own_net")
    assert changed.spec("extract_features", "own", "tiny_resnet") == study.spec(
        "extract_features", "own", "tiny_resnet"
    )
    Path("net.pth").unlink()  # what was used and thrown away is no change
    assert look().spec("fetch_weights", name="own_net") == spec

    study.own.require_unchanged(row)
    with Path("own_helper.py").open("a") as code:
        code.write("# another line\n")
    assert "the code of its builder own_zoo.nets:net changed" in look().own.notices()[0]
    with pytest.raises(UserError, match=r"own_net: the code of builder .* since this run was"):
        study.own.require_unchanged(row)
    plain = OwnFiles(**json.loads(json.dumps(look().own.plain())))
    plain.require_unchanged(row)


def test_a_picture_that_changes_after_the_check_is_refused_when_it_is_read(tmp_path):
    dataset = make_dataset(tmp_path / "data", 1, 2)
    loader = Loader(dataset)
    rows = [np.array([row]) for row in range(len(dataset.images))]
    with loader:
        assert len(list(loader.stream(rows))) == len(rows)
    invert(dataset.path(dataset.images["file"].iloc[-1]))
    with Loader(dataset) as loader, pytest.raises(UserError, match="has changed while this job"):
        list(loader.stream(rows))
