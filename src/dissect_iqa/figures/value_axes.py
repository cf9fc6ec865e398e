"""Axes of values: their limits, grid and zero line."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from dissect_iqa.figures import style


def value_limits(frames: list[pd.DataFrame], ceiling: float | None) -> tuple[float, float]:
    """Return limits that hold all values and intervals of the frames, and the ceiling."""
    numbers = np.concatenate(
        [frame[name].to_numpy(dtype=float) for frame in frames for name in ("value", "low", "high")]
        + [np.array([np.nan if ceiling is None else ceiling])]
    )
    numbers = numbers[np.isfinite(numbers)]
    margin = 0.03 * max(np.ptp(numbers), 0.1)
    return max(numbers.min() - margin, -1.02), min(numbers.max() + margin, 1.02)


def finish_value_axis(axes: Axes, limits: tuple[float, float]) -> None:
    """Give a horizontal axis of values its limits, light vertical grid and zero line."""
    axes.set_xlim(*limits)
    axes.grid(axis="x", color=style.HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    if limits[0] < 0 < limits[1]:
        axes.axvline(0, color=style.MUTED, linewidth=0.6, zorder=1)
