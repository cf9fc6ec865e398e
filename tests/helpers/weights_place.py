"""A place to fetch weights to, and a network small enough for it."""

from pathlib import Path

import torch
from model_rows import make_row
from safetensors.torch import load_file
from torch import nn

from dissect_iqa.files.provenance import canonical_json
from dissect_iqa.models.weights.fetch_weights import fetch_weights

SPEC = canonical_json({"stage": "fetch_weights", "version": 1})


def tiny(weights: str, **columns: object):
    columns = {"layers": "conv1;layer1", **columns}
    return make_row("tiny", "checkpoint_layouts:tiny_trunk", weights=weights, **columns)


class Place:
    """A working folder: the store, the lock table and the weights."""

    def __init__(self, folder: Path) -> None:
        self.cache = folder / "downloads"
        self.lock = folder / "config" / "weights.lock.tsv"
        self.weights = folder / "weights"

    def fetch(self, row, offline: bool = False) -> dict[str, torch.Tensor]:
        fetch_weights(row, self.target(row), self.cache, SPEC, offline, self.lock)
        return load_file(self.target(row))

    def target(self, row) -> Path:
        return self.weights / f"{row.id}.safetensors"

    def stored(self) -> list[str]:
        files = (path for path in self.cache.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.cache)) for path in files if path.suffix != ".lock")


def same(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> bool:
    return set(found) == set(wanted) and all(torch.equal(found[k], wanted[k]) for k in wanted)


class LpipsWeights(nn.Module):
    """The five rows of channel weights that the package lpips ships for AlexNet."""

    def __init__(self) -> None:
        super().__init__()
        for place, channels in enumerate((64, 192, 384, 256, 256)):
            layers = nn.Sequential(nn.Dropout(), nn.Conv2d(channels, 1, 1, bias=False))
            self.add_module(f"lin{place}", nn.ModuleDict({"model": layers}))


def lpips_weights() -> LpipsWeights:
    return LpipsWeights()
