"""Where the bytes of a data set come from, and that they are fetched once."""

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import layouts
import pytest
from file_server import FileServer, serving

from dissect_iqa.datasets.base import Counts, RemoteFile, Source
from dissect_iqa.datasets.changed import changed_files, note_damage
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.fetch_dataset import fetch_dataset
from dissect_iqa.datasets.registry import KINDS
from dissect_iqa.datasets.status import datasets_status, verify_dataset
from dissect_iqa.datasets.tables import read_dataset
from dissect_iqa.errors import UserError
from dissect_iqa.files import download as download_module

SPEC = '{"stage":"fetch_dataset"}'
TREE, SCORES = layouts.mdid()
ARCHIVE = layouts.zipped(TREE, "MDID/")
SUM = hashlib.sha256(ARCHIVE).hexdigest()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download_module, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(download_module, "LONGEST_WAIT", 0.02)
    for name in ("http_proxy", "HTTP_PROXY", "HF_ENDPOINT", "DISSECT_IQA_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    with serving() as running:
        yield running


@pytest.fixture
def sources(monkeypatch):
    """Return a function that gives MDID other sources (and the size of the small copy)."""

    def give(*files: RemoteFile, how_to_get: str = "") -> None:
        kind = replace(
            KINDS["mdid"],
            sources=tuple(Source(f"source {n}", (file,)) for n, file in enumerate(files, 1)),
            counts={"": Counts(2, 160)},
            how_to_get=how_to_get,
        )
        monkeypatch.setitem(KINDS, "mdid", kind)

    give()
    return give


def prepare(tmp_path: Path, offline: bool = False, **options):
    entry = DatasetEntry(kind="mdid", **options)
    folder = tmp_path / "resources" / "datasets" / "mdid"
    fetch_dataset(entry, folder, tmp_path / "resources" / "downloads", SPEC, offline=offline)
    return read_dataset(folder, SPEC)


def test_whole_way_from_the_server(server: FileServer, sources, tmp_path):
    url = server.add("/mdid.zip", ARCHIVE)
    sources(RemoteFile((url,), "mdid.zip", SUM, len(ARCHIVE)))
    dataset = prepare(tmp_path)
    assert dataset.pairs["score"].tolist() == SCORES
    provenance = json.loads((dataset.folder / "provenance.json").read_text())
    assert provenance["source"] == {
        "label": "source 1",
        "files": [{"name": "mdid.zip", "size": len(ARCHIVE), "sha256": SUM}],
    }
    assert provenance["spec"] == SPEC and provenance["pairs"] == 160
    assert sorted(path.name for path in dataset.folder.iterdir()) == [
        ".lock", "images.parquet", "pairs.parquet", "pictures", "provenance.json",
    ]  # fmt: skip


def test_once_there_nothing_is_fetched_or_unpacked_again(server, sources, tmp_path):
    url = server.add("/mdid.zip", ARCHIVE)
    sources(RemoteFile((url,), "mdid.zip", SUM))
    dataset = prepare(tmp_path)
    (tmp_path / "resources" / "downloads" / "mdid" / "mdid.zip").unlink()
    for name in ("pairs.parquet", "images.parquet", "provenance.json"):
        (dataset.folder / name).unlink()
    before = (dataset.folder / "pictures").stat().st_mtime_ns
    again = prepare(tmp_path, offline=True, drop_identical=True)
    assert again.pairs.equals(dataset.pairs)
    assert (dataset.folder / "pictures").stat().st_mtime_ns == before
    assert len(server.requests) == 1


def test_broken_transfer_is_resumed_by_the_next_run(server, sources, tmp_path):
    half = len(ARCHIVE) // 2
    url = server.add("/mdid.zip", ARCHIVE, cut=[half] + [0] * 20)
    sources(RemoteFile((url,), "mdid.zip", SUM))
    with pytest.raises(UserError, match=r"MDID: no source works\.\n- source 1: mdid\.zip"):
        prepare(tmp_path)
    server.resources["/mdid.zip"].cut.clear()
    prepare(tmp_path)
    assert server.ranges_of("/mdid.zip")[-1] == f"bytes={half}-"


def test_sources_in_turn(server, sources, tmp_path):
    """Gone, another file, a whole archive of something else; the fourth is right."""
    other = layouts.zipped({"readme.txt": b"not it"})
    sources(
        RemoteFile((f"{server.base}/gone.zip",), "gone.zip"),
        RemoteFile((server.add("/bad.zip", ARCHIVE[:-9]),), "bad.zip", SUM),
        RemoteFile((server.add("/other.zip", other),), "other.zip"),
        RemoteFile((server.add("/mdid.zip", ARCHIVE),), "mdid.zip"),
    )
    dataset = prepare(tmp_path)
    assert dataset.facts["source"]["label"] == "source 4"
    assert dataset.facts["source"]["files"][0]["sha256"] == SUM, "an unpinned sum is recorded"


def test_when_no_source_works_each_is_named_with_its_reason(server, sources, tmp_path):
    other = layouts.zipped({"readme.txt": b"not it"})
    sources(
        RemoteFile((f"{server.base}/gone.zip",), "gone.zip"),
        RemoteFile((server.add("/other.zip", other),), "other.zip"),
        how_to_get="Ask the authors.",
    )
    with pytest.raises(UserError) as caught:
        prepare(tmp_path)
    text = str(caught.value)
    assert "- source 1: gone.zip can't be fetched" in text and "status 404" in text
    assert "- source 2: source 2: no file 'MDID2016.txt' or 'mos.txt'" in text
    assert "Ask the authors." in text and "'archive'" in text
    assert ".partial" not in text


def test_a_form_or_password_is_explained(sources, tmp_path):
    sources(how_to_get="Fill in the form.")
    with pytest.raises(UserError, match=r"can't be downloaded without you\. Fill in the form"):
        prepare(tmp_path)


def test_own_mirrors_replace_the_built_in_sources(server, sources, tmp_path):
    sources(RemoteFile(("http://127.0.0.1:9/never.zip",), "never.zip"))
    mirrors = [
        {"url": f"{server.base}/gone/mdid.zip"},
        {"url": server.add("/here/mdid.zip?x=1", ARCHIVE), "sha256": SUM, "size": len(ARCHIVE)},
    ]
    dataset = prepare(tmp_path, mirrors=mirrors)
    assert dataset.facts["source"]["label"].endswith("/here/mdid.zip?x=1")


def test_offline_says_which_file_to_put_where(sources, tmp_path):
    sources(RemoteFile(("http://127.0.0.1:9/mdid.zip",), "mdid.zip", SUM))
    with pytest.raises(UserError, match="offline mode is on") as caught:
        prepare(tmp_path, offline=True)
    place = tmp_path / "resources" / "downloads" / "mdid" / "mdid.zip"
    assert str(place) in str(caught.value) and SUM in str(caught.value)
    place.parent.mkdir(parents=True)
    place.write_bytes(ARCHIVE)
    assert len(prepare(tmp_path, offline=True).pairs) == 160


def test_local_folder_is_used_in_place(sources, tmp_path, monkeypatch):
    for name, data in TREE.items():
        path = tmp_path / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    dataset = prepare(tmp_path, folder=tmp_path / "mine", offline=True)
    assert dataset.facts["root"] == str(tmp_path / "mine")
    assert dataset.path(dataset.pairs["distorted_file"][0]).is_file()
    assert not (dataset.folder / "pictures").exists()
    # A relative folder stays relative, so that the project can be moved.
    (tmp_path / "project").mkdir()
    (tmp_path / "mine").rename(tmp_path / "project" / "mine")
    monkeypatch.chdir(tmp_path / "project")
    prepare(Path(), folder="mine", offline=True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "project").rename(tmp_path / "moved")
    moved = read_dataset(tmp_path / "moved" / "resources" / "datasets" / "mdid")
    assert moved.path(moved.pairs["distorted_file"][0]).is_file()


def test_another_archive_replaces_the_pictures(sources, tmp_path):
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    first.write_bytes(ARCHIVE)
    prepare(tmp_path, archive=first)
    changed = {**TREE, "mos.txt": b"4.5\n" * 160, "added.txt": b"1"}
    second.write_bytes(layouts.zipped(changed))
    dataset = prepare(tmp_path, archive=str(second))
    assert set(dataset.pairs["score"]) == {4.5}
    assert dataset.facts["source"]["files"][0]["name"] == "second.zip"
    second.unlink()
    assert len(prepare(tmp_path, archive=second).pairs) == 160, "unpacked already"
    with pytest.raises(UserError, match=r"third\.zip: no such file"):
        prepare(tmp_path, archive=tmp_path / "third.zip")


def test_what_a_killed_run_left_is_removed(sources, tmp_path):
    stale = tmp_path / "resources" / "datasets" / "mdid" / ".pictures-0badcafe.partial"
    (stale / "half").mkdir(parents=True)
    (tmp_path / "mdid.zip").write_bytes(ARCHIVE)
    prepare(tmp_path, archive=tmp_path / "mdid.zip")
    assert not stale.exists()


def test_damaged_copy_is_named_with_the_cure(sources, tmp_path):
    (tmp_path / "mdid.zip").write_bytes(ARCHIVE)
    dataset = prepare(tmp_path, archive=tmp_path / "mdid.zip")
    dataset.path(dataset.pairs["distorted_file"][3]).unlink()
    with pytest.raises(UserError, match=r"(?s)img01_04\.bmp.*Delete .*pictures to have it"):
        prepare(tmp_path)


def test_status_and_verify(sources, tmp_path):
    sources(RemoteFile(("http://127.0.0.1:9/mdid.zip",), "mdid.zip", SUM))
    resources = tmp_path / "resources"
    archive = tmp_path / "mdid.zip"

    def state(**options: object) -> tuple[str, str]:
        entries = {"mdid": DatasetEntry(kind="mdid", **options)}
        line = datasets_status(entries, resources).iloc[0]
        return line["state"], line["next"]

    assert state() == ("missing", "downloaded by the next run (about 1 GB)")
    assert state(folder=tmp_path / "none")[0] == "missing"
    assert state(folder=tmp_path)[0] == "at hand"
    assert state(archive=archive) == ("missing", f"no such file: {archive}")
    archive.write_bytes(ARCHIVE)
    assert state(archive=archive)[0] == "at hand"
    (resources / "downloads" / "mdid").mkdir(parents=True)
    (resources / "downloads" / "mdid" / "mdid.zip").write_bytes(ARCHIVE)
    assert state()[0] == "downloaded"
    dataset = prepare(tmp_path, offline=True)
    assert state()[0] == "ready"
    table = datasets_status({"mdid": DatasetEntry(kind="mdid")}, resources)
    assert table.loc[0, ["pairs", "pictures"]].tolist() == [160, 162]
    assert verify_dataset(dataset.folder) == []

    changed, gone = (dataset.path(file) for file in dataset.images["file"][[5, 9]])
    changed.write_bytes(changed.read_bytes()[:-1] + b"x")
    gone.unlink()
    problems = verify_dataset(dataset.folder)
    assert len(problems) == 2
    assert changed.name in problems[0] and "has changed" in problems[0]
    assert gone.name in problems[1] and "can't be read" in problems[1]
    (dataset.folder / "pairs.parquet").write_bytes(b"junk")
    assert state()[0] == "damaged"
    sources(how_to_get="Ask the authors.")
    assert "Ask the authors" in state(ignore=["x"])[1] or state()[0] == "damaged"


def test_tables_of_different_runs_are_refused(sources, tmp_path):
    (tmp_path / "mdid.zip").write_bytes(ARCHIVE)
    dataset = prepare(tmp_path, archive=tmp_path / "mdid.zip")
    kept = (dataset.folder / "images.parquet").read_bytes()
    entry = DatasetEntry(kind="mdid")
    fetch_dataset(entry, dataset.folder, tmp_path, '{"stage":"other"}', offline=True)
    with pytest.raises(UserError, match="made with other settings"):
        read_dataset(dataset.folder, SPEC)
    (dataset.folder / "images.parquet").write_bytes(kept)
    with pytest.raises(UserError, match="come from different runs"):
        read_dataset(dataset.folder)
    (dataset.folder / "images.parquet").unlink()
    with pytest.raises(UserError, match="run the rule fetch_dataset"):
        read_dataset(dataset.folder)


def test_every_published_data_set_is_described():
    keys = set()
    for name, kind in KINDS.items():
        assert kind.name == name and len(kind.citation.text) > 60
        assert kind.licence and kind.page.startswith("http")
        assert kind.sources or kind.how_to_get
        keys.add(kind.citation.key)
        for source in kind.sources:
            for file in source.files:
                assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)
                assert all(url.startswith("http") for url in file.urls)
                assert "/" not in file.name
    assert len(keys) == len(KINDS) == 14
    published = {name: kind.counts[""].pairs for name, kind in KINDS.items() if "" in kind.counts}
    assert published == {
        "tid2008": 1700, "tid2013": 3000, "kadid10k": 10125, "csiq": 866, "live": 779,
        "livemd": 450, "pieapp": 600, "mdid": 1600, "cidiq": 690, "cid22": 4292, "vclfer": 552,
        "bapps": 72688,
    }  # fmt: skip
    assert KINDS["pipal"].counts["train"] == Counts(200, 23200)


