"""What an extraction will cost, told before it runs."""

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dissect_iqa.errors import UserError
from dissect_iqa.features.file.layout import cache_bytes
from dissect_iqa.features.forward.hooks import Grid, LayerReader
from dissect_iqa.models.network import Network


@dataclass(frozen=True)
class LayerSize:
    """One layer of one picture.

    Attributes
    ----------
    name : str
        Module path.
    depth : float
        Relative depth.
    channels : int
        Number of channels.
    grid : (int, int)
        Height and width of the map; number of tokens and 1.
    """

    name: str
    depth: float
    channels: int
    grid: Grid


@dataclass(frozen=True)
class Estimate:
    """What an extraction will cost.

    Attributes
    ----------
    layers : tuple of LayerSize
        For a picture of the commonest size.
    gflops : float
        Billions of multiplications and additions for such a picture, up to the last layer.
    raw_bytes : int
        Of such a picture's features as float32, were they kept.
    cache_bytes : int
        Of the whole file, without raw features.
    pictures : int
        That pass the network.
    """

    layers: tuple[LayerSize, ...]
    gflops: float
    raw_bytes: int
    cache_bytes: int
    pictures: int


def estimate(network: Network, images: pd.DataFrame, pairs: int) -> Estimate:
    """Tell the cost of an extraction without running it.

    Parameters
    ----------
    network : Network
        With or without weights; passed through without numbers, on the meta device.
    images : DataFrame
        With `height` and `width`, a row a picture.
    pairs : int
        Number of pairs.

    Raises
    ------
    UserError
        If such a picture is too small for the network.
    """
    sizes = images[["height", "width"]].value_counts()
    height, width = (int(side) for side in sizes.index[0])
    try:
        size = network.input.seen(height, width)
    except UserError as error:
        raise UserError(f"{network.id}: {error}") from error
    layers, flops = _pass(network, size)
    channels = [layer.channels for layer in layers]
    return Estimate(
        layers,
        flops / 1e9,
        sum(4 * layer.channels * layer.grid[0] * layer.grid[1] for layer in layers),
        cache_bytes(channels, len(images), pairs),
        len(images),
    )


def earlier_seconds(
    benchmarks: Path, pictures: Mapping[str, int], model: str, count: int
) -> float | None:
    """Return the time that earlier runs of a model let expect.

    Parameters
    ----------
    benchmarks : Path
        Where the workflow's benchmark files are: ``<data set>/<model>.<mark>.tsv`` with a column
        `s`.
    pictures : mapping of str to int
        Number of pictures of each data set.
    model : str
        The model's id.
    count : int
        Pictures to extract now.

    Returns
    -------
    float or None
        Seconds, from the slowest earlier run (one that was continued, or taken from a store, tells
        too little); None if there is none.
    """
    rates = []
    for path in sorted(benchmarks.glob(f"*/{model}.*.tsv")):
        seconds = pd.read_csv(path, sep="\t")["s"].min()
        if path.parent.name in pictures and seconds > 0:
            rates.append(seconds / pictures[path.parent.name])
    return max(rates) * count if rates else None


def machine_speed(device: str = "auto", seconds: float = 1.0) -> float:
    """Measure how many billions of operations a second this machine does in convolutions.

    Counted as `Estimate.gflops` counts them: so many operations in a bottleneck of a residual
    network, in float32. Networks of other layers reach a third of that to a half more.

    Parameters
    ----------
    device : str
        As the option `extraction.device`.
    seconds : float
        How long to measure, after a pass that only warms up.

    Raises
    ------
    RuntimeError, AssertionError
        PyTorch's, if the device isn't there or doesn't work; the latter without CUDA built in.
    """
    cuda = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    place = torch.device(device if device.startswith("cuda") else "cuda" if cuda else "cpu")
    kernels = ((256, 64, 1), (64, 64, 3), (64, 256, 1))
    block = nn.Sequential(*(nn.Conv2d(a, b, side, padding=side // 2) for a, b, side in kernels))
    block = block.to(place).to(memory_format=torch.channels_last)
    picture = torch.rand(1, 256, 96, 128, device=place)
    picture = picture.contiguous(memory_format=torch.channels_last)
    operations = sum(2 * a * b * side**2 for a, b, side in kernels) * picture[0, 0].numel()
    with torch.inference_mode():
        block(picture)
        passes, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            for _ in range(10):
                block(picture)
            if cuda:
                torch.cuda.synchronize(place)
            passes += 10
    return passes * operations / (time.perf_counter() - began) / 1e9


@lru_cache(maxsize=2)  # data sets whose pictures are of one size follow each other
def _pass(network: Network, size: tuple[int, int]) -> tuple[tuple[LayerSize, ...], int]:
    """Pass a picture without numbers; return its layers and the operations it took."""
    memo = {
        id(tensor): nn.Parameter(tensor.to("meta"), requires_grad=False)
        if isinstance(tensor, nn.Parameter)
        else tensor.to("meta")
        for tensor in (*network.module.parameters(), *network.module.buffers())
    }
    module = copy.deepcopy(network.module, memo)
    reader = LayerReader(module, network.layers, network.id)
    found: dict[int, LayerSize] = {}

    def visit(number: int, features: torch.Tensor, grid: Grid) -> None:
        layer = network.layers[number]
        found[number] = LayerSize(layer.name, layer.depth, features.shape[2], grid)

    picture = torch.empty(1, len(network.input.mean), *size, device="meta")
    with FlopCounterMode(display=False) as counter:
        reader.run(picture, visit)
    return tuple(found[number] for number in sorted(found)), counter.get_total_flops()
