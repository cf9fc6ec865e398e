"""Every command: what it prints, how it ends, and one sentence for whatever is wrong."""

import io
import os
import shutil
import sys
import tarfile
from pathlib import Path

import pandas as pd
import pytest
import torch
from small_study import MODELS, RESULTS, write_study
from typer.testing import CliRunner, Result

from dissect_iqa.cli import app
from dissect_iqa.datasets.fetch_dataset import fetch_dataset
from dissect_iqa.doctor import inputs, machine
from dissect_iqa.doctor.needs import Needs
from dissect_iqa.files.provenance import write_json, write_table
from dissect_iqa.models.weights.fetch_weights import fetch_weights
from dissect_iqa.study.bundle import tables
from dissect_iqa.study.config_files import config_values
from dissect_iqa.study.study import Study

torch.set_num_threads(1)

#: A width at which no sentence is broken.
WIDE = "400"


def call(*arguments: object, columns: str = WIDE) -> Result:
    return CliRunner(env={"COLUMNS": columns}).invoke(app, [str(item) for item in arguments])


@pytest.fixture(autouse=True)
def activated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have printed commands as they are where the environment is active."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


def refused(*arguments: object) -> str:
    """Return the sentence with which a command ends that can't be done."""
    result = call(*arguments)
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit), result.output
    assert result.stderr.startswith("error: ") and "Traceback" not in result.output
    return result.stderr


def line(output: str, *words: str) -> str:
    """Return the one line that holds all of the words."""
    (found,) = [text for text in output.splitlines() if all(word in text for word in words)]
    return found


