"""What a user may choose about readouts; free of scientific libraries, so it loads fast."""

from itertools import product

from pydantic import Field, field_validator

from dissect_iqa.files.validation import Settings, known_names

METHODS = ("nnls", "ridge")
STATISTICS = ("mse", "unit_mse", "mean_std")
#: Every readout that can be fitted: how the weights are fitted, and to which statistics.
READOUT_NAMES = tuple(f"{method}_{name}" for method, name in product(METHODS, STATISTICS))


def readout_as_distance(readout: str, fitted_on: str = "", layers: str = "") -> str:
    """Return the name by which tables know a readout's distance.

    Parameters
    ----------
    readout : str
        One of `READOUT_NAMES`.
    fitted_on : str
        Another data set that its weights are from; "" for those of the data set that is measured.
    layers : str
        The title of several layers that are weighted together; "" for a single one. Nobody may
        choose these as a distance's best layer, so they are a distance of their own.
    """
    source = f"@{fitted_on}" if fitted_on else ""
    return f"{readout}{source} on {layers}" if layers else f"{readout}{source}"


class ReadoutSettings(Settings):
    """Channel weights fitted to the scores, from cached features and without a GPU."""

    names: tuple[str, ...] = Field(
        (),
        description=f"Any of: {', '.join(READOUT_NAMES)}. Each is one more distance of every "
        "layer, measured on references that its weights were not fitted to.",
    )
    concatenations: dict[str, tuple[str, ...]] = Field(
        {},
        description="Layers taken together: a title and names or wildcards, e.g. {all layers: "
        "['*']}; networks that have none of them are left alone. Measured without weights "
        "('euclidean on all layers', 'rmse on all layers') and with those of each of `names`.",
    )
    transfer: bool = Field(
        True,
        description="Where a study has several data sets, fit on each of the others, too, and "
        "measure here (called 'nnls_mse@kadid10k').",
    )
    folds: int = Field(
        5, ge=2, description="Groups of references of which one at a time is held out of the fit."
    )

    @field_validator("names")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return known_names(names, READOUT_NAMES)
