"""Every data set module against an archive of its published layout."""

import csv
import io
import math
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import layouts
import numpy as np
import pandas as pd
import pytest

from dissect_iqa.datasets.base import Counts
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.fetch_dataset import fetch_dataset
from dissect_iqa.datasets.registry import KINDS
from dissect_iqa.datasets.tables import Dataset, read_dataset
from dissect_iqa.errors import UserError

SPEC = '{"stage":"fetch_dataset"}'
SHARED = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture
def counts(monkeypatch):
    """Return a function that makes a data set expect other counts than the published ones."""

    def expect(kind: str, references: int, pairs: int, split: str = "") -> None:
        changed = replace(KINDS[kind], counts={split: Counts(references, pairs)})
        monkeypatch.setitem(KINDS, kind, changed)

    return expect


def prepare(tmp_path: Path, kind: str, files: dict[str, bytes], **options) -> Dataset:
    """Write `files` (archives and tables) and prepare a data set from them, offline."""
    given = tmp_path / "given"
    given.mkdir(exist_ok=True)
    for name, data in files.items():
        (given / name).write_bytes(data)
    entry = DatasetEntry(kind=kind, archive=[given / name for name in files], **options)
    fetch_dataset(entry, tmp_path / kind, tmp_path / "downloads", SPEC, offline=True)
    dataset = read_dataset(tmp_path / kind, SPEC)
    check(dataset)
    return dataset


def check(dataset: Dataset) -> None:
    """Check what holds for every data set."""
    pairs, images = dataset.pairs, dataset.images
    sign = {"higher is better": 1, "higher is worse": -1}[dataset.facts["direction"]]
    assert pairs["pair"].tolist() == list(range(len(pairs)))
    assert pairs["quality"].equals(sign * pairs["score"])
    assert str(pairs["level"].dtype) == "Int64" and pairs["score_se"].dtype == "float64"
    assert set(images["file"]) == set(pairs["reference_file"]) | set(pairs["distorted_file"])
    assert images["file"].is_monotonic_increasing
    assert all(dataset.path(file).is_file() for file in images["file"])
    assert dataset.facts["citation"] and dataset.facts["licence"]
    assert dataset.facts["references"] == pairs["reference"].nunique()


def row(dataset: Dataset, name: str) -> pd.Series:
    """Return the pair whose distorted picture has that file name (or ending of a path)."""
    found = dataset.pairs[dataset.pairs["distorted_file"].str.endswith(name)]
    assert len(found) == 1
    return found.iloc[0]


def names(files: pd.Series) -> list[str]:
    return [file.rpartition("/")[2] for file in files]


# ----------------------------------------------------------------------------- TID


def published_tid2013() -> tuple[list[str], list[str]]:
    path = SHARED / "tid2013_mos.csv"
    if not path.is_file():
        pytest.skip("the published scores aren't here")
    table = list(csv.DictReader(path.read_text().splitlines()))
    return [line["mos"] for line in table], [line["mos_std"] for line in table]


def test_tid2013_with_its_real_scores(tmp_path):
    mos, deviations = published_tid2013()
    archive = layouts.tarred(layouts.tid(mos, deviations, 25, 24, 5), "tid2013/")
    dataset = prepare(tmp_path, "tid2013", {"tid2013.tgz": archive})
    pairs = dataset.pairs
    assert len(pairs) == 3000 and len(dataset.images) == 3025
    assert pairs["score"].tolist() == [float(value) for value in mos]
    assert pairs["score_se"].tolist() == [float(value) for value in deviations]
    assert (pairs["score"].min(), pairs["score"].max()) == (0.24242, 7.21429)
    assert pairs["score_se"].mean() == pytest.approx(0.1316, abs=5e-5)
    assert pairs["score_se"].max() == pytest.approx(0.2998, abs=5e-5)
    assert (pairs["score_se"] == 0).sum() == 2
    # Row = (reference - 1) * 120 + (type - 1) * 5 + (level - 1), by the picture's name.
    for place, name in enumerate(names(pairs["distorted_file"])):
        reference, kind, level = name.lower().removesuffix(".bmp")[1:].split("_")
        assert place == (int(reference) - 1) * 120 + (int(kind) - 1) * 5 + int(level) - 1
        assert pairs["reference"][place] == f"i{reference}"
        assert pairs["level"][place] == int(level)
    assert names(pairs["reference_file"].iloc[[0, -1]]) == ["I01.BMP", "i25.bmp"]
    assert pairs["reference"].nunique() == 25
    means = pairs.groupby(["distortion", "level"])["score"].mean().round(2)
    assert means["local block-wise distortions"].tolist() == [3.28, 3.34, 3.48, 3.74, 4.07]
    assert means["contrast change"].tolist() == [5.63, 6.48, 4.48, 6.29, 3.45]
    sizes = pairs.filter(like="subset_").sum() / 125
    assert sizes.to_dict() == {
        "subset_noise": 11,
        "subset_actual": 11,
        "subset_simple": 3,
        "subset_exotic": 9,
        "subset_new": 7,
        "subset_color": 6,
    }
    lossy = pairs[pairs["distortion"] == "lossy compression of noisy images"].iloc[0]
    assert lossy[["subset_noise", "subset_actual", "subset_new"]].all()


