"""The shipped model table against the installed packages, its comparisons and its references."""

import re
import shutil
from pathlib import Path
from urllib.parse import urlparse

import pytest
import timm
import torch
from model_rows import MODELS, REPOSITORY

from dissect_iqa.errors import UserError
from dissect_iqa.models.architecture import skeleton
from dissect_iqa.models.input import input_policy
from dissect_iqa.models.layers import resolve_layers
from dissect_iqa.models.torchvision_builders import weights_of
from dissect_iqa.zoo.comparisons import factor_value, read_comparisons
from dissect_iqa.zoo.licence import non_commercial
from dissect_iqa.zoo.row import timm_name
from dissect_iqa.zoo.select import select
from dissect_iqa.zoo.table import read_models

ROWS = read_models(MODELS)
COMPARISONS = REPOSITORY / "config" / "comparisons.yaml"
REFERENCES = REPOSITORY / "config" / "references.bib"


def of_kind(kind):
    return [pytest.param(row, id=row.id) for row in ROWS.values() if row.weights_kind == kind]


def test_the_sets_have_their_sizes():
    sizes = {name: len(select(ROWS, [name])) for name in ("demo", "paper", "extended")}
    assert sizes == {"demo": 7, "paper": 46, "extended": 98}


@pytest.mark.parametrize("row", of_kind("enum"))
def test_torchvision_has_the_weights(row):
    weights = weights_of(row)
    file = urlparse(weights.url).path.rpartition("/")[2]
    assert weights.url.startswith("https://download.pytorch.org/models/")
    assert re.search(r"-([0-9a-f]{8})\.pth$", file).group(1) == row.sha256
    accuracy = weights.meta["_metrics"].get("ImageNet-1K", {}).get("acc@1")
    if row.top1 is not None:
        assert row.top1 == pytest.approx(accuracy)
        assert row.top1_source == "torchvision"
    policy = input_policy(row, skeleton(row))
    transforms = weights.transforms()
    if hasattr(transforms, "mean"):
        assert policy.mean == pytest.approx(transforms.mean)
        assert policy.std == pytest.approx(transforms.std)


@pytest.mark.parametrize("row", of_kind("tag"))
def test_timm_has_the_weights(row):
    name = timm_name(row)
    assert name in timm.list_pretrained(name)
    config = timm.models.get_pretrained_cfg(name)
    assert config.hf_hub_id or config.url
    policy = input_policy(row, skeleton(row))
    assert (policy.mean, policy.std) == (tuple(config.mean), tuple(config.std))
    assert (policy.size is None) or policy.size == tuple(config.input_size[-2:])
    # a transformer that would refuse other sizes is asked to take them, in whole patches
    if config.fixed_input_size:
        assert row.options["dynamic_img_size"] is True
        assert policy.multiple == 16
    assert non_commercial(config.license or "") == non_commercial(row.licence)


def test_openais_clip_has_its_own_activation():
    """timm loads the same file into a network with another activation without a word."""
    assert "quickgelu" in ROWS["clip_vitb16_openai"].architecture
    assert "quickgelu" not in ROWS["clip_vitb16_laion2b"].architecture


@pytest.mark.parametrize("row", of_kind("url"))
def test_urls_are_whole_and_hashes_are_those_of_their_names(row):
    url = urlparse(row.weights_source)
    assert url.netloc
    assert url.path
    in_name = re.search(r"-([0-9a-f]{8}|[0-9a-f]{64})\.pth?(\.tar)?$", url.path)
    if in_name:
        assert in_name.group(1) == row.sha256
    assert row.input != "auto"


def test_no_two_rows_share_their_weights_unless_they_are_the_same_network():
    seen = {}
    for row in ROWS.values():
        if row.weights_kind == "seed":
            continue
        name = row.name if row.weights_kind in ("enum", "tag") else ""
        key = (row.builder if name else "", name, row.weights)
        assert key not in seen, f"{row.id} and {seen[key]} have the same weights"
        seen[key] = row.id


