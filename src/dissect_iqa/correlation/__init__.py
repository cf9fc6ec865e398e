"""Agreement with people's opinions: correlations, their intervals, comparisons and ceilings.

The functions load their libraries when first asked for, so that reading a configuration, which
needs the settings only, stays fast.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "correlate": "layers",
    "summarise": "summary",
    "compare": "comparison",
    "only": "comparison",
    "common_distance": "summary",
    "noise_ceiling": "ceiling",
    "check_published": "golden",
    "StatisticsSettings": "settings",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
