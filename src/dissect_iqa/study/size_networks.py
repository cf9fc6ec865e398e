"""How large a study's networks are: parameters, operations, layers; needs no weights."""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd

from dissect_iqa.errors import UserError
from dissect_iqa.features.estimate import estimate
from dissect_iqa.study.costs import bare_network, uniform
from dissect_iqa.zoo.row import ModelRow

log = logging.getLogger(__name__)

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
        NaN, and a line in the log, where a network doesn't build or the picture is too small for
        it: its extraction says so, and must not keep the others from their sizes.
    """
    known: dict[tuple[str, ...], tuple[float, float, float]] = {}
    for row in rows.values():
        if build_of(row) not in known:
            known[build_of(row)] = _size(row)
    found = [(id, *known[build_of(row)]) for id, row in rows.items()]
    return pd.DataFrame(found, columns=COLUMNS)


def _size(row: ModelRow) -> tuple[float, float, float]:
    count = np.nan
    try:
        network = bare_network(row)
        count = float(sum(parameter.numel() for parameter in network.module.parameters()))
        told = estimate(network, uniform(PICTURE, 1, 1).sizes, 1)
    except UserError as error:
        log.warning("%s", error)
        return count, np.nan, np.nan
    return count, told.gflops, float(len(told.layers))


def build_of(row: ModelRow) -> tuple[str, ...]:
    """Return what decides a network's build and how it is read, whatever its weights."""
    # timm builds by the weights' tag, too; elsewhere weights only fill what was built
    tag = row.weights if row.builder == "timm" else ""
    return row.builder, row.architecture, row.layers, row.input, tag