def test_tid2008(tmp_path):
    mos = ["5.9706", *["0.0"] * 3, *["3.25"] * 1696]
    tree = layouts.tid(mos, ["0.12"] * 1700, 25, 17, 4)
    dataset = prepare(tmp_path, "tid2008", {"tid2008.tgz": layouts.tarred(tree, "tid2008/")})
    assert len(dataset.pairs) == 1700
    assert dataset.pairs["score"][0] == 5.9706 and dataset.pairs["score"][3] == 0.0
    assert dataset.pairs["distortion"].nunique() == 17
    assert "not independent" in dataset.facts["warning"]
    without = prepare(
        tmp_path,
        "tid2008",
        {"tid2008.tgz": layouts.tarred(tree, "tid2008/")},
        drop_reference_25=True,
    )
    assert len(without.pairs) == 1632 and "i25" not in set(without.pairs["reference"])
    assert len(without.images) == 1632 + 24
    assert without.facts["left_out"] == {"synthetic reference 25 (drop_reference_25)": 68}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("5.5 i01_01_2.bmp", "5,5 i01_01_2.bmp"), "line 2: found '5,5', expected a number"),
        (("5.5 i01_01_2.bmp", "9.5 i01_01_2.bmp"), r"line 2: found '9\.5', expected a MOS of 0"),
        (("5.5 i01_01_2.bmp", "i01_01_2.bmp 5.5"), r"line 2: found 'i01_01_2\.bmp 5\.5'"),
        (("5.5 i01_01_2.bmp", "5.5 i01_25_2.bmp"), r"a type of 1\.\.24"),
        (("5.5 i01_01_2.bmp\r\n", ""), "120 lines, but mos_with_names\\.txt has 119"),
    ],
)
def test_tid2013_malformed_lines(tmp_path, change, message):
    tree = layouts.tid(["5.5"] * 120, ["0.1"] * 120, 1, 24, 5)
    text = tree["mos_with_names.txt"].decode()
    assert change[0] in text
    tree["mos_with_names.txt"] = text.replace(*change, 1).encode()
    with pytest.raises(UserError, match=message):
        prepare(tmp_path, "tid2013", {"t.zip": layouts.zipped(tree)})
    assert not (tmp_path / "tid2013" / "pictures").exists()
    assert not list((tmp_path / "tid2013").glob("*.p*"))


# ----------------------------------------------------------------------------- KADID-10k


def test_kadid10k(tmp_path, counts):
    counts("kadid10k", 2, 250)
    archive = layouts.zipped(layouts.kadid(2), "kadid10k/")
    dataset = prepare(tmp_path, "kadid10k", {"kadid10k.zip": archive})
    first = dataset.pairs.iloc[0]
    assert (first["score"], first["raters"], first["distortion"]) == (4.57, 30, "Gaussian blur")
    assert first["score_se"] == pytest.approx(0.496 / math.sqrt(30))
    assert first["quality"] == 4.57, "the column is called dmos, but higher is better"
    assert dataset.facts["identical_pairs"] == 8, "four a reference, as in the real set"
    groups = dataset.pairs.filter(like="subset_").sum() / 10
    assert groups.to_dict() == {
        "subset_blur": 3,
        "subset_colour": 5,
        "subset_compression": 2,
        "subset_noise": 5,
        "subset_brightness": 3,
        "subset_spatial": 5,
        "subset_sharpness_contrast": 2,
    }
    without = prepare(tmp_path, "kadid10k", {"kadid10k.zip": archive}, drop_identical=True)
    assert len(without.pairs) == 242 and without.facts["identical_pairs"] == 8
    assert without.facts["left_out"] == {"pixel-identical to the reference": 8}
    gone = set(dataset.pairs["distorted_file"]) - set(without.pairs["distorted_file"])
    assert {name[4:9] for name in names(pd.Series(sorted(gone)))} == {
        "01_01", "03_01", "08_01", "18_03",
    }  # fmt: skip


def test_kadid10k_repacked_into_two_folders_and_full_count(tmp_path):
    tree = {}
    for name, data in layouts.kadid(2).items():
        parts = name.removeprefix("images/")
        folder = "distorted_images" if parts.count("_") else "reference_images"
        tree[f"{folder}/{parts}" if name.endswith(".png") else name] = data
    with pytest.raises(UserError, match=r"2 references and 250 pairs found.*has 81 and 10125"):
        prepare(tmp_path, "kadid10k", {"kadid10k.tgz": layouts.tarred(tree)})


# ----------------------------------------------------------------------------- CSIQ


def test_csiq_official_archives(tmp_path, counts):
    counts("csiq", 3, 87)
    sources, distorted = layouts.csiq_pictures(flat=False)
    files = {
        "src_imgs.zip": layouts.zipped(sources),
        "dst_imgs.zip": layouts.zipped(distorted, "dst_imgs/"),
        "csiq.DMOS.xlsx": layouts.csiq_workbook(),
    }
    dataset = prepare(tmp_path, "csiq", files)
    assert dataset.pairs["score"].tolist() == [dmos for *_, dmos in layouts.csiq_rows()]
    assert set(dataset.pairs["reference"]) == {"1600", "elk", "sunset_sparrow"}
    first = row(dataset, "AWGN/1600.AWGN.1.png")
    assert (first["score"], first["quality"]) == (0.061989, -0.061989)
    assert first["score_se"] == pytest.approx(0.05 / math.sqrt(5000 / 866))
    assert "866" in dataset.facts["score_se_from"]
    assert row(dataset, "elk.jpeg2000.5.png")["distortion"] == "JPEG2000"
    contrast = dataset.pairs[dataset.pairs["distortion"] == "global contrast decrements"]
    assert sorted(set(contrast["level"])) == [1, 2, 3, 5]


def test_csiq_copy_with_label_file(tmp_path, counts):
    counts("csiq", 3, 87)
    sources, distorted = layouts.csiq_pictures(flat=True)
    tree = {f"src_imgs/{name}": data for name, data in sources.items()}
    tree |= {f"dst_imgs/{name}": data for name, data in distorted.items()}
    tree["csiq_label.txt"] = layouts.csiq_label()
    dataset = prepare(tmp_path, "csiq", {"csiq.tgz": layouts.tarred(tree, "CSIQ/")})
    assert dataset.pairs["score"].tolist() == [dmos for *_, dmos in layouts.csiq_rows()]
    assert dataset.pairs["score_se"].isna().all()
    tree["csiq_label.txt"] = b"0.061989 1600.AWGN.1.png\n"
    with pytest.raises(UserError, match=r"csiq_label\.txt, line 1: found '0\.061989'"):
        prepare(tmp_path, "csiq", {"other.tgz": layouts.tarred(tree)})


def test_csiq_workbook_of_another_form(tmp_path):
    book = layouts.openpyxl.Workbook()
    buffer = io.BytesIO()
    book.save(buffer)
    with pytest.raises(UserError, match="no sheet 'all_by_image'"):
        prepare(tmp_path, "csiq", {"csiq.DMOS.xlsx": buffer.getvalue()})


# ----------------------------------------------------------------------------- LIVE


def test_live(tmp_path):
    tree, scores, orgs = layouts.live()
    dataset = prepare(tmp_path, "live", {"live.zip": layouts.zipped(tree, "databaserelease2/")})
    pairs = dataset.pairs
    assert len(pairs) == 779
    assert pairs["score"].tolist() == scores[orgs == 0].tolist()
    assert pairs["score"].min() < 0 and pairs["score"].max() > 100, "not clipped"
    assert pairs["score_se"].iloc[0] == pytest.approx(9 / math.sqrt(20))
    assert dataset.facts["left_out"] == {"undistorted copy of a reference (orgs = 1)": 203}
    assert dataset.facts["identical_pairs"] == 0
    # Row 228 of all arrays is jpeg/img1.bmp, whatever is left out before it.
    expected = [f"jpeg/img{n}.bmp" for n in range(1, 234) if not orgs[226 + n]]
    jpeg = pairs[pairs["distortion"] == "JPEG"]["distorted_file"]
    assert [file.split("databaserelease2/")[1] for file in jpeg] == expected


