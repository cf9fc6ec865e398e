"""A network on its device: references in, distorted pictures against them, statistics out."""

import copy
import logging
import sys
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch

from dissect_iqa.errors import UserError, in_short
from dissect_iqa.features.forward.device import PRECISIONS, memory_format, out_of_memory
from dissect_iqa.features.forward.function import why_not_a_function
from dissect_iqa.features.forward.hooks import Grid, LayerReader
from dissect_iqa.features.forward.input import picture_input
from dissect_iqa.features.forward.results import HostRows, References
from dissect_iqa.features.statistics.backend import ReferenceFeatures
from dissect_iqa.features.statistics.chosen import Statistics, StatisticsFault
from dissect_iqa.models.network import Network

#: Height and width of the parts of the first and the second picture that are looked at to start.
_PARTS = ((256, 256), (224, 320))

#: Pixels of a pass on the CPU: five pictures of 384 x 512.
_PIXELS_ON_CPU = 1 << 20

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")


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
    plain : bool
        Let PyTorch compute the statistics. Otherwise a faster backend does, after `start` has
        compared it with PyTorch.

    Attributes
    ----------
    statistics : Statistics
        Tells how they are computed.
    """

    def __init__(
        self,
        network: Network,
        device: torch.device,
        precision: str = "float32",
        raw: frozenset[int] = frozenset(),
        plain: bool = False,
    ):
        self.network = network
        self.device = device
        self._type = PRECISIONS[precision]
        self._raw = raw
        module = network.module
        if self._type != torch.float32:
            module = copy.deepcopy(module).to(dtype=self._type)
        self._format = memory_format(device, precision)
        module = module.to(device=device).to(memory_format=self._format).eval()
        self._reader = LayerReader(module, network.layers, network.id)
        self._fragile: set[int] = set()
        self.statistics = Statistics(device, network.id, plain)

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    def start(self, *pictures: np.ndarray) -> list[int]:
        """Check the fast statistics against PyTorch's, and go on with either.

        Of pictures that aren't resized, a part is enough.

        Parameters
        ----------
        *pictures : ndarray of uint8 or uint16, shape (1, H, W, 3)
            RGB; the first, and one of another size if there is any.

        Returns
        -------
        list of int
            The number of channels of each layer.

        Raises
        ------
        UserError
            If the network itself can't take a picture.
        """
        for picture, size in zip(pictures, _PARTS, strict=False):
            references = self._part(picture, size)
            self.statistics.prove(references.layers)
        log.info("%s: statistics %s", self.network.id, self.statistics.facts()["statistics"])
        return [layer.features.shape[2] for layer in references.layers]

    def require_function(self, picture: np.ndarray) -> None:
        """Refuse a network whose features of a picture depend on anything else; ask this first.

        Parameters
        ----------
        picture : ndarray of uint8 or uint16, shape (1, H, W, 3)
            RGB; of one that isn't resized, a part is looked at.

        Raises
        ------
        UserError
            With the reason, and the layer and module that show it; or if the network itself
            fails.
        """
        part = self._crop(picture, _PARTS[0])
        for pixels in (part, picture):
            # The same picture turned round, light for dark: its statistics are others.
            white = np.iinfo(pixels.dtype).max
            other = np.ascontiguousarray(white - pixels[:, ::-1, ::-1])
            try:
                why = why_not_a_function(self._reader, self._input(pixels), self._input(other))
            except Exception as error:
                if out_of_memory(error):
                    raise
                if pixels.shape != picture.shape:  # a part may be too small
                    continue
                raise self._own_fault(error, pixels) from error
            if why is not None:
                name = self.network.id
                raise UserError(f"{name}: the network is no function of the picture: {why}")
            return

    def _part(self, picture: np.ndarray, size: tuple[int, int]) -> References:
        """Pass what of a picture is enough to look at."""
        part = self._crop(picture, size)
        if part.shape != picture.shape:
            try:
                return self.references(part)[0]
            except UserError as error:  # a part may be too small
                log.debug("%s: a part of a picture won't do: %s", self.network.id, error)
        return self.references(picture)[0]

    def _crop(self, picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        if self.network.input.size is not None:
            return picture
        height, width = (max(side, self.network.input.multiple) for side in size)
        return np.ascontiguousarray(picture[:, :height, :width])

    def _safely(self, work: Callable[[], _Result], pictures: np.ndarray) -> _Result:
        """Do it; if the fast statistics fail, do the same with PyTorch's and stay with them.

        Raises
        ------
        UserError
            If the network fails: the fault is its own.
        """
        try:
            return work()
        except StatisticsFault as error:
            if not self.statistics.fast:
                raise
            self.statistics.leave(str(error))
        except Exception as error:
            if out_of_memory(error):
                raise
            raise self._own_fault(error, pictures) from error
        return self._safely(work, pictures)

    def _own_fault(self, error: Exception, pictures: np.ndarray) -> UserError:
        if isinstance(error, UserError):
            return error
        height, width = pictures.shape[1:3]
        return UserError(
            f"{self.network.id}: the network itself fails on a picture of {height} x {width} "
            f"({in_short(error)}); write size=... or multiple=... into the column 'input' of "
            "its row if it needs another size, or correct its builder"
        )

    def no_memory(self, what: str) -> UserError:
        """Return the error that memory doesn't suffice for some pictures."""
        return UserError(
            f"{self.network.id}: not enough memory on {self.device} for {what}; lower "
            "extraction.batch_size, use smaller pictures or another device"
        )

    def most(self, height: int, width: int) -> int:
        """Return how many pictures of that size are worth passing together.

        A CPU gains nothing from more than a few, and they would cost memory.
        """
        if self.device.type != "cpu":
            return sys.maxsize
        height, width = self.network.input.seen(height, width)
        return max(1, _PIXELS_ON_CPU // (height * width))

    def references(self, pictures: np.ndarray) -> tuple[References, HostRows]:
        """Run references, keep their features, and give their mean and variance.

        Parameters
        ----------
        pictures : ndarray of uint8 or uint16, shape (R, H, W, 3)
            RGB, all of one size.

        Raises
        ------
        UserError
            If the network itself fails.
        """
        return self._safely(lambda: self._references(pictures), pictures)

    def _references(self, pictures: np.ndarray) -> tuple[References, HostRows]:
        count = len(self.network.layers)
        kept: list[ReferenceFeatures | None] = [None] * count
        grids: list[Grid] = [(0, 0)] * count
        versions: list[int] = [0] * count

        def visit(number: int, features: torch.Tensor, grid: Grid) -> None:
            if number in self._fragile:
                features = features.clone()
            kept[number] = self.statistics.of_references(features)
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
            return self._references(pictures)
        moments = [torch.stack([layer.mean, layer.var]) for layer in layers]
        raw = {number: layers[number].features.half() for number in self._raw}
        return References(layers, grids), HostRows(moments, raw)

    def distorted(
        self, pictures: np.ndarray, references: References, index: np.ndarray
    ) -> HostRows:
        """Run distorted pictures and give their four statistics.

        Parameters
        ----------
        pictures : ndarray of uint8 or uint16, shape (N, H, W, 3)
            RGB, of the references' size.
        references : References
            What `references` returned.
        index : ndarray of int, shape (N,)
            Which of the references each picture belongs to.

        Raises
        ------
        UserError
            If the network itself fails, or gives a layer another shape than for the references.
        """
        return self._safely(lambda: self._distorted(pictures, references, index), pictures)

    def _distorted(
        self, pictures: np.ndarray, references: References, index: np.ndarray
    ) -> HostRows:
        count = len(self.network.layers)
        rows: list[torch.Tensor | None] = [None] * count
        raw: dict[int, torch.Tensor] = {}
        which = self._on_device(np.asarray(index, np.int64))

        def visit(number: int, features: torch.Tensor, _grid: Grid) -> None:
            kept = references.layers[number]
            if features.shape[1:] != kept.features.shape[1:]:
                raise UserError(
                    f"{self.network.id}: layer {self.network.layers[number].name!r} gives out "
                    f"{tuple(features.shape[1:])} positions and channels for one picture and "
                    f"{tuple(kept.features.shape[1:])} for another of the same size; choose "
                    "other layers"
                )
            rows[number] = self.statistics.of_distorted(features, kept, which)
            if number in self._raw:
                raw[number] = features.half()

        self._reader.run(self._input(pictures), visit)
        return HostRows([row for row in rows if row is not None], raw)

    def _input(self, pictures: np.ndarray) -> torch.Tensor:
        x = picture_input(self._on_device(pictures), self.network.input)
        return x.to(self._type, memory_format=self._format)

    def _on_device(self, array: np.ndarray) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":  # from pinned memory nobody waits for the copy
            tensor = tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor
