"""What is wrong with a study is found before anything starts, and all of it at once."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import timm
import torchvision
from model_rows import make_row
from PIL import Image
from small_study import REPOSITORY, write_study

from dissect_iqa.datasets.fetch_dataset import fetch_dataset
from dissect_iqa.errors import UserError
from dissect_iqa.models import known_names
from dissect_iqa.models.known_names import check_names, try_builders
from dissect_iqa.models.torchvision_builders import supported
from dissect_iqa.study.study import Study
from dissect_iqa.study.upfront import check_sizes, check_upfront

VALUES = {"models": ["demo"], "datasets": ["own"], "baselines": ["psnr"]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder: a small study that nothing has run in."""
    monkeypatch.chdir(write_study(tmp_path / "study"))
    return tmp_path / "study"


def problems(**values) -> str:
    """Return what is wrong with the study in the current folder."""
    with pytest.raises(UserError) as caught:
        check_upfront(Study.from_values({**VALUES, **values}))
    return str(caught.value)


def test_a_study_that_is_fine(folder: Path) -> None:
    check_upfront(Study.from_values(VALUES))


def test_all_shipped_rows_exist_and_pytorch_is_not_loaded_to_tell() -> None:
    code = (
        "import sys; from dissect_iqa.zoo.table import read_models; "
        "from dissect_iqa.models.known_names import check_names; "
        "rows = read_models('config/models.tsv'); check_names(rows.values()); "
        "assert len(rows) > 100; assert 'torch' not in sys.modules, 'planning became slow'"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)


def test_the_source_text_names_what_the_packages_know() -> None:
    """It may miss a name, which costs the import, but never most of them."""
    assert known_names._timm_models() == set(timm.list_models())
    text = known_names._source("timm", "models/*.py")
    tags = timm.list_models(pretrained=True)
    assert sum(f"'{name}'" in text for name in tags) > 0.9 * len(tags)
    found = known_names._torchvision_models()
    assert set(found) == set(supported())
    for name, weights in found.items():
        assert weights == set(torchvision.models.get_model_weights(name).__members__)


@pytest.mark.parametrize(
    ("architecture", "builder", "weights", "words"),
    [
        ("resnet5o", "timm", "seed:0", "has no model 'resnet5o' (did you mean 'resnet50'?)"),
        (
            "resnet50",
            "timm",
            "tag:tvv_in1k",
            "no weights 'tvv_in1k' of resnet50 (did you mean",
        ),
        ("resnet5O", "torchvision", "seed:0", "model 'resnet5O' (did you mean 'resnet50'?)"),
        ("resnet50", "torchvision", "enum:IMAGENET1K_V9", "(did you mean 'IMAGENET1K_V2'?)"),
        ("r3d_18", "torchvision", "seed:0", "no classification, segmentation or detection model"),
    ],
)
def test_names_that_do_not_exist(architecture, builder, weights, words) -> None:
    row = make_row(architecture, builder, weights=weights, id="wrong")
    with pytest.raises(UserError) as caught:
        check_names([row, row.model_copy(update={"id": "again"})])
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["wrong", "again"]
    assert words in lines[0]


OWN = """
import sys
from torch import nn
VALUE = [nn.Identity()]
if sys:
    def net(): return VALUE[0]
def fails(): raise KeyError("depth")
def stops(): sys.exit(0)
def dies():
    import os
    print("talks", end="")
    os._exit(0)
"""


def own(function: str, module: str = "own"):
    return make_row("x", f"{module}:{function}", weights="seed:0", id=f"row_{function}")


def test_own_builders_are_looked_at_without_being_run(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(OWN + "\nraise SystemError('was run')\n")
    Path("broken.py").write_text("def net(:\n")
    check_names([own("net"), own("fails")])
    with pytest.raises(UserError) as caught:
        check_names([own("nett"), own("net", "broken"), own("net", "nowhere"), own("f", "a.b")])
    lines = str(caught.value).splitlines()
    assert "own.py has no function 'nett' (did you mean 'net'?)" in lines[0]
    assert "raises SyntaxError" in lines[1] and "broken.py, line 1" in lines[1]
    assert "there is no module 'nowhere'; put nowhere.py into" in lines[2]
    assert "No module named 'a'" in lines[3]
    with pytest.raises(UserError, match=r"has moved; write dissect_iqa\.models\.arch.*\.hed:x"):
        check_names([own("x", "dissect_iqa.models.hed")])
    Path("own.py").write_text("from torch.nn import *\n")
    check_names([own("Identity")])


def test_own_builders_are_tried_in_a_process_of_their_own(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    # as the Snakefile leaves it where the path has blanks
    monkeypatch.setattr(sys, "executable", f"'{sys.executable}'")
    Path("own.py").write_text(OWN)
    try_builders([make_row("resnet18")])
    rows = [own(name) for name in ("net", "fails", "stops", "dies", "net")]
    with pytest.raises(UserError) as caught:
        try_builders(rows)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("row_fails: builder 'own:fails' raises KeyError: 'depth'")
    assert lines[1].startswith("row_stops: builder 'own:stops' ends the program (sys.exit(0))")
    assert lines[2].startswith("row_dies: builder 'own:dies' ends the program with status 0")


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ("file:none.pth", "there is no file none.pth; put it there"),
        ("url:file:///no/such%20file", "there is no file /no/such file; put it there"),
        ("package:timm!no/such.pth", "has no file 'no/such.pth'"),
        ("package:no-such-package!a", "package 'no-such-package' is not installed here"),
    ],
)
def test_weights_that_are_not_there(folder: Path, weights: str, words: str) -> None:
    path = folder / "config/models.tsv"
    path.write_text(path.read_text().replace("seed:1", weights))
    found = problems()
    assert found.startswith(f"tiny_mobile: weights {weights!r}: ") and words in found
    weights = folder / "resources/weights/tiny_mobile.safetensors"
    weights.parent.mkdir(parents=True)
    weights.touch()
    check_upfront(Study.from_values(VALUES))


