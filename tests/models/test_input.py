"""The input column, against what torchvision and timm themselves do."""

import pytest
from model_rows import make_row

from dissect_iqa.errors import UserError
from dissect_iqa.models.architecture import skeleton
from dissect_iqa.models.input import input_policy
from dissect_iqa.models.network import InputPolicy


def policy(cell, architecture="resnet18", builder="torchvision", **columns):
    return input_policy(make_row(architecture, builder, input=cell, **columns))


def test_presets_keep_the_native_size():
    assert policy("imagenet") == InputPolicy()
    assert policy("unit").std == (1.0, 1.0, 1.0)
    assert policy("caffe_bgr").channels == "bgr"
    lightness = policy("lab_l")
    assert (lightness.channels, lightness.scale, lightness.mean) == ("lab_l", 100.0, (50.0,))


def test_items_overrule_the_preset():
    found = policy("clip, size=224x336 interpolation=bicubic,scale=255,multiple=8")
    assert found.size == (224, 336)
    assert (found.interpolation, found.scale, found.multiple) == ("bicubic", 255.0, 8)
    assert found.mean == (0.48145466, 0.4578275, 0.40821073)
    assert policy("mean=1/2/3,std=4/5/6,channels=bgr").mean == (1.0, 2.0, 3.0)
    assert policy("imagenet size=224 size=native").size is None


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("imagnet", "did you mean 'imagenet'"),
        ("imagenet sise=3", "did you mean 'size'"),
        ("imagenet size=big", "size=384x512"),
        ("imagenet size=0", "size=384x512"),
        ("imagenet std=0/1/1", "positive"),
        ("imagenet channels=hsv", "rgb, bgr, lab_l"),
        ("imagenet mean=0.5", "differ in length"),
        ("imagenet channels=lab_l", "needs 1 values"),
        ("imagenet multiple=0", "at least 1"),
        ("timm", "can't tell"),
    ],
)
def test_wrong_cells_name_the_model_and_what_is_allowed(cell, words):
    with pytest.raises(UserError, match="resnet18: column 'input'") as caught:
        policy(cell)
    assert words in str(caught.value)


def test_torchvision_normalisation_is_that_of_the_weights():
    features = policy("torchvision", "vgg16", weights="enum:IMAGENET1K_FEATURES")
    assert features.mean == pytest.approx((0.48235, 0.45882, 0.40784))
    assert features.std == pytest.approx((1 / 255,) * 3)
    assert policy("torchvision", "vit_b_16", weights="enum:IMAGENET1K_V1").size == (224, 224)
    with pytest.raises(UserError, match="did you mean 'IMAGENET1K_V1'"):
        policy("torchvision", "vgg16", weights="enum:IMAGENET1K_V9")


def test_a_detector_normalises_as_it_does_itself():
    row = make_row("ssd300_vgg16", weights="enum:COCO_V1", input="torchvision")
    found = input_policy(row, skeleton(row))
    assert found.std == pytest.approx((1 / 255,) * 3, rel=1e-4)


def test_timm_normalisation_is_that_of_the_tag():
    vit = "vit_base_patch16_224"
    assert policy("timm", vit, "timm", weights="tag:augreg_in1k").mean == (0.5, 0.5, 0.5)
    assert policy("timm", vit, "timm", weights="tag:dino").mean == (0.485, 0.456, 0.406)
    assert policy("timm", "resnet50", "timm").size is None
    fixed = policy("timm", vit, "timm", weights="tag:dino")
    assert (fixed.size, fixed.interpolation) == ((224, 224), "bicubic")


def test_a_transformer_that_takes_any_size_is_cropped_to_its_patches():
    row = make_row("vit_small_patch14_dinov2 dynamic_img_size=true", "timm", input="timm")
    found = input_policy(row, skeleton(row))
    assert (found.size, found.multiple) == (None, 14)
    other = policy("timm", "vit_base_patch16_224 patch_size=8 dynamic_img_size=true", "timm")
    assert other.multiple == 8
    assert policy("timm", "vit_base_patch16_224 img_size=[384,512]", "timm").size == (384, 512)


def test_a_timm_model_without_a_record_needs_an_explicit_input():
    with pytest.raises(UserError, match="records no normalisation"):
        policy("timm", "no_such_net", "timm")


def test_an_own_builder_needs_an_explicit_input():
    with pytest.raises(UserError, match="can't tell"):
        policy("auto", "net", "package.module:function")
