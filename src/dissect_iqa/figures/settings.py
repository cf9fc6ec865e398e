"""What a user may choose about the figures; free of plotting libraries, so that it loads fast."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from dissect_iqa.files.validation import Settings

#: What can be drawn, with the words that stand on the axis; `agreement` is for triplets only.
STATISTICS = {
    "srcc": "Spearman correlation (SRCC)",
    "plcc": "Pearson correlation (PLCC)",
    "krcc": "Kendall correlation (KRCC)",
    "plcc4": "Pearson correlation after 4-parameter logistic (PLCC)",
    "plcc5": "Pearson correlation after 5-parameter logistic (PLCC)",
    "agreement": "Agreement with people’s choices",
}


class FigureSettings(Settings):
    """How the figures look and what they show; no number of the study depends on it."""

    statistic: Literal["srcc", "plcc", "krcc", "plcc4", "plcc5"] = Field(
        "srcc",
        description="The correlation that is drawn; on triplet data sets it is the agreement.",
    )
    distance: str = Field(
        "auto",
        min_length=1,
        description="The distance of the figures that show only one, the same for all models: a "
        "distance's name, or 'auto' for the one that contests and claims use: with the highest "
        "median, over the models, of the honestly chosen layer's SRCC.",
    )
    facet: Literal["family", "function", "environment", "distance"] = Field(
        "family",
        description="What the panels of the depth figure stand for; with 'distance' its networks "
        "are told apart by their functions only.",
    )
    intervals: bool = Field(True, description="Draw the intervals.")
    formats: tuple[Literal["pdf", "svg", "png"], ...] = Field(
        ("pdf", "svg", "png"), min_length=1, description="The files to write."
    )
    palette: Literal["colorblind", "grey"] = Field(
        "colorblind",
        description="Colours that the colour-blind can tell apart, or greys for print.",
    )
    width_mm: float = Field(
        190,
        ge=130,
        le=300,
        description="Width of the figures: 190 mm fills a journal's page, 140 mm one and a half "
        "columns (or a slide). Text keeps its 7 to 8 points.",
    )
    png_dpi: Annotated[int, Field(ge=50, le=1200)] = Field(
        200, description="Dots per inch of the PNG files."
    )

    @field_validator("formats")
    @classmethod
    def _each_once(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(formats)) < len(formats):
            raise ValueError("a format appears twice")
        return formats
