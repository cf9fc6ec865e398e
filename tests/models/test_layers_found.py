"""What `auto` finds, reads and leaves out in networks that nobody has seen before."""

import json

import h5py
import odd_networks as odd
import pytest
import timm
import torch
from features_data import SPEC, make_dataset
from model_rows import make_row
from torch import nn

from dissect_iqa.errors import UserError
from dissect_iqa.features.extract_features import extract_features
from dissect_iqa.features.forward.hooks import by_position
from dissect_iqa.models.architecture import skeleton
from dissect_iqa.models.layers import choose_layers, layers_table
from dissect_iqa.models.network import InputPolicy, Layer, Network
from dissect_iqa.models.trace import trace

BLOCKS = [f"blocks.{number}" for number in range(3)]


def choose(module, cell="auto", policy=None, meta=True):
    module = module.eval().requires_grad_(False)
    module = module.to("meta") if meta else module
    return choose_layers(module, make_row("odd", layers=cell), policy or InputPolicy())


def read(module, cell="auto", policy=None, meta=True):
    layers = choose(module, cell, policy, meta).layers
    return {x.name: (x.layout, x.skip_tokens, x.skip_last) for x in layers}


# --- tokens ---------------------------------------------------------------------------------

FIXED = InputPolicy(size=(224, 224))


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("order", ["NLC", "LNC"])
@pytest.mark.parametrize(
    ("place", "count", "skipped"),
    [
        ("front", 1, (1, 0)),
        ("front", 5, (5, 0)),
        ("twice", 5, (5, 0)),
        ("behind", 3, (0, 3)),
        ("around", 5, (1, 4)),
    ],
)
def test_other_tokens_are_found_wherever_they_stand(place, count, skipped, order, fixed):
    for names in ("cls_token;reg_token", "a;b"):
        module = odd.Tokens(place, count, fixed, order, names)
        found = read(module, policy=FIXED if fixed else None)
        assert found.pop("patches") == ("NCHW", 0, 0)
        assert list(found) == [*BLOCKS, "last"]
        assert set(found.values()) == {(order, *skipped)}


def test_a_network_inside_another_is_the_same_network():
    plain = read(odd.Tokens(count=5))
    inside = read(odd.Inside(odd.Inside(odd.Tokens(count=5)), "other"))
    assert inside == {f"other.thing.{name}": value for name, value in plain.items()}
    layers = read(odd.Inside(timm.create_model("resnet18", pretrained=False)))
    assert list(layers)[-1] == "thing.layer4.1"
    assert len(layers) == 10


def test_clips_own_layout():
    found = read(odd.Clip(), policy=FIXED)
    assert found.pop("visual.conv1") == ("NCHW", 0, 0)
    blocks = [f"visual.transformer.resblocks.{number}" for number in range(3)]
    assert found == dict.fromkeys(blocks, ("LNC", 1, 0))
    token = read(odd.Clip(), "visual.transformer.resblocks.*@tokens=class", FIXED)
    assert set(token.values()) == {("NC", 0, 0)}


@pytest.mark.parametrize("place", ["middle", "written"])
def test_tokens_that_cannot_be_told_apart_are_refused(place):
    with pytest.raises(UserError, match=r"its 81 tokens .* write @tokens=all behind the layers"):
        choose(odd.Tokens(place))
    assert set(read(odd.Tokens(place), "blocks.*@tokens=all").values()) == {("NLC", 0, 0)}


