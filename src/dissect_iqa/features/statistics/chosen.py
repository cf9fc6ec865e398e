"""The statistics in use: a fast backend while it is right, PyTorch's from then on."""

import logging
from typing import Any

import torch

from dissect_iqa.errors import in_short
from dissect_iqa.features.forward.device import out_of_memory
from dissect_iqa.features.statistics import in_torch
from dissect_iqa.features.statistics.backend import ReferenceFeatures, choose_backend, prove

#: Relative difference of a statistic that a backend may make.
_WITHIN = 1e-4

log = logging.getLogger(__name__)


class StatisticsFault(RuntimeError):
    """The statistics of a layer could not be computed; says nothing about the network."""


class Statistics:
    """Computes a layer's statistics, and tells how.

    Parameters
    ----------
    device : torch.device
        Where the features are.
    name : str
        The model's id, for the log.
    plain : bool
        Let PyTorch compute them from the start.

    Attributes
    ----------
    left : list of str
        The cause, if a fast backend was left.
    """

    def __init__(self, device: torch.device, name: str, plain: bool = False):
        self.left: list[str] = []
        self._name = name
        self._backend = in_torch if plain else choose_backend(device)
        self._began = self.facts()

    @property
    def fast(self) -> bool:
        """Whether it is another backend than PyTorch's."""
        return self._backend is not in_torch

    def facts(self) -> dict[str, Any]:
        """Return how things are done, as far as it can change a number's last digits."""
        name: str = self._backend.__name__  # type: ignore[attr-defined]
        return {"statistics": name.rpartition(".")[2]}

    def account(self) -> dict[str, Any]:
        """Return how things were done since `prove`; what was left midway is "in part"."""
        now = self.facts()
        return {
            key: value if value == now[key] else f"in part, then {now[key]}"
            for key, value in self._began.items()
        } | ({"left": self.left} if self.left else {})

    def prove(self, references: list[ReferenceFeatures]) -> None:
        """Compare a fast backend with PyTorch on some features; leave it if it fails or differs."""
        if self.fast:
            finite = [kept for kept in references if bool(torch.isfinite(kept.features).all())]
            try:
                worst = prove(self._backend, finite)
            except Exception as error:  # a compiler may be missing or fail in any way
                if out_of_memory(error):
                    raise
                self.leave(in_short(error))
            else:
                if not worst <= _WITHIN:
                    self.leave(f"would differ by {worst:.0e}")
        self._began = self.facts()

    def leave(self, cause: str) -> None:
        """Go on with PyTorch's."""
        self._backend = in_torch
        self.left.append(f"statistics are computed by PyTorch, which takes longer ({cause})")
        log.warning("%s: %s", self._name, self.left[-1])

    def of_references(self, features: torch.Tensor) -> ReferenceFeatures:
        """Return references' features, shape (R, P, C), with their statistics.

        Raises
        ------
        StatisticsFault
            If it can't be done, unless it is for want of memory.
        """
        try:
            return ReferenceFeatures(features, *self._backend.moments(features))
        except Exception as error:
            if out_of_memory(error):
                raise
            raise StatisticsFault(in_short(error)) from error

    def of_distorted(
        self, features: torch.Tensor, kept: ReferenceFeatures, index: torch.Tensor
    ) -> torch.Tensor:
        """Return the four statistics of features (N, P, C), shape (4, N, C).

        Parameters
        ----------
        features : Tensor, shape (N, P, C)
            Of the distorted pictures.
        kept : ReferenceFeatures
            Of the references.
        index : Tensor of int64, shape (N,)
            Which of the references each belongs to.

        Raises
        ------
        StatisticsFault
            If it can't be done, unless it is for want of memory.
        """
        try:
            return torch.stack(self._backend.compare(features, kept.features, kept.norm, index))
        except Exception as error:
            if out_of_memory(error):
                raise
            raise StatisticsFault(in_short(error)) from error