def test_live_original_scores_and_renamed_file(tmp_path):
    tree, scores, orgs = layouts.live("dmos_live.mat")
    del tree["dmos_realigned.mat"]
    archive = {"live.zip": layouts.zipped(tree)}
    dataset = prepare(tmp_path, "live", archive, scores="original")
    assert dataset.pairs["score"].tolist() == (scores / 2)[orgs == 0].tolist()
    assert dataset.pairs["score_se"].isna().all()
    (tmp_path / "b").mkdir()
    with pytest.raises(UserError, match=r"dmos_realigned\.mat"):
        prepare(tmp_path / "b", "live", archive)
    # The missing table may be given beside the archive.
    (tmp_path / "c").mkdir()
    table = layouts.live()[0]["dmos_realigned.mat"]
    both = prepare(tmp_path / "c", "live", {**archive, "dmos_realigned.mat": table})
    assert both.pairs["score"].tolist() == scores[orgs == 0].tolist()


def test_live_tables_that_disagree(tmp_path):
    tree, scores, orgs = layouts.live()
    tree["dmos.mat"] = layouts.mat(dmos=scores[None], orgs=orgs[None, ::-1])
    with pytest.raises(UserError, match="'orgs' mark different rows"):
        prepare(tmp_path, "live", {"live.zip": layouts.zipped(tree)})
    tree["dmos.mat"] = layouts.mat(dmos=scores[None], orgs=orgs[None] * 0)
    with pytest.raises(UserError, match="marks 0 rows as undistorted, expected 203"):
        prepare(tmp_path, "live", {"live2.zip": layouts.zipped(tree)})
    tree["dmos_realigned.mat"] = layouts.mat(dmos=scores[None], orgs=orgs[None])
    with pytest.raises(UserError, match="no variable 'dmos_new'; it has: dmos, orgs"):
        prepare(tmp_path, "live", {"live3.zip": layouts.zipped(tree)})
    tree["dmos_realigned.mat"] = b"not matlab"
    with pytest.raises(UserError, match="not a MATLAB file"):
        prepare(tmp_path, "live", {"live4.zip": layouts.zipped(tree)})


def test_live_md(tmp_path):
    tree, opinions = layouts.livemd()
    archive = layouts.zipped(tree, "LIVEmultidistortiondatabase/")
    dataset = prepare(tmp_path, "livemd", {"livem.zip": archive})
    pairs = dataset.pairs
    assert len(pairs) == 450 and pairs["reference"].nunique() == 15
    assert np.allclose(pairs["score"], opinions.mean(axis=1).ravel())
    expected = opinions.std(axis=1, ddof=1).ravel() / 2
    assert np.allclose(pairs["score_se"], expected)
    assert (pairs["raters"] == 4).all()
    both = row(dataset, "blurnoise/namec_blur2_noise3.bmp")
    assert both["distortion"] == "Gaussian blur + white noise" and pd.isna(both["level"])
    assert both["reference_file"].endswith("Part 2/blurnoise/namec.bmp")
    alone = pairs[pairs["distorted_file"].str.endswith("/namec_blur2.bmp")]
    assert len(alone) == 2 and alone["level"].tolist() == [2, 2], "rated once in each part"
    assert pairs["subset_part_1"].sum() == pairs["subset_part_2"].sum() == 225


def test_live_md_without_opinions_has_no_standard_error(tmp_path):
    tree, _ = layouts.livemd()
    for part in (1, 2):
        tree[f"Part_{part}/Scores.mat"] = layouts.mat(DMOSscores=np.ones((1, 225)))
        del tree[f"Part {part}/Scores.mat"]
    tree = {name.replace("Part ", "Part_"): data for name, data in tree.items()}
    dataset = prepare(tmp_path, "livemd", {"livem.zip": layouts.zipped(tree)})
    assert dataset.pairs["score_se"].isna().all()
    assert "no dist_diffscores" in dataset.facts["score_se_from"]


# ----------------------------------------------------------------------------- newer ones


