"""Downloads that break, resume, lie and collide."""

import hashlib
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from file_server import FileServer, serving

from dissect_iqa.errors import UserError
from dissect_iqa.files import download as module
from dissect_iqa.files import web
from dissect_iqa.files.download import download

DATA = np.random.default_rng(0).bytes(200_000)
SUM = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(module, "LONGEST_WAIT", 0.02)
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in ("HF_ENDPOINT", "DISSECT_IQA_MIRROR"):
            monkeypatch.delenv(name)
    with serving() as running:
        yield running


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_whole_file_arrives_and_is_never_fetched_again(server: FileServer, tmp_path: Path):
    url = server.add("/a.bin", DATA)
    target = tmp_path / "deep" / "a.bin"
    assert download([url], target, SUM, len(DATA)) == SUM
    assert target.read_bytes() == DATA
    assert download([url], target, SUM, len(DATA)) == SUM
    assert download([url], target) == SUM
    assert len(server.requests) == 1
    assert leftovers(target.parent) == ["a.bin"]


@pytest.mark.parametrize("sha256", [SUM, None])
def test_broken_connection_is_resumed_where_it_stopped(server, tmp_path, sha256):
    url = server.add("/a.bin", DATA, cut=[70_000, 50_000, None])
    assert download(url, tmp_path / "a.bin", sha256) == SUM
    assert server.ranges_of("/a.bin") == [None, "bytes=70000-", "bytes=120000-"]
    assert leftovers(tmp_path) == ["a.bin"]


def test_break_without_content_length_is_noticed_by_the_size(server, tmp_path):
    url = server.add("/a.bin", DATA, cut=[70_000, None], length=False)
    assert download(url, tmp_path / "a.bin", SUM, len(DATA)) == SUM
    assert server.ranges_of("/a.bin")[1] == "bytes=70000-"


def test_server_without_ranges_starts_over(server, tmp_path):
    url = server.add("/a.bin", DATA, cut=[150_000, None], ranges=False)
    assert download(url, tmp_path / "a.bin", SUM) == SUM
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert len(server.requests) == 2


def test_truncated_for_good_gives_up_keeps_the_part_and_says_so(server, tmp_path):
    url = server.add("/a.bin", DATA, cut=[99_000] * 50, ranges=False)
    with pytest.raises(UserError, match=r"a\.bin can't be fetched") as caught:
        download(url, tmp_path / "a.bin", SUM)
    assert f"{module.ATTEMPTS} attempts" in str(caught.value)
    assert str(tmp_path / "a.bin") in str(caught.value)
    assert leftovers(tmp_path) == ["a.bin.part", "a.bin.part.json"]
    server.add("/a.bin", DATA)
    assert download(url, tmp_path / "a.bin", SUM) == SUM