def test_a_learned_baseline_without_its_trunk(folder: Path) -> None:
    with pytest.raises(UserError) as caught:
        Study.from_values({**VALUES, "baselines": ["lpips_alex", "psnr", "dists"]})
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert "baseline 'lpips_alex' needs a row with builder torchvision, architecture" in lines[0]
    assert "baseline 'dists'" in lines[1] and "vgg16" in lines[1]


def test_pictures_that_are_missing_or_too_small_and_constant_scores(folder: Path) -> None:
    found = problems(baselines=["psnr", "ms_ssim", "ssim"])
    assert found.endswith(
        "data set 'own': a.png has 64x64 pixels, but ms_ssim needs at least 176 on the short side; "
        "take ms_ssim out of the option 'baselines', or use larger pictures"
    )
    (folder / "pictures/a_3.png").rename(folder / "a_3.png")
    assert "1 picture(s) named in the table of scores are not there:\n  a_3.png" in problems()
    (folder / "a_3.png").rename(folder / "pictures/a_3.png")
    scores = pd.read_csv(folder / "pictures/scores.csv")
    scores.assign(score=3).to_csv(folder / "pictures/scores.csv", index=False)
    assert "scores.csv, column 'score': all 16 scores are 3, so nothing can agree" in problems()
    scores.assign(score="x").to_csv(folder / "pictures/scores.csv", index=False)
    assert problems().count("found 'x', expected a number") == 16


def test_what_is_prepared_is_not_read_again_but_must_fit(folder: Path) -> None:
    study = Study.from_values(VALUES)
    fetch_dataset(
        study.datasets["own"], Path("resources/datasets/own"), Path("x"),
        study.spec("fetch_dataset", "own"), workers=1,
    )  # fmt: skip
    for file in (folder / "pictures").glob("*.png"):
        file.unlink()
    check_upfront(Study.from_values(VALUES))
    assert "64x64 pixels, but ms_ssim needs" in problems(baselines=["ms_ssim"])
    table = folder / "pictures/scores.csv"
    table.write_text(table.read_text().replace("distortion", "distortion,note,other", 1))
    assert "expected 6 cells" in problems(), "another table: it must be prepared anew"


def test_a_folder_or_archive_of_a_public_data_set_that_is_not_there(folder: Path) -> None:
    table = folder / "config/datasets.yaml"
    table.write_text(
        "a: {kind: tid2013, folder: none}\nb: {kind: kadid10k, archive: [x.zip, y.zip]}\n"
    )
    found = problems(datasets=["a", "b"])
    assert "data set 'a': there is no none; correct 'folder' or 'archive'" in found
    assert "data set 'b': there is no x.zip" in found


@pytest.mark.parametrize(("side", "fits"), [(175, False), (176, True)])
def test_each_baseline_knows_its_smallest_picture(folder: Path, side: int, fits: bool) -> None:
    study = Study.from_values({**VALUES, "baselines": ["ms_ssim", "vifp"]})
    images = pd.DataFrame({"file": ["a", "b"], "width": [500, side], "height": [side + 9, 500]})
    if fits:
        check_sizes(study, "own", images)
        return
    with pytest.raises(UserError, match="b has 175x500 pixels, but ms_ssim needs at least 176"):
        check_sizes(study, "own", images)


def test_headers_are_enough_to_tell_a_size(folder: Path) -> None:
    """Broken pictures are named by the job that decodes them, all together."""
    (folder / "pictures/b.png").write_bytes(b"no picture")
    check_upfront(Study.from_values(VALUES))
    Image.new("RGB", (300, 9)).save(folder / "pictures/b.png")
    assert "b.png has 300x9 pixels, but ssim needs" in problems(baselines=["ssim"])


def test_thresholds_go_with_what_can_judge_and_show_them(folder: Path) -> None:
    path = folder / "config/datasets.yaml"
    path.write_text(
        path.read_text() + "light: {kind: thresholds, pixels: 128}\n"
        "none: {kind: thresholds, pixels: 64, pixels_per_degree: 3000}\n"
    )
    check_upfront(Study.from_values({**VALUES, "datasets": ["light"]}))
    found = problems(datasets=["light"], baselines=["psnr", "vifp"])
    assert "'light': its references are plain backgrounds, against which vifp is undefined" in found
    found = problems(datasets=["light"], baselines=["iw_ssim", "ssimulacra2"])
    assert "iw_ssim is undefined" in found and "ssimulacra2 reads 8 only" in found
    found = problems(datasets=["light"], baselines=["ms_ssim"])
    assert "ms_ssim needs at least 176 on the short side" in found
    assert "shows none of the stimuli" in problems(datasets=["none"])
