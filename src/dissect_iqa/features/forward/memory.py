"""Keep the memory of one batch for the next."""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

#: Parameters of mallopt, from glibc's malloc.h, with their usual values.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_USUAL = {_TRIM_THRESHOLD: 128 * 1024, _MMAP_MAX: 65536}


@contextmanager
def kept_memory() -> Iterator[None]:
    """Don't give freed memory back to the system while the block runs.

    glibc takes every tensor of more than 32 MB fresh from the system, which clears it page by
    page; for the early layers of a network that is a quarter of the time of a forward pass.
    Where there is no glibc nothing happens.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, -1)
    try:
        yield
    finally:
        for parameter, value in _USUAL.items():
            libc.mallopt(parameter, value)
        libc.malloc_trim(0)
