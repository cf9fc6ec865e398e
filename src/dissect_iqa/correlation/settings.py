"""What a user may choose about the statistics; free of scientific libraries, so it loads fast."""

from pydantic import Field

from dissect_iqa.files.validation import Settings


class StatisticsSettings(Settings):
    """How agreement with people's opinions is computed, and how sure it is said to be."""

    draws: int = Field(
        1000,
        ge=0,
        le=100_000,
        description="For intervals, references are left out one by one and in twos: in all twos, "
        "or in so many that are drawn at random, the same ones for all models; 0 for no intervals.",
    )
    seed: int = Field(0, ge=0, description="Seed of everything random in the statistics.")
    level: float = Field(0.95, gt=0.5, lt=1, description="Coverage that the intervals aim at.")
    logistic: bool = Field(
        True, description="Fit the 4- and 5-parameter logistic and give PLCC and RMSE after it."
    )
    per_type: bool = Field(True, description="Correlations within each type of distortion.")
    subsets: bool = Field(True, description="Correlations within each official subset.")
    within_reference: bool = Field(
        True, description="SRCC within each reference, averaged over references."
    )
    repeats: int = Field(
        50,
        ge=1,
        description="Random halvings of the references that are averaged over when the best layer "
        "is chosen honestly; all halvings, if there are fewer.",
    )
