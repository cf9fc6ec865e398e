"""The study's figures: one record a figure; plotting libraries load only when one is drawn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

Label = str | None | Mapping[str, str | None]


@dataclass(frozen=True)
class Figure:
    """One figure of a study.

    Attributes
    ----------
    title : str
        Goes into the files.
    draws : str
        ``module:function`` of this room; called with what the figure takes, labels and settings.
    takes : tuple of str
        Tables of `dissect_iqa.study.tables.TABLES`, ``models`` or ``comparisons``, in the order of
        the function's arguments.
    needs : tuple of str
        Of which of these it shows one or more: without any of them it isn't drawn. Empty: always.
    """

    title: str
    draws: str
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
        "Models that differ in one factor",
        "comparisons:draw_comparisons",
        takes=("correlations", "models", "comparisons"),
    ),
    "contests": Figure("Who beats whom", "contests:draw_contests", takes=("contests",)),
    "factors": Figure("How much each factor explains", "factors:draw_factors", takes=("factors",)),
    "multiverse": Figure(
        "The findings under every combination of choices",
        "multiverse:draw_multiverse",
        takes=("universes",),
    ),
    "sensitivity": Figure(
        "Contrast sensitivity beside people's",
        "thresholds:draw_sensitivity",
        takes=("layers", "stimuli"),
        needs=("layers",),
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
        needs=("layers", "invariance"),
    ),
}


def plot(
    figure: str,
    tables: Mapping[str, Any],
    label: Label,
    output_stem: Path | str,
    *,
    spec: str | None = None,
    **style: Any,
) -> None:
    """Draw one figure of a study and write it in all formats.

    Parameters
    ----------
    figure : str
        A key of `FIGURES`.
    tables : mapping of str to table
        What the figure takes, by name; see the function that draws it.
    label : str, None or mapping of data set to str or None
        Notice that is drawn in the figure, such as where transferred scores come from.
    output_stem : path
        The files' path without suffix.
    spec : str, optional
        Canonical JSON the figure was made from; its sha256 goes into the files' metadata.
    **style
        Fields of `dissect_iqa.figures.settings.FigureSettings`.

    Raises
    ------
    UserError
        If a column is missing or the chosen statistic or distance was not computed.
    """
    from dissect_iqa.figures.save import save
    from dissect_iqa.figures.settings import FigureSettings
    from dissect_iqa.figures.style import look

    record, settings = FIGURES[figure], FigureSettings(**style)
    notices = label.values() if isinstance(label, Mapping) else [label]
    with look(settings):
        drawn = record.draw(*(tables[name] for name in record.takes), label, settings)
        notice = " ".join(dict.fromkeys(text for text in notices if text))
        save(drawn, output_stem, settings, title=record.title, notice=notice, spec=spec)
