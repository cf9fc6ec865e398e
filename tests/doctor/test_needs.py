"""What a study will still take: each architecture is looked at once, and nothing is forgotten."""

from pathlib import Path

import pytest
from small_study import ONE_MORE, read_study, write_study

from dissect_iqa.doctor import needs as module
from dissect_iqa.doctor.needs import study_needs
from dissect_iqa.study import costs
from dissect_iqa.study.study import Study


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    folder = write_study(tmp_path / "study")
    with (folder / "config/models.tsv").open("a") as table:
        table.write(ONE_MORE)
    monkeypatch.chdir(folder)
    return read_study(folder)


def test_sums_are_those_of_models_one_by_one(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []

    def build(row):
        built.append(row.id)
        return bare(row)

    bare = costs.bare_network
    pictures = costs.uniform((64, 64), 18, 16)
    one_by_one = [bare(row) for row in study.weights_rows()]
    monkeypatch.setattr(module.costs, "bare_network", build)
    found = study_needs(study, Path("resources"), study.weights_rows())
    assert built == ["tiny_resnet", "tiny_mobile"], "tiny_again is a ResNet-18, too"
    expected = [costs.features_cost(network, pictures) for network in one_by_one]
    assert found.features == sum(cost[0] for cost in expected)
    assert found.gflops == pytest.approx(sum(cost[1] for cost in expected))
    assert found.extractions == 3
    assert found.weights == sum(costs.weights_bytes(network) for network in one_by_one)


def test_what_is_there_is_not_counted(study: Study) -> None:
    before = study_needs(study, Path("resources"), study.weights_rows())
    path = Path(study.shared("features", "own", "tiny_again"))
    path.parent.mkdir(parents=True)
    path.touch()
    after = study_needs(study, Path("resources"), study.weights_rows())
    assert after.extractions == before.extractions - 1 and after.features < before.features
