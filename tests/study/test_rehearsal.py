"""A rehearsal: made-up data sets of every kind, random starts, and a whole study of them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import layouts
import numpy as np
import pandas as pd
import pytest
import torch
from model_rows import make_row
from safetensors.torch import load_file
from small_study import REPOSITORY, RESULTS, make_pictures, write_study

from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.datasets.base import index_folder
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.fetch_dataset import fetch_dataset
from dissect_iqa.datasets.registry import KINDS
from dissect_iqa.datasets.rehearsal import take_few
from dissect_iqa.datasets.tables import Dataset, read_dataset
from dissect_iqa.errors import UserError
from dissect_iqa.figures.plot import FIGURES, figure_file
from dissect_iqa.models.architecture import build
from dissect_iqa.models.load import load_network
from dissect_iqa.models.weights.fetch_weights import fetch_weights
from dissect_iqa.models.weights.file import weights_provenance
from dissect_iqa.study.bundle import bundle
from dissect_iqa.study.config import Config
from dissect_iqa.study.config_files import config_values
from dissect_iqa.study.rehearsal import REHEARSAL_VERSION, shortest_side
from dissect_iqa.study.stages import STAGES
from dissect_iqa.study.study import Study
from dissect_iqa.zoo.row import ModelRow

SPEC = '{"stage":"fetch_dataset"}'


def made_up(tmp_path: Path, kind: str, side: int = 128) -> Dataset:
    fetch_dataset(
        DatasetEntry(kind=kind), tmp_path / "made", tmp_path / "none", SPEC, rehearse=side
    )
    return read_dataset(tmp_path / "made", SPEC)


def layout(kind: str) -> layouts.Tree:
    """Return the published layout of a data set; see `layouts`."""
    if kind in ("tid2008", "tid2013"):
        references, types, levels = (25, 24, 5) if kind == "tid2013" else (25, 17, 4)
        lines = ["5.0"] * (references * types * levels)
        return layouts.tid(lines, lines, references, types, levels)
    if kind == "csiq":
        pictures, rest = layouts.csiq_pictures(flat=False)
        return {**pictures, **rest, "csiq.DMOS.xlsx": layouts.csiq_workbook()}
    if kind == "kadid10k":
        return layouts.kadid()
    made = getattr(layouts, kind)()
    if kind == "vclfer":
        return {**made[0], "VCLFER.txt": layouts.waterloo(made[1])}
    return made[0] if isinstance(made, tuple) else made


@pytest.mark.parametrize("kind", KINDS)
def test_a_made_up_data_set_has_the_columns_of_its_kind(tmp_path: Path, kind: str) -> None:
    """Read from the published layout on the one side, made up on the other."""
    for name, data in layout(kind).items():
        (tmp_path / "real" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "real" / name).write_bytes(data)
    options = {"scores": "original"} if kind == "live" else {}
    entry = DatasetEntry(kind=kind, **options)
    real = KINDS[kind].read(index_folder(tmp_path / "real"), entry).frame
    dataset = made_up(tmp_path, kind)
    pairs = dataset.pairs
    always = {"pair", "quality", "reference", "level", "score_se", "raters"}
    assert set(pairs.columns) | always == set(real.columns) - {"left_out"} | always
    for name in ("level", "score_se", "raters"):
        there = name in real and real[name].notna().any()
        if (kind, name) not in {("live", "score_se"), ("livemd", "raters")}:
            assert pairs[name].notna().any() == there, name
    for name in pairs.columns[pairs.columns.str.startswith("subset_")]:
        assert 0 < pairs[name].sum() < len(pairs), name
    assert dataset.facts["direction"] == KINDS[kind].direction
    assert dataset.facts["label"].startswith("Rehearsal: untrained networks")


def test_made_up_pictures_are_small_varied_and_scored_by_their_strength(tmp_path: Path) -> None:
    dataset = made_up(tmp_path, "live", side=176)
    assert set(zip(dataset.images["height"], dataset.images["width"], strict=True)) == {
        (181, 199),
        (199, 181),
    }
    assert len(dataset.pairs) == 18 and dataset.facts["references"] == 3
    weak, strong = (dataset.pairs["distorted_file"].str.endswith(f"_{level}.png") for level in "13")
    assert (dataset.pairs["quality"][weak].mean()) > dataset.pairs["quality"][strong].mean() + 10


def test_made_up_pictures_are_never_larger_than_the_real_ones(tmp_path: Path) -> None:
    """MS-SSIM can't be computed on BAPPS; its rehearsal has to find that."""
    dataset = made_up(tmp_path, "bapps", side=176)
    assert set(dataset.images["height"]) == {64}
    assert dataset.pairs.groupby("triplet")["preferred"].sum().tolist() == [1.0] * 12


