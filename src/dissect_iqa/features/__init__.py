"""Read networks layer by layer and keep what distances need: channel statistics, in one file."""

from typing import Any

_HOME = {
    "extract_features": "extract",
    "open_cache": "cache",
    "verify_cache": "verify",
    "FeatureCache": "cache",
    "open_features": "raw",
    "picture_input": "inputs",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import the module behind a public name when it is first used; torch and h5py are slow."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
