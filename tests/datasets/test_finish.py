"""The last step: pictures and table against each other."""

import io
import json
from pathlib import Path

import layouts
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dissect_iqa.datasets import pictures
from dissect_iqa.datasets.base import index_folder
from dissect_iqa.datasets.finish import finish
from dissect_iqa.datasets.tables import read_dataset
from dissect_iqa.errors import UserError

SPEC = '{"stage":"fetch_dataset"}'
FACTS = {"title": "own", "direction": "higher is better", "citation": None, "licence": None}


def save(path: Path, pixels: np.ndarray, mode: str | None = None, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels, mode).save(path, **options)


def noise(seed: int, size: tuple[int, int] = (6, 4), channels: int = 3) -> np.ndarray:
    shape = (size[1], size[0], channels) if channels > 1 else (size[1], size[0])
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def frame(tmp_path) -> pd.DataFrame:
    """Write two references with three pictures each, and return their table."""
    rows = []
    for reference in ("a", "B"):
        save(tmp_path / "p" / f"{reference}.png", noise(ord(reference)))
        for number in range(3):
            file = f"p/{reference}_{number}.png"
            save(tmp_path / file, noise(ord(reference) + 10 * number + 1))
            rows.append((f"p/{reference}.png", file, "noise", number, 5.0 - number))
    columns = ["reference_file", "distorted_file", "distortion", "level", "score"]
    return pd.DataFrame(rows, columns=columns)


def test_tables_and_provenance(tmp_path, frame):
    finish(tmp_path, frame, {**FACTS, "direction": "higher is worse", "label": "made up"}, SPEC)
    dataset = read_dataset(tmp_path, SPEC)
    assert dataset.pairs.columns.tolist() == [
        "pair", "reference", "reference_file", "distorted_file", "distortion", "level", "score",
        "quality", "score_se", "raters",
    ]  # fmt: skip
    assert dataset.pairs["reference"].tolist() == ["a"] * 3 + ["b"] * 3
    assert dataset.pairs["quality"].tolist() == [-5.0, -4.0, -3.0] * 2
    assert (
        dataset.images["role"].tolist()
        == ["reference"] + ["distorted"] * 3 + ["reference"] + ["distorted"] * 3
    )
    assert dataset.images["file"].tolist()[:2] == ["p/B.png", "p/B_0.png"]
    assert (dataset.images["width"] == 6).all() and (dataset.images["height"] == 4).all()
    provenance = json.loads((tmp_path / "provenance.json").read_text())
    assert provenance["label"] == "made up" and provenance["pairs"] == 6
    assert provenance["images"] == 8 and provenance["root"] == "."


def test_same_input_gives_the_same_bytes(tmp_path, frame):
    finish(tmp_path, frame, FACTS, SPEC)
    first = {name: (tmp_path / name).read_bytes() for name in ("pairs.parquet", "images.parquet")}
    finish(tmp_path, frame.copy(), FACTS, SPEC)
    assert first == {name: (tmp_path / name).read_bytes() for name in first}


def test_workers_give_what_one_process_gives(tmp_path, frame, monkeypatch):
    finish(tmp_path, frame, FACTS, SPEC, workers=2)
    alone = read_dataset(tmp_path).images
    monkeypatch.setattr(pictures, "_SERIAL_BELOW", 0)
    monkeypatch.setattr(pictures, "_TASK_SIZE", 2)
    finish(tmp_path, frame, FACTS, SPEC, workers=2)
    assert read_dataset(tmp_path).images.equals(alone)


