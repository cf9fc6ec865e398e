"""Unpack zip, tar and rar archives that may be hostile or damaged."""

import bz2
import gzip
import lzma
import os
import shutil
import stat
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import rarfile
from tqdm import tqdm

from dissect_iqa.errors import UserError

_TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
#: Tools that unpack rar: (archive, target) -> command. The last doesn't check every checksum.
_RAR_TOOLS = {
    "unar": lambda archive, target: ["unar", "-q", "-D", "-f", "-o", target, archive],
    "unrar": lambda archive, target: ["unrar", "x", "-y", "-inul", archive, f"{target}/"],
    "7zz": lambda archive, target: ["7zz", "x", "-y", "-bd", f"-o{target}", archive],
    "7z": lambda archive, target: ["7z", "x", "-y", "-bd", f"-o{target}", archive],
    "bsdtar": lambda archive, target: ["bsdtar", "-x", "-f", archive, "-C", target],
}
_COMPRESSIONS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
}
_CHUNK = 1 << 20
#: Seconds between two looks at what an outside tool has written.
_WATCH_EVERY = 1.0


def is_archive(path: Path) -> bool:
    """Tell from its name whether a file is an archive that `unpack` can open."""
    return path.name.lower().endswith((*_TAR_ENDINGS, ".zip", ".rar"))


def unpack(archive: Path, target: Path, limit: int | None = None) -> None:
    """Unpack an archive into a new folder.

    Nothing is written outside `target`: names that are absolute or climb out with "..", links,
    devices and encrypted members are refused. The folder appears under its name only when the
    whole archive has been unpacked and its checksums are right.

    Parameters
    ----------
    archive : Path
        A zip, tar (plain, gz, bz2, xz) or rar file.
    target : Path
        Folder to make; must not exist.
    limit : int, optional
        Most bytes that may come out; default: fifty times the archive's size and 1 GB.

    Raises
    ------
    UserError
        Naming the archive, the member and what is wrong with it.
    """
    if target.exists():
        raise UserError(f"{target}: is already there; {archive.name} can't be unpacked into it")
    limit = limit or 50 * archive.stat().st_size + 10**9
    partial = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        name = archive.name.lower()
        if name.endswith(".zip"):
            _unpack_zip(archive, partial, limit)
        elif name.endswith(_TAR_ENDINGS):
            _unpack_tar(archive, partial, limit)
        elif name.endswith(".rar"):
            _unpack_rar(archive, partial, limit)
        else:
            raise UserError(
                f"{archive}: unknown kind of archive; use zip, tar(.gz, .bz2, .xz), rar"
            )
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _damaged(archive: Path, error: Exception) -> UserError:
    return UserError(
        f"{archive}: damaged or cut short ({error or type(error).__name__}); fetch it again"
    )


def _unpack_zip(archive: Path, target: Path, limit: int) -> None:
    try:
        with zipfile.ZipFile(archive) as file:
            members = [member for member in file.infolist() if not member.is_dir()]
            for member in members:
                mode = member.external_attr >> 16
                if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                    raise UserError(f"{archive}: {member.filename!r} is a link or a device")
                if member.flag_bits & 1:
                    raise UserError(
                        f"{archive}: asks for a password; unpack it by hand and set 'folder'"
                    )
            _check_size(archive, sum(member.file_size for member in members), target, limit)
            with _bar(archive, sum(member.file_size for member in members)) as bar:
                for member in members:
                    path = _inside(archive, target, member.filename)
                    with file.open(member) as source:
                        _write(archive, source, path, member.file_size, bar)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise _damaged(archive, error) from error


def _unpack_tar(archive: Path, target: Path, limit: int) -> None:
    """Unpack in one pass, and read the compressed stream to its end, where its checksum is."""
    try:
        total = 0
        with (
            _decompressed(archive) as stream,
            tarfile.open(fileobj=stream, mode="r|") as file,
            _bar(archive, None) as bar,
        ):
            for member in file:
                if member.isdir():
                    continue
                if not member.isfile():
                    raise UserError(f"{archive}: {member.name!r} is a link or a device")
                total += member.size
                _check_size(archive, total, target, limit)
                source = file.extractfile(member)
                assert source is not None
                path = _inside(archive, target, member.name)
                _write(archive, source, path, member.size, bar)
            while stream.read(_CHUNK):
                pass
    except (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError) as error:
        raise _damaged(archive, error) from error
    except OSError as error:
        if error.errno is None:  # bz2 and gzip report bad data so
            raise _damaged(archive, error) from error
        raise


def _decompressed(archive: Path) -> BinaryIO:
    """Open a tar file by what it is, whatever its name says."""
    with archive.open("rb") as file:
        start = file.read(6)
    for magic, opener in _COMPRESSIONS.items():
        if start.startswith(magic):
            return opener(archive, "rb")
    return archive.open("rb")


