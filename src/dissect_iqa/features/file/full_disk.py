"""A file that survives a full disk long enough to be closed."""

from pathlib import Path
from types import TracebackType
from typing import Any


class SteadyFile:
    """What h5py writes through, so that HDF5 never meets an error.

    HDF5 can't close a file whose last writes failed, and crashes when Python ends. Here the
    first error is remembered, later writes go nowhere, and the error is raised when the block
    ends; HDF5 must be closed by then.

    Parameters
    ----------
    path : Path
        To be created.
    """

    def __init__(self, path: Path):
        self._file = path.open("w+b", buffering=0)
        self.error: OSError | None = None

    def __enter__(self) -> "SteadyFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        if kind is None:
            self.check()

    def check(self) -> None:
        """Raise the error that a write met, if any did."""
        if self.error is not None:
            raise self.error

    def write(self, data: Any) -> int:
        """Write everything, or remember why not."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while self.error is None and len(rest):
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Set the size, or remember why not."""
        try:
            if self.error is None:
                self._file.truncate(size)
        except OSError as error:
            self.error = error
        return self._file.tell() if size is None else size

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer; see `io.RawIOBase`."""
        return self._file.readinto(buffer) or 0

    def read(self, size: int = -1) -> bytes:
        """Read bytes; see `io.RawIOBase`."""
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move; see `io.RawIOBase`."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position; see `io.RawIOBase`."""
        return self._file.tell()

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""
