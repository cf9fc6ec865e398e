"""The statistics of `backend` in compiled loops for the CPU: every number is read once.

Written as tensor expressions, the four statistics take a dozen passes over maps of tens of
megabytes, which costs more than the network's first layers. Here a block of positions is visited
twice while it is in the processor's cache, so main memory gives each number once: the bound is
memory bandwidth. Blocks are summed in float32, as differences from their first position, and
added up in float64 (Chan et al. 1979).

Two sets of loops, for channels that lie side by side (``last``: channels-last maps and tokens)
and for positions that do (``first``). How the work is cut into slabs depends on shapes only, so
results don't depend on the number of threads.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numba import njit

from dissect_iqa.features.statistics.in_torch import TINY, UNIT_EPS, merge

#: Numbers of a block: two of them, reference and distorted, fit a core's cache. Where positions
#: lie side by side, rows of a block should be long.
_BLOCK_LAST, _BLOCK_FIRST = 1 << 14, 1 << 16
#: Most positions of a block whose channels lie side by side: each is added in float32, one after
#: the other, and of even regions every addition is rounded the same way.
_LONGEST_LAST = 256
#: Numbers of a slab, what one thread does at a time.
_SLAB = 1 << 20

_EPS = np.float32(UNIT_EPS)
_TINY = np.float32(TINY)
_ZERO = np.float32(0)
_ONE = np.float32(1)


def _loops(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function when it is first called, once a machine if that can be kept."""
    options: dict[str, Any] = {
        "nogil": True,
        "error_model": "numpy",
        # Sums may be reordered, or they couldn't be vectorised; NaN and infinity must go through.
        "fastmath": {"reassoc", "contract", "nsz", "arcp"},
    }
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # neither this folder nor the user's can be written to
        return njit(**options)(function)


@_loops
def _merge(out, done, count, mean, squares):
    """Add a block's means and squared deviations to a slab's: out[0] and out[1]."""
    total = done + count
    for c in range(mean.size):
        gap = np.float64(mean[c]) - out[0, c]
        out[0, c] += gap * (count / total)
        out[1, c] += np.float64(squares[c]) + gap * gap * (done * count / total)
    return total


@_loops
def _coefficients(norm_x, norm_r, gain):
    """Return a, b, c of: unit difference = a * (x - r) - b * x - c * r."""
    large, small = max(norm_x, norm_r), min(norm_x, norm_r)
    a = _ONE / (large + _EPS)
    shrink = gain / (large + small + _TINY) * a / (small + _EPS)
    if norm_x < norm_r:
        return a, shrink, _ZERO
    return a, _ZERO, shrink


@_loops
def _moments_last(x, start, stop, step, norm, out):
    """Means and squared deviations of positions start..stop of x (P, C); norms of each."""
    channels = x.shape[1]
    mean = np.empty(channels, np.float32)
    squares = np.empty(channels, np.float32)
    done = 0
    for low in range(start, stop, step):
        high = min(low + step, stop)
        mean[:] = _ZERO
        squares[:] = _ZERO
        pivot = x[low]
        for p in range(low, high):
            row = x[p]
            total = _ZERO
            for c in range(channels):
                total += row[c] * row[c]
                mean[c] += row[c] - pivot[c]
            norm[p] = np.sqrt(total)
        share = _ONE / np.float32(high - low)
        for c in range(channels):
            mean[c] = pivot[c] + mean[c] * share
        for p in range(low, high):
            row = x[p]
            for c in range(channels):
                gap = row[c] - mean[c]
                squares[c] += gap * gap
        done = _merge(out, done, high - low, mean, squares)


@_loops
def _compare_last(x, r, norm, start, stop, step, out):
    """All four sums over positions start..stop of x and r (P, C)."""
    channels = x.shape[1]
    sums = np.empty((4, channels), np.float32)
    mean, squares, differences, units = sums[0], sums[1], sums[2], sums[3]
    weights = np.empty((step, 3), np.float32)
    done = 0
    for low in range(start, stop, step):
        high = min(low + step, stop)
        sums[:] = _ZERO
        pivot = x[low]
        for p in range(low, high):
            row, other = x[p], r[p]
            total, gain = _ZERO, _ZERO
            for c in range(channels):
                v, w = row[c], other[c]
                total += v * v
                gain += (v - w) * (v + w)
                mean[c] += v - pivot[c]
            weights[p - low] = _coefficients(np.sqrt(total), norm[p], gain)
        share = _ONE / np.float32(high - low)
        for c in range(channels):
            mean[c] = pivot[c] + mean[c] * share
        for p in range(low, high):
            row, other = x[p], r[p]
            a, b, e = weights[p - low]
            for c in range(channels):
                v, w = row[c], other[c]
                difference = v - w
                gap = v - mean[c]
                unit = difference * a - v * b - w * e
                differences[c] += difference * difference
                squares[c] += gap * gap
                units[c] += unit * unit
        done = _merge(out, done, high - low, mean, squares)
        for c in range(channels):
            out[2, c] += differences[c]
            out[3, c] += units[c]