def test_pipal(tmp_path, counts):
    counts("pipal", 2, 28, "train")
    archive = layouts.tarred(layouts.pipal(), "PIPAL/", "w")
    dataset = prepare(tmp_path, "pipal", {"pipal.tar": archive})
    first = row(dataset, "A0001_00_00.bmp")
    assert (first["score"], first["distortion"]) == (1500.0648, "traditional super-resolution")
    assert dataset.pairs["subset_gan_sr"].sum() == 4
    (tmp_path / "val").mkdir()
    counts("pipal", 1, 1, "val")
    val = prepare(tmp_path / "val", "pipal", {"pipal.tar": archive}, split="val")
    assert val.pairs["score"].tolist() == [1402.5]


def test_pipal_copy_without_labels_takes_waterloos_table(tmp_path, counts):
    counts("pipal", 2, 28, "train")
    tree = layouts.pipal()
    rows = []
    for name in [name for name in tree if "_Label" in name]:
        text = tree.pop(name).decode()
        if name.startswith("Train"):
            for line in text.split():
                file, score = line.split(",")
                original = f"PIPAL/Train_Ref/{file[:5]}.bmp"
                rows.append((f"PIPAL/Distortion_1/{file}", "PIPAL_distortions", original, score))
    tree = {name.replace("Distortion_", "Dist_Imgs"): data for name, data in tree.items()}
    archive = layouts.tarred(tree, mode="w")
    with pytest.raises(UserError, match=r"no files Train_Label/A0001\.txt"):
        prepare(tmp_path, "pipal", {"pipal.tar": archive})
    dataset = prepare(
        tmp_path, "pipal", {"pipal.tar": archive, "PIPAL.txt": layouts.waterloo(rows)}
    )
    assert row(dataset, "A0001_00_00.bmp")["score"] == 1500.0648


def test_pieapp(tmp_path, counts):
    counts("pieapp", 2, 6)
    archive = layouts.zipped(layouts.pieapp(), "PieAPP_dataset_CVPR_2018/")
    dataset = prepare(tmp_path, "pieapp", {"pieapp.zip": archive})
    assert dataset.pairs["score"].tolist() == [0.5, 1.5, 2.5] * 2
    assert dataset.pairs["quality"].tolist() == [-0.5, -1.5, -2.5] * 2
    assert set(dataset.pairs["distortion"]) == {"gaussian blur"}
    assert dataset.facts["left_out"] == {"the reference itself": 2}


def test_mdid_native_and_waterloo(tmp_path, counts):
    counts("mdid", 2, 160)
    tree, scores = layouts.mdid()
    dataset = prepare(tmp_path, "mdid", {"mdid.zip": layouts.zipped(tree, "MDID/")})
    assert dataset.pairs["score"].tolist() == scores
    assert row(dataset, "img02_80.bmp")["reference"] == "img02"
    del tree["mos.txt"], tree["mos_std.txt"]
    rows = [
        (f"MDID2016/distortion_images/{name}", "Multiply Dist.", "MDID2016/x/img01.bmp", score)
        for name, score in zip(names(dataset.pairs["distorted_file"]), scores, strict=True)
    ]
    files = {"MDID2016.tar": layouts.tarred(tree, "MDID2016/", "w")}
    (tmp_path / "w").mkdir()
    other = prepare(tmp_path / "w", "mdid", {**files, "MDID2016.txt": layouts.waterloo(rows)})
    columns = ["reference", "score", "distortion"]
    assert other.pairs[columns].equals(dataset.pairs[columns])


def test_cidiq_at_both_distances(tmp_path):
    tree, near, far = layouts.cidiq()
    archive = {"CIDIQ.zip": layouts.zipped(tree, "CIDIQ/")}
    dataset = prepare(tmp_path, "cidiq", archive)
    assert dataset.pairs["score"].tolist() == near.tolist()
    # Ordered by type, then reference, then level.
    assert names(dataset.pairs["distorted_file"])[117] == "final01_d2_l3.bmp"
    assert dataset.pairs["distortion"][117] == "JPEG" and dataset.pairs["level"][117] == 3
    assert dataset.pairs["subset_gamut_mapping"].sum() == 230
    pictures = tmp_path / "cidiq" / "pictures"
    before = pictures.stat().st_mtime_ns
    again = prepare(tmp_path, "cidiq", archive, viewing_distance=100)
    assert again.pairs["score"].tolist() == far.tolist()
    assert pictures.stat().st_mtime_ns == before, "unpacked once"


