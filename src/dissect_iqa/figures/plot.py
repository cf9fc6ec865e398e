"""The study's figures: one record a figure; plotting libraries load only when one is drawn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One figure of a study.

    Attributes
    ----------
    title : str
        Stands above it on the page of figures, and goes into the files.
    draws : str
        ``module:function`` of this room; called with what the figure takes, a notice, settings.
    takes : tuple of str
        Tables of `dissect_iqa.study.tables.TABLES`, ``models`` or ``comparisons``, in the order of
        the function's arguments. Of a figure of one data set: this one's.
    needs : tuple of str
        Of which of these it shows one or more: without any of them it isn't drawn. Empty: always.
    each : str
        The method of `Study` that names the data sets that have a figure each, "" for one of all;
        empty: one figure.
    """

    title: str
    draws: str
    takes: tuple[str, ...] = ("correlations", "models")
    needs: tuple[str, ...] = ()
    each: str = "opinions"

    @property
    def draw(self) -> Callable[..., Any]:
        """The function, whose module is imported now."""
        module, function = self.draws.split(":")
        return getattr(import_module(f"dissect_iqa.figures.{module}"), function)


#: The figures in reading order, by the first part of their files' names; the workflow makes a rule
#: of each.
FIGURES = {
    "depth": Figure("Correlation with opinion scores against relative depth", "depth:draw_depth"),
    "ranking": Figure("Ranking of the networks' best layers", "ranking:draw_ranking"),
    "best_layers": Figure("Where the best layers lie", "best_layers:draw_best_layers"),
    "fits": Figure(
        "Scores against distances, with the logistic fit",
        "fits:draw_fits",
        takes=("predictions", "correlations", "models"),
        each="rated",
    ),
    "comparisons": Figure(
        "Networks that differ in one factor",
        "comparisons:draw_comparisons",
        takes=("contests", "correlations", "models", "comparisons"),
        each="rated",
    ),
    "factors": Figure(
        "How much each factor explains", "factors:draw_factors", takes=("factors",), each=""
    ),
    "accuracy": Figure(
        "ImageNet accuracy against correlation with opinion scores", "accuracy:draw_accuracy"
    ),
    "size": Figure(
        "Size of networks against correlation with opinion scores",
        "size:draw_size",
        takes=("correlations", "models", "sizes"),
    ),
    "training": Figure("Trained against untrained networks", "training:draw_training"),
    "datasets": Figure("Data sets against each other", "datasets:draw_datasets", each="together"),
    "types": Figure(
        "Which types of distortion networks see better than the best classic metric",
        "distortions:draw_types",
    ),
    "readouts": Figure(
        "Readouts: plain, of several layers, fitted", "readouts:draw_readouts", each="read_out"
    ),
    "sensitivity": Figure(
        "Contrast sensitivity beside people's",
        "thresholds:draw_sensitivity",
        takes=("layers", "stimuli"),
        each="threshold_sets",
    ),
    "invariance": Figure(
        "What misalignment leaves of the correlations",
        "invariance:draw_invariance",
        takes=("correlations", "invariance", "models"),
        each="misaligned_sets",
    ),
    "answers": Figure(
        "Opinions, thresholds and invariance over depth",
        "answers:draw_answers",
        takes=("correlations", "layers", "invariance", "models"),
        needs=("layers", "invariance"),
    ),
    "multiverse": Figure(
        "The findings under every combination of choices",
        "multiverse:draw_multiverse",
        takes=("universes",),
        each="rated",
    ),
    "contests": Figure(
        "Who beats whom, and by how much", "contests:draw_contests", takes=("contests",),
        each="rated",
    ),
}  # fmt: skip


def figure_file(figure: str, dataset: str) -> str:
    """Return the name, without its ending, of the files of a figure and its data set, if any."""
    return f"{figure}_{dataset}" if dataset else figure


def title_of(figure: str, dataset: str) -> str:
    """Return what a figure is called, and of which data set it is, if of one."""
    return FIGURES[figure].title + (f": {dataset}" if dataset else "")


def plot(
    figure: str,
    tables: Mapping[str, Any],
    label: str | None,
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
    label : str or None
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
    with look(settings):
        drawn = record.draw(*(tables[name] for name in record.takes), label, settings)
        save(drawn, output_stem, settings, title=record.title, notice=label or "", spec=spec)
