"""Archives that are damaged, hostile or too large."""

import gzip
import io
import os
import resource
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import layouts
import numpy as np
import pytest

from dissect_iqa.errors import UserError
from dissect_iqa.files import archives
from dissect_iqa.files.archives import is_archive, unpack

TREE = {"a/one.bmp": b"1" * 5000, "a/b/two.bmp": b"2" * 3000, "Part 1/three.txt": b"3"}


def tree_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def refused(tmp_path: Path, name: str, data: bytes, message: str, **options: int) -> None:
    """Check that an archive is refused and that nothing of it is left anywhere."""
    archive = write(tmp_path / name, data)
    with pytest.raises(UserError, match=message) as caught:
        unpack(archive, tmp_path / "out", **options)
    assert name in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.zip", layouts.zipped(TREE)),
        ("x.tar", layouts.tarred(TREE, mode="w")),
        ("x.tar.gz", layouts.tarred(TREE)),
        ("X.TGZ", layouts.tarred(TREE)),
        ("x.tar.bz2", layouts.tarred(TREE, mode="w:bz2")),
        ("x.txz", layouts.tarred(TREE, mode="w:xz")),
    ],
)
def test_whole_archives(tmp_path, name, data):
    archive = write(tmp_path / name, data)
    assert is_archive(archive)
    unpack(archive, tmp_path / "out")
    assert tree_of(tmp_path / "out") == TREE
    assert not any(path.name.startswith(".") for path in tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "C:\\evil", "..\\evil"])
def test_names_that_lead_out(tmp_path, name):
    refused(tmp_path, "x.zip", layouts.zipped({"a.txt": b"a", name: b"evil"}), "leads out")
    (tmp_path / "x.zip").unlink()
    refused(tmp_path, "x.tgz", layouts.tarred({"a.txt": b"a", name: b"evil"}), "leads out")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_tar(tmp_path, kind):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        member = tarfile.TarInfo("picture.bmp")
        member.type, member.linkname = kind, "/etc/passwd"
        file.addfile(member)
    refused(tmp_path, "x.tar", buffer.getvalue(), "'picture.bmp' is a link or a device")


