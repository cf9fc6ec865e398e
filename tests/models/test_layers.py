"""Which layers a cell names, in which order, and how their outputs are laid out."""

import json
from pathlib import Path

import pytest
import torch
from model_rows import make_row
from torch import nn

from dissect_iqa.errors import UserError
from dissect_iqa.models.architecture import build, skeleton
from dissect_iqa.models.layers import layers_table, resolve_layers
from dissect_iqa.models.layout import followed_layout, layout_of
from dissect_iqa.models.network import InputPolicy
from dissect_iqa.models.trace import trace

SHARED = Path(__file__).parents[3] / "shared" / "data" / "models_layers.json"

#: Depth points by family, ``a..b`` meaning consecutive numbers.
FAMILIES = {
    "alexnet": "features.1..2 features.4..5 features.7 features.9 features.11..12",
    "squeezenet1_1": "features.1..12",
    "vgg11": "features.1..2 features.4..5 features.7 features.9..10 features.12 features.14..15 "
    "features.17 features.19..20",
    "vgg16_bn": "features.2 features.5..6 features.9 features.12..13 features.16 features.19 "
    "features.22..23 features.26 features.29 features.32..33 features.36 features.39 "
    "features.42..43",
    "resnet18": "relu maxpool layer1.0..1 layer2.0..1 layer3.0..1 layer4.0..1",
    "resnet50": "relu maxpool layer1.0..2 layer2.0..3 layer3.0..5 layer4.0..2",
    "densenet121": "features.relu0 features.pool0 features.denseblock1 features.transition1 "
    "features.denseblock2 features.transition2 features.denseblock3 features.transition3 "
    "features.denseblock4 features.norm5",
    "efficientnet_b0": "features.0 features.1.0 features.2.0..1 features.3.0..1 features.4.0..2 "
    "features.5.0..2 features.6.0..3 features.7.0 features.8",
    "mobilenet_v2": "features.0..18",
    "convnext_tiny": "features.0 features.1.0..2 features.2 features.3.0..2 features.4 "
    "features.5.0..8 features.6 features.7.0..2",
    "swin_t": "features.0 features.1.0..1 features.2 features.3.0..1 features.4 features.5.0..5 "
    "features.6 features.7.0..1 norm",
    "googlenet": "conv1 maxpool1 conv2..3 maxpool2 inception3a inception3b maxpool3 inception4a "
    "inception4b inception4c inception4d inception4e maxpool4 inception5a inception5b",
    "fcn_resnet50": "backbone.relu backbone.maxpool backbone.layer1.0..2 backbone.layer2.0..3 "
    "backbone.layer3.0..5 backbone.layer4.0..2",
    "fasterrcnn_resnet50_fpn": "backbone.body.relu backbone.body.maxpool "
    "backbone.body.layer1.0..2 backbone.body.layer2.0..3 backbone.body.layer3.0..5 "
    "backbone.body.layer4.0..2",
}
TIMM_FAMILIES = {
    "vit_base_patch16_224": "patch_embed blocks.0..11 norm",
    "vit_base_patch16_clip_224": "patch_embed blocks.0..11 norm",
    "resnet50": "act1 maxpool layer1.0..2 layer2.0..3 layer3.0..5 layer4.0..2",
    "resnet50_clip_gap": "stem.conv1..3 stem.pool stages.0.0..2 stages.1.0..3 stages.2.0..5 "
    "stages.3.0..2",
    "resnetv2_50x1_bit": "stem stages.0.blocks.0..2 stages.1.blocks.0..3 stages.2.blocks.0..5 "
    "stages.3.blocks.0..2 norm",
    "tf_efficientnet_lite0": "bn1 blocks.0.0 blocks.1.0..1 blocks.2.0..1 blocks.3.0..2 "
    "blocks.4.0..2 blocks.5.0..3 blocks.6.0 bn2",
    "swin_tiny_patch4_window7_224": "patch_embed layers.0.blocks.0..1 layers.1.downsample "
    "layers.1.blocks.0..1 layers.2.downsample layers.2.blocks.0..5 layers.3.downsample "
    "layers.3.blocks.0..1 norm",
}


