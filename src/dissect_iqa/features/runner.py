"""A network on its device: references in, distorted pictures against them, statistics out."""

import copy
from dataclasses import dataclass

import numpy as np
import torch

from dissect_iqa.features.device import PRECISIONS
from dissect_iqa.features.hooks import Grid, LayerReader
from dissect_iqa.features.inputs import picture_input
from dissect_iqa.features.statistics import ReferenceFeatures, compare, reference_features
from dissect_iqa.models.network import Network


@dataclass(frozen=True)
class References:
    """What is kept of a unit's references.

    Attributes
    ----------
    layers : list of ReferenceFeatures
        One a layer.
    grids : list of (int, int)
        Height and width of each layer's map; (number, 1) for tokens.
    """

    layers: list[ReferenceFeatures]
    grids: list[Grid]


class HostRows:
    """Statistics of one batch on their way from the device; `wait` gives them as numpy.

    Parameters
    ----------
    layers : list of Tensor, each of shape (statistics, N, C)
        On the device, float32.
    raw : dict of int to Tensor, each of shape (N, P, C)
        By layer, float16.
    """

    def __init__(self, layers: list[torch.Tensor], raw: dict[int, torch.Tensor]):
        self._layers = [_to_host(tensor) for tensor in layers]
        self._raw = {number: _to_host(tensor) for number, tensor in raw.items()}
        self._event = None
        if layers[0].is_cuda:
            self._event = torch.cuda.Event()
            self._event.record()

    def wait(self) -> tuple[list[np.ndarray], dict[int, np.ndarray]]:
        """Return statistics and raw features of every layer once they have arrived."""
        if self._event is not None:
            self._event.synchronize()
        return [t.numpy() for t in self._layers], {n: t.numpy() for n, t in self._raw.items()}


class Runner:
    """Runs a network layer by layer.

    Parameters
    ----------
    network : Network
        Moved to the device; at reduced precision a copy is.
    device : torch.device
        Where to run.
    precision : str
        A key of `PRECISIONS`.
    raw : collection of int
        Numbers of the layers whose features are handed out whole, too.
    """

    def __init__(
        self,
        network: Network,
        device: torch.device,
        precision: str = "float32",
        raw: frozenset[int] = frozenset(),
    ):
        self.network = network
        self.device = device
        self._type = PRECISIONS[precision]
        self._raw = raw
        module = network.module
        if self._type != torch.float32:
            module = copy.deepcopy(module).to(dtype=self._type)
        module = module.to(device=device).to(memory_format=torch.channels_last)
        self._reader = LayerReader(module.eval(), network.layers, network.id)
        self._fragile: set[int] = set()

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    def references(self, pictures: np.ndarray) -> tuple[References, HostRows]:
        """Run references, keep their features, and give their mean and variance.

        Parameters
        ----------
        pictures : ndarray of uint8, shape (R, H, W, 3)
            RGB, all of one size.
        """
        count = len(self.network.layers)
        kept: list[ReferenceFeatures | None] = [None] * count
        grids: list[Grid] = [(0, 0)] * count
        versions: list[int] = [0] * count

        def visit(number: int, features: torch.Tensor, grid: Grid) -> None:
            if number in self._fragile:
                features = features.clone()
            kept[number] = reference_features(features)
            grids[number] = grid
            versions[number] = features._version

        self._reader.run(self._input(pictures), visit)
        layers = [layer for layer in kept if layer is not None]
        overwritten = {
            number
            for number, layer in enumerate(layers)
            if layer.features._version != versions[number]
        }
        if overwritten:  # an in-place module wrote into what was kept: clone it from now on
            self._fragile |= overwritten
            return self.references(pictures)
        moments = [torch.stack([ref.moments.mean, ref.moments.var]) for ref in layers]
        raw = {number: layers[number].features.half() for number in self._raw}
        return References(layers, grids), HostRows(moments, raw)

    def distorted(
        self, pictures: np.ndarray, references: References, index: np.ndarray
    ) -> HostRows:
        """Run distorted pictures and give their four statistics.

        Parameters
        ----------
        pictures : ndarray of uint8, shape (N, H, W, 3)
            RGB, of the references' size.
        references : References
            What `references` returned.
        index : ndarray of int, shape (N,)
            Which of the references each picture belongs to.
        """
        count = len(self.network.layers)
        rows: list[torch.Tensor | None] = [None] * count
        raw: dict[int, torch.Tensor] = {}
        index_tensor = torch.from_numpy(np.asarray(index, np.int64))

        def visit(number: int, features: torch.Tensor, _grid: Grid) -> None:
            rows[number] = torch.stack(
                compare(features, references.layers[number], index_tensor).parts()
            )
            if number in self._raw:
                raw[number] = features.half()

        self._reader.run(self._input(pictures), visit)
        return HostRows([row for row in rows if row is not None], raw)

    def _input(self, pictures: np.ndarray) -> torch.Tensor:
        tensor = torch.from_numpy(pictures)
        if self.device.type == "cuda":
            tensor = tensor.pin_memory().to(self.device, non_blocking=True)
        return picture_input(tensor, self.network.input).to(self._type)


def _to_host(tensor: torch.Tensor) -> torch.Tensor:
    if not tensor.is_cuda:
        return tensor
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return host.copy_(tensor, non_blocking=True)
