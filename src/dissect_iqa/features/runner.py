"""A network on its device: references in, distorted pictures against them, statistics out."""

import copy
import logging
import math
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dissect_iqa.errors import UserError
from dissect_iqa.features import expressions
from dissect_iqa.features.device import PRECISIONS, out_of_memory
from dissect_iqa.features.hooks import Grid, LayerReader
from dissect_iqa.features.inputs import input_size, picture_input
from dissect_iqa.features.statistics import ReferenceFeatures, choose_backend, prove
from dissect_iqa.features.tune import tune
from dissect_iqa.models.network import Network

#: Relative difference of a statistic that a backend may make.
_BACKEND_WITHIN = 1e-4

#: Relative difference of a layer that fusing may make; float32 rounding makes some 1e-6.
_TUNED_WITHIN = 1e-4

#: Height and width of the part of a picture that is looked at to start.
_PART = 256

#: Pixels of a pass on the CPU: five pictures of 384 x 512.
_PIXELS_ON_CPU = 1 << 20

log = logging.getLogger(__name__)


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
    tuned : bool
        Fuse what can be fused; only float32 is. Call `start` first, which checks it.
    """

    def __init__(
        self,
        network: Network,
        device: torch.device,
        precision: str = "float32",
        raw: frozenset[int] = frozenset(),
        tuned: bool = True,
    ):
        self.network = network
        self.device = device
        self._type = PRECISIONS[precision]
        self._raw = raw
        module = network.module
        if self._type != torch.float32:
            module = copy.deepcopy(module).to(dtype=self._type)
        module = module.to(device=device).to(memory_format=torch.channels_last)
        self._plain = module.eval()
        self.tuned = tuned and self._type == torch.float32
        if self.tuned:
            module = tune(module, [layer.name for layer in network.layers])
        self._reader = LayerReader(module, network.layers, network.id)
        self._fragile: set[int] = set()
        self._backend = choose_backend(device)

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    def start(self, picture: np.ndarray) -> list[int]:
        """Check what is fast against what is plain on one picture, and go on with either.

        Of a picture that isn't resized, a part is enough.

        Parameters
        ----------
        picture : ndarray of uint8, shape (1, H, W, 3)
            RGB.

        Returns
        -------
        list of int
            The number of channels of each layer.
        """
        if self.network.input.size is None:
            picture = np.ascontiguousarray(picture[:, :_PART, :_PART])
        references = self._proven_backend(picture)
        channels = [layer.features.shape[2] for layer in references.layers]
        if self.tuned:
            plain = LayerReader(self._plain, self.network.layers, self.network.id)
            worst = _largest_deviation(plain, self._input(picture), references)
            if worst <= _TUNED_WITHIN:
                log.info("%s: fused; layers agree within %.0e", self.network.id, worst)
                plain.close()
            else:
                log.warning("%s: not fused; a layer would differ by %.0e", self.network.id, worst)
                self._reader.close()
                self._reader, self.tuned = plain, False
        return channels

    def facts(self) -> dict[str, Any]:
        """Return how things are done, as far as it can change a number's last digits."""
        return {"fused": self.tuned, "statistics": self._backend.__name__.rpartition(".")[2]}

    def _proven_backend(self, picture: np.ndarray) -> References:
        """Run one picture; fall back to PyTorch's statistics if the chosen ones fail or differ."""
        try:
            references, _ = self.references(picture)
            worst = prove(self._backend, references.layers)
        except Exception as error:  # a compiler may be missing or fail in any way
            if self._backend is expressions or isinstance(error, UserError) or out_of_memory(error):
                raise
            worst = error
        if isinstance(worst, float) and worst <= _BACKEND_WITHIN:
            return references
        log.warning("statistics are computed by PyTorch, which takes longer (%s)", worst)
        self._backend = expressions
        return self.references(picture)[0]

    def most(self, height: int, width: int) -> int:
        """Return how many pictures of that size are worth passing together.

        A CPU gains nothing from more than a few, and they would cost memory.
        """
        if self.device.type != "cpu":
            return sys.maxsize
        height, width = input_size(height, width, self.network.input)
        return max(1, _PIXELS_ON_CPU // (height * width))

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
            mean, var, norm = self._backend.moments(features)
            kept[number] = ReferenceFeatures(features, mean, var, norm)
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
        moments = [torch.stack([layer.mean, layer.var]) for layer in layers]
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
        which = torch.from_numpy(np.asarray(index, np.int64)).to(self.device)

        def visit(number: int, features: torch.Tensor, _grid: Grid) -> None:
            kept = references.layers[number]
            rows[number] = torch.stack(
                self._backend.compare(features, kept.features, kept.norm, which)
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


def _largest_deviation(plain: LayerReader, pictures: torch.Tensor, references: References) -> float:
    """Return the largest relative difference (L2) of any layer from that of the plain network."""
    found = [0.0]

    def visit(number: int, features: torch.Tensor, _grid: Grid) -> None:
        difference = torch.linalg.vector_norm(references.layers[number].features - features)
        norm = torch.linalg.vector_norm(features)
        found.append(float(difference / norm) if norm > 0 else float(difference))

    plain.run(pictures, visit)
    return max(found, key=lambda value: math.inf if math.isnan(value) else value)


def _to_host(tensor: torch.Tensor) -> torch.Tensor:
    if not tensor.is_cuda:
        return tensor
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return host.copy_(tensor, non_blocking=True)
