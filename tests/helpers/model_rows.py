"""Rows of the model table for tests."""

from pathlib import Path

import pandas as pd

from dissect_iqa.zoo.cells import parse_architecture, parse_function
from dissect_iqa.zoo.row import ModelRow

REPOSITORY = Path(__file__).parents[2]
MODELS = REPOSITORY / "config" / "models.tsv"


def make_row(architecture: str, builder: str = "torchvision", **columns: object) -> ModelRow:
    """Return a row of an untrained network; any column can be given."""
    values = {
        "id": columns.pop("id", architecture.split()[0]),
        "builder": builder,
        "architecture": architecture,
        "weights": "seed:0",
        "input": "imagenet",
        "function": "none (untrained)",
        "family": "any",
        "environment": "none",
    }
    return ModelRow.model_validate({**values, **columns})


def described(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of models with what `ModelRow.description` adds to it."""
    return table.assign(
        name=[parse_architecture(text)[0] for text in table["architecture"]],
        group=[parse_function(text) for text in table["function"]],
        untrained=[text.startswith("seed:") for text in table["weights"]],
    )
