"""What a pass leaves: references' features on the device, statistics on their way to the host."""

from dataclasses import dataclass

import numpy as np
import torch

from dissect_iqa.features.forward.hooks import Grid
from dissect_iqa.features.statistics.backend import ReferenceFeatures


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


def _to_host(tensor: torch.Tensor) -> torch.Tensor:
    if not tensor.is_cuda:
        return tensor
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return host.copy_(tensor, non_blocking=True)
