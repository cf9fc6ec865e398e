"""Pictures become exactly the input that a policy describes."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from dissect_iqa.errors import UserError
from dissect_iqa.features.estimate import estimate
from dissect_iqa.features.forward.input import picture_input
from dissect_iqa.models.network import InputPolicy, Layer, Network
from dissect_iqa.models.trace import trace

torch.set_num_threads(1)
UNIT = InputPolicy(mean=(0.0,) * 3, std=(1.0,) * 3)


@pytest.fixture
def pixels():
    """Smooth enough for different resizing codes to agree."""
    coarse = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((80, 60), Image.Resampling.BICUBIC))


def convert(pixels, policy):
    return picture_input(torch.from_numpy(pixels.copy())[None], policy)[0].permute(1, 2, 0).numpy()


def test_imagenet_normalisation(pixels):
    wanted = (pixels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(convert(pixels, InputPolicy()), wanted, atol=1e-6)


def test_caffe_order_and_range(pixels):
    policy = InputPolicy(
        scale=255.0, channels="bgr", mean=(103.939, 116.779, 123.68), std=(1.0,) * 3
    )
    wanted = pixels[..., ::-1] - np.array([103.939, 116.779, 123.68])
    np.testing.assert_allclose(convert(pixels, policy), wanted, atol=1e-4)


def test_lightness_is_that_of_cielab(pixels):
    from skimage.color import rgb2lab

    policy = InputPolicy(scale=100.0, channels="lab_l", mean=(50.0,), std=(2.0,))
    wanted = (rgb2lab(pixels)[..., :1] - 50) / 2
    np.testing.assert_allclose(convert(pixels, policy), wanted, atol=0.02)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(30, 30), (45, 100)])
def test_resizing_agrees_with_pillow(pixels, interpolation, size):
    policy = InputPolicy(size, interpolation, mean=(0.0,) * 3, std=(1.0,) * 3)
    kind = getattr(Image.Resampling, interpolation.upper())
    wanted = np.asarray(Image.fromarray(pixels).resize(size[::-1], kind)) / 255
    found = convert(pixels, policy)
    assert found.shape == (*size, 3) and found.min() >= 0 and found.max() <= 1
    assert np.abs(found - wanted).max() < 1.6 / 255  # Pillow rounds twice


def test_cropping_to_a_multiple_is_centred(pixels):
    policy = InputPolicy(mean=(0.0,) * 3, std=(1.0,) * 3, multiple=14)
    found = convert(pixels, policy)
    np.testing.assert_allclose(found, pixels[2:58, 5:75] / 255, atol=1e-6)
    assert policy.seen(60, 80) == found.shape[:2] == (56, 70)


def test_one_answer_to_what_a_network_sees(pixels):
    """Extraction, trace and estimate ask the same; too small a picture is refused by all."""
    assert InputPolicy().seen(7, 9) == (7, 9)
    assert InputPolicy((30, 40), multiple=128).seen(7, 9) == (30, 40)
    small = InputPolicy(multiple=64)
    assert small.seen(64, 127) == (64, 64)
    with pytest.raises(UserError, match="a picture of 60 x 80 is smaller than the 64 pixels"):
        convert(pixels, small)
    network = nn.Conv2d(3, 4, 3)
    with pytest.raises(UserError, match="net: a picture of 60 x 80 is smaller than the 64"):
        trace(network, small, (60, 80), "net")
    assert trace(network, InputPolicy(multiple=256)).size == (256, 256)
    layers = (Layer("0", 1.0),)
    images = pd.DataFrame({"height": [60], "width": [80]})
    with pytest.raises(UserError, match="net: a picture of 60 x 80 is smaller than the 64"):
        estimate(Network("net", nn.Sequential(network), layers, small, "0" * 64), images, 1)


def test_pictures_of_a_batch_do_not_mix(pixels):
    batch = torch.from_numpy(np.stack([pixels, 255 - pixels]))
    both = picture_input(batch, UNIT)
    assert both.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(both[0] + both[1], np.ones((3, 60, 80)), atol=1e-6)
    assert (batch[0].numpy() == pixels).all()  # the pictures themselves stay as they were
