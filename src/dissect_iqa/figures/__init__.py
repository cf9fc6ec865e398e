"""The study's figures: one function a figure; plotting libraries load only when one is called."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

Label = str | None | Mapping[str, str | None]


def plot_depth(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    label: Label,
    output_stem: Path | str,
    *,
    comparisons: Any = None,
    spec: str | None = None,
    **style: Any,
) -> None:
    """Write the figure of correlation against relative depth; see `depth.draw_depth`.

    Parameters
    ----------
    correlations : DataFrame
        The collected correlations: `dataset, model, layer, depth, distance, subset, statistic,
        value, low, high, n`.
    models : DataFrame
        The models' descriptions: `id, architecture, weights, function, family, environment`.
    label : str, None or mapping of data set to str or None
        Notice that is drawn in the figure, such as where transferred scores come from.
    output_stem : path
        The files' path without suffix.
    comparisons : ignored
        Taken so that all figures can be called alike.
    spec : str, optional
        Canonical JSON the figure was made from; its sha256 goes into the files' metadata.
    **style
        Fields of `dissect_iqa.figures.settings.FigureSettings`.

    Raises
    ------
    UserError
        If a column is missing or the chosen statistic or distance was not computed.
    """
    from dissect_iqa.figures.depth import draw_depth

    title = "Correlation with opinion scores against relative depth"
    _plot(draw_depth, title, correlations, models, label, output_stem, spec, style)


def plot_ranking(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    label: Label,
    output_stem: Path | str,
    *,
    comparisons: Any = None,
    spec: str | None = None,
    **style: Any,
) -> None:
    """Write the ranking of the best layers; parameters as in `plot_depth`."""
    from dissect_iqa.figures.ranking import draw_ranking

    title = "Ranking of the models' best layers"
    _plot(draw_ranking, title, correlations, models, label, output_stem, spec, style)


def plot_training(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    label: Label,
    output_stem: Path | str,
    *,
    comparisons: Any = None,
    spec: str | None = None,
    **style: Any,
) -> None:
    """Write the comparison of trained and untrained networks; parameters as in `plot_depth`."""
    from dissect_iqa.figures.training import draw_training

    title = "Trained against untrained networks"
    _plot(draw_training, title, correlations, models, label, output_stem, spec, style)


def plot_types(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    label: Label,
    output_stem: Path | str,
    *,
    comparisons: Any = None,
    spec: str | None = None,
    **style: Any,
) -> None:
    """Write the correlations per distortion type; parameters as in `plot_depth`."""
    from dissect_iqa.figures.distortions import draw_types

    title = "Correlation with opinion scores per distortion type"
    _plot(draw_types, title, correlations, models, label, output_stem, spec, style)


def plot_comparisons(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    label: Label,
    output_stem: Path | str,
    *,
    comparisons: Any = None,
    spec: str | None = None,
    **style: Any,
) -> None:
    """Write the comparisons in which one factor varies; parameters as in `plot_depth`.

    Parameters
    ----------
    comparisons : sequence of mapping, mapping of mapping, or None
        See `dissect_iqa.figures.comparisons.draw_comparisons`.
    """
    from dissect_iqa.figures.comparisons import draw_comparisons

    def draw(*arguments: Any) -> Any:
        return draw_comparisons(*arguments, comparisons=comparisons)

    title = "Models that differ in one factor"
    _plot(draw, title, correlations, models, label, output_stem, spec, style)


#: The figures by the name that the workflow gives them.
FIGURES: dict[str, Callable[..., None]] = {
    "depth": plot_depth,
    "ranking": plot_ranking,
    "training": plot_training,
    "types": plot_types,
    "comparisons": plot_comparisons,
}


def plot_duels(
    comparisons: Mapping[str, pd.DataFrame],
    labels: Mapping[str, str | None],
    output_stem: Path | str,
    *,
    spec: str | None = None,
    **style: Any,
) -> None:
    """Write the matrix of who beats whom; see `duels.draw_duels`.

    Parameters
    ----------
    comparisons : mapping of str to DataFrame
        By data set, what `correlation.hold_contests.compare` returned, with a column `distance`.
    labels, output_stem, spec, **style
        As of `plot_depth`.
    """
    from dissect_iqa.figures.duels import draw_duels

    def draw(*_: Any) -> Any:
        return draw_duels(comparisons, labels, _[-1])

    _plot(draw, "Who beats whom", None, None, labels, output_stem, spec, style)


def _plot(
    draw: Callable[..., Any],
    title: str,
    correlations: pd.DataFrame,
    models: pd.DataFrame,
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
        figure = draw(correlations, models, label, settings)
        notice = " ".join(dict.fromkeys(text for text in notices if text))
        save(figure, output_stem, settings, title=title, notice=notice, spec=spec)