def test_cidiq_waterloo_table(tmp_path, counts):
    tree, near, _ = layouts.cidiq()
    files = [name for name in tree if "Reproduction" in name]
    rows = [
        (
            f"CIDIQ_MOS50/{name}",
            "JP2K",
            f"CIDIQ_MOS50/Images/Original/final{name[-12:-10]}.bmp",
            mos,
        )
        for name, mos in zip(files, near, strict=True)
    ]
    tree = {name: data for name, data in tree.items() if not name.endswith(".mat")}
    archive = {"CIDIQ_MOS50.tar": layouts.tarred(tree, mode="w")}
    dataset = prepare(tmp_path, "cidiq", {**archive, "CIDIQ_MOS50.txt": layouts.waterloo(rows)})
    assert np.allclose(dataset.pairs["score"], near)


def test_vclfer(tmp_path, counts):
    counts("vclfer", 2, 48)
    tree, rows = layouts.vclfer()
    files = {
        "VCLFER.tar": layouts.tarred(tree, "VCLFER/", "w"),
        "VCLFER.txt": layouts.waterloo(rows),
    }
    dataset = prepare(tmp_path, "vclfer", files)
    assert row(dataset, "IMG_02_JPG_3.jpg")["score"] == 60.0
    assert dataset.pairs["distortion"].value_counts().to_dict() == {
        "additive white Gaussian noise": 12, "Gaussian blur": 12, "JPEG2000": 12, "JPEG": 12,
    }  # fmt: skip


def test_cid22(tmp_path, counts):
    counts("cid22", 2, 4)
    archive = layouts.zipped(layouts.cid22(), "CID22_validation_set/")
    dataset = prepare(tmp_path, "cid22", {"CID22_validation_set.zip": archive})
    assert dataset.pairs["score"].tolist() == [61.25] * 4
    assert set(dataset.pairs["distortion"]) == {"AVIF_aom_s1", "JPEG"}
    assert dataset.facts["left_out"] == {"rating of a reference": 2}


