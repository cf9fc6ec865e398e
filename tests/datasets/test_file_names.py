"""Names of pictures: same stems, other cases, Unicode forms, odd characters, links."""

import os
from pathlib import Path

import layouts
import pytest

from dissect_iqa.datasets.base import index_folder
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.fetch_dataset import fetch_dataset
from dissect_iqa.datasets.folder import reference_keys
from dissect_iqa.datasets.tables import read_dataset
from dissect_iqa.errors import UserError

SPEC = '{"stage":"fetch_dataset"}'


def add(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        ending = "bmp" if name.endswith(".bmp") else "png"
        (folder / name).write_bytes(layouts.picture(len(list(folder.rglob("*"))), ending))


def prepare(folder: Path, *lines: str, **options):
    text = "\n".join(["reference,distorted,score", *lines]) + "\n"
    (folder / "scores.csv").write_text(text, encoding="utf-8")
    entry = DatasetEntry(
        kind="folder", folder=folder, csv="scores.csv", direction="higher is better", **options
    )
    out = folder.parent / "out"
    fetch_dataset(entry, out, folder.parent / "downloads", SPEC, offline=True)
    return read_dataset(out, SPEC)


def test_same_stem_and_another_ending_or_case_are_other_references(tmp_path):
    folder = tmp_path / "mine"
    references = ["a.png", "a.bmp", "B.png", "b.png", "c/d.png", "e/d.png", "F.png"]
    rows = []
    for number, reference in enumerate(references):
        add(folder, reference, f"x{number}.png", f"y{number}.png")
        rows += [f"{reference},{kind}{number}.png,{number}" for kind in "xy"]
    pairs = prepare(folder, *rows).pairs
    assert pairs["reference_file"].tolist() == [file for file in references for _ in range(2)]
    keys = ["a.png", "a.bmp", "B.png", "b.png", "c/d", "e/d", "f"]
    assert pairs["reference"].tolist() == [key for key in keys for _ in range(2)]


@pytest.mark.parametrize(
    "files",
    [
        ["a.png", "a.bmp", "a.png.bmp"],
        ["a.png", "A.png", "a.PNG", "x/a.png", "x/A.png"],
        ["x/a.png", "x/a.bmp", "x/a.png.bmp", "y/a.png.bmp", "a"],
    ],
)
def test_no_two_references_have_one_key(files):
    keys = reference_keys(files)
    assert list(keys) == files and len(set(keys.values())) == len(files)


def test_a_name_written_exactly_is_that_file(tmp_path):
    folder = tmp_path / "mine"
    add(folder, "r.png", "a.png", "A.png", "s/b.png", "s/B.png")
    rows = [f"R.PNG,{name}.png,{score}" for score, name in enumerate("AaBb")]
    pairs = prepare(folder, *rows).pairs
    assert pairs["distorted_file"].tolist() == ["A.png", "a.png", "s/B.png", "s/b.png"]
    add(folder, "t/c.png", "u/c.png")
    add(folder, "t/d.png", "u/d.png")
    with pytest.raises(
        UserError, match=r"2 files are called 'c\.png' \('t/c\.png', 'u/c\.png'\)(.*\n)*.*'d\.png'"
    ):
        prepare(folder, "r.png,c.png,1", "r.png,d.png,1")
    (folder / "a.png").unlink()
    add(folder, "aA.png", "Aa.png")
    with pytest.raises(UserError, match=r"2 files are called 'aa\.png' \('Aa\.png', 'aA\.png'\)"):
        prepare(folder, "r.png,aa.png,1")


COMPOSED, DECOMPOSED = "\u00fc", "u\u0308"


@pytest.mark.parametrize(("disk", "table"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
def test_unicode_forms_find_each_other(tmp_path, disk, table):
    folder = tmp_path / "mine"
    add(folder, "r.png", f"{disk}/{disk}1.png", f"{disk}/2{disk}.png")
    pairs = prepare(folder, f"r.png,{table}/{table.upper()}1.png,1", f"r.png,2{table}.PNG,2").pairs
    assert pairs["distorted_file"].tolist() == [f"{disk}/{disk}1.png", f"{disk}/2{disk}.png"]
    assert not index_folder(folder, [f"{table}/*"]).matches(f"{disk}1.png")


def test_both_unicode_forms_in_one_folder(tmp_path):
    folder = tmp_path / "mine"
    add(folder, "r.png", f"{COMPOSED}.png", f"{DECOMPOSED}.png")
    pairs = prepare(folder, f"r.png,{COMPOSED}.png,1", f"r.png,{DECOMPOSED}.png,2").pairs
    assert pairs["distorted_file"].tolist() == [f"{COMPOSED}.png", f"{DECOMPOSED}.png"]
    with pytest.raises(UserError, match="2 files are called") as caught:
        prepare(folder, f"r.png,{COMPOSED.upper()}.png,1", f"r.png,{DECOMPOSED}.png,2")
    assert r"'\xfc.png'" in str(caught.value) and r"'u\u0308.png'" in str(caught.value)


@pytest.mark.parametrize(
    ("disk", "table"),
    [
        ("img\u00a01.png", "img 1.png"),
        ("\ufb01lm.png", "film.png"),
        ("a-1.png", "a\u20131.png"),
        ("a1.png", "a\uff11.png"),
        ("a\u200b1.png", "a1.png"),
        ("it's.png", "it\u2019s.png"),
        ("a  b.png", "a b.png"),
    ],
)
def test_look_alikes_are_spelled_out(tmp_path, disk, table):
    folder = tmp_path / "mine"
    add(folder, "r.png", f"sub/{disk}")
    with pytest.raises(UserError, match=r"1 picture\(s\) named in the table") as caught:
        prepare(folder, f"r.png,{table},1")
    message = str(caught.value)
    assert ascii(table) in message and ascii(f"sub/{disk}") in message and "looks alike" in message


def test_odd_characters_in_names(tmp_path):
    folder = tmp_path / "m\u00fcller's #1 {a} 50%"
    names = [
        "-a b.png",
        "c#d.png",
        "{e}.png",
        "f%20g.png",
        "h'i.png",
        'l"m.png',
        "\u65e5\u672c.png",
        "j&$k;.png",
    ]
    add(folder, *names, "with a space/r {1}.png")
    rows = [f"with a space/r {{1}}.png,{name},{n}" for n, name in enumerate(names)]
    pairs = prepare(folder, *rows).pairs
    assert pairs["distorted_file"].tolist() == names
    assert set(pairs["reference"]) == {"r {1}"}


def test_names_that_are_no_text_are_named(tmp_path):
    folder = tmp_path / "mine"
    add(folder, "r.png", "a.png")
    (folder / "notes-\udcfc.txt").write_text("")
    assert index_folder(folder).files == ["a.png", "r.png"]
    (folder / "\udcfc1.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"1 picture\(s\) have names that aren't UTF-8") as caught:
        prepare(folder, "r.png,a.png,1")
    assert r"\udcfc1.png" in str(caught.value) and str(caught.value).isprintable()
    assert len(prepare(folder, "r.png,a.png,1", ignore=["?1.png"]).pairs) == 1


def test_links_are_followed_but_not_in_a_circle(tmp_path):
    folder, elsewhere = tmp_path / "mine", tmp_path / "elsewhere"
    add(folder, "r.png")
    add(elsewhere, "a.png")
    (folder / "there").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(folder)
    (folder / "self").symlink_to(".")
    assert index_folder(folder).files == ["r.png", "there/a.png"]
    assert len(prepare(folder, "r.png,a.png,1").pairs) == 1


def test_only_regular_files_are_found_and_read(tmp_path):
    """A pipe would wait for ever."""
    folder = tmp_path / "mine"
    add(folder, "r.png")
    os.mkfifo(folder / "pipe.png")
    os.mkfifo(folder / "dmos.csv")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "notes.txt").symlink_to("notes.txt")
    (folder / "folder.png").mkdir()
    assert index_folder(folder).files == ["loop.png", "pipe.png", "r.png"]
    with pytest.raises(UserError, match=r"2 picture\(s\) can't be used") as caught:
        prepare(folder, "r.png,pipe.png,1", "r.png,loop.png,2")
    assert "pipe.png: is a named pipe, not a file" in str(caught.value)
    assert "loop.png: Too many levels of symbolic links" in str(caught.value)
    with pytest.raises(UserError, match=r"not there:\n  folder\.png"):
        prepare(folder, "r.png,folder.png,1", ignore=["pipe.png", "loop.png"])


def test_folder_that_may_not_be_read(tmp_path, monkeypatch):
    scandir = os.scandir

    def forbidden(folder):
        if Path(folder).name == "sub":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    add(tmp_path, "r.png", "sub/a.png")
    monkeypatch.setattr(os, "scandir", forbidden)
    with pytest.raises(UserError, match="sub: this folder may not be read"):
        index_folder(tmp_path)