def expand(text):
    paths = []
    for part in text.split():
        first, dots, last = part.partition("..")
        if not dots:
            paths.append(part)
            continue
        stem = first.rstrip("0123456789")
        paths += [f"{stem}{i}" for i in range(int(first[len(stem) :]), int(last) + 1)]
    return paths


def names(row):
    return [layer.name for layer in resolve_layers(skeleton(row), row)]


@pytest.mark.parametrize("architecture", FAMILIES)
def test_auto_finds_the_depth_points_of_torchvision(architecture):
    assert names(make_row(architecture)) == expand(FAMILIES[architecture])


@pytest.mark.parametrize("architecture", TIMM_FAMILIES)
def test_auto_finds_the_depth_points_of_timm(architecture):
    row = make_row(architecture, "timm", input="timm")
    assert names(row) == expand(TIMM_FAMILIES[architecture])


def test_auto_agrees_with_the_facts_of_the_team():
    if not SHARED.exists():
        pytest.skip("the team's fact sheet is not here")
    facts = json.loads(SHARED.read_text())
    known = set(torch_models()) & set(facts) - {"swin_t"}  # ours also has the final norm
    assert len(known) > 20
    for name in sorted(known):
        assert names(make_row(name)) == facts[name]["points"], name


def torch_models():
    from dissect_iqa.models.torchvision_builders import supported

    return supported()


def test_depth_counts_from_one_over_their_number():
    row = make_row("alexnet")
    depths = [layer.depth for layer in resolve_layers(skeleton(row), row)]
    assert depths == [(i + 1) / 8 for i in range(8)]


def test_other_presets():
    assert names(make_row("resnet18", layers="stages")) == [
        "relu",
        "layer1.1",
        "layer2.1",
        "layer3.1",
        "layer4.1",
    ]
    fine = names(make_row("densenet121", layers="densenet_fine"))
    assert len(fine) == 64
    assert fine[2] == "features.denseblock1.denselayer1"
    # the shared ReLU inside a block runs several times and is no point; the top one is
    assert names(make_row("resnet18", layers="activations")) == ["relu", "maxpool"]


def test_explicit_paths_and_wildcards_come_in_running_order():
    row = make_row("resnet18", layers="layer4.1; layer?.0 ;maxpool;maxpool")
    assert names(row) == ["maxpool", "layer1.0", "layer2.0", "layer3.0", "layer4.0", "layer4.1"]
    assert names(make_row("resnet18", layers="layer2.*")) == ["layer2.0", "layer2.1"]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("layer1.O", ["'layer1.O' is no module of ResNet", "close: layer1."]),
        ("outo", ["close: auto"]),
        ("nothing.*", ["'nothing.*' is no module"]),
        ("layer1.0.relu", ["runs 2 times", "layer1.0"]),
        ("auto@token=all", ["found '@token=all'", "@tokens=class"]),
        ("auto@tokens=class", ["has no class token"]),
    ],
)
def test_a_wrong_cell_says_what_to_write(cell, words):
    with pytest.raises(UserError, match="resnet18") as caught:
        names(make_row("resnet18", layers=cell))
    for word in words:
        assert word in str(caught.value)


def test_a_module_that_never_runs_is_an_error():
    with pytest.raises(UserError, match="'aux1' never runs"):
        names(make_row("googlenet aux_logits=true", layers="aux1"))


