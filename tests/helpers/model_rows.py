"""Rows of the model table for tests."""

from pathlib import Path

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