def test_the_class_token_is_where_it_is_and_refused_elsewhere():
    module = odd.Inside(odd.Tokens(order="LNC", count=5)).eval()
    layers = choose(module, "thing.blocks.*@tokens=class", meta=False).layers
    assert [layer.name for layer in layers] == [f"class_tokens.thing_blocks_{i}" for i in range(3)]
    kept = {}
    for name in ("thing.blocks.1", "class_tokens.thing_blocks_1"):
        module.get_submodule(name).register_forward_hook(
            lambda _m, _i, out, name=name: kept.update({name: out})
        )
    with torch.no_grad():
        module(torch.rand(2, 3, 64, 64))
    assert torch.equal(kept["class_tokens.thing_blocks_1"], kept["thing.blocks.1"][0])
    for wrong in (
        odd.Tokens("behind", 3),
        odd.Tokens(names="register;spare"),
        odd.Tokens("front", 5, names="registers;more_registers"),
    ):
        with pytest.raises(UserError, match=r"'blocks\.0' has no class token"):
            choose(wrong, "blocks.*@tokens=class")


def test_registers_are_no_class_token():
    row = make_row(
        "vit_base_patch16_rope_reg1_gap_256", "timm", input="timm", layers="blocks.*@tokens=class"
    )
    with pytest.raises(UserError, match="has no class token"):
        choose_layers(skeleton(row), row)


@pytest.mark.parametrize("policy", [None, FIXED])
def test_channels_before_positions(policy):
    found = read(odd.ChannelsFirst(), policy=policy)
    assert found.pop("stem") == ("NCHW", 0, 0)
    assert found == dict.fromkeys([f"mix.{number}" for number in range(3)], ("NCL", 0, 0))


def test_as_many_channels_as_positions_are_refused_at_one_size():
    with pytest.raises(UserError, match=r"'act': which axes of \(2, 196, 196\)"):
        choose(odd.Square(), policy=FIXED)


@pytest.mark.parametrize(
    ("layout", "shape"), [("NLC", (2, 9, 5)), ("LNC", (9, 2, 5)), ("NCL", (2, 5, 9))]
)
def test_sequences_are_read_by_position(layout, shape):
    x = torch.rand(shape)
    order = {"NLC": "nlc", "LNC": "lnc", "NCL": "ncl"}[layout]
    wanted = torch.einsum(f"{order}->nlc", x)[:, 2:8]
    features, grid = by_position(x, Layer("a", 1.0, layout, 2, None, 1), "odd")
    assert torch.equal(features, wanted)
    assert grid == (6, 1)


def test_what_is_pooled_has_one_position_or_a_map_of_its_own():
    choice = choose(odd.Pooled())
    assert [layer.name for layer in choice.layers] == ["first", "second"]
    assert choice.left_out == (
        "squeeze;active: it has one position only, which nothing is compared over",
    )
    found = read(odd.Pooled(7))
    assert list(found) == ["first", "second", "squeeze", "active"]
    assert set(found.values()) == {("NCHW", 0, 0)}


def test_maps_that_shrink_to_one_position():
    choice = choose(odd.Shrinking())
    assert [layer.name for layer in choice.layers] == [f"blocks.{number}" for number in range(7)]
    assert {layer.layout for layer in choice.layers} == {"NCHW"}
    assert [item.partition(":")[0] for item in choice.left_out] == ["blocks.*"]


# --- what is left out -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (odd.Repeated, "'middle': it runs 4 times for one picture"),
        (odd.Spectrum, "'middle': it gives out a tensor of type complex64"),
        (odd.Boxed, "'middle': it gives out a Content"),
        (odd.Windows, "'middle': it gives out a tensor of shape (8, 8, 128, 160) for 2 pictures"),
    ],
)
def test_a_block_of_the_main_road_that_cannot_be_read_is_an_error(kind, words):
    with pytest.raises(UserError) as caught:
        choose(kind())
    text = str(caught.value)
    assert text.startswith("odd: preset 'auto' can't read what the network's output depends on")
    assert words in text
    assert text.endswith("what 'auto' can read is first;last")
    # the way out that it names
    assert list(read(kind(), "first;last")) == ["first", "last"]
    # where nothing depends on it, it is left out, and said so
    choice = choose(kind(beside=True))
    assert [layer.name for layer in choice.layers] == ["first", "last"]
    assert [item.partition(":")[0] for item in choice.left_out] == ["middle"]


