"""The configurations that ship with the project are whole and select what they say."""

import copy
from pathlib import Path

import pytest
import yaml
from small_study import REPOSITORY
from snakemake.utils import update_config

from dissect_iqa.datasets.registry import KINDS, MADE_HERE, read_datasets
from dissect_iqa.study.config_files import config_values
from dissect_iqa.study.study import Study


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Study:
    monkeypatch.chdir(REPOSITORY)
    values: dict = {}
    for name in ("config.yaml", request.param):
        values |= yaml.safe_load(Path("config", name).read_text())
    return Study.from_values(values)


@pytest.mark.parametrize("study", ["paper.yaml"], indirect=True)
def test_paper_runs_the_46_on_two_data_sets_against_learned_metrics(study: Study) -> None:
    assert len(study.models) == 46
    assert list(study.datasets) == ["tid2013", "kadid10k"]
    assert study.trunk("lpips_alex") and study.trunk("lpips_vgg") and study.trunk("dists")
    rivals = {second for first, second in study.planned_contests() if second not in study.models}
    assert rivals == {"ssim", "ssim_downsampled", "ms_ssim", "lpips_alex", "lpips_vgg", "dists"}
    factors = {comparison["factor"] for comparison in study.comparisons}
    assert factors == {"function", "architecture", "environment"}
    assert len(study.correlations()) == 2 * (46 + 20)


@pytest.mark.parametrize("study", ["config.yaml", "reduced.yaml"], indirect=True)
def test_demo_needs_no_internet_but_the_package_registry(study: Study) -> None:
    assert {entry.kind for entry in study.datasets.values()} == {"demo", "thresholds"}
    sources = {row.weights.split(":")[0] for row in study.models.values()}
    assert sources == {"wheel", "seed"}
    assert not any(study.trunk(metric) for metric in study.config.baselines)


def test_every_public_data_set_has_its_line() -> None:
    table = read_datasets(REPOSITORY / "config/datasets.yaml")
    assert {entry.kind for entry in table.values()} == {*KINDS, *MADE_HERE}
    others = {
        name: entry
        for name, entry in table.items()
        if name not in ("thresholds_few", "nights_all") and entry.kind != "misaligned"
    }
    assert all(name == entry.kind for name, entry in others.items())


@pytest.mark.parametrize(
    "below, above",
    [
        ({"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"d": 3}, "e": [1]}),
        ({"b": 1}, {"b": {"c": {"d": 2}}}),
        ({"b": {"c": 1}}, {"b": 2}),
        ({"b": {"c": 1}}, {"b": None, "f": {}}),
        ({}, {"statistics": {"draws": 5}}),
    ],
)
def test_files_are_merged_as_snakemake_merges_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: dict, above: dict
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, values in (("below.yaml", below), ("above.yaml", above)):
        Path(name).write_text(yaml.safe_dump(values))
    merged = copy.deepcopy(below)
    update_config(merged, above)
    assert config_values(["below.yaml", "above.yaml"])[0] == merged
