"""A network on its device: references in, distorted pictures against them, statistics out."""

import copy
import logging
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch

from dissect_iqa.errors import UserError
from dissect_iqa.features.forward.device import PRECISIONS, memory_format, out_of_memory
from dissect_iqa.features.forward.function import why_not_a_function
from dissect_iqa.features.forward.hooks import Grid, LayerReader
from dissect_iqa.features.forward.input import picture_input
from dissect_iqa.features.fusion.fused import Fusing, can_fuse
from dissect_iqa.features.statistics import in_torch
from dissect_iqa.features.statistics.backend import ReferenceFeatures, choose_backend, prove
from dissect_iqa.models.network import Network

#: Relative difference of a statistic that a backend may make.
_BACKEND_WITHIN = 1e-4

#: Relative difference of a layer that fusing may make; float32 rounding makes some 1e-6.
_FUSED_WITHIN = 1e-4

#: Height and width of the parts of the first and the second picture that are looked at to start.
_PARTS = ((256, 256), (224, 320))

#: Pixels of a pass on the CPU: five pictures of 384 x 512.
_PIXELS_ON_CPU = 1 << 20

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")


class StatisticsFault(RuntimeError):
    """The statistics of a layer could not be computed; says nothing about the network."""


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
    plain : bool
        Run the network as it is and let PyTorch compute the statistics. Otherwise convolutions
        are fused with what follows them (float32 on the CPU only), and statistics take a faster
        backend, both after `start` has compared them with the plain way.

    Attributes
    ----------
    left : list of str
        Fast ways that were left, each with the cause.
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
        self.left: list[str] = []
        self._type = PRECISIONS[precision]
        self._raw = raw
        module = network.module
        if self._type != torch.float32:
            module = copy.deepcopy(module).to(dtype=self._type)
        self._format = memory_format(device, precision)
        module = module.to(device=device).to(memory_format=self._format).eval()
        self._reader = LayerReader(module, network.layers, network.id)
        self._fragile: set[int] = set()
        fused = not plain and precision == "float32" and can_fuse(device)
        self._fusing = Fusing(module) if fused else None
        self._backend = in_torch if plain else choose_backend(device)
        self._began = self.facts()

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    def start(self, *pictures: np.ndarray) -> list[int]:
        """Check what is fast against what is plain, and go on with either.

        Of pictures that aren't resized, a part is enough.

        Parameters
        ----------
        *pictures : ndarray of uint8, shape (1, H, W, 3)
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
        fusing, self._fusing = self._fusing, None
        for picture, size in zip(pictures, _PARTS, strict=False):
            part, plain = self._part(picture, size)
            self._prove_backend(plain)
            if fusing is not None:
                fusing = self._proven(fusing, part, plain)
        self._fusing = fusing
        log.info("%s: %s", self.network.id, self._in_words())
        self._began = self.facts()
        return [layer.features.shape[2] for layer in plain.layers]

    def require_function(self, picture: np.ndarray) -> None:
        """Refuse a network whose features of a picture depend on anything else; ask this first.

        Parameters
        ----------
        picture : ndarray of uint8, shape (1, H, W, 3)
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
            other = np.ascontiguousarray(255 - pixels[:, ::-1, ::-1])
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

    def facts(self) -> dict[str, Any]:
        """Return how things are done, as far as it can change a number's last digits."""
        return {
            "fused": self._fusing is not None,
            "statistics": self._backend.__name__.rpartition(".")[2],  # type: ignore[attr-defined]
        }

    def account(self) -> dict[str, Any]:
        """Return how things were done from `start` on; what was left midway is "in part"."""
        now = self.facts()
        return {
            key: value if value == now[key] else f"in part, then {now[key]}"
            for key, value in self._began.items()
        } | ({"left": self.left} if self.left else {})

    def go_plain(self, cause: str) -> bool:
        """Leave all that is fast; return whether there was anything to leave."""
        fast = self._fusing is not None or self._backend is not in_torch
        self._fusing, self._backend = None, in_torch
        if fast:
            self._leave(f"fast ways left for plain ones: {cause}")
        return fast

    def _leave(self, what: str) -> None:
        self.left.append(what)
        log.warning("%s: %s", self.network.id, what)

    def _in_words(self) -> str:
        network = "fused" if self._fusing is not None else "as it is"
        how = "by PyTorch" if self._backend is in_torch else f"by {self.facts()['statistics']}"
        return f"the network runs {network}, statistics are computed {how}"

    def _part(self, picture: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, References]:
        """Return what of a picture is enough to look at, and its references, run plainly."""
        part = self._crop(picture, size)
        if part.shape != picture.shape:
            try:
                return part, self.references(part)[0]
            except UserError as error:  # a part may be too small
                log.debug("%s: a part of a picture won't do: %s", self.network.id, error)
        return picture, self.references(picture)[0]

    def _crop(self, picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        if self.network.input.size is not None:
            return picture
        height, width = (max(side, self.network.input.multiple) for side in size)
        return np.ascontiguousarray(picture[:, :height, :width])

    def _prove_backend(self, references: References) -> None:
        """Fall back to PyTorch's statistics if the chosen ones fail or differ."""
        if self._backend is in_torch:
            return
        finite = [
            layer for layer in references.layers if bool(torch.isfinite(layer.features).all())
        ]
        try:
            worst = prove(self._backend, finite)
        except Exception as error:  # a compiler may be missing or fail in any way
            if out_of_memory(error):
                raise
            self._use_torch(error)
            return
        if not worst <= _BACKEND_WITHIN:
            self._use_torch(f"would differ by {worst:.0e}")

    def _use_torch(self, cause: BaseException | str) -> None:
        text = cause if isinstance(cause, str) else _in_short(cause)
        self._backend = in_torch
        self._leave(f"statistics are computed by PyTorch, which takes longer ({text})")

    def _proven(self, fusing: Fusing, picture: np.ndarray, plain: References) -> Fusing | None:
        """Return what fuses if it changes no layer of a picture, alone and in company."""
        if not all(bool(torch.isfinite(layer.features).all()) for layer in plain.layers):
            self._leave("not fused: the network gives values that are not finite")
            return None
        before = fusing.count
        try:
            worst = max(
                _deviation(self._reader, self._input(np.repeat(picture, n, 0)), plain, fusing)
                for n in (1, 2)
            )
        except Exception as error:  # whatever it is, the plain network ran
            if out_of_memory(error):
                raise
            self._leave(f"not fused: {_in_short(error)}")
            return None
        if not worst <= _FUSED_WITHIN:
            self._leave(f"not fused; a layer would differ by {worst:.0e}")
            return None
        if fusing.count == before:
            log.info("%s: nothing to fuse", self.network.id)
            return None
        log.info("%s: fused; layers agree within %.0e", self.network.id, worst)
        return fusing

    def _safely(self, work: Callable[[], _Result], pictures: np.ndarray) -> _Result:
        """Do what is fast; if it fails, do the same plainly and stay with that.

        Raises
        ------
        UserError
            If the plain network fails, too: the fault is its own.
        """
        try:
            return work()
        except StatisticsFault as error:
            if self._backend is in_torch:
                raise
            self._use_torch(error.__cause__ or error)
        except Exception as error:
            if out_of_memory(error):
                raise
            if self._fusing is None:
                raise self._own_fault(error, pictures) from error
            fusing, self._fusing = self._fusing, None
            try:
                result = self._safely(work, pictures)
            except Exception:  # also memory: the fused network is not to blame
                self._fusing = fusing
                raise
            self._leave(f"not fused any more; the fused network failed: {_in_short(error)}")
            return result
        return self._safely(work, pictures)

    def _own_fault(self, error: Exception, pictures: np.ndarray) -> UserError:
        if isinstance(error, UserError):
            return error
        height, width = pictures.shape[1:3]
        return UserError(
            f"{self.network.id}: the network itself fails on a picture of {height} x {width} "
            f"({_in_short(error)}); write size=... or multiple=... into the column 'input' of "
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
        pictures : ndarray of uint8, shape (R, H, W, 3)
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
            mean, var, norm = self._computed(lambda: self._backend.moments(features))
            kept[number] = ReferenceFeatures(features, mean, var, norm)
            grids[number] = grid
            versions[number] = features._version

        self._reader.run(self._input(pictures), visit, self._fusing)
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
        pictures : ndarray of uint8, shape (N, H, W, 3)
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
            rows[number] = self._computed(
                lambda: torch.stack(
                    self._backend.compare(features, kept.features, kept.norm, which)
                )
            )
            if number in self._raw:
                raw[number] = features.half()

        self._reader.run(self._input(pictures), visit, self._fusing)
        return HostRows([row for row in rows if row is not None], raw)

    def _computed(self, compute: Callable[[], _Result]) -> _Result:
        try:
            return compute()
        except Exception as error:
            if out_of_memory(error):
                raise
            raise StatisticsFault(_in_short(error)) from error

    def _input(self, pictures: np.ndarray) -> torch.Tensor:
        x = picture_input(self._on_device(pictures), self.network.input)
        return x.to(self._type, memory_format=self._format)

    def _on_device(self, array: np.ndarray) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":  # from pinned memory nobody waits for the copy
            tensor = tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor


def _deviation(
    reader: LayerReader, pictures: torch.Tensor, plain: References, fusing: Fusing
) -> float:
    """Return the largest relative difference (L2) of any layer from that of the plain network.

    All pictures are the same. NaN and another shape count as infinite.
    """
    found = [0.0]

    def visit(number: int, features: torch.Tensor, _grid: Grid) -> None:
        right = plain.layers[number].features
        if features.shape[1:] != right.shape[1:]:
            found.append(math.inf)
            return
        difference = torch.linalg.vector_norm(features - right, dim=(1, 2)).max()
        norm = torch.linalg.vector_norm(right)
        value = float(difference / norm) if norm > 0 else float(difference)
        found.append(math.inf if math.isnan(value) else value)

    reader.run(pictures, visit, fusing)
    return max(found)


def _in_short(error: BaseException) -> str:
    """Return an error's type and the first line of what it says."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _to_host(tensor: torch.Tensor) -> torch.Tensor:
    if not tensor.is_cuda:
        return tensor
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return host.copy_(tensor, non_blocking=True)