def test_waits_grow(server, tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr(module.time, "sleep", waits.append)
    monkeypatch.setattr(module, "FIRST_WAIT", 1.0)
    monkeypatch.setattr(module, "LONGEST_WAIT", 6.0)
    url = server.add("/a.bin", DATA, statuses=[503] * 50)
    with pytest.raises(UserError, match="status 503"):
        download(url, tmp_path / "a.bin", SUM)
    assert waits == [1.0, 2.0, 4.0, 6.0, 6.0]


def test_wrong_hash_leaves_nothing_and_the_next_mirror_is_tried(server, tmp_path):
    bad = server.add("/bad.bin", DATA[:-1] + b"x")
    with pytest.raises(UserError, match="gives another file: sha256") as caught:
        download(bad, tmp_path / "a.bin", SUM)
    assert SUM in str(caught.value) and bad in str(caught.value)
    assert leftovers(tmp_path) == []
    good = server.add("/good.bin", DATA)
    gone = f"{server.base}/gone.bin"
    assert download([bad, gone, good], tmp_path / "a.bin", SUM) == SUM


def test_wrong_size_is_refused_before_the_transfer(server, tmp_path):
    url = server.add("/a.bin", DATA)
    with pytest.raises(UserError, match="200000 bytes, expected 5"):
        download(url, tmp_path / "a.bin", size=5)
    assert leftovers(tmp_path) == []


def test_range_that_starts_elsewhere_is_not_appended(server, tmp_path):
    url = server.add("/a.bin", DATA, cut=[70_000, None], shift=10)
    assert download(url, tmp_path / "a.bin") == SUM
    assert server.ranges_of("/a.bin") == [None, "bytes=70000-", None]


def test_more_bytes_than_promised(server, tmp_path):
    url = server.add("/a.bin", DATA, length=False)
    with pytest.raises(UserError, match="200000 bytes, expected 5000"):
        download(url, tmp_path / "a.bin", size=5000)
    assert leftovers(tmp_path) == []
    assert len(server.requests) == 1


def test_part_of_an_earlier_run_is_used_and_a_damaged_one_replaced(server, tmp_path):
    url = server.add("/a.bin", DATA)
    part = tmp_path / "a.bin.part"
    part.write_bytes(DATA[:120_000])
    assert download(url, tmp_path / "a.bin", SUM) == SUM
    assert server.ranges_of("/a.bin") == ["bytes=120000-"]
    (tmp_path / "a.bin").unlink()
    part.write_bytes(b"x" + DATA[1:120_000])
    assert download(url, tmp_path / "a.bin", SUM) == SUM
    assert server.ranges_of("/a.bin")[1:] == ["bytes=120000-", None]


def test_complete_or_overlong_part(server, tmp_path):
    url = server.add("/a.bin", DATA)
    (tmp_path / "a.bin.part").write_bytes(DATA)
    assert download(url, tmp_path / "a.bin", SUM) == SUM
    (tmp_path / "a.bin").unlink()
    (tmp_path / "a.bin.part").write_bytes(DATA + b"more")
    assert download(url, tmp_path / "a.bin", SUM) == SUM


def test_unpinned_part_is_used_only_if_the_server_has_the_same_file(server, tmp_path):
    url = server.add("/a.bin", DATA, cut=[50_000] * 50, ranges=False)
    with pytest.raises(UserError):
        download(url, tmp_path / "a.bin")
    newer = b"y" * 90_000
    server.add("/a.bin", newer, etag='"two"')
    assert download(url, tmp_path / "a.bin") == hashlib.sha256(newer).hexdigest()
    assert (tmp_path / "a.bin").read_bytes() == newer


def test_part_from_another_address_is_dropped_unless_a_sum_decides(server, tmp_path):
    first = server.add("/first.bin", b"z" * 80_000, cut=[30_000] * 50, ranges=False)
    second = server.add("/second.bin", DATA)
    assert download([first, second], tmp_path / "a.bin") == SUM
    assert server.ranges_of("/second.bin") == [None]


def test_status_that_passes_and_status_that_stays(server, tmp_path):
    url = server.add("/busy.bin", DATA, statuses=[503, 429])
    assert download(url, tmp_path / "busy.bin", SUM) == SUM
    with pytest.raises(UserError, match="status 404"):
        download(f"{server.base}/none.bin", tmp_path / "none.bin")
    assert len(server.ranges_of("/none.bin")) == 1


def test_a_web_page_instead_of_the_file_is_refused(server, tmp_path):
    url = server.add("/a.zip", b"<html>log in</html>", headers={"Content-Type": "text/html"})
    with pytest.raises(UserError, match="form, a login"):
        download(url, tmp_path / "a.zip")
    assert leftovers(tmp_path) == []


def test_body_labelled_as_gzip_is_kept_as_it_is(server, tmp_path):
    url = server.add("/a.tgz", DATA, headers={"Content-Encoding": "gzip"})
    assert download(url, tmp_path / "a.tgz", SUM) == SUM


def test_another_file_in_its_place_is_not_overwritten(server, tmp_path):
    url = server.add("/a.bin", DATA)
    (tmp_path / "a.bin").write_bytes(b"mine")
    with pytest.raises(UserError, match="another file than expected"):
        download(url, tmp_path / "a.bin", SUM)
    assert (tmp_path / "a.bin").read_bytes() == b"mine"
    assert not server.requests


def test_offline_names_file_place_and_sum(server, tmp_path):
    url = server.add("/a.bin", DATA)
    with pytest.raises(UserError, match="offline") as caught:
        download(url, tmp_path / "a.bin", SUM, len(DATA), offline=True)
    for text in (url, SUM, "200000 bytes", str(tmp_path / "a.bin")):
        assert text in str(caught.value)
    assert not server.requests
    (tmp_path / "a.bin").write_bytes(DATA)
    assert download(url, tmp_path / "a.bin", SUM, offline=True) == SUM


def test_hugging_face_endpoint_and_mirror(server, tmp_path, monkeypatch):
    server.add("/hf/datasets/x/resolve/main/a.bin", DATA)
    server.add("/mirror/example.invalid/b.bin", DATA)
    monkeypatch.setenv("HF_ENDPOINT", f"{server.base}/hf")
    url = "https://huggingface.co/datasets/x/resolve/main/a.bin"
    assert download(url, tmp_path / "a.bin", SUM) == SUM
    monkeypatch.setenv("DISSECT_IQA_MIRROR", f"{server.base}/mirror/")
    assert download("https://example.invalid/b.bin", tmp_path / "b.bin", SUM) == SUM


def test_proxy_of_the_environment(server, tmp_path, monkeypatch):
    server.add("http://example.invalid/a.bin", DATA)
    monkeypatch.setenv("http_proxy", server.base)
    assert download("http://example.invalid/a.bin", tmp_path / "a.bin", SUM) == SUM


def test_only_http(tmp_path):
    with pytest.raises(UserError, match="no http or https"):
        download("file:///etc/passwd", tmp_path / "a.bin")
    with pytest.raises(UserError, match="no address"):
        download([], tmp_path / "a.bin")


def test_two_that_want_one_file_fetch_it_once(server, tmp_path):
    url = server.add("/a.bin", DATA, slow=0.002)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(download(url, tmp_path / "a.bin", SUM)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [SUM] * 3
    assert len(server.requests) == 1


def test_killed_in_the_middle_then_resumed(server, tmp_path):
    url = server.add("/a.bin", DATA, slow=0.005)
    code = f"from dissect_iqa.files.download import download; download({url!r}, 'a.bin', {SUM!r})"
    child = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    part = tmp_path / "a.bin.part"
    deadline = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size > 60_000):
        assert time.monotonic() < deadline and child.poll() is None
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (tmp_path / "a.bin").exists()
    have = part.stat().st_size
    server.resources["/a.bin"].slow = 0.0
    assert download(url, tmp_path / "a.bin", SUM) == SUM
    assert server.ranges_of("/a.bin")[-1] == f"bytes={have}-"


def test_disk_too_small(server, tmp_path, monkeypatch):
    url = server.add("/a.bin", DATA)
    usage = module.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match="GB are free"):
        download(url, tmp_path / "a.bin", SUM)


