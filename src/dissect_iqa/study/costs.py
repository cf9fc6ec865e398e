"""What models and data sets will take, told without weights, pictures or the network."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
from pyarrow import ArrowException

from dissect_iqa.datasets.base import index_folder
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.finish import complete
from dissect_iqa.datasets.folder import read_folder
from dissect_iqa.datasets.pictures import header_sizes
from dissect_iqa.datasets.registry import KINDS
from dissect_iqa.datasets.tables import read_dataset
from dissect_iqa.errors import UserError
from dissect_iqa.features.estimate import Estimate, estimate
from dissect_iqa.features.extract_features import match_layers
from dissect_iqa.models.architecture import skeleton
from dissect_iqa.models.input import input_policy
from dissect_iqa.models.layers import resolve_layers
from dissect_iqa.models.network import Network
from dissect_iqa.zoo.row import ModelRow

#: Height and width of a picture where the real ones aren't here to look at: TID2013's.
USUAL_SIZE = (384, 512)


@dataclass(frozen=True)
class Pictures:
    """What an extraction has to go through.

    Attributes
    ----------
    sizes : DataFrame
        `height` and `width` in pixels, a row a picture.
    pairs : int
        Number of pairs.
    supposed : bool
        Whether nobody has looked at the pictures, so that their size is a usual one.
    """

    sizes: pd.DataFrame
    pairs: int
    supposed: bool = False


def bare_network(row: ModelRow) -> Network:
    """Build a network without weights, good for looking at its layers and sizes.

    Raises
    ------
    UserError
        If its line doesn't build, or names layers that it has not.
    """
    module = skeleton(row)
    policy = input_policy(row, module)
    return Network(row.id, module, resolve_layers(module, row, policy), policy, "")


def weights_bytes(network: Network) -> int:
    """Return the bytes of all values of a network, which its weights file holds."""
    values = network.module.state_dict().values()
    return sum(value.numel() * value.element_size() for value in values)


def uniform(size: tuple[int, int], pictures: int, pairs: int, supposed: bool = False) -> Pictures:
    """Return `pictures` pictures of one size (height, width), and `pairs` pairs."""
    height, width = size
    rows = pd.DataFrame({"height": height, "width": width}, index=range(pictures))
    return Pictures(rows, pairs, supposed)


def prepared(folder: Path) -> Pictures:
    """Return what a prepared data set holds.

    Parameters
    ----------
    folder : path
        ``resources/datasets/{dataset}``.

    Raises
    ------
    UserError
        If it isn't prepared, with the ways out.
    """
    if not (folder / "pairs.parquet").is_file():
        raise UserError(
            f"data set {folder.name!r} isn't prepared (no {folder}/pairs.parquet); run: "
            f"snakemake --cores 1 {folder}/pairs.parquet - or say what it holds: "
            "--size HEIGHTxWIDTH --pictures N --pairs N"
        )
    dataset = read_dataset(folder)
    return Pictures(dataset.images[["height", "width"]], len(dataset.pairs))


def expected(entry: DatasetEntry, table: Mapping[str, DatasetEntry]) -> Pictures | None:
    """Return what a data set will hold once it is prepared; None where nobody knows.

    Pictures of public data sets are taken to be of `USUAL_SIZE`, which matters only to raw
    features: statistics take the same room whatever a picture's size.

    Parameters
    ----------
    entry : DatasetEntry
        The data set.
    table : mapping of str to DatasetEntry
        Holds the data set whose pictures it shows displaced, if it does.
    """
    if entry.of is not None:
        return expected(table[entry.of], table)
    if entry.kind == "demo":
        from dissect_iqa.datasets.demo import DEFAULT_CROP, PHOTOGRAPHS, type_level_scores
        from dissect_iqa.datasets.distortions import DISTORTIONS

        levels = type_level_scores().index.get_level_values("level").nunique()
        pairs = len(PHOTOGRAPHS) * len(DISTORTIONS) * levels
        return uniform(DEFAULT_CROP, len(PHOTOGRAPHS) + pairs, pairs)
    if entry.kind == "thresholds":
        from dissect_iqa.datasets.thresholds.make import planned

        return uniform((entry.pixels, entry.pixels), *planned(entry))
    if entry.kind == "folder":
        return _of_table(entry)
    kind = KINDS[entry.kind]
    counts = kind.counts.get(entry.split or (kind.splits[0] if kind.splits else ""))
    if counts is None:
        return None
    references, pairs = counts.references, counts.pairs
    if entry.drop_reference_25:
        references, pairs = references - 1, pairs - pairs // references
    return uniform(USUAL_SIZE, references + pairs, pairs, supposed=True)


def _of_table(entry: DatasetEntry) -> Pictures | None:
    """Count the pictures that a user's own table of scores names; their sizes are in their heads.

    None where the table isn't one: whoever is to use it tells.
    """
    assert entry.folder is not None
    try:
        index = index_folder(entry.folder, entry.ignore)
        frame = complete(read_folder(index, entry).frame, str(entry.folder))
    except (UserError, OSError):
        return None
    pictures = len({*frame["reference_file"], *frame["distorted_file"]})
    sizes = header_sizes(index.root, frame["reference_file"].unique())
    if sizes.empty or not len(frame):
        return None
    # of most: distorted pictures are as large as their references
    width, height = sizes[["width", "height"]].value_counts().index[0]
    return uniform((height, width), pictures, len(frame))


def features_cost(
    network: Network, pictures: Pictures, keep_raw: tuple[str, ...] = ()
) -> tuple[int, float]:
    """Return what a feature file costs: its bytes, and billions of operations to make it.

    Parameters
    ----------
    network : Network
        With or without weights.
    pictures : Pictures
        What passes it.
    keep_raw : tuple of str
        Patterns of layers whose raw features (float16) are kept, too.

    Raises
    ------
    UserError
        If a pattern of `keep_raw` matches none of the network's layers.
    """
    told = estimate(network, pictures.sizes, pictures.pairs)
    layers = [told.layers[number] for number in match_layers(network, keep_raw)]
    values = sum(layer.channels * layer.grid[0] * layer.grid[1] for layer in layers)
    return told.cache_bytes + 2 * values * told.pictures, told.gflops * told.pictures


def raw_bytes(told: Estimate) -> int:
    """Return the bytes of all raw features as float32, had every one been kept."""
    return told.raw_bytes * told.pictures


def download_bytes(entry: DatasetEntry) -> int | None:
    """Return the size of a public data set's download; None where it isn't published."""
    if entry.kind not in KINDS:
        return 0
    found = re.search(r"(\d+(?:\.\d+)?) GB", KINDS[entry.kind].download_size)
    return round(float(found[1]) * 1e9) if found else None


def counted_pictures(resources: Path) -> Mapping[str, int]:
    """Return the number of pictures of each data set that is prepared, and whose table is whole."""
    found = {}
    for path in sorted((resources / "datasets").glob("*/images.parquet")):
        with suppress(OSError, ArrowException):  # what is damaged, others name with its cure
            found[path.parent.name] = pq.read_metadata(path).num_rows
    return found