def test_made_up_pictures_are_as_large_as_the_networks_need() -> None:
    """Halo attention takes sides in steps of 256 pixels, and says so only when it runs."""
    config = Config(datasets=("own",), models=("any",), baselines=("ms_ssim",))
    small, halo = make_row("resnet18", "timm"), make_row("halonet26t", "timm")
    patches = make_row("vit_base_patch16_224", "timm", input="timm,multiple=448")
    assert shortest_side(config, [small]) == 176
    assert shortest_side(config, [small, halo]) == 256
    assert shortest_side(config, [patches, halo]) == 448


def test_made_up_data_sets_are_the_same_every_time(tmp_path: Path) -> None:
    first, second = (made_up(tmp_path / name, "tid2013") for name in "ab")
    pd.testing.assert_frame_equal(first.pairs, second.pairs)
    pd.testing.assert_frame_equal(first.images, second.images)


def test_the_demo_is_rehearsed_with_some_of_its_pictures(tmp_path: Path) -> None:
    dataset = made_up(tmp_path, "demo")
    assert len(dataset.pairs) == 30 and "psnr_nominal" in dataset.pairs
    assert dataset.facts["label"].startswith("Rehearsal: ")


def own(folder: Path) -> DatasetEntry:
    make_pictures(folder)
    options = {"csv": "scores.csv", "direction": "higher is better", "distortion": "distortion"}
    return DatasetEntry(kind="folder", folder=folder, label="My own.", **options)


def test_of_a_folder_a_few_pairs_are_taken(tmp_path: Path) -> None:
    entry = own(tmp_path / "own")
    fetch_dataset(entry, tmp_path / "made", tmp_path, SPEC, rehearse=128)
    dataset = read_dataset(tmp_path / "made")
    assert dataset.pairs.groupby("reference").size().to_dict() == {"a": 6, "b": 6}
    assert set(dataset.pairs["distortion"]) == {"noise", "shift"}
    assert dataset.pairs["pair"].tolist() == list(range(12))
    assert set(dataset.images["file"]) == {
        *dataset.pairs["reference_file"],
        *dataset.pairs["distorted_file"],
    }
    assert dataset.facts["label"].startswith("Rehearsal: ")
    assert dataset.facts["label"].endswith("My own.")
    assert dataset.path("a.png").samefile(tmp_path / "own/a.png")


