"""Scores that somebody else computed: which table holds them, and which of two values is better."""

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from dissect_iqa.files.validation import Settings

#: Names that can be those of files and of columns in every table.
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$"


class OutsideMetric(Settings):
    """One column of somebody's table of scores, used as a metric is."""

    better: Literal["higher", "lower"] = Field(
        description="Which of two values means better quality. Nothing can tell this from the "
        "numbers, so there is no default."
    )
    column: str | None = Field(
        None, description="Its column of the table; the metric's own name where it isn't said."
    )
    tuned_on: str = Field(
        "", description="The judgements that it was fitted to, if any; told beside its results."
    )
    source: str = Field("", description="Who computed it and how, for the methods text.")

    @property
    def sign(self) -> int:
        """1 if a larger value means better quality, -1 if it means a larger distance."""
        return 1 if self.better == "higher" else -1


class ScoresEntry(Settings):
    """A table of scores from outside: one row a pair of a data set, one column a metric."""

    table: Path = Field(description="A CSV (see `csv` of data sets) or a Parquet file.")
    dataset: str = Field(description="The data set whose pairs it holds.")
    distorted: str = Field(
        "distorted",
        description="Column of the distorted pictures' file names, with or without folders and "
        "ending, in any case.",
    )
    reference: str | None = Field(
        None,
        description="Column of the references' file names; needed only where a distorted picture "
        "belongs to several pairs.",
    )
    metrics: dict[str, OutsideMetric] = Field(
        min_length=1,
        description="By the name that it gets here: `{better: higher}` or `{better: lower}`, "
        "with `column`, `tuned_on` and `source` where needed.",
    )

    @field_validator("metrics", mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        """Take ``name: higher`` for ``name: {better: higher}``."""
        if not isinstance(value, dict):
            return value
        return {
            name: {"better": facts} if isinstance(facts, str) else facts
            for name, facts in value.items()
        }

    @field_validator("metrics")
    @classmethod
    def _names(cls, value: dict[str, OutsideMetric]) -> dict[str, OutsideMetric]:
        for name in value:
            if not re.match(_NAME, name):
                raise ValueError(
                    f"{name!r} can't be a metric's name: letters, digits and _ . + - only; say "
                    "under 'column' what its column is called"
                )
        return value

    def column(self, metric: str) -> str:
        """Return the table's column that holds a metric."""
        return self.metrics[metric].column or metric

    def columns(self) -> tuple[str, ...]:
        """Return all columns that the table must have."""
        keys = [self.distorted, *filter(None, [self.reference])]
        return (*keys, *(self.column(metric) for metric in self.metrics))