# ------------------------------------------------------------------ servers that mean no good


def test_an_endless_body_is_stopped(server, tmp_path, monkeypatch):
    url = server.add("/a.bin", DATA, length=False, endless=True)
    with pytest.raises(UserError, match="sends more than the 5,000 bytes"):
        download(url, tmp_path / "a.bin", size=5000)
    monkeypatch.setattr(module, "MOST_UNANNOUNCED", 300_000)
    with pytest.raises(UserError, match="sends more than the 300,000 bytes"):
        download(url, tmp_path / "a.bin")
    assert leftovers(tmp_path) == []
    assert len(server.requests) == 2


def test_a_body_longer_than_announced_is_taken_to_its_announced_end(server, tmp_path):
    url = server.add(
        "/a.bin", DATA, length=False, endless=True, headers={"Content-Length": "70000"}
    )
    assert download(url, tmp_path / "a.bin") == hashlib.sha256(DATA[:70_000]).hexdigest()


@pytest.mark.parametrize("length", ["-5", "abc", "1e9", "5, 7", "\u00b2", "9" * 5000, "0x10"])
def test_a_length_that_is_none(server, tmp_path, length):
    url = server.add("/a.bin", DATA, length=False, headers={"Content-Length": length})
    with pytest.raises(UserError, match=r"(?s)a\.bin can't be fetched.*(length|Length)"):
        download(url, tmp_path / "a.bin")
    assert leftovers(tmp_path) == [] and len(server.requests) == 1


def test_an_absurd_length_leaves_the_other_addresses(server, tmp_path):
    huge = server.add("/h.bin", DATA, length=False, headers={"Content-Length": "9" * 15})
    large = server.add("/l.bin", DATA, length=False, headers={"Content-Length": "9" * 12})
    good = server.add("/a.bin", DATA)
    with pytest.raises(UserError, match=r"(?s)more than any file here has.*GB are free"):
        download([huge, large], tmp_path / "a.bin")
    assert download([huge, large, good], tmp_path / "a.bin") == SUM


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("file:///etc/passwd", "no http or https address"),
        ("ftp://127.0.0.1/x", "no http or https address"),
        ("http://[", "no http or https address"),
        ("/loop", "redirects more than 10 times"),
    ],
)
def test_redirects_that_lead_astray(server, tmp_path, place, said):
    server.add("/loop", b"", redirect="/loop")
    url = server.add("/a.bin", DATA, redirect=place)
    with pytest.raises(UserError, match=said):
        download(url, tmp_path / "a.bin")
    assert leftovers(tmp_path) == []


def test_the_body_of_a_redirect_is_not_read(server, tmp_path):
    server.add("/b.bin", DATA)
    url = server.add("/a.bin", DATA, redirect="/b.bin", endless=True)
    assert download(url, tmp_path / "a.bin", SUM) == SUM


def test_redirects_that_are_fine(server, tmp_path):
    server.add("/b.bin", DATA, cut=[70_000, None])
    server.add("/two", b"", redirect=f"{server.base}/b.bin")
    url = server.add("/a.bin", b"", redirect="two")
    assert download(url, tmp_path / "a.bin") == SUM
    assert server.ranges_of("/b.bin") == [None, "bytes=70000-"]


