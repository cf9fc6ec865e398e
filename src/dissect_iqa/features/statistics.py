"""Channel statistics of one layer's output: what every distance in the field can be made of.

For features x (distorted) and r (reference) with C channels at P positions, per channel:
the mean and the (population) variance of x over positions, the mean squared difference of x and
r, and the same after dividing each position's channel vector by its L2 norm, as LPIPS does.

Everything is computed in blocks of positions, small enough to stay in cache, with each block's
own mean taken off before squaring; blocks are added up in float64. So a variance far below the
squared mean keeps its digits.

The difference of two unit vectors is not taken from the two, which would leave nothing but
rounding of a nearly identical pair. With d = x - r, norms |x| and |r|, e = `UNIT_EPS`, and s the
one of x and r that has the smaller norm,

    x / (|x|+e) - r / (|r|+e)
        = d / (max(|x|, |r|)+e) - s * sum(d * (x + r)) / ((|x|+|r|) (|x|+e) (|r|+e)),

where every term vanishes with d, and none is large for dead positions. Equal features give 0.
"""

from dataclasses import dataclass

import torch

#: Added to the L2 norm before dividing by it (Zhang et al. 2018, as in their code).
UNIT_EPS = 1e-10

#: Keeps 0 / 0 from two dead positions out; too small to change anything else.
_TINY = 1e-30

#: Numbers of one block: small on CPU to stay in its cache, large on a GPU to fill it.
_BLOCK = {"cpu": 1 << 17, "cuda": 1 << 23}


@dataclass(frozen=True)
class Moments:
    """Mean and variance over positions, float32, each of shape (N, C)."""

    mean: torch.Tensor
    var: torch.Tensor


@dataclass(frozen=True)
class Comparison:
    """All statistics of distorted pictures, float32, each of shape (N, C)."""

    mean: torch.Tensor
    var: torch.Tensor
    mse: torch.Tensor
    unit_mse: torch.Tensor

    def parts(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the four in the order of `names.STATISTICS`."""
        return self.mean, self.var, self.mse, self.unit_mse


@dataclass(frozen=True)
class ReferenceFeatures:
    """What is kept of the references' output at one layer until all their pairs are through.

    Attributes
    ----------
    features : Tensor, shape (R, P, C)
        Any strides, any floating type.
    norm : Tensor of float32, shape (R, P)
        Each position's L2 norm.
    moments : Moments
        Of the references.
    """

    features: torch.Tensor
    norm: torch.Tensor
    moments: Moments


def reference_features(features: torch.Tensor) -> ReferenceFeatures:
    """Summarise references of shape (R, P, C) and keep them for comparisons."""
    count, positions, channels = features.shape
    norm = torch.empty(count, positions, device=features.device)
    moments = []
    for n in range(count):
        running = _Running(channels, features.device)
        for rows in _blocks(features):
            x = features[n, rows].float()
            norm[n, rows] = torch.linalg.vector_norm(x, dim=1)
            running.add(x)
        moments.append(running.moments())
    mean, var = (torch.stack(parts) for parts in zip(*moments, strict=True))
    return ReferenceFeatures(features, norm, Moments(mean, var))


def compare(
    features: torch.Tensor, reference: ReferenceFeatures, index: torch.Tensor
) -> Comparison:
    """Reduce distorted pictures' features against their references'.

    Parameters
    ----------
    features : Tensor, shape (N, P, C)
        Any strides, any floating type.
    reference : ReferenceFeatures
        With the same P and C.
    index : Tensor of int64 on the CPU, shape (N,)
        The reference of each picture.
    """
    _, positions, channels = features.shape
    rows_of = index.tolist()
    results = []
    for n, r in enumerate(rows_of):
        running = _Running(channels, features.device)
        squared = torch.zeros(2, channels, dtype=torch.float64, device=features.device)
        for rows in _blocks(features):
            x, y = features[n, rows].float(), reference.features[r, rows].float()
            running.add(x)
            squared += _squared_differences(x, y, reference.norm[r, rows, None])
        results.append((*running.moments(), *(squared / positions).float()))
    return Comparison(*(torch.stack(parts) for parts in zip(*results, strict=True)))


class _Running:
    """Mean and variance of a stream of blocks (P, C), merged in float64 (Chan et al. 1979)."""

    def __init__(self, channels: int, device: torch.device):
        self.count = 0
        self.mean = torch.zeros(channels, dtype=torch.float64, device=device)
        self.squares = torch.zeros(channels, dtype=torch.float64, device=device)

    def add(self, block: torch.Tensor) -> None:
        count = block.shape[0]
        mean = block.mean(0)
        squares = (block - mean).square_().sum(0).double()
        gap = mean.double() - self.mean
        total = self.count + count
        self.squares += squares + gap.square() * (self.count * count / total)
        self.mean += gap * (count / total)
        self.count = total

    def moments(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.mean.float(), (self.squares / self.count).float()


def _squared_differences(x: torch.Tensor, y: torch.Tensor, norm_y: torch.Tensor) -> torch.Tensor:
    """Return the sums over positions of both squared differences of a block: (2, C), float64."""
    difference = x - y
    gain = (difference * (x + y)).sum(1, keepdim=True)  # |x|^2 - |y|^2
    norm_x = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    large, small = torch.maximum(norm_x, norm_y), torch.minimum(norm_x, norm_y)
    shrink = gain / (large + small + _TINY) / (large + UNIT_EPS) / (small + UNIT_EPS)
    unit = difference / (large + UNIT_EPS) - torch.where(norm_x < norm_y, x, y) * shrink
    return torch.stack([difference.square_().sum(0), unit.square_().sum(0)]).double()


def _blocks(features: torch.Tensor) -> list[slice]:
    _, positions, channels = features.shape
    step = max(1, _BLOCK.get(features.device.type, 1 << 20) // channels)
    return [slice(start, min(start + step, positions)) for start in range(0, positions, step)]
