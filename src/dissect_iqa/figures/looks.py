"""Which colour and marker a network or metric has: by its function, the same in every figure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

from dissect_iqa.figures import style
from dissect_iqa.figures.functions import FUNCTIONS, UNTRAINED, function_of
from dissect_iqa.figures.settings import FigureSettings

METRIC = "metric"


@dataclass(frozen=True)
class Look:
    """How a network or metric is drawn; `open` markers and dashed lines are untrained networks."""

    colour: Any
    marker: str
    open: bool = False

    @property
    def face(self) -> Any:
        """What fills the marker."""
        return "white" if self.open else self.colour


@dataclass(frozen=True)
class Looks:
    """The looks of a figure's networks.

    Attributes
    ----------
    of : mapping of str to str
        Each network's function as the legend has it: a key of `FUNCTIONS`.
    grey : bool
        Whether greys take the place of colours.
    """

    of: Mapping[str, str]
    grey: bool = False

    def __getitem__(self, name: str) -> Look:
        """Return the look of a network, or of a metric if the name is no network's."""
        return self.function(self.of.get(name, METRIC))

    def function(self, function: str) -> Look:
        """Return the look of all networks with a function."""
        if function == METRIC:
            return Look(style.MUTED, "D")
        colour, grey, marker = FUNCTIONS[function]
        return Look(grey if self.grey else colour, marker, function == UNTRAINED)

    def shades(self, names: Iterable[str]) -> dict[str, Look]:
        """Return looks for lines of one panel: those of one function differ in lightness."""
        found: dict[str, list[str]] = {}
        for name in names:
            found.setdefault(self.of[name], []).append(name)
        shades = {}
        for function, members in found.items():
            look = self.function(function)
            for name, by in zip(members, _steps(len(members)), strict=True):
                shades[name] = Look(_mixed(look.colour, by), look.marker, look.open)
        return shades

    def legend(self, names: Iterable[str], metrics: bool = False, line: Any = "") -> list[Line2D]:
        """Return legend entries for the functions of some networks, and for metrics."""
        used = {self.of[name] for name in names}
        shown = [function for function in FUNCTIONS if function in used]
        return [self.handle(function, line) for function in [*shown, *[METRIC] * metrics]]

    def handle(self, function: str, line: Any = "") -> Line2D:
        """Return the legend entry of a function."""
        look = self.function(function)
        return Line2D(
            [], [], linestyle=line, marker=look.marker, color=look.colour,
            markerfacecolor=look.face, markeredgewidth=0.9, label=function,
        )  # fmt: skip


def looks(models: pd.DataFrame, settings: FigureSettings) -> Looks:
    """Return the looks of networks.

    Parameters
    ----------
    models : DataFrame
        Indexed by name: `group`, `supervision` (may be missing), `untrained`.
    settings : FigureSettings
        Whether colours or greys are wanted.
    """
    of = {str(name): function_of(row) for name, row in models.iterrows()}
    return Looks(of, settings.palette == "grey")


def draw_point(axes: Axes, x: Any, y: Any, look: Look, size: float = 4.2) -> None:
    """Draw a network's or metric's marker, or one for each of several places."""
    axes.plot(
        x, y, look.marker, color=look.colour, markerfacecolor=look.face,
        markersize=size * (0.85 if look.marker == "D" else 1), markeredgewidth=0.9, zorder=3,
    )  # fmt: skip


def draw_points(
    axes: Axes,
    table: pd.DataFrame,
    x: str,
    y: str,
    looks: Looks,
    size: float = 4.2,
    **ends: tuple[str, str],
) -> None:
    """Draw a marker a row, all of a function at once, which is fast.

    Parameters
    ----------
    axes : Axes
        Where to.
    table : DataFrame
        `model` and the columns named by the other parameters.
    x, y : str
        Columns of the coordinates.
    looks : Looks
        Of the rows' models.
    size : float
        Of a marker, in points.
    **ends
        ``xerr`` or ``yerr``: the columns of an interval's ends, drawn as a thin line.
    """
    function = table["model"].map(lambda name: looks.of.get(name, METRIC))
    for name, rows in table.groupby(function, sort=False):
        look = looks.function(str(name))
        for axis, (low, high) in ends.items():
            own = rows[np.isfinite(rows[low].astype(float)) & np.isfinite(rows[high].astype(float))]
            if axis == "xerr":
                axes.hlines(own[y], own[low], own[high], color=look.colour, linewidth=0.9, zorder=2)
            else:
                axes.vlines(own[x], own[low], own[high], color=look.colour, linewidth=0.9, zorder=2)
        draw_point(axes, rows[x].to_numpy(), rows[y].to_numpy(), look, size)


def _steps(count: int) -> np.ndarray:
    """Return how far each of so many lines is from its function's colour: -: darker, +: lighter."""
    return np.zeros(1) if count == 1 else np.linspace(-0.55, 0.5, count)


def _mixed(colour: Any, by: float) -> Any:
    rgb = np.array(to_rgb(colour))
    end = np.ones(3) if by > 0 else np.zeros(3)
    return tuple(rgb + abs(by) * (end - rgb))
