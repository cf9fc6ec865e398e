"""The demo's real networks do what they were trained for, under the table's input convention.

Each network is made by `fetch_weights` from the table's line and fed through the pipeline's own
`picture_input`. If its weights were mixed up, its kernels turned the wrong way, or its pictures
in another range or order of channels, it could not recognise, find text or find contours.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from demo_networks import (
    CONVENTIONS,
    PHOTOGRAPHS,
    demo_row,
    network,
    outputs,
    photograph,
    source_file,
)
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import binary_dilation
from skimage import draw
from sklearn.metrics import average_precision_score, roc_auc_score
from timm.data import ImageNetInfo
from torch import nn

from dissect_iqa.features.forward.input import picture_input
from dissect_iqa.models.input import input_policy
from dissect_iqa.models.network import InputPolicy
from dissect_iqa.models.weights.reading import read_checkpoint

LITE = {"efficientnet_lite0": 224, "efficientnet_lite1": 240, "efficientnet_lite2": 260}

#: What is in a photograph, as ImageNet-1k's classes: index and name.
COFFEE = {967: "espresso"}
CAT = {281: "tabby", 282: "tiger cat", 285: "Egyptian cat"}
LAUNCH = {540: "drilling platform", 657: "missile", 744: "projectile", 812: "space shuttle"}
TEMPLE = {442: "bell cote", 483: "castle", 663: "monastery", 698: "palace"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("weights")


def to_input(picture: np.ndarray, policy: InputPolicy) -> torch.Tensor:
    return picture_input(torch.from_numpy(picture.copy())[None], policy)


# ------------------------------------------------------------ EfficientNet-Lite: what is there


def probabilities(module: nn.Module, name: str, side: int, policy: InputPolicy) -> torch.Tensor:
    with torch.inference_mode():
        return module(to_input(photograph(name, side), policy)).softmax(dim=1)[0]


def test_names_of_the_classes_are_those_of_imagenet():
    info = ImageNetInfo()
    for classes in (COFFEE, CAT, LAUNCH, TEMPLE):
        for index, name in classes.items():
            assert info.index_to_description(index).split(",")[0] == name


@pytest.mark.parametrize("id", LITE)
def test_efficientnet_lite_names_what_is_in_the_photographs(id: str, folder):
    found = network(id, folder)
    shares = {
        name: probabilities(found.module, name, LITE[id], found.input)
        for name in ("coffee", "chelsea", "rocket", "china")
    }
    assert all(len(share) == 1000 for share in shares.values())
    assert int(shares["coffee"].argmax()) in COFFEE
    assert shares["coffee"][967] > 0.5
    assert int(shares["chelsea"].argmax()) in CAT
    assert sum(shares["chelsea"][list(CAT)]) > 0.7
    assert int(shares["rocket"].argmax()) in LAUNCH
    assert int(shares["china"].argmax()) in TEMPLE


def test_efficientnet_lite_fails_on_pictures_in_another_range(folder):
    module = network("efficientnet_lite0", folder).module
    share = probabilities(module, "coffee", 224, CONVENTIONS["0..255"])
    assert share[967] < 0.05


def test_untrained_twin_recognises_nothing(folder):
    found = network("efficientnet_lite0_untrained", folder)
    share = probabilities(found.module, "coffee", 224, found.input)
    assert share.max() < 0.1
    assert found.input == network("efficientnet_lite0", folder).input


# --------------------------------------- what the first batch norm saw while it was trained


def divergence(module: nn.Module, stem: str, norm: str, policy: InputPolicy) -> float:
    """Return how far photographs are from what a batch norm recorded in training.

    Median over channels of the Kullback-Leibler divergence, in nats, between the normal
    distributions of the batch norm's input here and in training.
    """
    moments = []
    for name in PHOTOGRAPHS:
        with torch.inference_mode():
            values = module.get_submodule(stem)(to_input(photograph(name, 160), policy))
        moments.append(torch.stack([values.mean((0, 2, 3)), values.square().mean((0, 2, 3))]))
    mean, square = torch.stack(moments).mean(dim=0)
    record = module.get_submodule(norm)
    here, there = square - mean**2 + record.eps, record.running_var + record.eps
    shift = (mean - record.running_mean) ** 2
    return float((0.5 * (torch.log(there / here) + (here + shift) / there - 1)).median())


@pytest.mark.parametrize(
    ("id", "stem", "norm", "own"),
    [
        ("efficientnet_lite0", "conv_stem", "bn1", "half"),
        ("efficientnet_lite1", "conv_stem", "bn1", "half"),
        ("efficientnet_lite2", "conv_stem", "bn1", "half"),
        ("craft_vgg16bn", "features.0", "features.1", "imagenet"),
    ],
)
def test_photographs_look_as_in_training_only_under_the_own_convention(id, stem, norm, own, folder):
    found = network(id, folder)
    assert found.input == CONVENTIONS[own]
    # The order of channels moves a first layer too little to be told from six photographs.
    others = set(CONVENTIONS) - {own, f"{own}, bgr"}
    far = {name: divergence(found.module, stem, norm, CONVENTIONS[name]) for name in sorted(others)}
    near = divergence(found.module, stem, norm, found.input)
    assert near < 0.1
    assert min(far.values()) > 5 * near, (near, far)


@pytest.mark.parametrize("id", LITE)
def test_efficientnet_lite_is_surer_in_its_own_order_of_channels(id: str, folder):
    found = network(id, folder)
    for photo, classes in (("coffee", COFFEE), ("chelsea", CAT)):
        own, other = (
            sum(probabilities(found.module, photo, LITE[id], policy)[list(classes)])
            for policy in (found.input, replace(found.input, channels="bgr"))
        )
        assert own > other + 0.01, photo


# ------------------------------------------------------------------------ CRAFT: where text is


class TextHead(nn.Module):
    """The part of CRAFT behind its trunk, rebuilt from the keys and shapes of its file.

    A wider trunk end, then four steps up, each taking the next finer map of the trunk.
    """

    def __init__(self) -> None:
        super().__init__()
        self.slice5 = nn.Sequential(
            nn.MaxPool2d(kernel_size=3, stride=1, padding=1),
            nn.Conv2d(512, 1024, kernel_size=3, padding=6, dilation=6),
            nn.Conv2d(1024, 1024, kernel_size=1),
        )
        for step, channels in enumerate(
            [(1536, 512, 256), (768, 256, 128), (384, 128, 64), (192, 64, 32)], start=1
        ):
            self.add_module(f"upconv{step}", self._step_up(*channels))
        layers: list[nn.Module] = []
        for inputs, channels, kernel in [(32, 32, 3), (32, 32, 3), (32, 16, 3), (16, 16, 1)]:
            layers += [nn.Conv2d(inputs, channels, kernel, padding=kernel // 2), nn.ReLU()]
        self.conv_cls = nn.Sequential(*layers, nn.Conv2d(16, 2, kernel_size=1))

    @staticmethod
    def _step_up(inputs: int, between: int, channels: int) -> nn.Module:
        step = nn.Module()
        step.conv = nn.Sequential(
            nn.Conv2d(inputs, between, kernel_size=1),
            nn.BatchNorm2d(between),
            nn.ReLU(),
            nn.Conv2d(between, channels, kernel_size=3, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )
        return step

    def forward(self, maps: list[torch.Tensor]) -> torch.Tensor:
        """Return how much each position is the middle of a letter, at half the resolution."""
        *finer, last = maps
        y = self.upconv1.conv(torch.cat([self.slice5(last), last], dim=1))
        for step, beside in zip(
            (self.upconv2, self.upconv3, self.upconv4), finer[::-1], strict=True
        ):
            y = F.interpolate(y, size=beside.shape[2:], mode="bilinear", align_corners=False)
            y = step.conv(torch.cat([y, beside], dim=1))
        return self.conv_cls(y)[0, 0]


def letters_on(photo: str, side: int = 224) -> tuple[np.ndarray, np.ndarray]:
    """Write two words on a photograph; return it and where the words are."""
    picture = Image.fromarray(photograph(photo, side))
    where = Image.new("1", picture.size)
    font = ImageFont.load_default(size=30)
    for place, word, ink in (
        ((16, 24), "Kitchen", (255, 240, 40)),
        ((70, 166), "MARKET 24", (10, 30, 160)),
    ):
        pen = ImageDraw.Draw(picture)
        pen.text(place, word, font=font, fill=ink)
        ImageDraw.Draw(where).rectangle(pen.textbbox(place, word, font=font), fill=1)
    return np.asarray(picture), np.asarray(where)


@pytest.fixture(scope="module")
def text_head(folder) -> TextHead:
    stored = read_checkpoint(source_file("craft_vgg16bn", folder))
    stored = {key.removeprefix("module.").removeprefix("basenet."): stored[key] for key in stored}
    head = TextHead().eval()
    head.load_state_dict({k: v for k, v in stored.items() if k in head.state_dict()}, strict=True)
    return head


def text_map(found, head: TextHead, picture: np.ndarray, policy: InputPolicy) -> np.ndarray:
    # conv5_2 leaves the trunk before its ReLU, the finer maps after theirs
    names = ["features.12", "features.19", "features.29", "features.38"]
    with torch.inference_mode():
        return head(outputs(found.module, names, to_input(picture, policy))).numpy()


@pytest.mark.parametrize("photo", ["coffee", "china"])
def test_craft_finds_text(photo: str, text_head, folder):
    found = network("craft_vgg16bn", folder)
    picture, where = letters_on(photo)
    text = where[::2, ::2]
    score = text_map(found, text_head, picture, found.input)
    assert score.shape == text.shape
    assert score[text].mean() > 0.3
    assert score[~text].mean() < 0.03
    assert roc_auc_score(text.ravel(), score.ravel()) > 0.97
    empty = text_map(found, text_head, photograph(photo, 224), found.input)
    assert empty[text].mean() < 0.05


def test_craft_finds_text_in_either_order_of_channels(text_head, folder):
    """RGB is the order of the published code; finding text neither needs nor proves it."""
    found = network("craft_vgg16bn", folder)
    picture, where = letters_on("coffee")
    score = text_map(found, text_head, picture, CONVENTIONS["imagenet, bgr"])
    assert roc_auc_score(where[::2, ::2].ravel(), score.ravel()) > 0.97


def test_craft_finds_no_text_in_another_range(text_head, folder):
    found = network("craft_vgg16bn", folder)
    picture, where = letters_on("coffee")
    text = where[::2, ::2]
    for convention in ("0..255", "caffe, bgr"):
        score = text_map(found, text_head, picture, CONVENTIONS[convention])
        assert roc_auc_score(text.ravel(), score.ravel()) < 0.7, convention


def test_craft_ends_with_the_12th_convolution(folder):
    found = network("craft_vgg16bn", folder)
    convolutions = [part for part in found.module.modules() if isinstance(part, nn.Conv2d)]
    assert len(convolutions) == 12
    assert found.layers[-1].name == "features.39"
    assert max(layer.depth for layer in found.layers) == 1.0


# ------------------------------------------------------------------------ HED: where contours are

#: The last ReLU of each block, and Keras's names of the side outputs on them.
SIDES = {
    "features.3": "conv2d",
    "features.8": "conv2d_1",
    "features.15": "conv2d_2",
    "features.22": "conv2d_3",
    "features.29": "conv2d_4",
}


@pytest.fixture(scope="module")
def side_weights(folder) -> dict[str, torch.Tensor]:
    return read_checkpoint(source_file("hed_vgg16", folder))


def contours(found, stored, picture: np.ndarray, policy: InputPolicy) -> np.ndarray:
    """Return HED's fused output, 0..1, from the trunk and the file's own side outputs."""
    maps = outputs(found.module, list(SIDES), to_input(picture, policy))
    sides = [
        F.interpolate(
            F.conv2d(values, stored[f"{name}.weight"], stored[f"{name}.bias"]),
            size=picture.shape[:2],
            mode="bilinear",
            align_corners=False,
        )
        for values, name in zip(maps, SIDES.values(), strict=True)
    ]
    fused = F.conv2d(torch.cat(sides, dim=1), stored["conv2d_5.weight"], stored["conv2d_5.bias"])
    return fused.sigmoid()[0, 0].numpy()


def shapes_in_noise(seed: int, side: int = 176) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy coloured shapes and where their borders are, two positions wide each way."""
    rng = np.random.default_rng(seed)
    label = np.zeros((side, side), int)
    label[draw.disk((64, 56), 36, shape=label.shape)] = 1
    label[draw.polygon([94, 158, 150], [84, 94, 164])] = 2
    label[draw.ellipse(50, 130, 22, 34, rotation=0.5, shape=label.shape)] = 3
    picture = rng.integers(40, 216, (4, 3))[label] + rng.normal(0, 28, (side, side, 1))
    return picture.clip(0, 255).astype(np.uint8), border(label)


