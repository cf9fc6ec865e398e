"""The statistics of `backend` as Triton kernels for CUDA: every number is read once.

A program handles some positions of one picture: it reads their channels, derives the positions'
norms, reads the channels again, now from the cache, and writes what the positions add to each
channel. These sums, a few per cent of what was read, are added up by `in_torch.merge`.
"""

import torch
import triton
import triton.language as tl

from dissect_iqa.features.statistics.in_torch import TINY, UNIT_EPS, merge

#: Numbers of a program's tile of channels.
_TILE = 8192


@triton.jit
def _moments_kernel(
    x, norm, out, positions, channels, slabs,
    x_picture, x_position, x_channel,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    slab = tl.program_id(0)
    picture = tl.program_id(1).to(tl.int64)
    rows = slab * ROWS + tl.arange(0, ROWS)
    there = rows < positions
    count = tl.minimum(ROWS, positions - slab * ROWS).to(tl.float32)
    x0 = x + picture * x_picture + slab.to(tl.int64) * ROWS * x_position
    x += picture * x_picture + rows.to(tl.int64)[:, None] * x_position
    out += (picture * slabs + slab) * 2 * channels
    total = tl.zeros((ROWS,), tl.float32)
    for first in range(0, channels, COLUMNS):
        columns = first + tl.arange(0, COLUMNS)
        mask = there[:, None] & (columns < channels)[None, :]
        v = tl.load(x + columns[None, :] * x_channel, mask=mask, other=0.0).to(tl.float32)
        total += tl.sum(v * v, axis=1)
        pivot = tl.load(x0 + columns * x_channel, mask=columns < channels, other=0.0)
        pivot = pivot.to(tl.float32)
        mean = pivot + tl.sum(tl.where(mask, v - pivot[None, :], 0.0), axis=0) / count
        gap = tl.where(mask, v - mean[None, :], 0.0)
        tl.store(out + columns, mean, mask=columns < channels)
        tl.store(out + channels + columns, tl.sum(gap * gap, axis=0), mask=columns < channels)
    tl.store(norm + picture * positions + rows, tl.sqrt(total), mask=there)


@triton.jit
def _compare_kernel(
    x, r, norm, index, out, positions, channels, slabs,
    x_picture, x_position, x_channel, r_picture, r_position, r_channel,
    EPS: tl.constexpr, TINY: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    slab = tl.program_id(0)
    picture = tl.program_id(1).to(tl.int64)
    other = tl.load(index + picture)
    rows = slab * ROWS + tl.arange(0, ROWS)
    there = rows < positions
    count = tl.minimum(ROWS, positions - slab * ROWS).to(tl.float32)
    x0 = x + picture * x_picture + slab.to(tl.int64) * ROWS * x_position
    x += picture * x_picture + rows.to(tl.int64)[:, None] * x_position
    r += other * r_picture + rows.to(tl.int64)[:, None] * r_position
    out += (picture * slabs + slab) * 4 * channels
    total = tl.zeros((ROWS,), tl.float32)
    gain = tl.zeros((ROWS,), tl.float32)
    for first in range(0, channels, COLUMNS):
        columns = first + tl.arange(0, COLUMNS)
        mask = there[:, None] & (columns < channels)[None, :]
        v = tl.load(x + columns[None, :] * x_channel, mask=mask, other=0.0).to(tl.float32)
        w = tl.load(r + columns[None, :] * r_channel, mask=mask, other=0.0).to(tl.float32)
        total += tl.sum(v * v, axis=1)
        gain += tl.sum((v - w) * (v + w), axis=1)
    norm_x = tl.sqrt(total)
    norm_r = tl.load(norm + other * positions + rows, mask=there, other=0.0)
    large, small = tl.maximum(norm_x, norm_r), tl.minimum(norm_x, norm_r)
    scale = 1.0 / (large + EPS)
    shrink = gain / (large + small + TINY) * scale / (small + EPS)
    of_x = tl.where(norm_x < norm_r, shrink, 0.0)
    of_r = tl.where(norm_x < norm_r, 0.0, shrink)
    for first in range(0, channels, COLUMNS):
        columns = first + tl.arange(0, COLUMNS)
        mask = there[:, None] & (columns < channels)[None, :]
        v = tl.load(x + columns[None, :] * x_channel, mask=mask, other=0.0).to(tl.float32)
        w = tl.load(r + columns[None, :] * r_channel, mask=mask, other=0.0).to(tl.float32)
        pivot = tl.load(x0 + columns * x_channel, mask=columns < channels, other=0.0)
        pivot = pivot.to(tl.float32)
        mean = pivot + tl.sum(tl.where(mask, v - pivot[None, :], 0.0), axis=0) / count
        gap = tl.where(mask, v - mean[None, :], 0.0)
        difference = v - w
        unit = difference * scale[:, None] - v * of_x[:, None] - w * of_r[:, None]
        known = columns < channels
        tl.store(out + columns, mean, mask=known)
        tl.store(out + channels + columns, tl.sum(gap * gap, axis=0), mask=known)
        tl.store(out + 2 * channels + columns, tl.sum(difference * difference, axis=0), mask=known)
        tl.store(out + 3 * channels + columns, tl.sum(unit * unit, axis=0), mask=known)


def moments(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return mean (N, C), variance (N, C) and L2 norms (N, P) of features (N, P, C)."""
    count, positions, channels = features.shape
    rows, columns = _tile(channels)
    slabs = triton.cdiv(positions, rows)
    norm = torch.empty(count, positions, device=features.device)
    out = torch.empty(count, slabs, 2, channels, device=features.device)
    _moments_kernel[(slabs, count)](
        features, norm, out, positions, channels, slabs, *features.stride(),
        ROWS=rows, COLUMNS=columns,
    )  # fmt: skip
    mean, var = merge(out, positions, rows).unbind(1)
    return mean, var, norm


def compare(
    features: torch.Tensor, references: torch.Tensor, norm: torch.Tensor, index: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the four statistics; see `statistics.Backend.compare`."""
    count, positions, channels = features.shape
    rows, columns = _tile(channels)
    slabs = triton.cdiv(positions, rows)
    out = torch.empty(count, slabs, 4, channels, device=features.device)
    _compare_kernel[(slabs, count)](
        features, references, norm.contiguous(), index.to(features.device), out,
        positions, channels, slabs, *features.stride(), *references.stride(),
        EPS=UNIT_EPS, TINY=TINY, ROWS=rows, COLUMNS=columns,
    )  # fmt: skip
    mean, var, mse, unit = merge(out, positions, rows).unbind(1)
    return mean, var, mse, unit


def _tile(channels: int) -> tuple[int, int]:
    """Return how many positions and channels a program looks at together."""
    columns = min(256, max(16, triton.next_power_of_2(channels)))
    rows = max(8, min(128, _TILE // triton.next_power_of_2(channels)))
    return rows, columns