@_loops
def _moments_first(x, start, stop, step, norm, out):
    """Like `_moments_last` for x (C, P)."""
    channels = x.shape[0]
    mean = np.empty(channels, np.float32)
    squares = np.empty(channels, np.float32)
    done = 0
    for low in range(start, stop, step):
        high = min(low + step, stop)
        part = norm[low:high]
        part[:] = _ZERO
        share = _ONE / np.float32(high - low)
        for c in range(channels):
            row = x[c, low:high]
            pivot, total = row[0], _ZERO
            for p in range(high - low):
                part[p] += row[p] * row[p]
                total += row[p] - pivot
            mean[c] = pivot + total * share
        for c in range(channels):
            row = x[c, low:high]
            centre, total = mean[c], _ZERO
            for p in range(high - low):
                gap = row[p] - centre
                total += gap * gap
            squares[c] = total
        for p in range(high - low):
            part[p] = np.sqrt(part[p])
        done = _merge(out, done, high - low, mean, squares)


@_loops
def _compare_first(x, r, norm, start, stop, step, out):
    """Like `_compare_last` for x and r (C, P)."""
    channels = x.shape[0]
    mean = np.empty(channels, np.float32)
    squares = np.empty(channels, np.float32)
    weights = np.empty((3, step), np.float32)
    done = 0
    for low in range(start, stop, step):
        high = min(low + step, stop)
        width = high - low
        a, b, e = weights[0, :width], weights[1, :width], weights[2, :width]
        share = _ONE / np.float32(width)
        weights[:] = _ZERO
        for c in range(channels):
            row, other = x[c, low:high], r[c, low:high]
            pivot, total = row[0], _ZERO
            for p in range(width):
                v, w = row[p], other[p]
                a[p] += v * v
                b[p] += (v - w) * (v + w)
                total += v - pivot
            mean[c] = pivot + total * share
        for p in range(width):
            a[p], b[p], e[p] = _coefficients(np.sqrt(a[p]), norm[low + p], b[p])
        for c in range(channels):
            row, other = x[c, low:high], r[c, low:high]
            centre = mean[c]
            deviation, squared, units = _ZERO, _ZERO, _ZERO
            for p in range(width):
                v, w = row[p], other[p]
                difference = v - w
                gap = v - centre
                unit = difference * a[p] - v * b[p] - w * e[p]
                squared += difference * difference
                deviation += gap * gap
                units += unit * unit
            squares[c] = deviation
            out[2, c] += squared
            out[3, c] += units
        done = _merge(out, done, width, mean, squares)


def moments(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return mean (N, C), variance (N, C) and L2 norms (N, P) of features (N, P, C)."""
    arrays, last = _arrays(features)
    norm = np.empty(features.shape[:2], np.float32)
    loop = _moments_last if last else _moments_first

    def work(n: int, start: int, stop: int, step: int, out: np.ndarray) -> None:
        loop(arrays[n], start, stop, step, norm[n], out)

    mean, var = _run(features.shape, last, work, 2).unbind(1)
    return mean, var, torch.from_numpy(norm)


def compare(
    features: torch.Tensor, references: torch.Tensor, norm: torch.Tensor, index: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the four statistics; see `statistics.Backend.compare`."""
    others, last = _arrays(references)
    arrays, _ = _arrays(features, last)
    norms, which = norm.numpy(), index.tolist()
    loop = _compare_last if last else _compare_first

    def work(n: int, start: int, stop: int, step: int, out: np.ndarray) -> None:
        loop(arrays[n], others[which[n]], norms[which[n]], start, stop, step, out)

    mean, var, mse, unit = _run(features.shape, last, work, 4).unbind(1)
    return mean, var, mse, unit


def _run(shape: torch.Size, last: bool, work: Callable[..., None], rows: int) -> torch.Tensor:
    """Cut (N, P, C) into slabs, run them in threads, and merge: (N, rows, C) float32."""
    count, positions, channels = shape
    if last:
        step = min(max(16, _BLOCK_LAST // channels), _LONGEST_LAST)
    else:
        step = max(128, _BLOCK_FIRST // channels)
    size = max(1, _SLAB // (channels * step)) * step
    starts = range(0, positions, size)
    out = np.zeros((count, len(starts), rows, channels))
    tasks = [
        (n, start, min(start + size, positions), step, out[n, i])
        for n in range(count)
        for i, start in enumerate(starts)
    ]
    threads = torch.get_num_threads()
    if threads == 1 or len(tasks) == 1:
        for task in tasks:
            work(*task)
    else:
        list(_pool(threads).map(lambda task: work(*task), tasks))
    return merge(torch.from_numpy(out), positions, size)


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "statistics")


def _arrays(features: torch.Tensor, last: bool | None = None) -> tuple[list[np.ndarray], bool]:
    """Return each picture as a contiguous array, (P, C) if `last`, else (C, P)."""
    features = features.detach().float()
    if last is None:
        last = features.stride(2) == 1 or features.stride(1) != 1
    if not last:
        features = features.transpose(1, 2)
    return [np.ascontiguousarray(array) for array in features.numpy()], last
