"""The statistics as tensor expressions: the backend for anything, and the measure of the others."""

from collections.abc import Iterator
from functools import lru_cache

import torch

#: Added to an L2 norm before dividing by it (Zhang et al. 2018, as in their code).
UNIT_EPS = 1e-10

#: Keeps 0 / 0 from two dead positions out; too small to change anything else.
TINY = 1e-30

#: Numbers in one block: small on a CPU to stay in its cache, large on a GPU to fill it.
_BLOCK = {"cpu": 1 << 17, "cuda": 1 << 23}


def moments(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return mean (N, C), variance (N, C) and L2 norms (N, P) of features (N, P, C)."""
    norm = torch.empty(features.shape[:2], device=features.device)
    results = []
    for pictures, step in _blocks(features):
        sums = []
        for rows in _slices(features.shape[1], step):
            x = features[pictures, rows].float()
            norm[pictures, rows] = torch.linalg.vector_norm(x, dim=2)
            sums.append(torch.stack(_moments(x), dim=1))
        results.append(merge(torch.stack(sums, dim=1), features.shape[1], step))
    mean, var = torch.cat(results).unbind(1)
    return mean, var, norm


def compare(
    features: torch.Tensor, references: torch.Tensor, norm: torch.Tensor, index: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the four statistics; see `statistics.Backend.compare`."""
    results = []
    for pictures, step in _blocks(features):
        which = index[pictures].to(features.device)
        sums = []
        for rows in _slices(features.shape[1], step):
            x = features[pictures, rows].float()
            y, norm_y = (
                part[:1, rows] if len(references) == 1 else part[:, rows].index_select(0, which)
                for part in (references, norm)
            )
            sums.append(torch.stack(_moments(x) + _squares(x, y.float(), norm_y), dim=1))
        results.append(merge(torch.stack(sums, dim=1), features.shape[1], step))
    mean, var, mse, unit = torch.cat(results).unbind(1)
    return mean, var, mse, unit


def merge(sums: torch.Tensor, positions: int, step: int) -> torch.Tensor:
    """Add up blocks in float64 (Chan et al. 1979).

    Parameters
    ----------
    sums : Tensor, shape (N, blocks, K, C)
        Of each block: means, squared deviations from them, and sums of K - 2 other things.
    positions : int
        Of all blocks together.
    step : int
        Positions of each block but the last, which has what is left.

    Returns
    -------
    Tensor of float32, shape (N, K, C)
        Means, variances, and means of the other things.
    """
    counts = _counts(positions, step, sums.device)
    sums = sums.double()
    total = sums.sum(dim=1)
    total[:, 0] = (sums[:, :, 0] * counts).sum(dim=1) / positions
    total[:, 1] += ((sums[:, :, 0] - total[:, None, 0]).square() * counts).sum(dim=1)
    total[:, 1:] /= positions
    return total.float()


@lru_cache(maxsize=1024)
def _counts(positions: int, step: int, device: torch.device) -> torch.Tensor:
    """Return the number of positions of each block, (blocks, 1) of float64."""
    sizes = [min(step, positions - start) for start in range(0, positions, step)]
    return torch.tensor(sizes, dtype=torch.float64, device=device)[:, None]


@lru_cache(maxsize=256)
def on_device(values: tuple[float, ...], device: torch.device) -> torch.Tensor:
    """Return constants as a float32 tensor of shape (values,), not to be changed.

    Kept, for copying them would make a GPU's host wait until all that was asked for is done.
    """
    return torch.tensor(values, device=device)


def _moments(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and squared deviations of a block (N, P, C), each (N, C)."""
    mean = x.mean(1, keepdim=True)
    return mean[:, 0], (x - mean).square_().sum(1)


def _squares(
    x: torch.Tensor, y: torch.Tensor, norm_y: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the sums over positions of both squared differences of a block, each (N, C)."""
    norm_y = norm_y[..., None]
    difference = x - y
    gain = (difference * (x + y)).sum(2, keepdim=True)  # |x|^2 - |y|^2
    norm_x = torch.linalg.vector_norm(x, dim=2, keepdim=True)
    large, small = torch.maximum(norm_x, norm_y), torch.minimum(norm_x, norm_y)
    shrink = gain / (large + small + TINY) / (large + UNIT_EPS) / (small + UNIT_EPS)
    unit = difference / (large + UNIT_EPS) - torch.where(norm_x < norm_y, x, y) * shrink
    return difference.square_().sum(1), unit.square_().sum(1)


def _blocks(features: torch.Tensor) -> Iterator[tuple[slice, int]]:
    """Yield pictures that go together, and how many positions make a block."""
    count, positions, channels = features.shape
    numbers = _BLOCK.get(features.device.type, 1 << 20)
    step = max(1, min(positions, numbers // channels))
    together = max(1, numbers // (step * channels))
    for start in range(0, count, together):
        yield slice(start, min(start + together, count)), step


def _slices(positions: int, step: int) -> Iterator[slice]:
    for start in range(0, positions, step):
        yield slice(start, min(start + step, positions))
