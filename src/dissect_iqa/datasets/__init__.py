"""The data sets: where they come from, how they are read, and what is made of them.

What fetches and unpacks them is loaded when first asked for: every job reads a table, few fetch.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "KINDS": "registry",
    "Dataset": "tables",
    "DatasetEntry": "entry",
    "datasets_status": "status",
    "index_folder": "base",
    "kinds_table": "status",
    "prepare_dataset": "prepare",
    "read_dataset": "tables",
    "read_datasets": "registry",
    "verify_dataset": "status",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
