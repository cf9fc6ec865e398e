import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dissect_iqa.datasets import demo
from dissect_iqa.datasets.demo import PHOTOGRAPHS, make_demo, reference_picture, type_level_scores
from dissect_iqa.datasets.distortions import DISTORTIONS, psnr
from dissect_iqa.datasets.finish import finish
from dissect_iqa.errors import UserError
from dissect_iqa.files.provenance import read_table, table_provenance

SHARED_DATA = Path(__file__).parents[2].parent / "shared" / "data"
CROP = (192, 192)


def silent(tasks):
    return tasks


def load(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The whole demo, at its smallest size."""
    folder = tmp_path_factory.mktemp("demo")
    return (folder, *make_demo(folder, silent, crop=CROP))


def test_bytes_do_not_depend_on_the_machines_linear_algebra(tmp_path):
    """OpenBLAS has a kernel for each kind of processor, and they round differently."""
    code = (
        "import sys; from pathlib import Path; from dissect_iqa.datasets.demo import make_demo;"
        "make_demo(Path(sys.argv[1]), crop=(192, 192), references=['chelsea'], types=[1, 2, 18])"
    )
    found = []
    for core in ("Haswell", "Nehalem"):
        folder = tmp_path / core
        environment = {**os.environ, "OPENBLAS_CORETYPE": core}
        subprocess.run([sys.executable, "-c", code, str(folder)], env=environment, check=True)
        found.append({path.name: path.read_bytes() for path in folder.rglob("*.png")})
    assert len(found[0]) == 16 and found[0] == found[1]


def test_counts(whole):
    folder, pairs, _ = whole
    assert len(pairs) == 390
    assert pairs["distorted_file"].is_unique
    assert list(pairs["reference"].unique()) == list(PHOTOGRAPHS)
    assert (pairs.groupby("reference").size() == 65).all()
    assert (pairs.groupby(["distortion", "level"]).size() == 6).all()
    assert len(list(folder.rglob("*.png"))) == 396


def test_all_pictures_decode_have_one_size_and_the_recorded_psnr(whole):
    folder, pairs, _ = whole
    for row in pairs.itertuples():
        reference, distorted = load(folder / row.reference_file), load(folder / row.distorted_file)
        assert reference.shape == distorted.shape == (*CROP, 3)
        assert psnr(reference, distorted) == row.psnr


def test_nominal_psnr_is_reached_but_for_the_listed_few(whole):
    _, pairs, facts = whole
    missed = pairs[(pairs["psnr"] - pairs["psnr_nominal"]).abs() > 0.1]
    assert sorted(missed["distorted_file"]) == sorted(facts["missed_psnr"])
    # Too little colour or too little detail, at the strongest level only.
    assert set(missed["distortion"]) <= {"JPEG compression", "change of color saturation"}
    assert (missed["level"] == 5).all() and (missed["psnr"] > 21).all()
    assert len(missed) <= 6


def test_psnr_predicts_the_scores_as_well_as_it_should(whole):
    _, pairs, _ = whole
    assert 0.70 < pairs["psnr"].corr(pairs["score"], method="spearman") < 0.76


def test_scores_are_the_published_means(whole):
    _, pairs, _ = whole
    cells = type_level_scores().reset_index().set_index(["distortion", "level"])
    found = cells.loc[list(zip(pairs["distortion"], pairs["level"], strict=True))]
    assert pairs["score"].tolist() == found["mos_mean"].tolist()
    assert pairs["psnr_nominal"].tolist() == found["psnr_db"].tolist()
    expected = found["mos_sd"].to_numpy() * np.sqrt(1.04)
    assert pairs["score_se"].to_numpy() == pytest.approx(expected)


def test_facts_say_whose_opinions_these_are(whole):
    _, _, facts = whole
    assert facts["direction"] == "higher is better"
    assert "nobody rated these pictures" in facts["label"]
    assert "Ponomarenko" in facts["citation"] and "2015" in facts["citation"]
    for name, photograph in PHOTOGRAPHS.items():
        assert f"{name}: {photograph.credit}, {photograph.licence}" in facts["licence"]
    assert [len(one["sha256"]) for one in facts["photographs"]] == [64] * 6
    json.dumps(facts, allow_nan=False)


def test_the_tables_come_out_of_it(whole):
    folder, pairs, facts = whole
    finish(folder, pairs, facts, '{"stage":"test"}')
    table = read_table(folder / "pairs.parquet")
    assert len(table) == 390 and (table["quality"] == table["score"]).all()
    assert {"psnr", "psnr_nominal", "strength"} <= set(table.columns)
    recorded = table_provenance(folder / "pairs.parquet")
    assert recorded["label"] == demo.LABEL and recorded["identical_pairs"] == 0


def test_bytes_are_the_same_twice_and_whatever_else_is_made(tmp_path, whole):
    folder, pairs, _ = whole
    part, _ = make_demo(tmp_path, silent, crop=CROP, references=["chelsea"])
    assert len(part) == 65
    for file in part["distorted_file"]:
        assert (tmp_path / file).read_bytes() == (folder / file).read_bytes(), file
    same = pairs[pairs["reference"] == "chelsea"].reset_index(drop=True)
    pd.testing.assert_frame_equal(part, same)


def test_another_seed_gives_other_noise(tmp_path, whole):
    folder, _, _ = whole
    pairs, _ = make_demo(tmp_path, silent, crop=CROP, references=["rocket"], types=[1], seed=1)
    for file in pairs["distorted_file"]:
        assert not np.array_equal(load(tmp_path / file), load(folder / file))


def test_pictures_of_earlier_settings_go_away(tmp_path):
    (tmp_path / "mine.png").write_bytes(b"not ours")
    make_demo(tmp_path, silent, crop=CROP, references=["coffee", "flower"], types=[17])
    pairs, _ = make_demo(tmp_path, silent, crop=(192, 256), references=["coffee"], types=[16])
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")}
    assert left == {"mine.png", "reference/coffee.png", *pairs["distorted_file"]}
    assert load(tmp_path / "reference/coffee.png").shape == (192, 256, 3)


def test_progress_wraps_the_work(tmp_path):
    seen = []

    def progress(tasks):
        for task in tasks:
            seen.append(task)
            yield task

    make_demo(tmp_path, progress, crop=CROP, references=["rocket"], types=[16, 7])
    assert seen == [("rocket", 16), ("rocket", 7)]


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("crop", [(192, 192), (192, 256), (256, 384), (300, 451)])
def test_every_crop_shows_the_subject(name, crop):
    photograph = PHOTOGRAPHS[name]
    assert reference_picture(photograph, crop).shape == (*crop, 3)
    with Image.open(demo._locate(photograph)) as file:
        size = file.size
    left, top, right, bottom = demo._window(photograph.subject, size, crop)
    assert left >= 0 and top >= 0 and right <= size[0] and bottom <= size[1]
    assert right - left >= crop[1] and bottom - top >= crop[0]  # never enlarged
    inside = min(right, photograph.subject[2]) - max(left, photograph.subject[0])
    assert inside >= 0.9 * (photograph.subject[2] - photograph.subject[0])
    inside = min(bottom, photograph.subject[3]) - max(top, photograph.subject[1])
    assert inside >= 0.9 * (photograph.subject[3] - photograph.subject[1])


@pytest.mark.parametrize("crop", [(191, 256), (301, 384), (256, 452)])
def test_a_crop_that_does_not_fit(tmp_path, crop):
    with pytest.raises(UserError, match=rf"{crop[0]}x{crop[1]}.*allowed: 192x192 to"):
        make_demo(tmp_path, silent, crop=crop)
    assert not list(tmp_path.rglob("*.png"))


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"references": ["cofee"]}, "reference 'cofee' .* astronaut, coffee"),
        ({"references": []}, "reference none"),
        ({"types": [1, 4]}, "distortion type 4 .* 1, 2, 3, 5"),
        ({"types": [1, 1]}, "distortion type 1 .*each once"),
    ],
)
def test_unknown_choices(tmp_path, choice, message):
    with pytest.raises(UserError, match=message):
        make_demo(tmp_path, silent, **choice)


def test_a_photograph_that_is_not_installed(tmp_path):
    absent = demo._skimage("no_such.png", (0, 0, 1, 1), "", "", "")
    with pytest.raises(UserError, match=r"no_such.png is not in the installed scikit-image"):
        reference_picture(absent, CROP)


def test_a_broken_run_leaves_no_half_picture(tmp_path, monkeypatch):
    def fail(*_args, **_options):
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(UserError, match="disk full"):
        make_demo(tmp_path, silent, crop=CROP, references=["coffee"], types=[1])
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_type_level_table_is_whole():
    scores = type_level_scores()
    expected = [(number, level) for number in range(1, 25) for level in range(1, 6)]
    assert list(scores.index) == expected
    assert scores.notna().all(axis=None)
    assert set(DISTORTIONS) <= set(scores.index.get_level_values("type"))


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the published scores are not here")
def test_type_level_table_equals_the_published_scores():
    shared = pd.read_csv(SHARED_DATA / "tid2013_mos_by_type_and_level.csv")
    shared = shared.rename(columns={"mos_sd_over_references": "mos_sd"})
    pd.testing.assert_frame_equal(type_level_scores(), shared.set_index(["type", "level"]))
    groups = pd.read_csv(SHARED_DATA / "tid2013_mos.csv").groupby(["type", "level"])["mos"]
    assert type_level_scores()["mos_mean"].to_numpy() == pytest.approx(groups.mean(), abs=1e-5)
    assert type_level_scores()["mos_sd"].to_numpy() == pytest.approx(groups.std(), abs=1e-5)