def _unpack_rar(archive: Path, target: Path, limit: int) -> None:
    """Try the tools that are installed; some builds of 7-Zip, for one, come without rar."""
    tools = [name for name in _RAR_TOOLS if shutil.which(name)]
    if not tools:
        raise UserError(
            f"{archive}: no tool that unpacks rar is installed. Install one of the packages "
            "unar, unrar, 7zip-rar or libarchive-tools, or unpack the archive elsewhere "
            "and set 'folder'"
        )
    _check_rar_members(archive, target, limit)
    failures = []
    for tool in tools:
        failure = _run_rar_tool(tool, archive, target, limit)
        if failure is None:
            _check_tree(archive, target)
            return
        failures.append(f"{tool}: {failure}")
        shutil.rmtree(target)
        target.mkdir()
    raise UserError(
        f"{archive}: can't be unpacked ({'; '.join(failures)}). Damaged? Fetch it again"
    )


def _check_rar_members(archive: Path, target: Path, limit: int) -> None:
    """Refuse what a tool might unpack to where it shouldn't: not every one of them cares."""
    try:
        with rarfile.RarFile(archive) as listing:
            members = listing.infolist()
    except (rarfile.Error, OSError) as error:
        raise UserError(
            f"{archive}: can't be unpacked ({error}). Damaged? Fetch it again"
        ) from error
    for member in members:
        _inside(archive, target, member.filename)
        if member.is_symlink():
            raise UserError(f"{archive}: {member.filename!r} is a link or a device")
    if sum(member.file_size or 0 for member in members) > limit:
        raise _too_large(archive, limit)


def _run_rar_tool(tool: str, archive: Path, target: Path, limit: int) -> str | None:
    """Run one tool, watching how much comes out; return what went wrong, or None.

    Raises
    ------
    UserError
        If more than `limit` bytes come out.
    """
    command = _RAR_TOOLS[tool](str(archive.resolve()), str(target.resolve()))
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        while True:
            try:
                _, errors = process.communicate(timeout=_WATCH_EVERY)
                break
            except subprocess.TimeoutExpired:
                if _tree_size(target) > limit:
                    process.kill()
    if _tree_size(target) > limit:
        raise _too_large(archive, limit)
    if process.returncode:
        return errors.decode(errors="replace").strip()[-300:] or f"status {process.returncode}"
    return None


def _inside(archive: Path, target: Path, name: str) -> Path:
    """Return where a member goes.

    Raises
    ------
    UserError
        If that isn't inside `target`.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0] or "\0" in name:
        raise UserError(f"{archive}: {name!r} leads out of the folder it is unpacked into")
    return target / path


def _write(archive: Path, source: object, path: Path, size: int, bar: tqdm) -> None:
    """Copy a member; tarfile and zipfile give no more bytes than it says it has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    try:
        with path.open("xb") as file:
            while chunk := source.read(_CHUNK):  # type: ignore[attr-defined]
                written += len(chunk)
                file.write(chunk)
                bar.update(len(chunk))
    except FileExistsError:
        raise UserError(f"{archive}: holds {path.name!r} twice in one folder") from None
    if written != size:
        raise UserError(f"{archive}: {path.name!r} is cut short; fetch the archive again")


def _check_size(archive: Path, size: int, target: Path, limit: int) -> None:
    if size > limit:
        raise _too_large(archive, limit)
    free = shutil.disk_usage(target).free
    if size > free + _CHUNK and not any(target.iterdir()):
        raise UserError(
            f"{archive}: needs {size / 1e9:.2f} GB, but only {free / 1e9:.2f} GB are free in "
            f"{target.parent}"
        )


def _too_large(archive: Path, limit: int) -> UserError:
    return UserError(
        f"{archive}: unpacks to more than {limit / 1e9:.1f} GB, which no data set of this "
        "archive's size should; unpack it by hand and set 'folder' if you trust it"
    )


def _bar(archive: Path, total: int | None) -> tqdm:
    return tqdm(
        desc=f"unpacking {archive.name}",
        total=total,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        disable=None,
    )


def _walk(folder: Path) -> Iterable[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            yield entry
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path))


def _tree_size(folder: Path) -> int:
    """Return the bytes below a folder that another process may be writing to."""
    total = 0
    for entry in _walk(folder):
        try:
            total += entry.stat(follow_symlinks=False).st_size
        except FileNotFoundError:  # renamed by the tool meanwhile
            continue
    return total


def _check_tree(archive: Path, target: Path) -> None:
    """Refuse what an outside tool should not have made."""
    for entry in _walk(target):
        if not (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)):
            raise UserError(f"{archive}: {entry.name!r} is a link or a device")