def test_never_from_https_to_http():
    with pytest.raises(web.GiveUp, match="from https to http"):
        web._next("https://host/a", "http://host/a")
    assert web._next("http://host/a", "https://other/b") == "https://other/b"
    assert web._next("https://host/a/b", "../c") == "https://host/c"


def test_a_drip_is_too_slow_and_goes_on_later(server, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(web, "SLOW_WINDOW", 0.3)
    url = server.add("/a.bin", DATA, slow=0.05, chunk=10)
    with pytest.raises(UserError, match=r"is too slow: gave only \d+ bytes in 0 s, in each of 3"):
        download(url, tmp_path / "a.bin", SUM)
    assert len(server.requests) == module.SLOW_ATTEMPTS
    assert "gave only" in caplog.text and "trying again" in caplog.text
    have = (tmp_path / "a.bin.part").stat().st_size
    assert have > 50
    server.add("/a.bin", DATA)
    assert download(url, tmp_path / "a.bin", SUM) == SUM
    assert server.ranges_of("/a.bin")[-1] == f"bytes={have}-"


def test_an_answer_that_does_not_come(server, tmp_path, monkeypatch):
    monkeypatch.setattr(web, "ANSWER", 0.1)
    monkeypatch.setattr(module, "ATTEMPTS", 2)
    url = server.add("/a.bin", DATA, silent=0.5)
    with pytest.raises(UserError, match="no answer within 0 s"):
        download(url, tmp_path / "a.bin", SUM)


def test_the_log_says_how_far_it_is(server, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(web, "REPORT_EVERY", 0.05)
    url = server.add("/a.bin", DATA[:20_000], slow=0.02)
    with caplog.at_level("INFO"):
        download(url, tmp_path / "a.bin")
    assert re.search(r"a\.bin: 0\.0 MB came, 0\.\d\d MB/s, about 0 min to go", caplog.text)


def test_a_part_that_says_not_which(server, tmp_path):
    url = server.add("/a.bin", DATA, statuses=[206])
    with pytest.raises(UserError, match="sends a part of the file without saying which"):
        download(url, tmp_path / "a.bin")


@pytest.mark.parametrize("name", ["a.bin", "a.bin.part", "a.bin.part.json", ".a.bin.lock"])
def test_folders_and_links_in_the_way(server, tmp_path, name):
    url = server.add("/a.bin", DATA)
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match=f"{name}: is a folder, a link or a device; move it away"):
        download(url, tmp_path / "a.bin")
    (tmp_path / name).rmdir()
    if name == "a.bin":
        os.mkfifo(tmp_path / name)
    else:
        (tmp_path / "outside").write_text("mine")
        (tmp_path / name).symlink_to(tmp_path / "outside")
    with pytest.raises(UserError, match=f"{name}: is a folder, a link or a device; move it away"):
        download(url, tmp_path / "a.bin")
    assert not server.requests


@pytest.mark.parametrize("name", ["..", "", "."])
def test_names_that_are_none(server, tmp_path, name):
    url = server.add("/a.bin", DATA)
    with pytest.raises(UserError, match=r"no name for a file|is a folder"):
        download(url, f"{tmp_path}/x/{name}" if name == ".." else name)


def test_names_of_addresses():
    for url, name in (
        ("https://host/a.zip", "a.zip"),
        ("https://host/a%20b.zip?x=1#y", "a b.zip"),
        ("https://host/", "x"),
        ("https://host", "x"),
        ("https://host/..", "x"),
        ("https://host/%2e%2e", "x"),
        ("https://host/a/%2e%2e%2f", "x"),
        ("https://host/%2fetc%2fpasswd", "passwd"),
        ("https://host/..%5c..%5cevil", "evil"),
        ("https://host/a%00b%0a.zip", "ab.zip"),
        ("https://host/.hidden", "hidden"),
        ("https://host/" + "n" * 500 + ".pth", "n" * 96 + ".pth"),
    ):
        assert web.file_name(url, "x") == name, url


def test_a_disk_that_fills_up(server, tmp_path):
    url = server.add("/a.bin", DATA)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(UserError, match=r"a\.bin\.part: the disk is full .*\(50,000 bytes"):
            download(url, tmp_path / "a.bin", SUM)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert download(url, tmp_path / "a.bin", SUM) == SUM
    assert server.ranges_of("/a.bin") == [None, "bytes=50000-"]


def test_a_file_where_the_folder_should_be(server, tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(UserError, match=r"a\.bin: can't be written"):
        download(server.add("/a.bin", DATA), tmp_path / "x" / "a.bin")