def border(label: np.ndarray) -> np.ndarray:
    down = np.diff(label, axis=0, prepend=label[:1]) != 0
    right = np.diff(label, axis=1, prepend=label[:, :1]) != 0
    return binary_dilation(down | right, iterations=2)


def gradient(picture: np.ndarray) -> np.ndarray:
    down, right = np.gradient(picture.mean(axis=2))
    return np.hypot(down, right)


def agreement(where: np.ndarray, score: np.ndarray) -> float:
    return average_precision_score(where.ravel(), score.ravel())


@pytest.mark.parametrize("seed", [0, 1])
def test_hed_finds_the_borders_of_shapes_and_not_the_noise(seed: int, side_weights, folder):
    found = network("hed_vgg16", folder)
    assert found.input == CONVENTIONS["caffe, bgr"]
    picture, where = shapes_in_noise(seed)
    score = contours(found, side_weights, picture, found.input)
    assert score[where].mean() > 0.6
    assert score[~where].mean() < 0.1
    assert agreement(where, score) > 0.8
    assert agreement(where, gradient(picture)) < 0.5
    for convention in ("0..1", "imagenet"):
        wrong = contours(found, side_weights, picture, CONVENTIONS[convention])
        # the map hardly tells border from no border any more
        assert wrong[where].mean() - wrong[~where].mean() < 0.25, convention


