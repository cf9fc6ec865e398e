"""Open the files that users name, and nothing else: a pipe or a device would wait for ever."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: Path | str) -> BinaryIO:
    """Open a regular file, or a link to one, for reading bytes; never waits.

    Raises
    ------
    OSError
        If it isn't there, may not be read, or is a folder, pipe, socket or device; `strerror` is
        the sentence without the path.
    """
    _check(Path(path).stat(), path)  # before it is opened: opening a device can do things
    # what is swapped for a pipe in between doesn't block either
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _check(os.fstat(descriptor), path)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path: Path | str, at_most: int | None = None) -> bytes:
    """Return the content of a regular file.

    Parameters
    ----------
    path : path
        The file.
    at_most : int, optional
        Bytes that it may have.

    Raises
    ------
    OSError
        As `open_regular`; also if it is larger.
    """
    with open_regular(path) as file:
        if at_most is not None and (size := os.fstat(file.fileno()).st_size) > at_most:
            raise OSError(
                errno.EFBIG, f"has {size:,} bytes, more than the {at_most:,} that are read", path
            )
        return file.read()


def _check(status: os.stat_result, path: Path | str) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    kind = next((name for test, name in _KINDS if test(status.st_mode)), "something else")
    raise OSError(errno.EINVAL, f"is {kind}, not a file", path)
