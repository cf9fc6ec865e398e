"""HDF5 files that may be made to harm: what is declared is compared with what is there.

A data set of terabytes takes a hundred bytes of a file, and may be read from any other file of
the machine; a link may lead to any other file, too.
"""

import h5py

#: Most bytes that a file's numbers may take in memory for each of its own, and in any case.
_RATIO, _ALWAYS = 20, 64 << 20


def most_bytes(size: int) -> int:
    """Return how many bytes a file of `size` bytes may unpack to."""
    return _RATIO * size + _ALWAYS


def require_numbers(dataset: h5py.Dataset, size: int, packed: bool = True) -> None:
    """Check, before a byte of it is read, that a data set is plain and holds what it declares.

    Parameters
    ----------
    dataset : Dataset
        Of numbers, or of texts of a fixed length.
    size : int
        Of the file, in bytes.
    packed : bool
        Whether it may be compressed; if not, each of its bytes must be in the file.

    Raises
    ------
    OSError
        If it is virtual, lies in other files, isn't of a plain type, or declares more than the
        file can hold.
    """
    name = dataset.name
    if dataset.is_virtual or dataset.external:
        raise OSError(f"{name!r} takes its content from other files")
    if dataset.dtype.kind not in "fiubS":
        raise OSError(f"{name!r} holds {dataset.dtype} instead of numbers")
    stored = dataset.id.get_storage_size()
    most = most_bytes(size) if packed else min(stored, size)
    if dataset.nbytes > most or (dataset.nbytes and not stored):
        raise OSError(f"{name!r} declares {dataset.nbytes:,} bytes and holds {stored:,}")


def require_plain(group: h5py.Group, size: int, depth: int = 4) -> int:
    """Check everything below a group: part of this file, of few levels, no byte that isn't there.

    Parameters
    ----------
    group : Group
        The file itself, to begin with.
    size : int
        Of the file, in bytes.
    depth : int
        Most levels of groups.

    Returns
    -------
    int
        Bytes of all data sets.

    Raises
    ------
    OSError
        If a link leads elsewhere, groups are nested too deeply, or data sets are not plain or
        declare more than the file has, each or together; see `require_numbers`.
    """
    total = 0
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise OSError(f"{name!r} is a link to another place")
        item = group[name]
        if isinstance(item, h5py.Group):
            if not depth:
                raise OSError(f"{name!r} is nested too deeply")
            total += require_plain(item, size, depth - 1)
        elif isinstance(item, h5py.Dataset):
            require_numbers(item, size, packed=False)
            total += item.nbytes
        if total > size:
            raise OSError(f"declares {total:,} bytes or more and has {size:,}")
    return total