def test_bapps(tmp_path, counts):
    counts("bapps", 12, 24)
    archive = layouts.tarred(layouts.bapps(), "dataset/")
    dataset = prepare(tmp_path, "bapps", {"twoafc_val.tar.gz": archive})
    pairs = dataset.pairs
    cnn = pairs[pairs["subset_cnn"]]
    assert cnn["preferred"].tolist() == pytest.approx([0.8, 0.2] * 2)
    assert names(cnn["distorted_file"]) == ["000000.png"] * 2 + ["000001.png"] * 2
    assert [file.split("/")[-2] for file in cnn["distorted_file"]] == ["p0", "p1"] * 2
    assert cnn["reference"].tolist() == ["cnn/000000"] * 2 + ["cnn/000001"] * 2
    assert cnn["score_se"].iloc[0] == pytest.approx(math.sqrt(0.2 * 0.8 / 5))
    assert pairs["triplet"].tolist() == [place // 2 for place in range(24)]
    assert pairs["distortion"].tolist()[::4] == [
        "traditional", "cnn", "superres", "deblur", "color", "frameinterp",
    ]  # fmt: skip


def test_nights(tmp_path):
    archive = {"nights.zip": layouts.zipped(layouts.nights(), "nights/")}
    dataset = prepare(tmp_path, "nights", archive)
    pairs = dataset.pairs
    assert pairs["preferred"].tolist() == [1, 0, 0, 1], "vote 0 means the left picture"
    assert pairs["raters"].tolist() == [7, 7, 6, 6]
    assert pairs["subset_imagenet"].tolist() == [True, True, False, False]
    assert dataset.facts["left_out_triplets"] == {"fewer than 6 votes": 1}
    everything = prepare(tmp_path, "nights", archive, split="all", min_votes=0)
    assert len(everything.pairs) == 8


# ----------------------------------------------------------------------------- faults


def broken(tmp_path, tree: dict[str, bytes]) -> None:
    prepare(tmp_path, "mdid", {"mdid.zip": layouts.zipped(tree)})


def test_missing_and_superfluous_pictures_are_all_named(tmp_path, counts):
    counts("mdid", 2, 160)
    tree, _ = layouts.mdid()
    del tree["distortion_images/img01_07.bmp"], tree["reference_images/img02.bmp"]
    with pytest.raises(UserError, match=r"2 picture\(s\) named") as caught:
        broken(tmp_path, tree)
    assert "img01_07.bmp" in str(caught.value) and "img02.bmp" in str(caught.value)
    tree, _ = layouts.mdid()
    tree["distortion_images/img03_01.bmp"] = tree["thumb.png"] = b""
    with pytest.raises(UserError, match=r"2 picture\(s\) have no row") as caught:
        broken(tmp_path, tree)
    assert "img03_01.bmp" in str(caught.value) and "thumb.png" in str(caught.value)
    dataset = prepare(
        tmp_path, "mdid", {"m.zip": layouts.zipped(tree)}, ignore=["*thumb.png", "*/img03*"]
    )
    assert len(dataset.pairs) == 160


def test_names_that_differ_only_by_case(tmp_path):
    tree, _ = layouts.mdid()
    tree["distortion_images/IMG01_01.bmp"] = layouts.picture(1)
    with pytest.raises(UserError, match=r"1 picture\(s\) have no row.*\n.*IMG01_01\.bmp$"):
        broken(tmp_path, tree)


def test_one_name_in_two_folders(tmp_path):
    tree, _ = layouts.mdid()
    tree["copy/img01_01.bmp"] = layouts.picture(1)
    with pytest.raises(UserError, match=r"2 files are called 'img01_01\.bmp'"):
        broken(tmp_path, tree)


def test_debris_of_unpackers_is_overlooked(tmp_path, counts):
    counts("mdid", 2, 160)
    tree, _ = layouts.mdid()
    tree["__MACOSX/distortion_images/._img01_01.bmp"] = b"x"
    tree["distortion_images/Thumbs.db"] = b"x"
    tree["distortion_images/._img01_02.bmp"] = b"x"
    broken(tmp_path, tree)


def test_wrong_archive_says_what_was_looked_for(tmp_path):
    with pytest.raises(UserError, match=r"local archive: no file 'mos_with_names\.txt'"):
        prepare(tmp_path, "tid2013", {"x.zip": layouts.zipped({"readme": b"hello"})})
    assert [path.name for path in (tmp_path / "tid2013").iterdir()] == [".lock"]


def test_official_workbook_of_vclfer(tmp_path, counts, monkeypatch):
    """The columns are recognised by their content; there is no writer of .xls to make one with."""
    counts("vclfer", 1, 24)
    tree, rows = layouts.vclfer(1)
    table = [["VCL@FER results"], ["No.", "Image", "MOS", "StDev"]]
    for number, (name, _, _, mos) in enumerate(rows):
        table.append([float(number), name.rpartition("/")[2].partition(".")[0], mos, 3.0])
    empty, sheet = [["Legend"]], table

    def book(content: list) -> SimpleNamespace:
        cells = [[SimpleNamespace(value=value) for value in row] for row in content]
        return SimpleNamespace(name="sheet", get_rows=lambda: iter(cells))

    sheets = [book(empty), book(sheet)]
    monkeypatch.setattr("xlrd.open_workbook", lambda _: SimpleNamespace(sheets=lambda: sheets))
    files = {"v.zip": layouts.zipped(tree), "results.xls": b"x"}
    dataset = prepare(tmp_path, "vclfer", files)
    assert dataset.pairs["score"].tolist() == [mos for *_, mos in rows]
    sheets[1] = book([["Image", "MOS", "mos"]])
    with pytest.raises(UserError, match="several columns are called 'MOS'"):
        prepare(tmp_path, "vclfer", files)
    sheets[1] = book([["Image", "score"]])
    with pytest.raises(UserError, match="no sheet with pictures"):
        prepare(tmp_path, "vclfer", files)


def test_workbook_of_vclfer_is_read_with_care(tmp_path):
    tree, _ = layouts.vclfer()
    files = {"v.zip": layouts.zipped(tree), "results.xls": b"not excel"}
    with pytest.raises(UserError, match="not an Excel file"):
        prepare(tmp_path, "vclfer", files)


def test_archive_is_kept_as_it_was(tmp_path, counts):
    counts("mdid", 2, 160)
    data = layouts.zipped(layouts.mdid()[0])
    prepare(tmp_path, "mdid", {"mdid.zip": data})
    assert (tmp_path / "given" / "mdid.zip").read_bytes() == data
    with zipfile.ZipFile(tmp_path / "given" / "mdid.zip") as file:
        assert file.testzip() is None
