"""How publishers lay out their checkpoints, and a network small enough to try all of it on.

Each function turns a trunk's state dict into what the publisher's file holds: the same tensors
under the documented names, beside everything else that such a file has.
"""

import argparse
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

State = dict[str, torch.Tensor]
EXTRA = torch.zeros(2, 3)


class TinyTrunk(nn.Module):
    """Three kinds of parameters in a few hundred numbers."""

    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, channels, kernel_size=3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.layer1 = nn.Sequential(nn.Conv2d(channels, 6, kernel_size=1), nn.ReLU())

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.layer1(self.bn1(self.conv1(pictures)))


def tiny_trunk(channels: int = 4) -> TinyTrunk:
    return TinyTrunk(channels)


class FlatTrunk(nn.Module):
    """The same parameters in the same order under other names."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.ModuleList([nn.Conv2d(3, 4, kernel_size=3, bias=False), nn.BatchNorm2d(4)])
        self.blocks = nn.ModuleList([nn.Conv2d(4, 6, kernel_size=1)])


def flat_trunk() -> FlatTrunk:
    return FlatTrunk()


def trained(seed: int = 0, module: nn.Module | None = None) -> State:
    """Return a state dict of which every value is its own."""
    generator = torch.Generator().manual_seed(seed)
    return {
        key: torch.rand(value.shape, generator=generator) + 0.5
        if value.is_floating_point()
        else value
        for key, value in (module or TinyTrunk()).state_dict().items()
    }


def prefixed(state: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {prefix + key: value for key, value in state.items()}


def plain(state: State) -> Any:
    return state


def with_classifier(state: State) -> Any:
    return {**state, "classifier.1.weight": EXTRA, "classifier.1.bias": EXTRA[0]}


def with_fc(state: State) -> Any:
    return {**state, "fc.weight": EXTRA, "fc.bias": EXTRA[0]}


def vissl_trained(state: State) -> Any:
    model = {"trunk": prefixed(state, "_feature_blocks."), "heads": {"0.clf.0.weight": EXTRA}}
    return {
        "phase_idx": 104,
        "loss": np.float64(1.5),
        "classy_state_dict": {
            "base_model": {"model": model, "meters": {"top1": {"total": EXTRA}}},
            "optimizer": {"param_groups": [{"lr": 0.1, "options": argparse.Namespace(lr=0.1)}]},
        },
    }


def without_counters(state: State) -> State:
    return {key: value for key, value in state.items() if "num_batches_tracked" not in key}


def vissl_converted(state: State) -> Any:
    return {"model_state_dict": prefixed(without_counters(state), "_feature_blocks.")}


def vissl_jigsaw(state: State) -> Any:
    heads = {f"_feature_blocks.{name}.weight": EXTRA for name in ("fc1_siamese", "fc2")}
    return {"model_state_dict": vissl_converted(state)["model_state_dict"] | heads}


def vissl_alexnet(state: State) -> Any:
    own = {key.replace("features.", "_feature_blocks.", 1): value for key, value in state.items()}
    return {"model_state_dict": without_counters(own)}


def vissl_alexnet_jigsaw(state: State) -> Any:
    heads = {f"_feature_blocks.{name}.weight": EXTRA for name in ("fc1", "fc2")}
    return {"model_state_dict": vissl_alexnet(state)["model_state_dict"] | heads}


def swav(state: State) -> Any:
    heads = {"projection_head.0.weight": EXTRA, "projection_head.1.running_var": EXTRA[0]}
    return prefixed({**state, **heads, "prototypes.weight": EXTRA}, "module.")


def swav_wrapped(state: State) -> Any:
    return {"state_dict": swav(state), "epoch": 200, "optimizer": {"state": {}}}


def moco(state: State) -> Any:
    other = {key: value + 1 for key, value in state.items()}
    return {
        "epoch": 800,
        "arch": "resnet50",
        "state_dict": {
            **prefixed({**state, "fc.0.weight": EXTRA, "fc.2.bias": EXTRA}, "module.encoder_q."),
            **prefixed({**other, "fc.0.weight": EXTRA}, "module.encoder_k."),
            "module.queue": EXTRA,
            "module.queue_ptr": torch.zeros(1, dtype=torch.long),
        },
        "optimizer": {"param_groups": [{"lr": 0.03}]},
    }


def moco_v3(state: State) -> Any:
    heads = {"fc.0.weight": EXTRA, "head.0.weight": EXTRA}
    return {
        "state_dict": {
            **prefixed({**state, **heads}, "module.base_encoder."),
            **prefixed(state, "module.momentum_encoder."),
            "module.predictor.0.weight": EXTRA,
        }
    }


def moco_v3_resnet(state: State) -> Any:
    file = moco_v3(state)
    del file["state_dict"]["module.base_encoder.head.0.weight"]
    return file


def moco_v3_vit(state: State) -> Any:
    file = moco_v3(state)
    del file["state_dict"]["module.base_encoder.fc.0.weight"]
    return file


def simsiam(state: State) -> Any:
    return {
        "state_dict": {
            **prefixed({**state, "fc.0.weight": EXTRA}, "module.encoder."),
            "module.predictor.0.weight": EXTRA,
        }
    }


def data_parallel(state: State) -> Any:
    return {"epoch": 90, "best_prec1": EXTRA[0, 0], "state_dict": prefixed(state, "module.")}


def places_sequential(state: State) -> Any:
    own = {key.replace("features.", "features.module.", 1): value for key, value in state.items()}
    return {"epoch": 90, "state_dict": own}


def places_densenet(state: State) -> Any:
    own = {
        key.replace("norm1.", "norm.1.")
        .replace("norm2.", "norm.2.")
        .replace("conv1.", "conv.1.")
        .replace("conv2.", "conv.2."): value
        for key, value in state.items()
        if "num_batches_tracked" not in key
    }
    return data_parallel(own)


def composer(state: State, head: str = "fc") -> Any:
    model = {**state, f"{head}.weight": EXTRA, f"{head}.bias": EXTRA[0]}
    return {
        "state": {
            "model": prefixed(model, "module."),
            "optimizers": {"SGD": {"state": {}}},
            "run_name": "ep100",
        },
        "rng": [{"numpy": ("MT19937", np.arange(4), 0, 0, 0.0)}],
    }


def composer_classifier(state: State) -> Any:
    return composer(state, head="classifier.6")


def wrapped(state: State) -> Any:
    return {"epoch": 3, "arch": "x", "state_dict": state}


def miil(state: State) -> Any:
    return {"state_dict": with_fc(state)}


def dino_teacher(state: State) -> Any:
    teacher = {**prefixed(state, "backbone."), "head.mlp.0.weight": EXTRA}
    return {
        "student": prefixed(teacher, "module."),
        "teacher": teacher,
        "args": argparse.Namespace(arch="vit_base", lr=0.0005),
        "epoch": 100,
    }


def deepcluster_vgg(state: State) -> Any:
    own = {key.replace("features.", "features.module.", 1): value for key, value in state.items()}
    heads = {"sobel.0.weight": EXTRA, "classifier.0.weight": EXTRA, "top_layer.weight": EXTRA}
    return {"epoch": 200, "state_dict": {**own, **heads}}


#: Part of the address -> how that publisher's files are laid out; the first match counts.
PUBLISHERS: dict[str, Callable[[State], Any]] = {
    "converted_alexnet_jigsaw": vissl_alexnet_jigsaw,
    "converted_alexnet_colorization": vissl_alexnet,
    "converted_caffenet": vissl_alexnet,
    "rotnet_alexnet": vissl_alexnet,
    "deepcluster_alexnet": vissl_alexnet,
    "_jigsaw_in1k_goyal19": vissl_jigsaw,
    "_jigsaw_in22k_goyal19": vissl_jigsaw,
    "_jigsaw_yfcc100m_goyal19": vissl_jigsaw,
    "_goyal19": vissl_converted,
    "_caffe2": vissl_converted,
    "/vissl/model_zoo/": vissl_trained,
    "/deepcluster/vgg16/": deepcluster_vgg,
    "/pass/pretrained_models/swav": swav_wrapped,
    "/deepcluster/": swav,
    "moco-v3/r-50": moco_v3_resnet,
    "moco-v3/vit": moco_v3_vit,
    "moco_v2": moco,
    "/simsiam/": simsiam,
    "bitbucket.org/robert_geirhos": data_parallel,
    "alexnet_epfl": composer_classifier,
    "checkpoints/alexnet_": composer_classifier,
    "epfl-neuroailab": composer,
    "models_places365/alexnet": places_sequential,
    "models_places365/densenet": places_densenet,
    "models_places365": data_parallel,
    "osf.io/gd9kn": with_fc,
    "osf.io": with_classifier,
    "cifar10_vgg16_bn": with_classifier,
    "cifar100_vgg16_bn": with_classifier,
    "visual-prior": wrapped,
    "openmmlab": wrapped,
    "miil_21k": miil,
    "eminorhan": dino_teacher,
    "": plain,
}


def layout_of(address: str) -> Callable[[State], Any]:
    """Return the layout of the file at an address."""
    return next(layout for part, layout in PUBLISHERS.items() if part in address)