def bad_pictures(folder: Path) -> None:
    (folder / "a_0.png").write_bytes(b"no picture")
    data = (folder / "a_1.png").read_bytes()
    (folder / "a_1.png").write_bytes(data[: len(data) // 2])
    save(folder / "a_2.png", noise(1, (4, 6)))
    transparent = noise(2, channels=4)
    transparent[..., 3] = 128
    save(folder / "B_0.png", transparent)
    grey = Image.fromarray(noise(3, channels=1).astype(np.uint16) * 200)
    grey.save(folder / "B_1.png", "JPEG2000")
    frames = [Image.fromarray(noise(seed)) for seed in (4, 5)]
    frames[0].save(folder / "B_2.png", save_all=True, append_images=frames[1:])


@pytest.mark.parametrize("serial_below", [0, 10**9])
def test_all_bad_pictures_are_named_at_once(tmp_path, frame, monkeypatch, serial_below):
    monkeypatch.setattr(pictures, "_SERIAL_BELOW", serial_below)
    bad_pictures(tmp_path / "p")
    with pytest.raises(UserError, match=r"6 picture\(s\) can't be used") as caught:
        finish(tmp_path, frame, FACTS, SPEC, workers=2)
    text = str(caught.value)
    for expected in (
        "p/a_0.png: is damaged or no picture that is read here; save it as a PNG",
        "p/a_1.png: ",
        "p/a_2.png: 4x6 pixels, but its reference p/a.png has 6x4",
        "p/B_0.png: is partly transparent",
        "p/B_1.png: has 16 bits per channel, which would be cut to 8",
        "p/B_2.png: has several frames",
    ):
        assert expected in text
    assert not list(tmp_path.glob("*.parquet"))


def test_modes_that_are_fine(tmp_path, frame):
    opaque = noise(2, channels=4)
    opaque[..., 3] = 255
    save(tmp_path / "p" / "a_0.png", opaque)
    save(tmp_path / "p" / "a_1.png", noise(3, channels=1))
    Image.fromarray(noise(4)).quantize(8).save(tmp_path / "p" / "a_2.png")
    finish(tmp_path, frame, FACTS, SPEC)


def test_what_is_missing_superfluous_and_twice_is_named_together(tmp_path, frame):
    frame = pd.concat([frame, frame.iloc[[2]]])
    (tmp_path / "p" / "a_0.png").unlink()
    save(tmp_path / "p" / "none.png", noise(9))
    with pytest.raises(UserError) as caught:
        finish(tmp_path, frame, FACTS, SPEC)
    for expected in ("are not there:\n  p/a_0.png", "no row", "  p/none.png", "more than once"):
        assert expected in str(caught.value)


def test_missing_scores_are_named_with_their_rows(tmp_path, frame):
    frame.loc[[1, 4], "score"] = [np.nan, np.inf]
    with pytest.raises(UserError, match=r"2 pair\(s\) have no score") as caught:
        finish(tmp_path, frame, FACTS, SPEC)
    assert "row 2: p/a_1.png" in str(caught.value) and "row 5: p/B_1.png" in str(caught.value)


def test_pair_twice_and_empty_table(tmp_path, frame):
    twice = pd.concat([frame, frame.iloc[[2]]])
    with pytest.raises(UserError, match="more than once") as caught:
        finish(tmp_path, twice, FACTS, SPEC)
    assert "row 3" in str(caught.value) and "row 7" in str(caught.value)
    with pytest.raises(UserError, match="no pairs"):
        finish(tmp_path, frame.iloc[:0], FACTS, SPEC, aside=set(index_folder(tmp_path).files))


def test_identical_pairs_are_counted_and_can_be_dropped(tmp_path, frame):
    # The same pixels in another file format are identical, too.
    save(tmp_path / "p" / "B_1.bmp", noise(ord("B")))
    (tmp_path / "p" / "B_1.png").unlink()
    frame.loc[4, "distorted_file"] = "p/B_1.bmp"
    finish(tmp_path, frame, FACTS, SPEC)
    assert read_dataset(tmp_path).facts["identical_pairs"] == 1
    finish(tmp_path, frame, FACTS, SPEC, drop_identical=True)
    dataset = read_dataset(tmp_path)
    assert len(dataset.pairs) == 5 and dataset.facts["identical_pairs"] == 1
    assert "p/B_1.bmp" not in set(dataset.images["file"])
    assert dataset.pairs["pair"].tolist() == [0, 1, 2, 3, 4]


def triplets(frame: pd.DataFrame) -> pd.DataFrame:
    chosen = frame.iloc[[0, 1, 3, 4]].copy()
    chosen["triplet"] = [0, 0, 1, 1]
    chosen["preferred"] = chosen["score"] = [0.2, 0.8, 1.0, 0.0]
    return chosen


def test_triplets(tmp_path, frame):
    aside = {"p/a_2.png", "p/B_2.png"}
    finish(tmp_path, triplets(frame), FACTS, SPEC, aside=aside)
    pairs = read_dataset(tmp_path).pairs
    assert pairs["triplet"].tolist() == [0, 0, 1, 1] and str(pairs["triplet"].dtype) == "Int64"
    wrong = triplets(frame)
    wrong["preferred"] = [0.2, 0.9, 1.0, 0.0]
    with pytest.raises(UserError, match="triplet 0 is not two pictures of one reference"):
        finish(tmp_path, wrong, FACTS, SPEC, aside=aside)
    with pytest.raises(UserError, match="triplet 1 is not"):
        finish(tmp_path, triplets(frame).iloc[:3], FACTS, SPEC, aside={*aside, "p/B_1.png"})


def test_dropping_identical_pictures_drops_whole_triplets(tmp_path, frame):
    save(tmp_path / "p" / "B_1.png", noise(ord("B")))
    aside = {"p/a_2.png", "p/B_2.png"}
    finish(tmp_path, triplets(frame), FACTS, SPEC, aside=aside, drop_identical=True)
    dataset = read_dataset(tmp_path)
    assert dataset.pairs["triplet"].tolist() == [0, 0]
    assert dataset.facts["left_out"] == {"pixel-identical to the reference": 2}


def test_index(tmp_path):
    for name in ("A/One.BMP", "b/one.bmp", "b/.hidden.bmp", "__MACOSX/x.bmp", "c.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(layouts.picture(1))
    index = index_folder(tmp_path)
    assert index.files == ["A/One.BMP", "b/one.bmp", "c.txt"]
    assert index.pictures == {"A/One.BMP", "b/one.bmp"}
    assert index.find("a/ONE.bmp") == "A/One.BMP"
    assert index.find("ne.bmp") is None, "only whole names"
    assert index.locate("none.bmp") == "none.bmp"
    with pytest.raises(UserError, match="2 files are called"):
        index.find("one.bmp")
    assert index_folder(tmp_path, ["B/*"]).find("one.bmp") == "A/One.BMP"
    with pytest.raises(UserError, match="no such folder"):
        index_folder(tmp_path / "none")


def test_decoded_picture_is_rgb():
    pixels = noise(7)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "BMP")
    assert np.array_equal(pictures.decode_picture(buffer.getvalue()), pixels)