def append(path: str, text: str) -> None:
    Path(path).write_text(Path(path).read_text() + text)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a study whose data set and one of whose two weights are here."""
    folder = write_study(tmp_path_factory.mktemp("cli") / "study")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        study = Study.from_values(*config_values())
        own = Path("resources/datasets/own")
        fetch_dataset(
            study.datasets["own"], own, Path("downloads"), study.spec("fetch_dataset", "own")
        )
        weigh(study, "tiny_mobile")
    return folder


def weigh(study: Study, model: str) -> Path:
    path = Path(f"resources/weights/{model}.safetensors")
    fetch_weights(study.row(model), path, "downloads", study.spec("fetch_weights", name=model))
    return path


@pytest.fixture
def study(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """Return a copy of the study, which is the current folder."""
    folder = shutil.copytree(prepared, tmp_path / "study")
    monkeypatch.chdir(folder)
    return Study.from_values(*config_values())


# --- models ---------------------------------------------------------------------------------


def test_the_zoo_is_readable_at_80_columns(study: Study) -> None:
    result = call("models", columns="80")
    assert result.exit_code == 0 and "2 configurations" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    for text in ("tiny_resnet", "  resnet18", "mobilenetv3_small_050", "non-commercial use only"):
        assert text in result.stdout
    assert "resnet18" in line(call("models", columns="120").stdout, "tiny_resnet")


def test_licences_are_flagged(study: Study) -> None:
    header = MODELS.splitlines()[0] + "\tlicence\ttop1\n"
    free = "a\town\ttimm\tresnet18\tfile:x\tauto\tauto\tf\tg\te\tMIT\t70\n"
    bound = "b\town\ttimm\tresnet18\tfile:y\tauto\tauto\tf\tg\te\tCC BY-NC 4.0\t\n"
    Path("table.tsv").write_text(header + free + bound)
    shown = call("models", "--table", "table.tsv").stdout
    assert "NC" in line(shown, "b ", "resnet18") and "NC" not in line(shown, "a ", "resnet18")
    assert "CC BY-NC 4.0" in call("models", "--table", "table.tsv", "--all-columns").stdout


def test_the_zoo_as_csv(study: Study) -> None:
    frame = pd.read_csv(io.StringIO(call("models", "--csv", columns="20").stdout))
    assert list(frame["id"]) == ["tiny_resnet", "tiny_mobile"] and "licence" in frame


def test_filters(study: Study) -> None:
    shown = call("models", "tiny_*", "--family", "mobile").stdout
    assert "1 configurations" in shown and "tiny_resnet" not in shown
    assert "'tiny_resnet'?" in refused("models", "tiny_resnt")
    assert "there is no such model table" in refused("models", "--table", "gone.tsv")


def test_names_in_brackets_are_no_markup(study: Study) -> None:
    assert "'[bold]x'" in refused("models", "[bold]x")


# --- layers and info ------------------------------------------------------------------------


def test_layers(study: Study) -> None:
    result = call("layers", "tiny_resnet", "--size", "64x96", columns="80")
    assert result.exit_code == 0
    assert "512 x 2 x 3" in line(result.stdout, "layer4.1")
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize("size", ["64", "0x5", "64x96x3", "axb"])
def test_a_size_that_is_none(study: Study, size: str) -> None:
    assert "write height x width, e.g. 384x512" in refused("layers", "tiny_resnet", "--size", size)


@pytest.mark.parametrize("command", ["layers", "info", "check"])
def test_one_known_model_is_wanted(study: Study, command: str) -> None:
    assert "did you mean 'tiny_mobile'?" in refused(command, "tiny_mobil")
    assert "selects 2 models" in refused(command, "tiny_*")


def test_info_of_a_prepared_data_set(study: Study) -> None:
    shown = call("info", "tiny_resnet", "--dataset", "own").stdout
    assert "18, most of 64x64; 16 pairs" in line(shown, "pictures")
    assert "MB, to fetch" in line(shown, "weights")
    assert "from its GFLOPs and a measurement" in line(shown, "time")
    benchmarks = Path("results/shared/benchmarks/extract_features/own")
    benchmarks.mkdir(parents=True)
    (benchmarks / "tiny_resnet.0123456789.tsv").write_text("s\th:m:s\n200.0\t0:03:20\n")
    assert "about 3 min" in line(call("info", "tiny_resnet", "--dataset", "own").stdout, "time")


def test_info_of_data_sets_that_are_not_made_yet(study: Study) -> None:
    append(
        "config/datasets.yaml",
        "light: {kind: thresholds, most: 10, pixels: 96}\n"
        "moved: {kind: misaligned, of: tid, misalign: {rotate: 1}}\ntid: {kind: tid2013}\n"
        "old: {kind: cidiq, viewing_distance: 100}\n",
    )
    assert "most of 96x96" in line(
        call("info", "tiny_resnet", "--dataset", "light").stdout, "pictures"
    )
    shown = call("info", "tiny_resnet", "--dataset", "moved").stdout
    assert "3025, supposed to be of 384x512; 3000 pairs" in line(shown, "pictures")
    append(
        "config/datasets.yaml",
        "few: {kind: tid2008, drop_reference_25: true}\n"
        "turned: {kind: misaligned, of: own, misalign: {rotate: 1}}\n"
        "mine: {kind: folder, folder: pictures, csv: scores.csv, direction: higher is better}\n"
        "odd: {kind: folder, folder: pictures, csv: odd.csv, direction: higher is better}\n",
    )
    for name, told in (
        ("few", "1656, supposed to be of 384x512; 1632 pairs"),
        ("turned", "18, most of 64x64; 16 pairs"),  # as its parent, which is prepared
        ("mine", "18, most of 64x64; 16 pairs"),  # not prepared, but here
    ):
        assert told in line(call("info", "tiny_resnet", "--dataset", name).stdout, "pictures")
    head = b"reference,distorted,score\n"
    for content in (b"", head, head + b"a.png\n", head.decode().encode("utf-16"), b"\xff\xfe\0"):
        Path("pictures/odd.csv").write_bytes(content)
        assert "isn't prepared" in refused("info", "tiny_resnet", "--dataset", "odd")
    near = refused("info", "tiny_resnet", "--dataset", "ligth")
    assert "did you mean 'light'?" in near


def test_info_of_described_pictures(study: Study) -> None:
    options = ("--size", "224x224", "--pictures", 1000, "--pairs", 900)
    shown = call("info", "tiny_mobile", *options).stdout
    assert "1000, most of 224x224; 900 pairs" in shown
    assert "MB, here" in line(shown, "weights") and "GFLOPs" in line(shown, "operations")
    resnet = call("info", "tiny_resnet", *options).stdout
    assert "3.63 GFLOPs" in resnet, "twice the published 1.8 G multiply-adds of ResNet-18"


def test_info_needs_to_know_the_pictures(study: Study) -> None:
    assert "--dataset NAME, or all of" in refused("info", "tiny_resnet")
    assert "or all of" in refused("info", "tiny_resnet", "--size", "64x64")
    both = refused("info", "tiny_resnet", "--dataset", "own", "--pairs", 3)
    assert "give either" in both
    absent = refused("info", "tiny_resnet", "--dataset", "tid2013")
    assert "there is no data set 'tid2013' in config/datasets.yaml; give it a line" in absent


# --- check, datasets, verify ----------------------------------------------------------------


def test_check(study: Study) -> None:
    result = call("check", "tiny_mobile", columns="80")
    assert "loads strictly" in line(result.stdout, "PASS", "sha256")
    assert result.exit_code == ("FAIL" in result.stdout)
    wanted = "run: snakemake --cores 1 resources/weights/tiny_resnet.safetensors"
    assert wanted in refused("check", "tiny_resnet")
    Path("resources/weights/tiny_resnet.safetensors").write_text("no weights")
    broken = call("check", "tiny_resnet")
    assert broken.exit_code == 1 and "FAIL loads strictly: " in broken.stdout


def test_datasets(study: Study) -> None:
    append("config/datasets.yaml", "late: {kind: tid2013, folder: gone}\n")
    shown = call("datasets", columns="80").stdout
    assert line(shown, "own", "ready").split()[-2:] == ["16", "18"]
    assert "late: gone: no such folder" in shown
    assert "there is no such table of data sets" in refused("datasets", "--table", "gone.yaml")


def test_verify(study: Study) -> None:
    own = Path("resources/datasets/own")
    assert call("verify", own).stdout == f"{own}: whole\n"
    (Path("pictures") / "a_3.png").write_bytes(b"")
    result = call("verify", own)
    assert result.exit_code == 1 and f"{own}: bad" in result.stdout and "a_3.png" in result.stdout
    assert "run the rule fetch_dataset" in refused("verify", "config")


# --- doctor ---------------------------------------------------------------------------------


def test_a_study_that_can_run(study: Study) -> None:
    result = call("doctor")
    assert result.exit_code == 0, result.stdout
    assert "16 pairs" in line(result.stdout, "PASS", "data set own")
    note = line(result.stdout, "not here yet")
    assert "from their GFLOPs and a measurement" in line(result.stdout, "PASS", "time")
    assert "NOTE" in note and "tiny_resnet" in note and "tiny_mobile" not in note
    assert "NOTE weights: snakemake --cores 1 --until fetch_weights" in result.stdout
    assert "Nothing is in the way" in result.stdout


def test_a_faulty_configuration(study: Study) -> None:
    Path("config/more.yaml").write_text("statistics: {drws: 3}\n")
    result = call("doctor", "--configfile", "config/more.yaml")
    assert result.exit_code == 1
    fault = line(result.stdout, "FAIL", "drws", "did you mean 'draws'")
    assert "config/more.yaml, line 1" in fault
    assert (
        "gone.yaml: there is no such configuration"
        in call("doctor", "--configfile", "gone.yaml").stdout
    )


def test_commands_are_those_of_this_study(study: Study) -> None:
    Path("config/more.yaml").write_text("models: [tiny_resnet]\n")
    shown = call("doctor", "--configfile", "config/more.yaml").stdout
    for end in ("1 --until fetch_weights", "all"):
        assert f": snakemake --configfile config/more.yaml --cores {end}" in shown


def test_damaged_stale_and_foreign_weights(study: Study) -> None:
    weights = Path("resources/weights")
    shutil.copy(weights / "tiny_mobile.safetensors", weights / "tiny_resnet.safetensors")
    result = call("doctor")
    assert result.exit_code == 0 and "tiny_resnet" in line(
        result.stdout, "made with other settings"
    )
    (weights / "tiny_resnet.safetensors").write_text("cut off")
    result = call("doctor")
    path = weights / "tiny_resnet.safetensors"
    assert result.exit_code == 1
    assert f"FAIL weights: rm {path} && snakemake --cores 1 {path}" in result.stdout


def test_twins_by_accident(study: Study) -> None:
    path = weigh(study, "tiny_resnet")
    again = "tiny_again\tdemo\ttorchvision\tresnet18\tfile:x\tauto\timagenet\tn\tr\tn\n"
    append("config/models.tsv", again)
    spec = study.spec("fetch_weights", name="tiny_resnet")
    fetch_weights(
        study.row("tiny_resnet").model_copy(update={"id": "tiny_again", "weights": "seed:0"}),
        path.with_stem("tiny_again"),
        "downloads",
        spec,
    )
    assert inputs.distinct(["tiny_resnet", "tiny_again"], path.parent).outcome == "PASS"
    rewrite_source(path.with_stem("tiny_again"))
    result = call("doctor")
    assert result.exit_code == 1 and "hold the same weights" in line(result.stdout, "twins", "and")
    assert f"FAIL twins: rm {path} {path.with_stem('tiny_again')} && snakemake" in result.stdout


def rewrite_source(path: Path) -> None:
    """Say of a weights file that it came from somewhere else."""
    from safetensors.torch import load_file, save_file

    from dissect_iqa.files.provenance import canonical_json
    from dissect_iqa.models.weights.fetch_weights import weights_provenance

    facts = {**weights_provenance(path), "source": "elsewhere"}
    save_file(load_file(path), path, metadata={"dissect_iqa": canonical_json(facts)})


def test_data_that_can_and_can_not_be_had(study: Study) -> None:
    entries = (
        "lost: {kind: tid2013, folder: gone}\n"
        "web: {kind: tid2013}\n"
        "mine: {kind: folder, folder: pictures, csv: gone.csv, direction: higher is better}\n"
    )
    append("config/datasets.yaml", entries)
    Path("config/more.yaml").write_text("datasets: [own, lost, web, mine]\n")
    shown = call("doctor", "--configfile", "config/more.yaml").stdout
    assert "gone: no such folder" in line(shown, "FAIL", "data set lost", "no such")
    assert "downloaded by the next run" in line(shown, "NOTE", "data set web", "next run")
    assert "pictures/gone.csv: no such file" in line(shown, "FAIL", "data set mine", "no such")
    assert "not counted" in line(shown, "disk") and "mine" in line(shown, "disk")
    Path("config/more.yaml").write_text("datasets: [web]\noffline: true\n")
    shown = call("doctor", "--configfile", "config/more.yaml").stdout
    assert "the configuration is offline" in line(shown, "FAIL", "data set web", "not here")


def test_a_layer_that_does_not_exist(study: Study) -> None:
    Path("config/more.yaml").write_text("extraction: {keep_raw: ['layer9*']}\n")
    result = call("doctor", "--configfile", "config/more.yaml")
    assert result.exit_code == 1 and "matches no layer" in line(
        result.stdout, "tiny_mobile", "FAIL"
    )


def test_machines() -> None:
    assert machine.cores(8).outcome == "PASS" and machine.cores(1).outcome == "NOTE"
    assert machine.memory(10, 5).outcome == "PASS"
    short = machine.memory(5, 10)
    assert short.outcome == "NOTE" and "batch_size" in short.mend
    assert machine.torch_build().outcome == "PASS"
    assert machine.gpu("cpu").outcome == "PASS"


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_no_gpu_is_a_failure_only_where_one_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    note = machine.gpu("auto")
    assert note.outcome == "NOTE" and "CUDA_VISIBLE_DEVICES=''" in note.found
    for device in ("cuda", "cuda:0"):
        unknown = machine.extraction_time(Needs(gflops=1, extractions=1), device)
        assert (unknown.outcome, unknown.found) == (
            "NOTE", f"not measured: {device!r} can't be used here",
        )  # fmt: skip
    assert machine.extraction_time(Needs(), "cuda").outcome == "PASS", "nothing is left to measure"
    fault = machine.gpu("cuda:0")
    assert fault.outcome == "FAIL" and "device: auto" in fault.mend


def test_a_disk_that_is_too_small(tmp_path: Path) -> None:
    needs = Needs()
    wanted = {tmp_path / "resources": 10**18, tmp_path / "results" / "new": 1}
    (finding,) = machine.disk(wanted, needs)
    assert finding.outcome == "FAIL" and "ln -s" in finding.mend
    (finding,) = machine.disk({tmp_path: 1}, needs)
    assert finding.outcome == "PASS" and not finding.mend


# --- bundle and unbundle --------------------------------------------------------------------


def finish(study: Study) -> None:
    """Write the tables of a finished study that aren't there, with the right specs."""
    for path, spec in tables(study).items():
        if not Path(path).exists():
            write_table(pd.DataFrame({"srcc": [0.5]}), path, spec)
    write_json({}, RESULTS / "extra.json")


