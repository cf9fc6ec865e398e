"""Archives that are damaged, hostile or too large."""

import io
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import layouts
import pytest

from dissect_iqa import archives
from dissect_iqa.archives import is_archive, unpack
from dissect_iqa.errors import UserError

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
