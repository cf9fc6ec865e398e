"""Unpack zip, tar and rar archives that may be hostile or damaged."""

import bz2
import gzip
import lzma
import os
import shutil
import stat
import struct
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import rarfile
from tqdm import tqdm

from dissect_iqa.errors import DamagedFile, UserError
from dissect_iqa.files.writing import explain_write

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
#: Most files in one archive: four times as many as the largest known data set has.
MOST_MEMBERS = 2_000_000
#: Most bytes of a tar header that only lengthens a name or adds facts to a member.
_MOST_HEADER = 1 << 20
_HEADERS = frozenset((*tarfile.GNU_TYPES[:2], tarfile.XHDTYPE, tarfile.XGLTYPE, b"X"))
#: What other systems take for a device, whatever the ending.
_RESERVED = frozenset(
    ("CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10)))
)
#: What the readers of archives raise for one that is damaged or made to harm.
_HARM = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    rarfile.Error,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    RuntimeError,  # also nested too deeply, and what is not implemented
    ValueError,
)
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
    partial = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with reading(archive):
            limit = limit or size_limit(archive)
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


def size_limit(archive: Path) -> int:
    """Return how many bytes may come out of an archive of this size."""
    return 50 * archive.stat().st_size + 10**9


@contextmanager
def reading(archive: Path) -> Iterator[None]:
    """Turn whatever a bad archive or a full disk makes the block raise into one sentence.

    Raises
    ------
    DamagedFile
        If the archive's content is at fault.
    UserError
        If it isn't a regular file, can't be opened, or what comes out can't be written.
    """
    if not archive.is_file():
        raise UserError(f"{archive}: can't be unpacked (no such file, or it is no regular one)")
    try:
        with archive.open("rb"):
            pass
    except OSError as error:
        raise UserError(f"{archive}: can't be read ({error.strerror})") from error
    try:
        yield
    except OSError as error:
        if error.errno is None:  # bz2 and gzip report bad data so
            raise _damaged(archive, error) from error
        raise UserError(f"{archive}: can't be unpacked: {explain_write(error)}") from error
    except _HARM as error:
        raise _damaged(archive, error) from error


#: Headers at which tarfile ends as if nothing followed; its names for them are its own.
_TAR: Any = tarfile
_BROKEN = (_TAR.InvalidHeaderError, _TAR.TruncatedHeaderError)


class _Header(tarfile.TarInfo):
    """A member's header; refuses what tarfile reads into memory whole, or takes for the end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        """Read one block of 512 bytes."""
        try:
            info = super().frombuf(buf, encoding, errors)
        except _BROKEN as error:
            raise tarfile.ReadError(str(error)) from error
        if info.size < 0 or (info.type in _HEADERS and info.size > _MOST_HEADER):
            raise tarfile.ReadError(f"a header that declares {info.size} bytes")
        return info


@contextmanager
def open_tar(archive: Path) -> Iterator[tuple[tarfile.TarFile, BinaryIO]]:
    """Open a tar file, compressed or not, to be read once from its beginning to its end.

    Yields
    ------
    TarFile
        Iterate over it; members and headers take bounded memory.
    BinaryIO
        The unpacked stream beneath it.

    Raises
    ------
    UserError
        See `reading`.
    """
    with (
        reading(archive),
        _decompressed(archive) as stream,
        tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header) as file,
    ):
        yield file, stream


def _damaged(archive: Path, error: BaseException) -> DamagedFile:
    return DamagedFile(
        f"{archive}: can't be unpacked, damaged or cut short ({error or type(error).__name__}); "
        "fetch it again"
    )


def _unpack_zip(archive: Path, target: Path, limit: int) -> None:
    with zipfile.ZipFile(archive) as file:
        members = [member for member in file.infolist() if not member.is_dir()]
        _check_count(archive, len(members))
        for member in members:
            mode = member.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                raise UserError(f"{archive}: {member.filename!r} is a link or a device")
            if member.flag_bits & 1:
                raise UserError(
                    f"{archive}: asks for a password; unpack it by hand and set 'folder'"
                )
            _inside(archive, target, member.filename)
        _check_size(archive, sum(member.file_size for member in members), target, limit)
        with _bar(archive, sum(member.file_size for member in members)) as bar:
            for member in members:
                path = _inside(archive, target, member.filename)
                with file.open(member) as source:
                    _write(archive, source, path, member.file_size, bar)


def _unpack_tar(archive: Path, target: Path, limit: int) -> None:
    """Unpack in one pass, and read the compressed stream to its end, where its checksum is."""
    total = count = 0
    with open_tar(archive) as (file, stream), _bar(archive, None) as bar:
        for member in file:
            file.members = []  # type: ignore[attr-defined]  # or tarfile keeps every header
            count += 1
            total += tarfile.BLOCKSIZE
            _check_count(archive, count)
            if total > limit:
                raise _too_large(archive, limit)
            if member.isdir():
                continue
            if not member.isfile() or member.issparse():
                raise UserError(f"{archive}: {member.name!r} is a link or a device")
            total += member.size
            _check_size(archive, total, target, limit)
            source = file.extractfile(member)
            assert source is not None
            path = _inside(archive, target, member.name)
            _write(archive, source, path, member.size, bar)
        while chunk := stream.read(_CHUNK):
            total += len(chunk)
            if total > limit:
                raise _too_large(archive, limit)


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
    except (*_HARM, OSError) as error:
        raise DamagedFile(
            f"{archive}: can't be unpacked ({error}). Damaged? Fetch it again"
        ) from error
    _check_count(archive, len(members))
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
    return target / check_name(archive, name)


def check_name(archive: Path, name: str) -> PurePosixPath:
    """Return a member's name as a relative path that stays where it is put, on any system.

    Raises
    ------
    UserError
        If it is empty, absolute or climbs out, has control characters or a part that is too long,
        or is one that some systems keep for devices.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    parts = path.parts
    if not parts or path.is_absolute() or ".." in parts or ":" in parts[0] or "\0" in name:
        raise UserError(f"{archive}: {name[:200]!r} leads out of the folder it is unpacked into")
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        raise UserError(f"{archive}: {name[:200]!r} has control characters in its name")
    if any(part.partition(".")[0].strip().upper() in _RESERVED for part in parts):
        raise UserError(f"{archive}: {name[:200]!r} is a name that some systems keep for devices")
    if any(len(os.fsencode(part)) > 255 for part in parts) or len(os.fsencode(name)) > 2000:
        raise UserError(f"{archive}: {name[:40]!r}... is too long a name for a file")
    return path


def _check_count(archive: Path, count: int) -> None:
    if count > MOST_MEMBERS:
        raise UserError(f"{archive}: holds more than {MOST_MEMBERS:,} files; no data set does")


def _write(archive: Path, source: object, path: Path, size: int, bar: tqdm) -> None:
    """Copy a member; tarfile and zipfile give no more bytes than it says it has."""
    written = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            while chunk := source.read(_CHUNK):  # type: ignore[attr-defined]
                written += len(chunk)
                file.write(chunk)
                bar.update(len(chunk))
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise UserError(f"{archive}: holds {path.name!r} twice in one folder") from None
    if written != size:
        raise DamagedFile(f"{archive}: {path.name!r} is cut short; fetch the archive again")


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