def test_hed_sees_blue_first(side_weights, folder):
    """Contours between natural colours are found better in the order the table names."""
    found = network("hed_vgg16", folder)
    side = 96
    inside = np.zeros((side, side), bool)
    inside[draw.ellipse(48, 48, 27, 34, rotation=0.4, shape=inside.shape)] = True
    photos = [photograph(name, side) for name in PHOTOGRAPHS]
    where = border(inside.astype(int))
    gains = []
    for first in range(6):
        for step in (1, 2, 3):
            picture = np.where(inside[..., None], photos[first], photos[(first + step) % 6])
            own, other = (
                agreement(where, contours(found, side_weights, picture, CONVENTIONS[name]))
                for name in ("caffe, bgr", "caffe, rgb")
            )
            gains.append(own - other)
    gains = np.array(gains)
    assert gains.mean() > 2 * gains.std(ddof=1) / np.sqrt(len(gains))


def test_hed_pools_odd_borders_as_keras_does(folder):
    """Padding "same" keeps a last odd row: 33 positions become 17, 9, 5 and 3."""
    found = network("hed_vgg16", folder)
    (last,) = outputs(found.module, ["features.29"], torch.zeros(1, 3, 33, 33))
    assert last.shape == (1, 512, 3, 3)


def test_trunks_are_numbered_as_in_torchvision(folder):
    from torchvision.models import vgg16, vgg16_bn

    for id, builder in (("hed_vgg16", vgg16), ("craft_vgg16bn", vgg16_bn)):
        own = network(id, folder).module.features
        with torch.device("meta"):
            theirs = builder().features
        assert len(own) <= len(theirs)
        for ours, other in zip(own, theirs, strict=False):
            assert type(ours) is type(other)
            assert getattr(ours, "out_channels", None) == getattr(other, "out_channels", None)


def test_demo_lines_state_the_whole_sum_and_their_input():
    for id in (*LITE, "craft_vgg16bn", "hed_vgg16"):
        row = demo_row(id)
        assert len(row.sha256) == 64
        assert input_policy(row) in CONVENTIONS.values()