def test_a_study_goes_into_an_archive_and_out_again(study: Study, tmp_path: Path) -> None:
    finish(study)
    archive, other = tmp_path / "study.tar", tmp_path / "other"
    packed = call("bundle", archive)
    assert packed.exit_code == 0, packed.output
    assert f"dissect-iqa unbundle {archive}" in packed.stdout
    unpacked = call("unbundle", archive, "--folder", other)
    assert unpacked.exit_code == 0 and "all checked" in unpacked.stdout
    config = other / "config/config.yaml"
    assert config.read_text() == Path("config/config.yaml").read_text()
    config.write_text("models: [mine]\n")
    assert "config.yaml: differs from the one" in refused("unbundle", archive, "--folder", other)
    assert call("unbundle", archive, "--folder", other, "--overwrite").exit_code == 0
    assert "mine" not in config.read_text()


def test_what_can_not_be_bundled(study: Study, tmp_path: Path) -> None:
    assert "let Snakemake finish it first" in refused("bundle", tmp_path / "x.tar")
    finish(study)
    assert "must end in .tar or .tar.gz" in refused("bundle", tmp_path / "x.zip")
    assert "or leave features out" in refused("bundle", tmp_path / "x.tar", "--features")
    write_table(pd.DataFrame({"srcc": [0.5]}), RESULTS / "correlations.parquet", '{"old": 1}')
    assert "made with other settings" in refused("bundle", tmp_path / "x.tar")
    assert not list(tmp_path.glob("x.*"))


