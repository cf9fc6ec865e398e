"""A study's name, whose folder it is, and what it shares with others."""

import json
from pathlib import Path

import pytest
from small_study import RESULTS, read_study, write_study

from dissect_iqa.errors import UserError
from dissect_iqa.study.config_files import config_values
from dissect_iqa.study.folder import check_folder, claim_folder
from dissect_iqa.study.shared_files import NOTE, shared_files
from dissect_iqa.study.study import Study


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = write_study(tmp_path / "study")
    monkeypatch.chdir(folder)
    return folder


def read(*files: str, **command_line: object) -> Study:
    """Return the study of configuration files and options on the command line."""
    values, chosen = config_values([Path("config") / file for file in files])
    return Study.from_values({**values, **command_line}, chosen, command_line)


def test_a_study_is_called_what_it_says_or_as_its_file(here: Path) -> None:
    Path("config/paper.yaml").write_text("distances: [rmse]\n")
    Path("config/other.yaml").write_text("study: named\n")
    assert read().name == "small"
    assert read("paper.yaml").name == "paper", "the default file's name is its own"
    assert read("paper.yaml", "other.yaml").name == "named"
    assert read("other.yaml", "paper.yaml").name == "paper"
    assert read("paper.yaml", study="mine").name == "mine"
    config = Path("config/config.yaml")
    config.write_text(config.read_text().replace("study: small\n", ""))
    assert read().name == "config"


@pytest.mark.parametrize("name", ["shared", "Shared", "a/b", "..", "", "a b", "-x", "ü"])
def test_names_that_are_no_folder(here: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"command line \(--config\): 'study'"):
        read(study=name)


def test_a_folder_is_one_study_s(here: Path) -> None:
    claim_folder(read())
    check_folder(read())
    values, _ = config_values()
    check_folder(Study.from_values(values, [here / "config/config.yaml"]))
    Path("config/more.yaml").write_text("study: small\n")
    with pytest.raises(UserError, match=r"results/small: holds the study of config/config\.yaml;"):
        check_folder(read("more.yaml"))
    options = {"datasets": ["own"]}
    with pytest.raises(UserError, match=r"asked for now, .* with --config datasets=\[\"own\"\]"):
        check_folder(read(**options))
    check_folder(read(study="other", **options))
    for neutral in ({"offline": True}, {"extraction": {"device": "cpu"}}, {"rehearse": True}):
        check_folder(read(**neutral))
    config = Path("config/config.yaml")
    config.write_text(config.read_text().replace("[rmse, cosine]", "[rmse]"))
    check_folder(read())  # the same study, which has changed
    (here / RESULTS / NOTE).write_text("{")
    check_folder(read("more.yaml"))


def test_what_is_concluded_differs_by_study_and_what_is_shared_does_not(here: Path) -> None:
    first, second = read(), read(study="second")
    for what in ("features", "distances", "correlations"):
        assert first.shared(what, "own", "tiny_resnet") == second.shared(what, "own", "tiny_resnet")
    assert json.loads(second.spec("collect"))["study"] == "second"
    assert first.spec("collect") != second.spec("collect")
    for stage in ("fetch_dataset", "fetch_weights", "extract_features", "correlate"):
        spec = first.spec(stage, "own", "tiny_resnet")
        assert "study" not in json.loads(spec), stage


def test_another_setting_is_another_file(here: Path) -> None:
    before = read()
    after = read(distances=["rmse"])
    path = before.shared("features", "own", "tiny_resnet")
    assert path == after.shared("features", "own", "tiny_resnet")
    assert path.startswith("results/shared/features/own/tiny_resnet.") and path.endswith(".h5")
    names = [study.shared("distances", "own", "tiny_resnet") for study in (before, after)]
    assert names[0] != names[1]
    mark = names[0].split(".")[1]
    spec = before.spec("measure_distances", "own", "tiny_resnet")
    assert before.marked_spec("measure_distances", "own", "tiny_resnet", mark) == spec
    with pytest.raises(UserError, match="doesn't make that file of measure_distances, but"):
        after.marked_spec("measure_distances", "own", "tiny_resnet", mark)


def test_files_that_nobody_uses_are_told(here: Path) -> None:
    assert shared_files(Path("results")).empty
    studies = {
        name: read(study=name, distances=[of]) for name, of in (("a", "rmse"), ("b", "dists"))
    }
    for study in studies.values():
        claim_folder(study)
        for what, size in (("features", 9), ("distances", 5)):
            path = Path(study.shared(what, "own", "tiny_resnet"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(size))
    found = shared_files(Path("results")).set_index("path")
    assert list(found["bytes"]) == [9, 5, 5]
    assert found["studies"].to_list()[0] == "a, b"
    assert set(found["studies"]) == {"a, b", "a", "b"}
    claim_folder(read(study="b", distances=["rmse"]))
    found = shared_files(Path("results")).set_index("path")
    assert found.loc[studies["b"].shared("distances", "own", "tiny_resnet"), "studies"] == ""


def test_read_study_is_where_it_says(here: Path) -> None:
    assert read_study(here).shared("distances", "own", "psnr") == read().shared(
        "distances", "own", "psnr"
    )
