"""The study's figures: one record a figure; plotting libraries load only when one is drawn."""

from collections.abc import Callable, Iterable, Mapping
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
    needs : tuple of str
        Of which answers beside opinions it shows one or more; it is drawn where one is there.
    """

    title: str
    draws: str
    compares: bool = False
    takes: tuple[str, ...] = ("correlations", "models")
    needs: tuple[str, ...] = ()

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

#: The same of what is answered beside opinions; called with the tables that each takes, labels and
#: settings.
ANSWERS_FIGURES = {
    "sensitivity": Figure(
        "Contrast sensitivity beside people's",
        "thresholds:draw_sensitivity",
        takes=("layers", "stimuli"),
        needs=("thresholds",),
    ),
    "invariance": Figure(
        "What misalignment leaves of the correlations",
        "invariance:draw_invariance",
        takes=("correlations", "invariance", "models"),
        needs=("invariance",),
    ),
    "answers": Figure(
        "Opinions, thresholds and invariance over depth",
        "answers:draw_answers",
        takes=("correlations", "layers", "invariance", "models"),
        needs=("thresholds", "invariance"),
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


def plot_factors(
    factors: pd.DataFrame,
    labels: Mapping[str, str | None],
    output_stem: Path | str,
    *,
    spec: str | None = None,
    **style: Any,
) -> None:
    """Write the figure of factors' shares; see `factors.draw_factors`.

    Parameters
    ----------
    factors : DataFrame
        What `dissect_iqa.factors.explain_factors.explain_factors` returned.
    labels, output_stem, spec, **style
        As of `plot`.
    """
    from dissect_iqa.figures.factors import draw_factors

    def draw(settings: Any) -> Any:
        return draw_factors(factors, labels, settings)

    _write(draw, "How much each factor explains", labels, output_stem, spec, style)


def plot_multiverse(
    universes: Mapping[str, pd.DataFrame],
    labels: Mapping[str, str | None],
    output_stem: Path | str,
    *,
    spec: str | None = None,
    **style: Any,
) -> None:
    """Write the specification curves of the findings; see `multiverse.draw_multiverse`.

    Parameters
    ----------
    universes : mapping of str to DataFrame
        By data set, what `walk_multiverse` returned.
    labels, output_stem, spec, **style
        As of `plot`.
    """
    from dissect_iqa.figures.multiverse import draw_multiverse

    def draw(settings: Any) -> Any:
        return draw_multiverse(universes, labels, settings)

    _write(
        draw, "The findings under every combination of choices", labels, output_stem, spec, style
    )


def plot_answers(
    figure: str,
    tables: Mapping[str, Iterable[pd.DataFrame]],
    labels: Mapping[str, str | None],
    output_stem: Path | str,
    *,
    spec: str | None = None,
    **style: Any,
) -> None:
    """Draw one figure of what is answered beside opinions, and write it in all formats.

    Parameters
    ----------
    figure : str
        A key of `ANSWERS_FIGURES`.
    tables : mapping of str to iterable of DataFrame
        `correlations` and `models` as of `plot`; `layers` and `stimuli` as
        `dissect_iqa.thresholds.find_thresholds.find_thresholds` returns them, `invariance` as
        `dissect_iqa.invariance.measure_invariance.measure_invariance` does, one a data set.
    labels, output_stem, spec, **style
        As of `plot`.
    """
    record = ANSWERS_FIGURES[figure]
    whole = [
        pd.concat(parts, ignore_index=True) if (parts := list(tables[name])) else pd.DataFrame()
        for name in record.takes
    ]

    def draw(settings: Any) -> Any:
        return record.draw(*whole, labels, settings)

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
