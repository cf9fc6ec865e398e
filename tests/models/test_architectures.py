"""Families of torchvision and timm, untrained: they build, run at two sizes, and stay in order."""

import pytest
import torch
from model_rows import make_row

from dissect_iqa.features.forward.hooks import LayerReader
from dissect_iqa.models.architecture import build, skeleton
from dissect_iqa.models.input import input_policy
from dissect_iqa.models.layers import resolve_layers
from dissect_iqa.models.trace import trace


def words(text):
    return text.split()


TORCHVISION = words("""
squeezenet1_1 densenet121 googlenet resnet18 shufflenet_v2_x0_5 mobilenet_v2
mobilenet_v3_small mnasnet0_5 regnet_x_400mf efficientnet_b0 lraspp_mobilenet_v3_large
deeplabv3_mobilenet_v3_large fasterrcnn_mobilenet_v3_large_fpn ssdlite320_mobilenet_v3_large
""")
TIMM = words("""
resnet10t regnetx_002 efficientnet_lite0 tf_efficientnetv2_b0 mixnet_s mobilenetv3_small_050
mobilenetv4_conv_small mobileone_s0 repvit_m0_9 ghostnet_100 lcnet_035 tinynet_e hrnet_w18_small
dla34 ese_vovnet19b_dw selecsls42 tresnet_m convnext_atto edgenext_xx_small mobilevitv2_050
levit_128s efficientformer_l1 efficientvit_b0 fastvit_t8 poolformer_s12 pvt_v2_b0
xcit_nano_12_p16_224 convit_tiny coat_lite_tiny crossvit_9_240 deit_tiny_distilled_patch16_224
eva02_tiny_patch14_224 gcvit_xxtiny mixer_s32_224 pit_ti_224 starnet_s1 tiny_vit_5m_224
vit_tiny_patch16_224 visformer_tiny resnetv2_18 mambaout_femto halonet26t
resnet50_clip_gap bat_resnext26ts
""")
#: Built without values only: shapes and order, no numbers.
LARGE = words("""
torchvision:vgg19_bn torchvision:wide_resnet101_2 torchvision:inception_v3
torchvision:convnext_base torchvision:swin_v2_s torchvision:maxvit_t torchvision:vit_h_14
torchvision:efficientnet_v2_l torchvision:resnext101_64x4d torchvision:regnet_y_1_6gf
torchvision:fcn_resnet101 torchvision:deeplabv3_resnet101 torchvision:maskrcnn_resnet50_fpn_v2
torchvision:keypointrcnn_resnet50_fpn torchvision:retinanet_resnet50_fpn_v2
torchvision:fcos_resnet50_fpn torchvision:ssd300_vgg16
timm:resnest50d timm:res2net50_26w_4s timm:seresnet50 timm:skresnet34 timm:dpn68 timm:xception41
timm:inception_v4 timm:inception_resnet_v2 timm:nasnetalarge timm:cspdarknet53 timm:repvgg_b0
timm:vgg16_bn timm:densenet201 timm:hgnetv2_b5 timm:coatnet_0_rw_224 timm:maxvit_tiny_tf_224
timm:swin_base_patch4_window7_224 timm:swinv2_tiny_window8_256 timm:swinv2_cr_tiny_224
timm:davit_base timm:focalnet_tiny_srf timm:nextvit_base timm:mvitv2_base timm:hiera_base_224
timm:beit_large_patch16_224 timm:vit_giant_patch14_dinov2 timm:vit_so400m_patch14_siglip_224
timm:vit_base_patch16_dinov3 timm:samvit_base_patch16 timm:cait_s24_224 timm:volo_d3_224
timm:twins_svt_large timm:nest_base timm:convmixer_768_32
timm:botnet26t_256 timm:lambda_resnet26t timm:resmlp_24_224 timm:gmlp_s16_224
timm:inception_next_base timm:caformer_s18 timm:rdnet_tiny timm:efficientvit_m5
""")


def check_order(layers):
    assert len(layers) >= 5
    depths = [layer.depth for layer in layers]
    assert depths == [(i + 1) / len(layers) for i in range(len(layers))]


@pytest.mark.parametrize(
    ("builder", "architecture"),
    [("torchvision", name) for name in TORCHVISION] + [("timm", name) for name in TIMM],
)
def test_small_networks_run_at_their_native_and_at_an_odd_size(builder, architecture):
    row = make_row(architecture, builder, input="auto")
    module = build(row, seed=0)
    policy = input_policy(row, module)
    layers = resolve_layers(module, row, policy)
    check_order(layers)
    least = policy.multiple
    sizes = {policy.seen(max(h, least), max(w, least)) for h, w in ((96, 128), (99, 141))}
    reader = LayerReader(module, layers, row.id)
    for height, width in sorted(sizes):
        means = {}
        generator = torch.Generator().manual_seed(0)
        picture = torch.rand(1, 3, height, width, generator=generator)

        def visit(number, features, grid, means=means):
            assert features.shape[1] == grid[0] * grid[1] > 0
            means[number] = (features.mean(), features.var())

        reader.run(picture, visit)
        assert list(means) == list(range(len(layers)))
        assert torch.isfinite(torch.tensor(list(means.values()))).all()
    reader.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_large_networks_build_and_name_their_layers(name):
    builder, architecture = name.split(":")
    row = make_row(architecture, builder, input="auto")
    module = skeleton(row)
    check_order(resolve_layers(module, row))


@pytest.mark.slow
def test_every_classifier_segmenter_and_detector_of_torchvision():
    from dissect_iqa.models.torchvision_builders import supported

    for architecture in supported():
        row = make_row(architecture, input="auto")
        module = skeleton(row)
        check_order(resolve_layers(module, row))


@pytest.mark.slow
def test_transformers_that_take_any_size_take_one_that_is_not_square():
    from dissect_iqa.zoo.select import select

    seen = set()
    for row in select({}, ["timm:vit_*small*", "timm:vit_*base*", "timm:eva02_tiny*"]):
        if row.name in seen or "dynamic_img_size" not in row.options:
            continue
        seen.add(row.name)
        module = skeleton(row)
        policy = input_policy(row, module)
        check_order(resolve_layers(module, row, policy))
        trace(module, policy, (384, 512), row.id)
    assert len(seen) > 30