def test_link_in_zip(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        member = zipfile.ZipInfo("picture.bmp")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(member, "/etc/passwd")
    refused(tmp_path, "x.zip", buffer.getvalue(), "is a link or a device")


def test_password(tmp_path):
    data = bytearray(layouts.zipped({"a.txt": b"a"}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    refused(tmp_path, "x.zip", bytes(data), "asks for a password")


@pytest.mark.parametrize("keep", [0.3, 0.7, 0.98])
@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tgz"])
def test_cut_short(tmp_path, name, keep):
    tree = {f"{number}.bmp": layouts.picture(number, size=(40, 40)) for number in range(6)}
    data = layouts.zipped(tree) if name == "x.zip" else None
    data = data or layouts.tarred(tree, mode="w" if name == "x.tar" else "w:gz")
    if name == "x.tar":
        data = data.rstrip(b"\0")  # a tar may lack its closing zeros
    refused(tmp_path, name, data[: int(len(data) * keep)], "damaged or cut short|is cut short")


@pytest.mark.parametrize("name", ["x.zip", "x.tgz"])
def test_flipped_byte(tmp_path, name):
    tree = {"a.bmp": layouts.picture(1, size=(60, 60))}
    data = bytearray(layouts.zipped(tree) if name == "x.zip" else layouts.tarred(tree))
    data[len(data) // 2] ^= 0x55
    refused(tmp_path, name, bytes(data), "damaged or cut short|is cut short")


def test_size_limit(tmp_path):
    bomb = {"zeros.bmp": bytes(2_000_000)}
    refused(tmp_path, "x.zip", layouts.zipped(bomb), "more than 0.0 GB", limit=1_000_000)
    (tmp_path / "x.zip").unlink()
    refused(tmp_path, "x.tgz", layouts.tarred(bomb), "more than 0.0 GB", limit=1_000_000)


def test_zip_that_understates_its_size(tmp_path):
    data = bytearray(layouts.zipped({"a.bmp": bytes(5000)}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = data.index(signature) + offset
        data[place : place + 4] = (50).to_bytes(4, "little")
    refused(tmp_path, "x.zip", bytes(data), "damaged")


def test_disk_too_small(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=0)
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: usage)
    tree = {"zeros.bmp": bytes(3_000_000)}
    refused(tmp_path, "x.zip", layouts.zipped(tree), "GB are free")


def test_same_name_twice(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        for data in (b"first", b"other"):
            member = tarfile.TarInfo("a.bmp")
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    refused(tmp_path, "x.tar", buffer.getvalue(), "holds 'a.bmp' twice")


def test_unknown_kind_and_existing_target(tmp_path):
    refused(tmp_path, "x.7z", b"7z", "unknown kind of archive")
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match="already there"):
        unpack(write(tmp_path / "x.zip", layouts.zipped(TREE)), tmp_path / "out")


# ------------------------------------------------------------------- archives made to harm


@pytest.mark.parametrize("name", ["con.bmp", "a/NUL", "aux.tar.bmp", "a\x1b[2J.bmp", "x" * 300])
def test_names_that_some_system_takes_for_something_else(tmp_path, name):
    said = "for devices|control characters|too long"
    refused(tmp_path, "x.zip", layouts.zipped({"a.txt": b"a", name: b"evil"}), said)
    (tmp_path / "x.zip").unlink()
    refused(tmp_path, "x.tgz", layouts.tarred({"a.txt": b"a", name: b"evil"}), said)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_file_that_is_a_folder_too(tmp_path, kind):
    tree = {"a": b"file", "a/b.bmp": b"in it"}
    data = layouts.zipped(tree) if kind == "zip" else layouts.tarred(tree, mode="w")
    refused(tmp_path, f"x.{kind}", data, "twice in one folder")


def test_too_many_members(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_MEMBERS", 2)
    refused(tmp_path, "x.zip", layouts.zipped(TREE), "more than 2 files")
    (tmp_path / "x.zip").unlink()
    refused(tmp_path, "x.tgz", layouts.tarred(TREE), "more than 2 files")


def tar_header(**facts: object) -> bytes:
    info = tarfile.TarInfo("picture.bmp")
    for name, value in facts.items():
        setattr(info, name, value)
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (tar_header(type=tarfile.XHDTYPE, size=2 * 10**9) + bytes(4096), "declares 2000000000"),
        (tar_header(type=tarfile.XGLTYPE, size=2 * 10**9) + bytes(4096), "declares 2000000000"),
        (tar_header(type=b"L", size=2 * 10**9) + bytes(4096), "declares 2000000000"),
        (tar_header(size=-512) + bytes(4096), "damaged or cut short"),
        (tar_header(size=10**12) + bytes(4096), "more than 1.0 GB"),
        (tar_header(type=tarfile.GNUTYPE_SPARSE) + bytes(4096), "link or a device|damaged"),
        (tar_header() + b"x" * 512 + bytes(4096), "damaged or cut short"),
        (tar_header() + tar_header(name="b")[:300], "damaged or cut short"),
        (tar_header(type=tarfile.XHDTYPE) * 3000, "damaged or cut short"),
    ],
)
def test_tar_headers_made_to_harm(tmp_path, data, said):
    refused(tmp_path, "x.tar", data, said)


def test_a_tar_that_unpacks_to_headers_without_end(tmp_path):
    data = gzip.compress(tar_header(type=tarfile.DIRTYPE) * 20_000, 1)
    refused(tmp_path, "x.tgz", data, "more than 0.0 GB", limit=1_000_000)
    (tmp_path / "x.tgz").unlink()
    data = gzip.compress(tar_header() + bytes(20_000_000), 1)
    refused(tmp_path, "x.tgz", data, "more than 0.0 GB", limit=1_000_000)


def test_a_zip_whose_members_overlap(tmp_path):
    """Many entries of one packed member: the sizes that they declare count, each of them."""
    content = layouts.zipped({"a.bmp": bytes(100_000)})
    end = content.rindex(b"PK\x05\x06")
    start = content.index(b"PK\x01\x02")
    entry = content[start:end]
    many = b"".join(entry.replace(b"a.bmp", b"%05d" % number) for number in range(500))
    counts = (500).to_bytes(2, "little") * 2 + len(many).to_bytes(4, "little")
    data = content[:start] + many + content[end : end + 8] + counts + content[end + 16 :]
    refused(tmp_path, "x.zip", data, "more than 0.0 GB", limit=10_000_000)


@pytest.mark.parametrize("name", ["x.zip", "x.tgz", "x.tar", "x.tar.xz", "x.tar.bz2"])
def test_no_damage_ends_in_a_traceback(tmp_path, name):
    """Flipped, cut and overwritten at random places: one sentence, or the very same pictures."""
    tree = {f"{number}.bmp": layouts.picture(number, size=(20, 20)) for number in range(3)}
    mode = {"x.tar": "w", "x.tar.xz": "w:xz", "x.tar.bz2": "w:bz2"}.get(name, "w:gz")
    data = layouts.zipped(tree) if name == "x.zip" else layouts.tarred(tree, mode=mode)
    rng = np.random.default_rng(0)
    refusals = 0
    for trial in range(150):
        changed = bytearray(data)
        place = int(rng.integers(len(data)))
        if trial % 3 == 0:
            changed = changed[:place]
        else:
            changed[place : place + 4] = rng.bytes(1 if trial % 3 == 1 else 4)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        try:
            unpack(write(tmp_path / name, bytes(changed)), tmp_path / "out", limit=10**7)
        except UserError as error:
            refusals += 1
            assert name in str(error) and "\n" not in str(error)
    assert refusals > 50


def test_an_archive_that_is_a_folder_or_a_pipe(tmp_path):
    (tmp_path / "x.zip").mkdir()
    os.mkfifo(tmp_path / "x.tar")
    for name in ("x.zip", "x.tar", "x.tgz"):
        with pytest.raises(UserError, match="no such file, or it is no regular one"):
            unpack(tmp_path / name, tmp_path / "out")


def test_a_disk_that_fills_up(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    data = layouts.zipped({"a.bmp": bytes(300_000)})
    archive = write(tmp_path / "x.zip", data)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(UserError, match=r"x\.zip: can't be unpacked: the disk is full"):
            unpack(archive, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


# ----------------------------------------------------------------------------- rar


def install_tool(folder: Path, body: str) -> None:
    """Put a program called bsdtar into `folder`; `archive` and `target` are its arguments."""
    script = folder / "bsdtar"
    script.write_text(
        f"#!{sys.executable}\n"
        "import os, sys, time\nfrom pathlib import Path\n"
        "archive, target = Path(sys.argv[3]), Path(sys.argv[5])\n" + body
    )
    script.chmod(0o755)


@pytest.fixture
def tools(tmp_path, monkeypatch) -> Path:
    """Return a folder that is all there is on the path."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_rar_without_a_tool_names_the_packages(tools, tmp_path):
    archive = write(tmp_path / "x.rar", layouts.rarred(TREE))
    with pytest.raises(UserError, match="unar, unrar, 7zip-rar or libarchive-tools"):
        unpack(archive, tmp_path / "out")


def test_rar_by_a_tool(tools, tmp_path):
    install_tool(tools, "(target / 'a.bmp').write_bytes(archive.read_bytes())")
    content = layouts.rarred(TREE)
    unpack(write(tmp_path / "x.rar", content), tmp_path / "out")
    assert tree_of(tmp_path / "out") == {"a.bmp": content}


def test_rar_tool_that_fails_or_makes_a_link(tools, tmp_path):
    archive = write(tmp_path / "x.rar", layouts.rarred(TREE))
    install_tool(tools, "sys.exit('no rar here')")
    with pytest.raises(UserError, match="bsdtar: no rar here"):
        unpack(archive, tmp_path / "out")
    install_tool(tools, "(target / 'a.bmp').symlink_to('/etc/passwd')")
    with pytest.raises(UserError, match=r"'a\.bmp' is a link"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_rar_that_grows_too_large_is_stopped(tools, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_WATCH_EVERY", 0.05)
    install_tool(
        tools,
        "with (target / 'a.bmp').open('wb') as file:\n"
        "    while True:\n"
        "        file.write(bytes(100_000)); file.flush(); time.sleep(0.01)\n",
    )
    with pytest.raises(UserError, match="unpacks to more than"):
        unpack(write(tmp_path / "x.rar", layouts.rarred(TREE)), tmp_path / "out", limit=500_000)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../evil.txt", "a/../../evil.txt", "/tmp/evil.txt"])
def test_rar_that_leads_out_never_reaches_a_tool(tools, tmp_path, name):
    install_tool(tools, "(target / 'a.bmp').write_bytes(b'')")
    with pytest.raises(UserError, match="leads out of the folder"):
        unpack(write(tmp_path / "x.rar", layouts.rarred({name: b"evil"})), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_rar_that_says_it_is_too_large_never_reaches_a_tool(tools, tmp_path):
    install_tool(tools, "(target / 'a.bmp').write_bytes(b'')")
    with pytest.raises(UserError, match="unpacks to more than"):
        unpack(write(tmp_path / "x.rar", layouts.rarred(TREE)), tmp_path / "out", limit=8000)


@pytest.mark.parametrize("content", [b"", b"no archive at all"])
def test_rar_that_is_none(tools, tmp_path, content):
    install_tool(tools, "(target / 'a.bmp').write_bytes(b'')")
    with pytest.raises(UserError, match=r"x\.rar: can't be unpacked"):
        unpack(write(tmp_path / "x.rar", content), tmp_path / "out")


@pytest.mark.parametrize("tool", archives._RAR_TOOLS)
def test_real_rar(tmp_path, monkeypatch, tool):
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    monkeypatch.setattr(archives, "_RAR_TOOLS", {tool: archives._RAR_TOOLS[tool]})
    archive = write(tmp_path / "x.rar", layouts.rarred(TREE))
    if tool.startswith("7z") and subprocess.run([tool, "l", archive], check=False).returncode:
        pytest.skip(f"this {tool} comes without rar")
    unpack(archive, tmp_path / "out")
    assert tree_of(tmp_path / "out") == TREE
    with pytest.raises(UserError, match="can't be unpacked"):
        unpack(write(tmp_path / "y.rar", layouts.rarred(TREE)[:6000]), tmp_path / "other")