@pytest.fixture(scope="module")
def built():
    """Every network of the table, once for each way of building it, with its layers."""
    found = {}
    for row in ROWS.values():
        of_tag = row.weights if row.weights_kind in ("enum", "tag") else ""
        key = (row.builder, row.architecture, row.layers, row.input, of_tag)
        if key not in found:
            module = skeleton(row)
            found[key] = (row, module, resolve_layers(module, row, input_policy(row, module)))
    return list(found.values())


def test_every_row_builds_and_names_its_layers(built):
    assert len(built) > 60
    for row, _, layers in built:
        depths = [layer.depth for layer in layers]
        assert depths == sorted(depths), row.id
        assert (len(layers) >= 8, depths[-1]) == (True, 1.0), row.id


@pytest.mark.parametrize(
    ("model", "points", "millions"),
    [
        ("alexnet_in1k", 8, 61.10),
        ("resnet152_in1k", 52, 60.19),
        ("efficientnet_b4_in1k", 34, 19.34),
        ("densenet201_in1k", 10, 20.01),
        ("vit_b16_sup_in21k", 14, 102.60),
        ("clip_vitb16_laion2b", 14, 86.19),
        ("clip_rn50_openai", 20, 23.53),
        ("bit_rn50v2_in21k", 18, 68.26),
        ("rn50_jigsaw_in1k", 18, 23.51),
        ("rn50_color_in1k", 18, 23.50),
        ("task_autoencoding", 19, 23.66),
        ("rn50_fcn_seg_coco", 18, 35.32),
        ("rn50_keypointrcnn_coco", 18, 59.14),
        ("alex_sup_in1k_bvlc", 8, 2.33),
        ("alex_jigsaw_in1k", 8, 2.34),
        ("alex_color_in1k", 8, 2.31),
        ("alex_rotnet_in1k", 8, 2.47),
        ("alex_deepcluster_in1k", 8, 3.74),
        ("vgg16bn_deepcluster_in1k", 18, 14.72),
        ("resnet20_cifar10", 10, 0.27),
        ("resnet56_cifar10", 28, 0.86),
        ("dncnn_color_blind", 19, 0.67),
        ("vgg16bn_cifar10", 18, 14.72),
    ],
)
def test_depth_points_and_parameters_are_the_known_ones(model, points, millions):
    row = ROWS[model]
    module = skeleton(row)
    assert len(resolve_layers(module, row)) == points
    count = sum(parameter.numel() for parameter in module.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.005)


def shape_of(model, layer, size):
    module = skeleton(ROWS[model])
    kept = {}
    module.get_submodule(layer).register_forward_hook(lambda _m, _i, out: kept.update(out=out))
    channels = 1 if "color_" in model else 3
    module(torch.empty(1, channels, *size, device="meta"))
    return tuple(kept["out"].shape[1:])


def test_the_taskonomy_encoder_reduces_where_its_authors_do():
    assert shape_of("task_normal", "maxpool", (256, 256)) == (64, 64, 64)
    assert shape_of("task_normal", "layer1.1", (256, 256)) == (256, 64, 64)
    assert shape_of("task_normal", "layer1.2", (256, 256)) == (256, 32, 32)
    assert shape_of("task_normal", "layer4.2", (256, 256)) == (2048, 16, 16)
    assert shape_of("task_normal", "relu1", (256, 256)) == (8, 16, 16)


def test_the_colorization_networks_take_lightness_and_keep_resolution():
    assert shape_of("rn50_color_in1k", "layer4.2", (224, 224)) == (2048, 14, 14)
    assert shape_of("alex_color_in1k", "features.7", (227, 227)) == (256, 6, 6)


def test_sobel_edges():
    from dissect_iqa.models.architectures.sobel import Sobel

    ramp = torch.arange(6.0).expand(1, 3, 5, 6)  # grows by one a column
    across, down = Sobel()(ramp)[0, :, 1:-1, 1:-1]
    assert torch.equal(across, torch.full((3, 4), -8.0))
    assert torch.equal(down, torch.zeros(3, 4))
    assert not Sobel().state_dict()