class Awkward(nn.Module):
    """Everything that real networks do to confuse a hook."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.pair = Pair()
        self.maps = Maps()
        self.shared = nn.Conv2d(6, 6, 1)
        self.unused = nn.Conv2d(6, 6, 1)
        self.mixing = Mixing()
        self.text = Text()

    def forward(self, x):
        x = self.act(self.first(x))
        x, _ = self.pair(x)
        x = self.maps(x)["fine"]
        x = self.shared(self.shared(x))
        self.mixing(x)
        self.text(x)
        return x


class Pair(nn.Module):
    def forward(self, x):
        return x + 1, nn.functional.avg_pool2d(x, 2)


class Maps(nn.Module):
    def forward(self, x):
        return {"fine": x * 2, "coarse": nn.functional.avg_pool2d(x, 2)}


class Mixing(nn.Module):
    def forward(self, x):
        return x.flatten(0, 1)[:, None]


class Text(nn.Module):
    def forward(self, x):
        return "no tensor"


AWKWARD = f"{__name__}:Awkward"


def awkward(cell):
    row = make_row("awkward", AWKWARD, layers=cell)
    return resolve_layers(Awkward().eval(), row, InputPolicy())


def test_parts_of_tuples_and_dicts_are_named():
    layers = awkward("pair#1;maps#coarse")
    assert [(layer.name, layer.output) for layer in layers] == [("pair", 1), ("maps", "coarse")]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("pair", "several outputs; write one of: pair#0, pair#1"),
        ("maps#corse", "did you mean 'coarse'"),
        ("first", "overwritten in place by what follows; name a module after it, e.g. 'act'"),
        ("shared", "runs 2 times"),
        ("unused", "never runs"),
        ("mixing", "keeps pictures apart"),
        ("text", "gives out a str"),
    ],
)
def test_outputs_that_cannot_be_read_are_explained(cell, words):
    with pytest.raises(UserError) as caught:
        awkward(cell)
    assert words in str(caught.value)


def test_building_turns_off_what_would_overwrite():
    row = make_row("alexnet head=none", layers="features.0;features.1")
    module = build(row, seed=0)
    assert not any(getattr(part, "inplace", False) for part in module.modules())
    before, after = resolve_layers(module, row)
    kept = {}
    for layer in (before, after):
        module.get_submodule(layer.name).register_forward_hook(
            lambda _m, _i, out, name=layer.name: kept.update({name: out})
        )
    module(torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    assert (kept["features.0"] < 0).any()
    torch.testing.assert_close(kept["features.0"].relu(), kept["features.1"])


def test_densenets_last_norm_is_not_overwritten():
    row = make_row("densenet121", layers="features.norm5")
    assert names(row) == ["features.norm5"]


def test_a_densenet_gives_the_same_as_torchvisions_own():
    from torchvision.models import densenet121

    row = make_row("densenet121")
    ours = build(row, seed=0)
    theirs = densenet121(weights=None).eval()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(ours(x), theirs(x))


def layouts(row):
    layers = resolve_layers(skeleton(row), row)
    return {layer.name: (layer.layout, layer.skip_tokens, layer.output) for layer in layers}


def test_channels_last_maps():
    assert set(layouts(make_row("swin_t")).values()) == {("NHWC", 0, None)}
    assert set(layouts(make_row("convnext_tiny")).values()) == {("NCHW", 0, None)}


def test_class_and_register_tokens_are_skipped_unless_asked_for():
    registers = make_row("vit_small_patch14_reg4_dinov2", "timm", input="timm")
    found = layouts(registers)
    assert found["patch_embed"] == ("NLC", 0, None)
    assert found["blocks.3"] == found["norm"] == ("NLC", 5, None)
    all_tokens = layouts(registers.model_copy(update={"layers": "blocks.*@tokens=all"}))
    assert set(all_tokens.values()) == {("NLC", 0, None)}
    assert layouts(make_row("vit_b_16", input="imagenet size=224"))["encoder.ln"][1] == 1


def test_the_class_token_alone_is_a_layer_of_its_own():
    row = make_row("vit_tiny_patch16_224", "timm", input="timm", layers="blocks.*@tokens=class")
    module = build(row, seed=0)
    keys = list(module.state_dict())
    layers = resolve_layers(module, row)
    assert list(module.state_dict()) == keys
    assert layers[3].name == "class_tokens.blocks_3"
    assert {layer.layout for layer in layers} == {"NC"}
    kept = {}
    for name in ("blocks.3", "class_tokens.blocks_3"):
        module.get_submodule(name).register_forward_hook(
            lambda _m, _i, out, name=name: kept.update({name: out})
        )
    with torch.no_grad():
        module(torch.rand(2, 3, 224, 224))
    assert torch.equal(kept["class_tokens.blocks_3"], kept["blocks.3"][:, 0])
    # asking again adds nothing
    assert [layer.name for layer in resolve_layers(module, row)] == [x.name for x in layers]


@pytest.mark.parametrize(
    ("architecture", "layer", "expected"),
    [
        ("crossvit_9_240", "blocks.0.blocks.0", ("NLC", 1)),
        ("pit_ti_distilled_224", "transformers.0.blocks.0", ("NLC", 2)),
        ("cait_xxs24_224", "blocks.0", ("NLC", 0)),
        ("cait_xxs24_224", "norm", ("NLC", 1)),
        ("xcit_nano_12_p16_224", "blocks.0", ("NLC", 0)),
        ("levit_128s", "stages.0.blocks.0", ("NLC", 0)),
    ],
)
def test_where_class_tokens_come_and_go(architecture, layer, expected):
    row = make_row(architecture, "timm", input="timm")
    found = layouts(row)
    name = next(path for path in found if path.startswith(layer))
    assert found[name][:2] == expected


@pytest.mark.parametrize(
    ("shape", "size", "layout"),
    [
        ((2, 64, 32, 40), (128, 160), "NCHW"),
        ((2, 32, 40, 64), (128, 160), "NHWC"),
        ((2, 96, 59, 75), (128, 160), "NCHW"),  # an unpadded 11 x 11 convolution
        ((2, 7, 7, 768), (224, 224), "NHWC"),
        ((2, 768, 7, 7), (224, 224), "NCHW"),
        ((2, 512, 2, 3), (128, 160), "NCHW"),
        ((2, 4, 196, 192), (224, 224), None),
        ((2, 197, 768), (224, 224), "NLC"),
        ((2, 1000), (224, 224), "NC"),
    ],
)
def test_layouts_are_told_from_shapes(shape, size, layout):
    assert layout_of(shape, size) == layout


@pytest.mark.parametrize(
    ("first", "second", "layout"),
    [
        ((2, 80, 24), (3, 320, 24), "NLC"),
        ((2, 24, 80), (3, 24, 320), "NCL"),
        ((80, 2, 24), (320, 3, 24), "LNC"),
        ((2, 2, 24), (3, 3, 24), "NLC"),  # two positions that become three by chance
        ((2, 100, 24), (3, 100, 24), None),  # a fixed number of anything
        ((2, 80, 80), (3, 320, 320), None),  # each position against each
        ((2, 64, 8, 8), (3, 64, 16, 16), "NCHW"),
        ((2, 8, 8, 64), (3, 16, 16, 64), "NHWC"),
        ((8, 80, 24), (48, 80, 24), None),  # windows in place of pictures
        ((2, 4, 80, 24), (3, 4, 320, 24), None),
    ],
)
def test_layouts_are_told_from_what_follows_the_picture(first, second, layout):
    assert followed_layout(first, second, (2, 3)) == layout


def test_the_table_of_layers_has_shapes_at_the_size_asked_for():
    frame, left_out = layers_table(make_row("resnet18"), (384, 512))
    assert left_out == ()
    assert list(frame.layer) == expand(FAMILIES["resnet18"])
    assert frame["shape"][0] == "64 x 192 x 256"
    assert frame.positions.iloc[-1] == 12 * 16
    vit, _ = layers_table(
        make_row("vit_base_patch16_224 dynamic_img_size=true", "timm", input="timm"), (384, 512)
    )
    assert set(vit.positions) == {24 * 32}
    assert list(vit.skipped) == [0] + [1] * 13


def test_a_network_that_needs_another_size_says_so():
    row = make_row("vit_b_16")
    with pytest.raises(UserError, match=r"vit_b_16: a dry run .* Write size="):
        resolve_layers(skeleton(row), row)


def test_a_dry_run_leaves_no_hooks_behind():
    module = build(make_row("mobilenet_v3_small"), seed=0)
    trace(module, InputPolicy())
    assert not any(part._forward_hooks for part in module.modules())
