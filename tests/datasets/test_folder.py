"""A user's own pictures, and what may be written in the data set table."""

from pathlib import Path

import layouts
import pandas as pd
import pytest

from dissect_iqa.datasets import entry
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.fetch_dataset import fetch_dataset
from dissect_iqa.datasets.registry import read_datasets
from dissect_iqa.datasets.tables import read_dataset
from dissect_iqa.errors import UserError

SPEC = '{"stage":"fetch_dataset"}'
SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "tid2013_pairs"
HEADER = "reference,distorted,score"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Return a folder with two references and two distorted pictures of each."""
    folder = tmp_path / "mine"
    for seed, name in enumerate(
        ["one.png", "TWO.png", "sub/1a.png", "sub/1b.png", "2a.png", "2b.png"]
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(layouts.picture(seed, "png"))
    return folder


def prepare(folder: Path, *lines: str, csv: str = "scores.csv", **options):
    (folder / csv).write_text("\n".join(lines) + "\n")
    entry = DatasetEntry(
        kind="folder", folder=folder, csv=csv, **{"direction": "higher is better", **options}
    )
    out = folder.parent / "out"
    fetch_dataset(entry, out, folder.parent / "downloads", SPEC, offline=True)
    return read_dataset(out, SPEC)


def test_plain(mine):
    dataset = prepare(
        mine,
        HEADER,
        "one.png,1a.png,4",
        "one.png,sub/1b.png,3.5",
        "two.PNG,2a.png,2",
        "TWO.png,2b.png,1",
    )
    assert dataset.pairs["score"].tolist() == [4, 3.5, 2, 1]
    assert dataset.pairs["reference"].tolist() == ["one", "one", "two", "two"]
    assert dataset.pairs["distorted_file"][0] == "sub/1a.png"
    assert dataset.path("sub/1a.png") == mine / "sub/1a.png"
    assert not (dataset.folder / "pictures").exists(), "pictures stay where they are"


def test_all_columns_and_subsets(mine):
    dataset = prepare(
        mine,
        "\ufeffRef;Dist".replace(";", ",") + ",DMOS,sd,n,Kind,step,indoor,camera,id",
        f"one.png,{mine}/sub/1a.png,4,0.1,20,blur,1,yes,x100,17",
        "one.png,sub\\1b.png,3,0.2,21,noise,2,no,x100,18",
        "TWO.png,2a.png,2,,22,blur,1,no,Pixel 9,19",
        "TWO.png,2b.png,1,0.4,23,noise,,no,,20",
        reference="ref", distorted="dist", score="dmos", score_se="sd", raters="n",
        distortion="Kind", level="step", direction="higher is worse", ignore_columns=["id"],
        label="pilot", citation="me", licence="mine",
    )  # fmt: skip
    pairs = dataset.pairs
    assert pairs["quality"].tolist() == [-4, -3, -2, -1]
    assert pairs["score_se"].isna().tolist() == [False, False, True, False]
    assert pairs["raters"].tolist() == [20, 21, 22, 23]
    assert pairs["level"].tolist()[:3] == [1, 2, 1] and pd.isna(pairs["level"][3])
    assert pairs["distortion"].tolist() == ["blur", "noise"] * 2
    assert pairs["subset_indoor"].tolist() == [True, False, False, False]
    assert pairs["subset_camera=x100"].tolist() == [True, True, False, False]
    assert pairs["subset_camera=Pixel 9"].tolist() == [False, False, True, False]
    assert pairs.filter(like="subset_").shape[1] == 3
    assert dataset.facts["label"] == "pilot" and dataset.facts["citation"] == "me"


def test_tab_separated_and_same_stem_in_two_folders(mine):
    (mine / "other").mkdir()
    (mine / "other" / "one.png").write_bytes(layouts.picture(50, "png"))
    (mine / "TWO.png").unlink()
    lines = [
        "one.png 1a.png 4",
        "one.png 1b.png 3",
        "other/one.png 2a.png 2",
        "other/one.png 2b.png 1",
    ]
    dataset = prepare(
        mine, *(line.replace(" ", "\t") for line in [HEADER.replace(",", " "), *lines]), csv="s.tsv"
    )
    assert dataset.pairs["reference"].tolist() == ["one", "one", "other/one", "other/one"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["reference,picture,score"], r"scores\.csv, line 1: no column 'distorted'; it has: ref"),
        ([HEADER], "no rows below the header"),
        (
            [HEADER, "one.png,1a.png,4", "one.png,1b.png,good"],
            r"line 3: found 'good', expected a n",
        ),
        (
            [HEADER, "one.png,1a.png,"],
            r"line 2: found '', expected a number such as 3\.5 in column 'score'",
        ),
        ([HEADER, "one.png,1a.png,nan"], "line 2: found 'nan'"),
        ([HEADER, "one.png,1a.png,4,5"], r"line 2: found 'one\.png,1a\.png,4,5', expected 3 cells"),
        ([HEADER, "one.png,1x.png,4"], r"1 picture\(s\) named in the table.*\n  1x\.png"),
        ([HEADER, "one.png,1a.png,4"], r"4 picture\(s\) have no row(.*\n)*  2a\.png"),
        (
            [
                HEADER,
                *("one.png,1a.png,4", "one.png,1b.png,3", "one.png,2a.png,4"),
                *("one.png,1A.png,4", "one.png,2b.png,4", "one.png,two.png,4"),
            ],
            r"more than once:\n  row 1: sub/1a\.png\n  row 4: sub/1a\.png",
        ),
    ],
)
def test_errors_name_file_and_line(mine, lines, message):
    with pytest.raises(UserError, match=message):
        prepare(mine, *lines)


def test_bad_optional_columns(mine):
    head = f"{HEADER},extra"
    for option, value, expected in (
        ("level", "1.5", "a whole number"),
        ("score_se", "-1", "0 or more"),
        ("raters", "many", "a number such as 3.5"),
    ):
        with pytest.raises(UserError, match=f"{expected} in column 'extra'"):
            prepare(mine, head, f"one.png,1a.png,4,{value}", **{option: "extra"})
    many = [f"one.png,1a.png,{n},{n / 7}" for n in range(60)]
    with pytest.raises(UserError, match=r"column 'extra' has 60 different values.*ignore_columns"):
        prepare(mine, head, *many)


def test_missing_table(mine):
    entry = DatasetEntry(kind="folder", folder=mine, csv="none.csv", direction="higher is worse")
    with pytest.raises(UserError, match=r"none\.csv: no such table"):
        fetch_dataset(entry, mine.parent / "out", mine, SPEC)


def test_real_pairs(tmp_path):
    if not SHARED.is_dir():
        pytest.skip("the published pairs aren't here")
    entry = DatasetEntry(
        kind="folder",
        folder=SHARED,
        csv=tmp_path / "scores.csv",
        direction="higher is better",
        label="three pairs of TID2013",
    )
    (tmp_path / "scores.csv").write_text(
        f"{HEADER}\nI01.BMP,i01_01_5.bmp,1\ni03_reference.bmp,I03_distorted.bmp,2\n"
        "I04_reference.bmp,I04_distorted.bmp,3\n"
    )
    fetch_dataset(entry, tmp_path / "out", tmp_path, SPEC, offline=True)
    dataset = read_dataset(tmp_path / "out")
    assert dataset.images[["width", "height"]].drop_duplicates().values.tolist() == [[512, 384]]
    assert dataset.facts["identical_pairs"] == 0
    score_baselines = pytest.importorskip("dissect_iqa.baselines.score_baselines").score_baselines
    published = pd.read_csv(SHARED / "values.csv")
    for metric, name, tolerance in (
        ("psnr", "psnr_rgb", 5e-5),
        ("ssim", "ssim_luma", 5e-5),
        ("ssim_downsampled", "ssim_luma_downsampled", 5e-5),
    ):
        values = score_baselines(metric, dataset)["value"].tolist()
        expected = published[published["metric"] == name]["value"].tolist()
        assert values == pytest.approx(expected, abs=tolerance)


# ----------------------------------------------------------------------------- the table


def read(tmp_path: Path, text: str):
    path = tmp_path / "datasets.yaml"
    path.write_text(text)
    return read_datasets(path)


def test_table_of_data_sets(tmp_path):
    entries = read(
        tmp_path,
        "demo: {kind: demo}\ntid2013:\n  kind: tid2013\n  archive: a.rar\n"
        "mine: {kind: folder, folder: p, csv: s.csv, direction: higher is worse}\n",
    )
    assert list(entries) == ["demo", "tid2013", "mine"]
    assert entries["tid2013"].archive == (Path("a.rar"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be a mapping"),
        ("a: [", "no valid YAML"),
        ("a: tid2013\n", "line 1: 'a' must hold options"),
        ("a/b: {kind: demo}\n", "can't name a data set"),
        ("a:\n  kind: tid2031\n", r"(?s)unknown kind 'tid2031' \(did you mean 'tid2013'\?\)"),
        ("a:\n  kind: tid2013\n  fodler: x\n", r"line 3: unknown option 'fodler' \(did you mean"),
        ("a: {kind: tid2013, scores: original}\n", "'scores' means nothing for kind 'tid2013'"),
        ("a: {kind: tid2013, csv: x}\n", "'csv' means nothing for kind 'tid2013'"),
        ("a: {kind: demo, folder: x}\n", "'folder' means nothing for kind 'demo'"),
        ("a: {kind: live, scores: new}\n", "'realigned' or 'original'"),
        ("a: {kind: pipal, split: test}\n", "unknown split 'test' of pipal; allowed: train, val"),
        ("a: {kind: tid2013, folder: x, archive: y}\n", "'folder' excludes 'archive'"),
        ("a: {kind: folder, folder: x, csv: y}\n", "needs the option 'direction'"),
        ("a: {kind: tid2013, mirrors: [{url: 'ftp://x'}]}\n", "mirrors.0.url"),
    ],
)
def test_errors_of_the_table(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, text)


def test_table_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="there is no such table of data sets"):
        read_datasets(tmp_path / "none.yaml")


def test_spec_holds_what_can_change_a_number_and_nothing_else(tmp_path):
    plain = DatasetEntry(kind="tid2013")
    sha256 = "0" * 64
    mirrored = DatasetEntry(
        kind="tid2013", mirrors=[{"url": "https://example.org/a.zip", "sha256": sha256}]
    )
    assert plain.spec() == mirrored.spec() == {"kind": "tid2013"}
    assert DatasetEntry(kind="tid2013", archive="x.rar").spec() == plain.spec()
    assert DatasetEntry(kind="tid2013", drop_identical=True).spec() != plain.spec()
    own = {"kind": "folder", "folder": tmp_path, "csv": "s.csv", "direction": "higher is worse"}
    (tmp_path / "s.csv").write_text("1")
    before = DatasetEntry(**own).spec()
    (tmp_path / "s.csv").write_text("2")
    assert DatasetEntry(**own).spec()["csv_sha256"] != before["csv_sha256"]


def test_a_demo_of_other_pictures_has_another_spec(monkeypatch):
    before = DatasetEntry(kind="demo").spec()
    monkeypatch.setattr(entry, "DEMO_VERSION", entry.DEMO_VERSION + 1)
    assert DatasetEntry(kind="demo").spec() != before