def test_of_a_folder_all_pairs_are_checked(tmp_path: Path) -> None:
    entry = own(tmp_path / "own")
    for level in range(8):
        (tmp_path / f"own/b_{level}.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"8 picture\(s\) can't be used"):
        fetch_dataset(entry, tmp_path / "made", tmp_path, SPEC, rehearse=128)


def test_triplets_are_taken_whole() -> None:
    triplets = np.repeat(np.arange(100), 2)
    few = take_few(pd.DataFrame({"triplet": triplets, "reference": triplets}))
    assert few.groupby("triplet").size().tolist() == [2] * 12
    assert {0, 99} <= set(few["triplet"])


def row(**changes: str) -> ModelRow:
    described = dict.fromkeys(("function", "family", "environment"), "none")
    values = {"id": "a", "builder": "torchvision", "architecture": "squeezenet1_1 head=none"}
    values |= {"weights": "url:https://nowhere.invalid/x.pth", "unwrap": "state_dict"}
    return ModelRow(**{**values, "drop": "x.*", "input": "unit", **described, **changes})


def weights(row: ModelRow, folder: Path) -> dict[str, torch.Tensor]:
    path = folder / f"{row.id}.safetensors"
    fetch_weights(row, path, folder, '{"stage":"fetch_weights"}', rehearse=True)
    load_network(row, path)
    return load_file(path)


def test_weights_are_random_starts_of_their_own(tmp_path: Path) -> None:
    """Without any download, the same for rows that name the same weights, else others."""
    first = weights(row(), tmp_path)
    same = weights(row(id="b", layers="features.0;features.3"), tmp_path)
    other = weights(row(id="c", weights="url:https://nowhere.invalid/y.pth"), tmp_path)
    key = "features.0.weight"
    assert torch.equal(first[key], same[key]) and not torch.equal(first[key], other[key])
    assert first[key].std() > 0
    facts = weights_provenance(tmp_path / "a.safetensors")
    assert facts["source"].startswith("seed:") and facts["source_sha256"] is None


def test_an_untrained_network_keeps_its_seed(tmp_path: Path) -> None:
    untrained = row(weights="seed:7", unwrap="", drop="")
    found = weights(untrained, tmp_path)["features.0.weight"]
    assert torch.equal(found, build(untrained, seed=7).state_dict()["features.0.weight"])


def test_a_row_is_read_as_in_the_real_study(tmp_path: Path) -> None:
    """Input and layers depend on the weights that a row names, not on those it gets."""
    named = row(architecture="squeezenet1_1", weights="enum:IMAGENET1K_V1", input="auto")
    named = named.model_copy(update={"unwrap": "", "drop": ""})
    weights(named, tmp_path)
    network = load_network(named, tmp_path / "a.safetensors")
    assert network.input.mean == (0.485, 0.456, 0.406)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(write_study(tmp_path / "study"))
    return Path()


def values(**changes: object) -> dict[str, object]:
    read, _ = config_values()
    return {**read, **changes}


def test_every_specification_carries_the_mark(study: Path) -> None:
    scores = [{"table": "theirs.csv", "dataset": "own", "metrics": {"theirs": "lower"}}]
    real, rehearsal = (
        Study.from_values(values(rehearse=mark, scores=scores)) for mark in (False, True)
    )
    assert (real.folder, rehearsal.folder) == (Path(), Path("rehearsal"))
    for stage in STAGES:
        if stage not in ("fit_readouts", "plot", "measure_invariance"):
            metrics = {"score_baselines": "psnr", "read_scores": "theirs"}
            name = metrics.get(stage, "tiny_resnet")
            spec = json.loads(rehearsal.spec(stage, "own", name))
            assert spec["rehearsal"] == REHEARSAL_VERSION, stage
            assert "rehearsal" not in json.loads(real.spec(stage, "own", name)), stage


def test_draws_are_few_and_no_features_are_handed_on(study: Path) -> None:
    changes = {"statistics": {"draws": 2000}, "extraction": {"store": "shared"}}
    config = Study.from_values(values(rehearse=True, **changes)).config
    assert (config.statistics.draws, config.extraction.store) == (100, None)
    assert Study.from_values(values(rehearse=True, statistics={"draws": 0})).config.statistics == (
        StatisticsSettings(draws=0)
    )


def test_a_rehearsal_is_not_bundled(study: Path) -> None:
    with pytest.raises(UserError, match="a rehearsal has no results to hand on"):
        bundle(Study.from_values(values(rehearse=True)), "x.tar")


def rehearse(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Rehearse the study in a folder with this repository's workflow."""
    command = [str(Path(sys.executable).with_name("dissect-iqa")), "rehearse", "--cores", "2"]
    return subprocess.run(
        [*command, *arguments, "--", "--snakefile", str(REPOSITORY / "Snakefile")],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "COLUMNS": "200"},
        check=False,
        timeout=1800,
    )


TRAINED = (
    "tiny_trained\tdemo\ttorchvision\tresnet18\turl:https://nowhere.invalid/x.pth"
    "\tauto\timagenet\tthings\tresnet\tsomething\n"
)


@pytest.mark.slow
def test_a_study_is_rehearsed_end_to_end(tmp_path: Path) -> None:
    """Weights and a data set that nobody can fetch; everything that a study makes is there."""
    folder = write_study(tmp_path / "study")
    with (folder / "config/models.tsv").open("a") as table:
        table.write(TRAINED)
    (folder / "config/datasets.yaml").write_text("live: {kind: live}\n")
    options = ('models=["tiny_mobile","tiny_trained"]', 'datasets=["live"]')
    run = rehearse(folder, "--config", options[0], "--config", options[1])
    assert run.returncode == 0, run.stdout + run.stderr
    assert "The rehearsal went through" in run.stdout and "rm -r rehearsal" in run.stdout
    assert sorted(path.name for path in folder.iterdir() if path.name[0] != ".") == [
        "config",
        "pictures",
        "rehearsal",
    ]
    results = folder / "rehearsal" / RESULTS
    drawn = {
        path.stem for path in (results / "figures").glob("*.pdf") if path.stat().st_size > 1000
    }
    alone = ("", "opinions", "rated")
    assert drawn == {"contact_sheets_live"} | {
        figure_file(name, record.each and "live")
        for name, record in FIGURES.items()
        if not record.needs and record.each in alone
    }
    assert "Rehearsal: " in (results / "claims.md").read_text()
    assert "This was a rehearsal" in (results / "methods.md").read_text()
    assert set(pd.read_csv(results / "summary.csv")["of_study"]) == {"rehearsal, no result"}
    assert not list(folder.glob("rehearsal/resources/weights/*.safetensors"))


@pytest.mark.slow
def test_what_is_wrong_is_found_and_named(tmp_path: Path) -> None:
    """A layer that isn't there shows only when the network is built, after all downloads."""
    folder = write_study(tmp_path / "study")
    with (folder / "config/models.tsv").open("a") as table:
        table.write(TRAINED.replace("\tauto\t", "\tlayer1.0;layer9.0\t"))
    run = rehearse(folder, "--config", 'models=["tiny_trained"]')
    assert run.returncode == 1
    last = run.stdout.splitlines()
    assert any(
        re.search(r"/tiny_trained\.\w+\.log: tiny_trained: .*layer9\.0", text) for text in last
    )
    assert "1 to mend" in last[-1]
