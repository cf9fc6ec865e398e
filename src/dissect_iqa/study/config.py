"""The configuration of a study: one typed truth for the YAML file, its errors and its manual."""

from itertools import product
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from dissect_iqa.baselines.names import BASELINES
from dissect_iqa.baselines.outside import ScoresEntry
from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.distances.concatenations import PLAIN, plain_name
from dissect_iqa.distances.measure_distances import DISTANCES
from dissect_iqa.errors import UserError, suggest
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.files.validation import Origin, Settings, explain, known_names
from dissect_iqa.readouts.settings import ReadoutSettings, readout_as_distance
from dissect_iqa.study.tables import SHARED


class ExtractionSettings(Settings):
    """How features are extracted; only `precision` and `keep_raw` can change a result."""

    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="'auto' takes a CUDA device if there is one and says which; 'cuda' without a "
        "CUDA device is an error; 'cpu'.",
    )
    batch_size: int = Field(
        16, ge=1, le=100_000, description="Largest batch; halved by itself when memory runs out."
    )
    precision: Literal["float32", "tf32", "float16", "bfloat16"] = Field(
        "float32", description="float32 is the reference; the others are faster on some GPUs."
    )
    keep_raw: tuple[str, ...] = Field(
        (), description="Layers (names or wildcards) whose raw features are kept too, as float16."
    )
    plain: bool = Field(
        False,
        description="true lets PyTorch compute the statistics: slower, the same numbers up to "
        "rounding; for when a number or a crash is to be explained.",
    )
    store: Path | None = Field(
        None,
        description="A folder that studies share: features found there are copied instead of "
        "extracted, features extracted are left there.",
    )


class ExplorerSettings(Settings):
    """What the explorer's page holds."""

    thumbnails: int = Field(
        200,
        ge=0,
        le=2000,
        description="Of so many pairs of each data set, those that are misjudged most, it holds "
        "small pictures (about 3 kB each); 0: of none.",
    )


class Config(Settings):
    """A whole study. Every field has a default except what is studied."""

    study: str = Field(
        "study",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        description="The study's name: its tables, figures and texts lie in `results/NAME/`. "
        "Default: the name of its configuration file, without the ending.",
    )
    models: tuple[str, ...] = Field(
        min_length=1,
        description="What to run from the model table: ids, set names (demo, paper, extended), "
        "wildcards such as 'rn50_*', or 'timm:<pattern>'. With a minus in front, what the others "
        "name is left out again: [paper, -clip_vitb16_laion2b].",
    )
    datasets: tuple[str, ...] = Field(
        min_length=1, description="Names of entries of the data set table."
    )
    models_table: Path = Field(Path("config/models.tsv"), description="One line a model.")
    datasets_table: Path = Field(Path("config/datasets.yaml"), description="One entry a data set.")
    comparisons: Path = Field(
        Path("config/comparisons.yaml"),
        description="Which models belong together, and which factor varies among them.",
    )
    distances: tuple[str, ...] = Field(
        tuple(DISTANCES), min_length=1, description=f"Any of: {', '.join(DISTANCES)}."
    )
    baselines: tuple[str, ...] = Field(
        ("psnr", "ssim", "ssim_downsampled", "ms_ssim"),
        description=f"Any of: {', '.join(BASELINES)}.",
    )
    scores: tuple[ScoresEntry, ...] = Field(
        (),
        description="Metrics that somebody else computed: tables of their scores, see 'Scores "
        "from outside'.",
    )
    offline: bool = Field(
        False, description="Never touch the network; say which file is missing instead."
    )
    rehearse: bool = Field(
        False,
        description="Run everything with untrained networks on a few small pictures, without a "
        "download, in the folder `rehearsal/`: to find what is wrong before the real run.",
    )
    extraction: ExtractionSettings = ExtractionSettings()
    readouts: ReadoutSettings = ReadoutSettings()
    statistics: StatisticsSettings = StatisticsSettings()
    figures: FigureSettings = FigureSettings()
    explorer: ExplorerSettings = ExplorerSettings()

    @model_validator(mode="after")
    def _distance_of_the_figures(self) -> "Config":
        readouts = (
            readout_as_distance(*parts)
            for parts in product(
                self.readouts.names,
                ("", *(self.datasets if self.readouts.transfer else ())),
                ("", *self.readouts.concatenations),
            )
        )
        together = [plain_name(*parts) for parts in product(PLAIN, self.readouts.concatenations)]
        name, known = self.figures.distance, ("auto", *self.distances, *together, *readouts)
        if name not in known:
            raise ValueError(
                f"figures.distance: {name!r} is none of the distances and readouts that this "
                f"study measures{suggest(name, known)}; allowed: {', '.join(known)}"
            )
        return self

    @field_validator("study")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if name.lower() == SHARED:
            raise ValueError(f"{name!r} is the folder of what studies share; take another name")
        return name

    @field_validator("distances")
    @classmethod
    def _known_distances(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return known_names(names, tuple(DISTANCES))

    @field_validator("baselines")
    @classmethod
    def _known_baselines(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return known_names(names, tuple(BASELINES))


def parse_config(values: dict[str, Any], origin: Origin | None = None) -> Config:
    """Validate a configuration.

    Parameters
    ----------
    values : dict
        What the YAML files and the command line gave.
    origin : Origin, optional
        Where they come from; only to tell the place of an error.

    Raises
    ------
    UserError
        Naming file, line, option, what was found and what is allowed.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise UserError(explain(error, Config, (origin or Origin()).place)) from error