def test_dncnn_takes_the_noise_off():
    from dissect_iqa.models.architectures.dncnn import dncnn

    network = dncnn(3)
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    picture = torch.rand(1, 3, 8, 8)
    assert torch.equal(network(picture), picture)


def test_comparisons_hold_what_they_say():
    comparisons = read_comparisons(COMPARISONS, ROWS)
    assert {c.factor for c in comparisons} == {"function", "architecture", "environment"}
    together = {member for comparison in comparisons for member in comparison.members}
    assert {row.id for row in ROWS.values() if row.set == "paper"} <= together
    by_id = {comparison.id: comparison for comparison in comparisons}
    functions = {factor_value(ROWS[m], "function") for m in by_id["function_resnet50"].members}
    for objective in ("jigsaw", "rotation", "colorization", "clustering", "contrastive"):
        assert any(objective in function for function in functions)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("factor: function", "factor: funktion"), "'factor': found 'funktion'"),
        (("title: ResNet-50 on", "titel: ResNet-50 on"), "did you mean 'title'"),
        (("- rn50_pirl_in1k", "- rn50_pirl_in2k"), "did you mean 'rn50_pirl_in1k'"),
        (("- rn50_pirl_in1k", "- rn50_jigsaw_in22k"), "'environment' is said to be held"),
        (("- rn50_pirl_in1k", "- rn50_npid_in1k"), "appears twice"),
        (
            ("rn50_color_in1k: one", "rn50_pirl_in22k: one"),
            "exception 'rn50_pirl_in22k' is no member",
        ),
        (("id: function_taskonomy", "id: function_resnet50"), "appears twice"),
        (("held: [architecture, environment]", "held: [function]"), "can't both vary and be held"),
    ],
)
def test_wrong_comparisons_are_explained(tmp_path, change, words):
    path = tmp_path / "comparisons.yaml"
    text = COMPARISONS.read_text()
    assert change[0] in text
    path.write_text(text.replace(*change, 1))
    with pytest.raises(UserError) as caught:
        read_comparisons(path, ROWS)
    assert words in str(caught.value)
    assert "comparisons.yaml" in str(caught.value)


def test_a_comparison_in_which_nothing_varies_is_an_error(tmp_path):
    path = shutil.copy(COMPARISONS, tmp_path / "c.yaml")
    Path(path).write_text(
        "comparisons:\n- {id: a, title: A, factor: environment, held: [family],"
        " members: [resnet18_in1k, resnet50_in1k]}\n"
    )
    with pytest.raises(UserError, match="'environment' is the same for all members"):
        read_comparisons(path, ROWS)
    with pytest.raises(UserError, match="no such file"):
        read_comparisons(tmp_path / "none.yaml", ROWS)


def test_every_citation_has_its_entry_and_the_other_way_round():
    entries = re.findall(r"^@\w+\{([^,]+),", REFERENCES.read_text(), re.MULTILINE)
    assert len(set(entries)) == len(entries)
    used = {key.strip() for row in ROWS.values() for key in row.citation.split(";") if key}
    assert used | {"wightman2019timm"} == set(entries)
    assert all(row.citation for row in ROWS.values())


def test_published_accuracy_has_a_source():
    for row in ROWS.values():
        assert (row.top1 is None) == (not row.top1_source), row.id


def test_licences_are_stated_or_said_not_to_be():
    for row in ROWS.values():
        assert row.licence or row.weights_kind == "seed", row.id
    flagged = {row.id for row in ROWS.values() if non_commercial(row.licence)}
    assert {"rn50_swav_in1k", "vit_b16_mae_in1k", "rn50_jigsaw_in1k", "rn50_swsl_ig1b"} <= flagged
    assert not {"resnet50_in1k", "rn50_barlow_in1k", "vit_b16_dino_in1k"} & flagged
