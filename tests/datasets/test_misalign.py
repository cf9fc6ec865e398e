"""Distorted pictures are displaced exactly as stated, and nothing else of a data set changes."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dissect_iqa.datasets.base import Index
from dissect_iqa.datasets.changed import changed_files
from dissect_iqa.datasets.decoding.decode import decode_picture
from dissect_iqa.datasets.entry import Misalignment
from dissect_iqa.datasets.fetch_dataset import fetch_dataset
from dissect_iqa.datasets.finish import finish
from dissect_iqa.datasets.misalign import misaligned
from dissect_iqa.datasets.registry import parse_entry, read_datasets
from dissect_iqa.datasets.status import datasets_status, verify_dataset
from dissect_iqa.datasets.tables import read_dataset
from dissect_iqa.errors import UserError
from dissect_iqa.study.costs import expected

RNG = np.random.default_rng(0)


def noise(height=40, width=60, dtype=np.uint8):
    return RNG.integers(0, np.iinfo(dtype).max, (height, width, 3), dtype, endpoint=True)


def smooth(x, y):
    """Return a picture without detail: its value at places, 0..255, before rounding."""
    parts = [np.sin(x / 11 + k) * np.cos(y / 9 - k) for k in range(3)]
    return 128 + 100 * np.stack(parts, axis=-1)


# --------------------------------------------------------------------------------- arithmetic


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("text, step", [("3 px", 3), ("1 %", 1), ("5 %", 3), ("10 %", 6)])
def test_a_shift_moves_numbers_and_makes_none(dtype, text, step):
    pixels = noise(dtype=dtype)
    moved = misaligned(pixels, Misalignment(shift=text))
    assert moved.dtype == dtype and moved.shape == pixels.shape
    np.testing.assert_array_equal(moved[:, :-step], pixels[:, step:])
    # the picture in a mirror whose edge is the last column
    np.testing.assert_array_equal(moved[:, -step:], pixels[:, -2 : -step - 2 : -1])
    other = misaligned(pixels[:, ::-1], Misalignment(shift=f"-{text}"))
    np.testing.assert_array_equal(other[:, ::-1], moved)


def test_the_most_that_is_allowed_fits_every_width():
    for width in range(21, 70):
        moved = misaligned(noise(3, width), Misalignment(shift="10 %"))
        assert moved.shape == (3, width, 3)


@pytest.mark.parametrize("width, step", [(512, 6), (500, 5), (501, 6), (100, 1), (64, 1)])
def test_a_share_of_the_width_is_rounded_up_to_whole_pixels(width, step):
    pixels = noise(3, width)
    moved = misaligned(pixels, Misalignment(shift="1 %"))
    np.testing.assert_array_equal(moved[:, : width - step], pixels[:, step:])


@pytest.mark.parametrize(
    "by, back",
    [
        ({"scale": "1 %"}, lambda x, y: (x / 1.01, y / 1.01)),
        ({"scale": "-4 %"}, lambda x, y: (x / 0.96, y / 0.96)),
        ({"rotate": 1}, None),
        ({"rotate": -2.5}, None),
    ],
)
def test_what_interpolates_is_the_scene_seen_from_the_other_place(by, back):
    height, width = 91, 120
    y, x = np.mgrid[:height, :width].astype(float)
    y, x = y - (height - 1) / 2, x - (width - 1) / 2
    if back is None:
        # clockwise on a screen, where y points down: the pixel came from further back
        angle = np.deg2rad(by["rotate"])
        place = (
            x * np.cos(angle) + y * np.sin(angle),
            -x * np.sin(angle) + y * np.cos(angle),
        )
    else:
        place = back(x, y)
    found = misaligned(np.rint(smooth(x, y)).astype(np.uint8), Misalignment(**by))
    # a few pixels from the edge, where splines still feel the mirror
    inside = (np.abs(place[0]) <= width / 2 - 6) & (np.abs(place[1]) <= height / 2 - 6)
    error = np.abs(found - smooth(*place))[inside]
    assert inside.mean() > 0.7 and error.max() < 1.5 and error.mean() < 0.4


def test_a_turn_is_clockwise():
    pixels = np.zeros((61, 61, 3), np.uint8)
    pixels[8:11, 29:32] = 255  # above the centre
    turned = misaligned(pixels, Misalignment(rotate=10))
    assert turned[:, 31:].astype(int).sum() > 3 * turned[:, :30].astype(int).sum()


def test_overshoot_is_clipped_and_depth_is_kept():
    pixels = np.zeros((30, 30, 3), np.uint16)
    pixels[:, 15:] = 65535
    turned = misaligned(pixels, Misalignment(rotate=3))
    assert turned.dtype == np.uint16 and turned.max() == 65535 and turned.min() == 0
    assert len(np.unique(turned)) > 20


def test_a_picture_too_narrow_for_a_shift_is_refused():
    with pytest.raises(ValueError, match="is 60 pixels wide; a shift by 7 is more than 10 %"):
        misaligned(noise(), Misalignment(shift="7 px"))


# ----------------------------------------------------------------------------------- data sets


def own(folder: Path, deep: bool = False) -> Path:
    """Write a folder of two references with three pictures each."""
    folder.mkdir(parents=True)
    rows = ["reference,distorted,score"]
    for name in ("a", "b"):
        picture = noise()
        Image.fromarray(picture).save(folder / f"{name}.bmp")
        for level in range(3):
            changed = np.clip(picture + RNG.normal(0, 5 + level, picture.shape), 0, 255)
            file = folder / f"{name}{level}.png"
            if deep:
                import imagecodecs

                file.write_bytes(imagecodecs.png_encode((changed * 257).astype(np.uint16)))
            else:
                Image.fromarray(changed.astype(np.uint8)).save(file)
            rows.append(f"{name}.bmp,{file.name},{5 - level}")
    (folder / "scores.csv").write_text("\n".join(rows) + "\n")
    return folder


def prepare(tmp_path: Path, pictures: Path | None, misalign: dict, name: str = "moved"):
    """Prepare a parent and the data set that shows its pictures displaced."""
    datasets = tmp_path / "resources/datasets"
    if not (datasets / "own").exists():
        entry = parse_entry(
            "own",
            {"kind": "folder", "folder": pictures, "csv": "scores.csv",
             "direction": "higher is better", "citation": "Somebody, 2026"},
        )  # fmt: skip
        fetch_dataset(entry, datasets / "own", tmp_path / "d", json.dumps({"entry": entry.spec()}))
    parent = read_dataset(datasets / "own")
    entry = parse_entry(name, {"kind": "misaligned", "of": "own", "misalign": misalign})
    spec = json.dumps({"entry": entry.spec()})
    fetch_dataset(entry, datasets / name, tmp_path / "d", spec, parent=parent)
    return parent, read_dataset(datasets / name, spec)


@pytest.mark.parametrize("place", ["relative", "absolute"])
@pytest.mark.parametrize("deep", [False, True], ids=["8 bits", "16 bits"])
def test_pairs_are_the_parents_with_other_distorted_pictures(tmp_path, monkeypatch, place, deep):
    monkeypatch.chdir(tmp_path)
    pictures = own(Path("pictures"), deep)
    pictures = pictures.resolve() if place == "absolute" else pictures
    parent, moved = prepare(tmp_path if place == "absolute" else Path(), pictures, {"rotate": 1})
    same = ["pair", "reference", "distortion", "level", "score", "quality"]
    pd.testing.assert_frame_equal(moved.pairs[same], parent.pairs[same])
    by = Misalignment(rotate=1)
    for before, after in zip(parent.pairs.itertuples(), moved.pairs.itertuples(), strict=True):
        reference = parent.path(before.reference_file)
        assert moved.path(after.reference_file).resolve() == reference.resolve()
        expected = misaligned(decode_picture(parent.path(before.distorted_file).read_bytes()), by)
        found = decode_picture(moved.path(after.distorted_file).read_bytes())
        assert found.dtype == (np.uint16 if deep else np.uint8)
        np.testing.assert_array_equal(found, expected)
    assert not verify_dataset(moved.folder)
    assert len(list((moved.folder / "pictures").iterdir())) == len(parent.pairs)
    facts = moved.facts
    assert facts["of"] == "own" and facts["misalignment"]["rotate"] == 1
    assert "cubic splines" in facts["misalignment"]["interpolation"]
    assert "mirrored" in facts["misalignment"]["border"]
    assert "turned clockwise by 1°; people rated them where they were" in facts["label"]
    assert facts["citation"] == "Somebody, 2026" and facts["direction"] == "higher is better"
    assert (Path(facts["root"]) / moved.pairs["reference_file"][0]).is_absolute() == (
        place == "absolute"
    )


@pytest.mark.parametrize("linked", ["resources", "resources/datasets", "resources/datasets/moved"])
def test_references_are_found_through_linked_folders(tmp_path, monkeypatch, linked):
    """A large disk elsewhere: dots in a path count from where a folder really is."""
    place = tmp_path / "a study" / "here"
    place.mkdir(parents=True)
    monkeypatch.chdir(place)
    disk = tmp_path / "disk" / "deep" / "er" / "still"
    disk.mkdir(parents=True)
    Path(linked).parent.mkdir(parents=True, exist_ok=True)
    Path(linked).symlink_to(disk, target_is_directory=True)
    _, moved = prepare(Path(), own(Path("pictures")), {"shift": "1 %"})
    assert not verify_dataset(moved.folder)


def test_references_count_as_their_parents_when_changes_are_looked_for(tmp_path):
    """As at a colleague's, who has the parent's pictures, but not those that were made of them."""
    pictures = own(tmp_path / "pictures")
    _, moved = prepare(tmp_path, pictures, {"shift": "1 %"})
    assert changed_files(moved.folder)[0] == []
    made = moved.folder / "pictures"
    made.rename(tmp_path / "away")
    assert changed_files(moved.folder)[0] == []  # the references are here, nothing of its own is
    (tmp_path / "away").rename(made)
    (pictures / "a.bmp").write_bytes(b"another")
    assert changed_files(moved.folder)[0] == []  # the parent tells
    next(made.iterdir()).unlink()
    assert len(changed_files(moved.folder)[0]) == 1


def test_a_rehearsal_moves_its_small_pictures_less(tmp_path):
    prepare(tmp_path, own(tmp_path / "pictures"), {"shift": "1 %"})
    parent = read_dataset(tmp_path / "resources/datasets/own")
    entry = parse_entry("m", {"kind": "misaligned", "of": "own", "misalign": {"shift": "20 px"}})
    folder = tmp_path / "resources/datasets/m"
    with pytest.raises(UserError, match=r"6 picture\(s\) can't be displaced"):
        fetch_dataset(entry, folder, tmp_path / "d", "{}", parent=parent)
    fetch_dataset(entry, folder, tmp_path / "d", "{}", parent=parent, rehearse=64)
    assert read_dataset(folder).facts["misalignment"]["shift"] == "1 %"


def test_what_an_interrupted_run_left_is_no_part_of_it(tmp_path):
    prepare(tmp_path, own(tmp_path / "pictures"), {"shift": "1 %"})
    left = tmp_path / "resources/datasets/moved/pictures/000099.png"
    left.write_bytes(b"half a picture")
    prepare(tmp_path, None, {"shift": "1 %"})
    assert not left.exists()


def test_pictures_that_cannot_be_read_any_more_are_all_named(tmp_path):
    prepare(tmp_path, own(tmp_path / "pictures"), {"shift": "1 %"})
    (tmp_path / "pictures/a1.png").unlink()
    (tmp_path / "pictures/b0.png").write_bytes(b"no picture")
    with pytest.raises(UserError) as raised:
        prepare(tmp_path, None, {"shift": "2 %"}, name="again")
    assert "a1.png: No such file" in str(raised.value)
    assert "b0.png: is damaged or no picture" in str(raised.value)


def test_triplets_keep_their_choices(tmp_path):
    pictures = own(tmp_path / "pictures")
    frame = pd.DataFrame(
        {
            "reference_file": ["a.bmp"] * 4,
            "distorted_file": ["a0.png", "a1.png", "a0.png", "a2.png"],
            "distortion": "all", "score": [0.2, 0.8, 0.6, 0.4], "preferred": [0.2, 0.8, 0.6, 0.4],
            "triplet": [0, 0, 1, 1],
        }
    )  # fmt: skip
    facts = {"root": str(pictures), "direction": "higher is better", "citation": "", "licence": ""}
    folder = tmp_path / "resources/datasets/choices"
    files = ["a.bmp", "a0.png", "a1.png", "a2.png"]
    finish(folder, frame, facts, "{}", index=Index(pictures, files))
    parent = read_dataset(folder)
    entry = parse_entry("m", {"kind": "misaligned", "of": "choices", "misalign": {"shift": "2 px"}})
    fetch_dataset(entry, folder.with_name("m"), tmp_path / "d", "{}", parent=parent)
    moved = read_dataset(folder.with_name("m"))
    assert moved.pairs["distorted_file"][0] == moved.pairs["distorted_file"][2]
    same = ["pair", "triplet", "preferred", "reference"]
    pd.testing.assert_frame_equal(moved.pairs[same], parent.pairs[same])


# ------------------------------------------------------------------------------------- entries


@pytest.mark.parametrize(
    "values, words",
    [
        ({"of": "demo"}, "needs the option 'misalign'"),
        ({"misalign": {"shift": "1 %"}}, "needs the option 'of'"),
        ({"of": "demo", "misalign": {}}, "one of shift, scale and rotate"),
        ({"of": "demo", "misalign": {"shift": "1 %", "rotate": 1}}, "one of shift, scale and rot"),
        ({"of": "demo", "misalign": {"shift": "11 %"}}, "at most 10 %"),
        ({"of": "demo", "misalign": {"rotate": -30}}, "at most 10 degrees"),
        ({"of": "demo", "misalign": {"shift": "0 %"}}, "nothing is the data set itself"),
        ({"of": "demo", "misalign": {"scale": "3 px"}}, "scale"),
        *(
            ({"of": "demo", "misalign": {"shift": value}}, "with its unit, like '1 %' or '3 px'")
            for value in ("a bit", 5, True, "0.5 px", ".5 %", "1,5 %", "3 pixels")
        ),
        ({"of": "demo", "misalign": {"scale": "1 px"}}, "with its unit, like '1 %'"),
        ({"of": "demo", "misalign": {"scale": 1}}, "with its unit, like '1 %'"),
        ({"of": "demo", "misalign": "1 %"}, "write {shift: 1 %}, {scale: 1 %} or {rotate: 1}"),
        (
            {"of": "demo", "misalign": {"twist": 1}},
            "'misalign.twist'; allowed here: rotate, scale, shift",
        ),
        ({"of": "demo", "misalign": {"rotate": 1}, "csv": "a"}, "'csv' means nothing for kind"),
        ({"of": "demo", "misalign": {"rotate": 1}, "folder": "a"}, "'folder' means nothing"),
        ({"of": "demo", "misalign": {"rotate": 1}, "drop_identical": True}, "'drop_identical'"),
    ],
)
def test_entries_that_cannot_be_are_refused(values, words):
    with pytest.raises(UserError, match=words):
        parse_entry("moved", {"kind": "misaligned", **values})


def test_its_options_mean_nothing_elsewhere():
    with pytest.raises(UserError, match="'misalign' means nothing for kind 'demo'"):
        parse_entry("demo", {"kind": "demo", "misalign": {"rotate": 1}})


@pytest.mark.parametrize(
    "line, words",
    [
        ("m: {kind: misaligned, of: demp, misalign: {rotate: 1}}", "no entry 'demp'.*demo"),
        ("m: {kind: misaligned, of: light, misalign: {rotate: 1}}", "has plain references"),
        ("m: {kind: misaligned, of: n, misalign: {rotate: 1}}", "is itself misaligned"),
        ("m: {kind: misaligned, of: m, misalign: {rotate: 1}}", "is itself misaligned"),
    ],
)
def test_a_parent_must_have_pictures_to_displace(tmp_path, line, words):
    table = tmp_path / "datasets.yaml"
    table.write_text(
        "demo: {kind: demo}\nlight: {kind: thresholds}\n"
        f"n: {{kind: misaligned, of: demo, misalign: {{rotate: 1}}}}\n{line}\n"
    )
    with pytest.raises(UserError, match=words):
        read_datasets(table)


def test_one_misalignment_has_one_spelling():
    entries = [
        parse_entry("m", {"kind": "misaligned", "of": "demo", "misalign": {"shift": text}})
        for text in ("1 %", "1%", " +1.0 % ", "1.00%")
    ]
    assert len({json.dumps(entry.spec()) for entry in entries}) == 1
    assert entries[0].spec()["misalign"] == {"shift": "1 %"}


def test_costs_and_status_know_it(tmp_path):
    table = {
        "demo": parse_entry("demo", {"kind": "demo"}),
        "m": parse_entry("m", {"kind": "misaligned", "of": "demo", "misalign": {"rotate": 1}}),
    }
    assert expected(table["m"], table).pairs == expected(table["demo"], table).pairs == 390
    status = datasets_status(table, tmp_path).set_index("dataset")
    assert status.loc["m", "state"] == "at hand" and "this machine" in status.loc["m", "next"]
