"""Tell everything that is wrong with a feature cache, not only the first thing."""

from pathlib import Path

import h5py

from dissect_iqa.errors import UserError
from dissect_iqa.features.file.layout import Hashing, get, row_blocks
from dissect_iqa.features.file.read import bad_rows, open_cache


def verify_cache(path: Path | str, expect_spec: str | None = None) -> list[str]:
    """Check every byte of a cache.

    Parameters
    ----------
    path : path
        The file.
    expect_spec : str, optional
        The canonical spec it must have been made from.

    Returns
    -------
    list of str
        One sentence a fault, naming layer, statistic and rows; empty if all is well.
    """
    try:
        with open_cache(path, expect_spec):
            pass
        with h5py.File(path, "r", locking=False) as file:
            faults: list[str] = []
            for group in file["layers"].values():
                faults += _layer_faults(group)
    except UserError as error:
        return [str(error)]
    except Exception as error:  # a file of unknown origin can fail in any way
        return [f"{path}: damaged ({error})"]
    return [f"{path}: {fault}" for fault in faults]


def _layer_faults(group: h5py.Group) -> list[str]:
    layer = get(group.attrs, "name")
    faults = []
    for name, dataset in group.items():
        with Hashing() as digest:
            try:
                for rows in row_blocks(dataset):
                    digest.update(dataset[rows].data)
            except OSError:
                faults.append(f"layer {layer!r}, {name}: {', '.join(bad_rows(dataset))}")
                continue
            if digest.hexdigest() != get(dataset.attrs, "sha256"):
                faults.append(
                    f"layer {layer!r}, {name}: all rows (content doesn't match its sha256)"
                )
    return faults