@pytest.mark.parametrize("page", [b"Not Found", b"", b'{"error": "gone"}', ARCHIVE[:-30]])
def test_what_is_no_archive_is_not_kept_for_one(page, server: FileServer, sources, tmp_path):
    """An address without a published sum that gives an error page may give the archive later."""
    url = server.add("/mdid.zip", page)
    sources(RemoteFile((url,), "mdid.zip"))
    with pytest.raises(
        UserError, match=r"mdid\.zip: .*damaged or cut short .*; deleted: .*mdid\.zip"
    ):
        prepare(tmp_path)
    assert not list((tmp_path / "resources" / "downloads").rglob("*.zip"))
    server.add("/mdid.zip", ARCHIVE)
    assert prepare(tmp_path).pairs["score"].tolist() == SCORES


def test_an_archive_with_a_published_sum_is_kept_whatever_it_is(server, sources, tmp_path):
    page = b"Not Found"
    url = server.add("/mdid.zip", page)
    sources(RemoteFile((url,), "mdid.zip", hashlib.sha256(page).hexdigest()))
    with pytest.raises(UserError, match="damaged or cut short") as caught:
        prepare(tmp_path)
    assert "deleted" not in str(caught.value)
    assert list((tmp_path / "resources" / "downloads").rglob("mdid.zip"))