def test_of_several_outputs_the_one_that_leads_on_is_read():
    choice = choose(odd.Pairs())
    assert [(x.name, x.output) for x in choice.layers] == [
        ("first", None),
        ("middle", 1),
        ("last", None),
    ]


def test_layers_without_activation_modules_are_read_themselves():
    found = read(odd.Functions())
    assert list(found) == ["norm1", "pool", "conv3", "conv4"]


def test_a_dry_run_leaves_no_trace_in_the_network():
    module = odd.Remembers()
    assert list(read(module, meta=False)) == ["first", "last"]
    assert module.grids == {}
    assert all(not value.is_meta for value in module.parameters())


def test_what_is_left_out_is_told_in_the_table_the_log_and_the_file(tmp_path, caplog):
    row = make_row("beside beside=true", "odd_networks:Repeated")
    frame, left_out = layers_table(row, (64, 96))
    assert len(frame) == 2
    module = odd.Repeated(beside=True).eval().requires_grad_(False)
    choice = choose_layers(module, row, InputPolicy())
    network = Network("beside", module, choice.layers, InputPolicy(), "0" * 64, choice.left_out)
    with caplog.at_level("INFO"):
        extract_features(
            network, make_dataset(tmp_path / "data", 1, 1), tmp_path / "f.h5", SPEC, "cpu"
        )
    assert "beside: no layer: middle: it runs 4 times" in caplog.text
    with h5py.File(tmp_path / "f.h5") as file:
        assert json.loads(file.attrs["left_out"]) == list(left_out)


# --- blocks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [odd.Aggregating, odd.ThreeParts])
def test_blocks_are_not_entered(kind):
    blocks = ["stages.0.blocks.0", "stages.1.blocks.0", "stages.1.blocks.1"]
    found = list(read(odd.Staged(kind)))
    assert found == [
        "stem",
        "stages.0.downsample",
        blocks[0],
        "stages.1.downsample",
        *blocks[1:],
    ]


@pytest.mark.parametrize(
    ("architecture", "builder", "count", "some"),
    [
        ("hgnetv2_b0", "timm", 9, ["stages.2.blocks.0", "stages.2.blocks.1"]),
        ("maxvit_t", "torchvision", 13, ["blocks.0.layers.1", "blocks.3.layers.1"]),
        ("maxvit_tiny_tf_224", "timm", 12, ["stages.0.blocks.1", "stages.3.blocks.1"]),
        ("coatnet_0_224", "timm", 13, ["stages.3.blocks.1"]),
        ("dpn68", "timm", 25, ["features.conv3_4"]),
        ("convmixer_768_32", "timm", 33, ["blocks.31"]),
        ("efficientvit_b0", "timm", 12, ["stages.3.blocks.2"]),
        ("crossvit_tiny_240", "timm", 20, ["blocks.2.blocks.1.3", "blocks.2"]),
        ("mobilevit_xxs", "timm", 12, ["stages.2.1"]),
    ],
)
def test_the_level_of_blocks_in_families_with_blocks_of_several_parts(
    architecture, builder, count, some
):
    how = "timm" if builder == "timm" else "imagenet size=224"
    row = make_row(architecture, builder, input=how)
    names = [layer.name for layer in choose_layers(skeleton(row), row).layers]
    assert len(names) == count
    assert set(some) <= set(names)


def test_a_trace_knows_what_becomes_of_each_output():
    seen = trace(odd.Middle(conv := odd.conv()).to("meta"), InputPolicy())
    assert isinstance(conv, nn.Sequential)
    assert seen.leads_on(seen.nodes["middle"])
    assert not seen.branches("middle")
    beside = trace(odd.Middle(odd.conv(), beside=True).to("meta"), InputPolicy())
    assert not beside.leads_on(beside.nodes["middle"])
