"""What a user may choose about the statistics; free of scientific libraries, so it loads fast."""

from typing import Literal

from pydantic import Field

from dissect_iqa.validation import Settings


class StatisticsSettings(Settings):
    """How agreement with people's opinions is computed, and how sure it is said to be."""

    draws: int = Field(
        1000,
        ge=0,
        le=100_000,
        description="Bootstrap draws over references, the same ones for all models; 0 for no "
        "intervals. 2000 or more for a paper.",
    )
    seed: int = Field(0, ge=0, description="Seed of everything random in the statistics.")
    interval: Literal["percentile", "bca"] = Field(
        "percentile",
        description="How draws become an interval: 'percentile', or 'bca' (bias-corrected and "
        "accelerated, with a jackknife over references).",
    )
    level: float = Field(0.95, gt=0.5, lt=1, description="Coverage that the intervals aim at.")
    logistic: bool = Field(
        True, description="Fit the 4- and 5-parameter logistic and give PLCC and RMSE after it."
    )
    per_type: bool = Field(True, description="Correlations within each type of distortion.")
    subsets: bool = Field(True, description="Correlations within each official subset.")
    within_reference: bool = Field(
        True, description="SRCC within each reference, averaged over references."
    )
    folds: int = Field(
        5,
        ge=2,
        description="Groups of references of which one at a time is left out when the best layer "
        "is chosen honestly; as many as there are references, if that is fewer.",
    )
    repeats: int = Field(
        20, ge=1, description="Random divisions into such groups that are averaged over."
    )
