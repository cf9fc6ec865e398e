"""The study's figures: one record a figure; plotting libraries load only when one is drawn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

Label = str | None | Mapping[str, str | None]


@dataclass(frozen=True)
class Figure:
    """One figure of a study.

    Attributes
    ----------
    title : str
        Goes into the files.
    draws : str
        ``module:function`` of this room; called with correlations, models, labels and settings.
    compares : bool
        Whether it also takes `comparisons`, the groups of comparisons.yaml.
    takes : tuple of str
        Names of the tables that it takes.
    """

    title: str
    draws: str
    compares: bool = False
    takes: tuple[str, ...] = ("correlations", "models")

    @property
    def draw(self) -> Callable[..., Any]:
        """The function, whose module is imported now."""
        module, function = self.draws.split(":")
        return getattr(import_module(f"dissect_iqa.figures.{module}"), function)


#: The figures by the names of their files; the workflow makes a rule of each.
FIGURES = {
    "depth": Figure("Correlation with opinion scores against relative depth", "depth:draw_depth"),
    "ranking": Figure("Ranking of the models' best layers", "ranking:draw_ranking"),
    "training": Figure("Trained against untrained networks", "training:draw_training"),
    "types": Figure(
        "Correlation with opinion scores per distortion type", "distortions:draw_types"
    ),
    "comparisons": Figure(
        "Models that differ in one factor", "comparisons:draw_comparisons", compares=True
    ),
}

#: The same of thresholds; called with the tables that each takes, labels and settings.
THRESHOLD_FIGURES = {
    "sensitivity": Figure(
        "Contrast sensitivity beside people's",
        "thresholds:draw_sensitivity",
        takes=("layers", "stimuli"),
    ),
    "answers": Figure(
        "Opinions and thresholds over depth",
        "thresholds:draw_answers",
        takes=("correlations", "layers", "models"),
    ),
}


def plot(
    figure: str,
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    label: Label,
    output_stem: Path | str,
    *,
    comparisons: Any = None,
    spec: str | None = None,
    **style: Any,
) -> None:
    """Draw one figure of a study and write it in all formats.

    Parameters
    ----------
    figure : str
        A key of `FIGURES`.
    correlations : DataFrame
        The collected correlations; see `dissect_iqa.correlation.correlate.correlate`.
    models : DataFrame
        The models' descriptions; see `dissect_iqa.zoo.row.ModelRow.description`.
    label : str, None or mapping of data set to str or None
        Notice that is drawn in the figure, such as where transferred scores come from.
    output_stem : path
        The files' path without suffix.
    comparisons : sequence of mapping, mapping of mapping, or None
        See `dissect_iqa.figures.comparisons.draw_comparisons`.
    spec : str, optional
        Canonical JSON the figure was made from; its sha256 goes into the files' metadata.
    **style
        Fields of `dissect_iqa.figures.settings.FigureSettings`.

    Raises
    ------
    UserError
        If a column is missing or the chosen statistic or distance was not computed.
    """
    record = FIGURES[figure]
    more = {"comparisons": comparisons} if record.compares else {}

    def draw(settings: Any) -> Any:
        return record.draw(correlations, models, label, settings, **more)

    _write(draw, record.title, label, output_stem, spec, style)


def plot_contests(
    contests: Mapping[str, pd.DataFrame],
    labels: Mapping[str, str | None],
    output_stem: Path | str,
    *,
    spec: str | None = None,
    **style: Any,
) -> None:
    """Write the matrix of who beats whom; see `contests.draw_contests`.

    Parameters
    ----------
    contests : mapping of str to DataFrame
        By data set, what `hold_contests` returned, with a column `distance`.
    labels, output_stem, spec, **style
        As of `plot`.
    """
    from dissect_iqa.figures.contests import draw_contests

    def draw(settings: Any) -> Any:
        return draw_contests(contests, labels, settings)

    _write(draw, "Who beats whom", labels, output_stem, spec, style)


def plot_thresholds(
    figure: str,
    tables: Mapping[str, pd.DataFrame],
    labels: Mapping[str, str | None],
    output_stem: Path | str,
    *,
    spec: str | None = None,
    **style: Any,
) -> None:
    """Draw one figure of contrast thresholds and write it in all formats.

    Parameters
    ----------
    figure : str
        A key of `THRESHOLD_FIGURES`.
    tables : mapping of str to DataFrame
        `correlations` and `models` as of `plot`; `layers` and `stimuli` as
        `dissect_iqa.thresholds.find_thresholds.find_thresholds` returns them, of all data sets.
    labels, output_stem, spec, **style
        As of `plot`.
    """
    record = THRESHOLD_FIGURES[figure]

    def draw(settings: Any) -> Any:
        return record.draw(*(tables[name] for name in record.takes), labels, settings)

    _write(draw, record.title, labels, output_stem, spec, style)


def _write(
    draw: Callable[[Any], Any],
    title: str,
    label: Label,
    output_stem: Path | str,
    spec: str | None,
    options: dict[str, Any],
) -> None:
    from dissect_iqa.figures.save import save
    from dissect_iqa.figures.settings import FigureSettings
    from dissect_iqa.figures.style import look

    settings = FigureSettings(**options)
    notices = label.values() if isinstance(label, Mapping) else [label]
    with look(settings):
        drawn = draw(settings)
        notice = " ".join(dict.fromkeys(text for text in notices if text))
        save(drawn, output_stem, settings, title=title, notice=notice, spec=spec)
