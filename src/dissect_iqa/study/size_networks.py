"""How large a study's networks are: parameters, operations, layers; needs no weights."""

from collections.abc import Mapping

import pandas as pd

from dissect_iqa.features.estimate import estimate
from dissect_iqa.study.costs import bare_network, uniform
from dissect_iqa.zoo.row import ModelRow

#: The picture whose operations are counted: height and width of TID2013's.
PICTURE = (384, 512)
COLUMNS = ["model", "parameters", "gflops", "layers"]


def size_networks(rows: Mapping[str, ModelRow]) -> pd.DataFrame:
    """Return each network's size, by its skeleton; networks of one build are looked at once.

    Parameters
    ----------
    rows : mapping of str to ModelRow
        By id.

    Returns
    -------
    DataFrame
        `COLUMNS`, a row a network: `parameters`, also of what stands behind the last layer that
        is read; `gflops`, billions of multiplications and additions up to that layer for a picture
        of 512 x 384 pixels as the network takes it; `layers`, the number of those that are read.

    Raises
    ------
    UserError
        If a line doesn't build, names layers that it has not, or the picture is too small for it.
    """
    known: dict[tuple[str, ...], tuple[int, float, int]] = {}
    for row in rows.values():
        if build_of(row) not in known:
            network = bare_network(row)
            told = estimate(network, uniform(PICTURE, 1, 1).sizes, 1)
            count = sum(parameter.numel() for parameter in network.module.parameters())
            known[build_of(row)] = count, told.gflops, len(told.layers)
    found = [(id, *known[build_of(row)]) for id, row in rows.items()]
    return pd.DataFrame(found, columns=COLUMNS)


def build_of(row: ModelRow) -> tuple[str, ...]:
    """Return what decides a network's build and how it is read, whatever its weights."""
    # timm builds by the weights' tag, too; elsewhere weights only fill what was built
    tag = row.weights if row.builder == "timm" else ""
    return row.builder, row.architecture, row.layers, row.input, tag
