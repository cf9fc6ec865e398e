"""What every writer of files shares: an error that names the file, the bytes and the cure."""

import errno
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dissect_iqa.errors import UserError

#: A full disk, a reached quota, a limit on the size of one file.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
#: How libraries that swallow the number write it: "os error 28", "errno = 28", "[errno 28]".
_IN_TEXT = re.compile(r"\b(?:os error|errno(?: =)?) (\d{1,3})\b", re.IGNORECASE)


def is_full(error: BaseException) -> bool:
    """Tell whether an error, of whatever library, means that no more bytes can be written."""
    return _number(error) in _FULL


@contextmanager
def saying_where(
    path: Path | str, temporary: Path | None = None, then: str = "make room and run again"
) -> Iterator[None]:
    """Turn an error of writing in the block into a `UserError` that names the file and the cure.

    Parameters
    ----------
    path : path
        The file that the user knows.
    temporary : path, optional
        What the block really writes to, if that is another; its size tells how far it got.
    then : str
        What to do about a full disk.

    Raises
    ------
    UserError
        For every `OSError` that isn't about another file, and for a full disk whatever the
        exception a library makes of it.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not (is_full(error) or _is_about(error, Path(path), temporary)):
            raise
        raise UserError(f"{path}: {explain_write(error, temporary or Path(path), then)}") from error


def explain_write(
    error: BaseException, written: Path | None = None, then: str = "make room and run again"
) -> str:
    """Say in a few words why something couldn't be written and what to do.

    Parameters
    ----------
    error : BaseException
        What was raised.
    written : path, optional
        The file that was being written; its size and the free bytes beside it are told.
    then : str
        What to do about a full disk.
    """
    if is_full(error):
        told = f" ({_room(written)})" if written else ""
        return f"the disk is full or a quota is reached; {then}{told}"
    if _number(error) in _DENIED:
        reason = error.strerror if isinstance(error, OSError) else error
        return f"can't be written ({reason}); choose a folder you may write to"
    if not (isinstance(error, OSError) and error.strerror):
        return f"can't be written ({error})"
    other = error.filename if str(error.filename) != str(written) else None
    return f"can't be written ({error.strerror}{f': {other}' if other else ''})"


def _room(written: Path) -> str:
    size = written.stat().st_size if written.is_file() else 0
    folder = next(item for item in written.absolute().parents if item.is_dir())
    free = shutil.disk_usage(folder).free
    return f"{size:,} bytes were written, {free:,} bytes are free in {written.parent}"


def _number(error: BaseException) -> int | None:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = _IN_TEXT.search(str(error))
    return int(found[1]) if found else None


def _is_about(error: Exception, path: Path, temporary: Path | None) -> bool:
    """Tell whether an error is one of the system's about this file, not one the block reads."""
    if not isinstance(error, OSError):
        return False
    named = {str(item) for item in (error.filename, error.filename2) if item is not None}
    own = {str(item) for item in (path, temporary, path.parent) if item is not None}
    return not named or bool(named & own)