@pytest.mark.parametrize("record", ["[]", "{}", '{"files": 3}', '{"files": [{}]}', "\x00", "null"])
def test_a_record_of_a_copy_that_is_none(record, server, sources, tmp_path):
    sources(RemoteFile((server.add("/mdid.zip", ARCHIVE),), "mdid.zip", SUM))
    folder = prepare(tmp_path).folder
    (folder / "pictures" / ".source.json").write_text(record)
    assert prepare(tmp_path).pairs["score"].tolist() == SCORES


def test_a_changed_table_of_scores_of_a_folder_in_place_is_noticed(sources, tmp_path):
    for name, data in TREE.items():
        path = tmp_path / "here" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    dataset = prepare(tmp_path, folder=tmp_path / "here")
    assert changed_files(dataset.folder)[0] == []
    (table,) = (tmp_path / "here").rglob("mos.txt")
    table.write_text(table.read_text() + "\n")
    assert changed_files(dataset.folder)[0] == [table.relative_to(tmp_path / "here").as_posix()]


def test_a_damaged_copy_is_unpacked_again(sources, tmp_path, caplog):
    (tmp_path / "a.zip").write_bytes(ARCHIVE)
    dataset = prepare(tmp_path, archive=[tmp_path / "a.zip"])
    before = dataset.images
    file = before["file"].iloc[0]
    whole = dataset.path(file).read_bytes()
    dataset.path(file).write_bytes(dataset.path(before["file"].iloc[1]).read_bytes())
    changed = changed_files(dataset.folder)[0]
    assert changed == [file]
    note_damage(dataset.folder, changed)
    again = prepare(tmp_path, archive=[tmp_path / "a.zip"])
    assert again.path(file).read_bytes() == whole and again.images.equals(before)
    assert f"damaged pictures: {file}" in caplog.text
    assert changed_files(dataset.folder)[0] == []