def test_archives_that_are_none(study: Study, tmp_path: Path) -> None:
    assert "can't be unpacked" in refused("unbundle", tmp_path / "gone.tar")
    text, foreign = tmp_path / "text.tar", tmp_path / "foreign.tar"
    text.write_text("hello")
    with tarfile.open(foreign, "w") as tar:
        tar.addfile(tarfile.TarInfo("readme"))
    assert "can't be unpacked" in refused("unbundle", text)
    assert "not the archive of a study" in refused("unbundle", foreign)


# --- configuration files --------------------------------------------------------------------


def test_files_lie_on_top_of_each_other_as_in_snakemake(study: Study) -> None:
    Path("config/more.yaml").write_text("statistics: {seed: 3}\nmodels: [tiny_resnet]\n")
    values, files = config_values(["config/more.yaml"])
    assert values["statistics"] == {"draws": 50, "seed": 3} and values["models"] == ["tiny_resnet"]
    assert [file.name for file in files] == ["more.yaml", "config.yaml"]


@pytest.mark.parametrize(
    ("content", "sentence"), [("a: [", "line 1: no valid YAML"), ("- a", "must be a mapping")]
)
def test_files_that_are_no_configuration(study: Study, content: str, sentence: str) -> None:
    Path("config/config.yaml").write_text(content)
    assert sentence in refused("bundle", "x.tar")
    assert sentence in line(call("doctor").stdout, "FAIL", "config.yaml", "configuration ")
