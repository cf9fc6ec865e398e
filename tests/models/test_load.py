"""Building networks: exact keys, no network, clear errors, reproducible seeds."""

import inspect
import socket
import textwrap

import pytest
import torch
from model_rows import make_row
from torch import nn
from torchvision.models import detection
from torchvision.ops import FrozenBatchNorm2d

from dissect_iqa.errors import UserError
from dissect_iqa.models import torchvision_builders
from dissect_iqa.models.architecture import build, skeleton
from dissect_iqa.models.load import load_network
from dissect_iqa.models.weights.file import tensors_sha256, write_weights


@pytest.fixture(autouse=True)
def no_sockets(monkeypatch):
    """Building a network must never open one."""

    def refuse(*_args, **_kwargs):
        raise AssertionError("building a network opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)


def test_a_seed_decides_the_values_and_leaves_the_global_generator_alone():
    row = make_row("resnet18 head=none")
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, again, other = (build(row, seed=s).state_dict() for s in (0, 0, 1))
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(first["conv1.weight"], again["conv1.weight"])
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])


def test_networks_are_in_eval_mode_without_gradients():
    module = build(make_row("mobilenet_v3_small"))
    assert not any(part.training for part in module.modules())
    assert not any(parameter.requires_grad for parameter in module.parameters())


@pytest.mark.parametrize(
    ("architecture", "gone"),
    [
        ("resnet18", "fc."),
        ("vgg11", "classifier."),
        ("vit_b_16", "heads."),
        ("swin_t", "head."),
        ("squeezenet1_1", "classifier."),
        ("fcn_resnet50", "classifier."),
    ],
)
def test_a_head_can_be_left_out(architecture, gone):
    whole = set(skeleton(make_row(architecture)).state_dict())
    rest = set(skeleton(make_row(f"{architecture} head=none")).state_dict())
    assert whole - rest == {key for key in whole if key.startswith(gone)} != set()


def test_a_timm_head_can_be_left_out():
    rest = skeleton(make_row("resnet18 head=none", "timm")).state_dict()
    assert not any(key.startswith("fc.") for key in rest)


def test_the_tag_decides_the_number_of_classes():
    row = make_row("vit_base_patch16_224", "timm", weights="tag:augreg_in21k")
    assert skeleton(row).state_dict()["head.weight"].shape[0] == 21843


@pytest.mark.parametrize(
    ("architecture", "builder", "words"),
    [
        ("resnet5O", "torchvision", "did you mean 'resnet50'"),
        ("r3d_18", "torchvision", "no classification, segmentation or detection model 'r3d_18'"),
        ("resnet18 depth=3", "torchvision", "can't build 'resnet18 depth=3'"),
        ("resnet18 head=of", "torchvision", "allowed: none, keep"),
        ("resnet18x", "timm", "did you mean 'resnet18'"),
        ("resnet18 nothing=3", "timm", "can't build 'resnet18 nothing=3'"),
        ("a", "no_such_module:f", "'no_such_module' can't be imported"),
        ("a", "dissect_iqa.models.layout:layout_off", "did you mean 'layout_of'"),
        ("a size=1", "dissect_iqa.zoo.cells:parse_strip", "builder"),
        ("a text=x", "dissect_iqa.zoo.cells:parse_strip", "returned tuple"),
        ("alexnet_bvcl", "dissect_iqa.models.architectures.vissl_alexnet:vissl_alexnet", "bvlc'"),
    ],
)
def test_what_cannot_be_built_is_explained(architecture, builder, words):
    with pytest.raises(UserError) as caught:
        build(make_row(architecture, builder))
    assert words in str(caught.value)


def test_a_users_own_builder_beside_the_snakefile(tmp_path, monkeypatch):
    code = """
        from torch import nn

        def net(architecture, width=4):
            return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU(inplace=True))
    """
    (tmp_path / "my_zoo_module.py").write_text(textwrap.dedent(code))
    monkeypatch.chdir(tmp_path)
    module = build(make_row("mine width=7", "my_zoo_module:net"))
    assert module[0].out_channels == 7
    assert module[1].inplace is False


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("    import sys; sys.exit(0)", "ends the program (sys.exit(0))"),
        ("    raise KeyError('depth')", "raises KeyError: 'depth'"),
        ("    return 1 / 0", "raises ZeroDivisionError: division by zero"),
        ("    raise RuntimeError('a\\nb')", "raises RuntimeError: a b"),
        ("    return None", "returned NoneType"),
        ("    pass\nimport sys; sys.exit()", "can't be imported: it ends the program (sys.exit())"),
        ("    pass\nraise OSError('no disk')", "can't be imported: it raises OSError: no disk"),
        ("    return (", "can't be imported: it raises SyntaxError"),
        ("    pass\nimport no_such_thing", "ModuleNotFoundError: No module named 'no_such_thing'"),
    ],
)
@pytest.mark.parametrize("how", [build, skeleton])
def test_whatever_a_builder_does_is_one_sentence(tmp_path, monkeypatch, request, how, body, words):
    name = f"odd_{abs(hash((request.node.name, tmp_path)))}"
    (tmp_path / f"{name}.py").write_text(f"def net(architecture):\n{body}\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError) as caught:
        how(make_row("mine", f"{name}:net", id="odd"))
    text = str(caught.value)
    assert text.startswith(f"odd: builder '{name}:net'") and words in text
    assert "\n" not in text
    if "raises" in text and "SyntaxError" not in text:
        assert f"{name}.py, line " in text


def written(path, state):
    write_weights(state, path, {})
    return path


@pytest.fixture
def small(tmp_path):
    row = make_row("squeezenet1_1", id="small")
    state = build(row, seed=3).state_dict()
    return row, state, tmp_path / "small.safetensors"


def test_a_network_is_loaded_with_layers_input_and_hash(small):
    row, state, path = small
    network = load_network(row, written(path, state))
    assert network.id == "small"
    assert network.weights_sha256 == tensors_sha256(state)
    assert len(network.layers) == 12
    for key, value in network.module.state_dict().items():
        assert torch.equal(value, state[key])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("features.0.bias"), "lack the keys: features.0.bias"),
        (
            lambda s: s.update({"extra.weight": torch.ones(1)}),
            "that the architecture has not: extra.weight",
        ),
        (
            lambda s: s.update({"features.0.bias": torch.ones(3)}),
            "features.0.bias (3,) instead of (64,)",
        ),
        (lambda s: s["features.0.bias"].fill_(float("nan")), "not finite in: features.0.bias"),
    ],
)
def test_weights_must_fit_exactly(small, change, words):
    row, state, path = small
    change(state)
    with pytest.raises(UserError, match="small: the weights") as caught:
        load_network(row, written(path, state))
    assert words in str(caught.value)


def test_a_damaged_or_missing_file_is_named(small):
    row, state, path = small
    with pytest.raises(UserError, match=r"^small: \S*small\.safetensors: not a whole weights file"):
        load_network(row, path)
    written(path, state)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="Delete it and run again"):
        load_network(row, path)


def test_batch_counters_may_be_missing(tmp_path):
    row = make_row("mobilenet_v3_small")
    state = build(row, seed=0).state_dict()
    lean = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    assert len(lean) < len(state)
    load_network(row, written(tmp_path / "w.safetensors", lean))


def builders_of(text):
    """Return the detection builders in whose source a text stands."""
    names = torchvision_builders.torchvision.models.list_models(detection)
    sources = {n: inspect.getsource(inspect.unwrap(getattr(detection, n))) for n in names}
    return {name for name, source in sources.items() if text in source}


@pytest.mark.parametrize(
    "architecture", ["mnasnet0_5", "mnasnet1_3", "fasterrcnn_mobilenet_v3_large_320_fpn"]
)
def test_modules_that_ask_for_their_version_can_be_loaded(tmp_path, architecture):
    """MNASNet refuses weights that don't say of which version they are; detectors rename keys."""
    row = make_row(architecture)
    module = build(row, seed=3)
    network = load_network(row, written(tmp_path / "w.safetensors", module.state_dict()))
    for key, value in network.module.state_dict().items():
        assert torch.equal(value, module.state_dict()[key]), key


def test_the_lists_of_frozen_detectors_are_those_of_the_installed_torchvision():
    frozen = builders_of("FrozenBatchNorm2d if is_trained")
    shared = builders_of("_fasterrcnn_mobilenet_v3_large_fpn(")  # goes through a helper
    assert frozen | shared == torchvision_builders.FROZEN
    eps_zero = {name for name, _ in torchvision_builders.EPS_ZERO}
    assert builders_of("overwrite_eps(model, 0.0)") == eps_zero


def test_a_detector_has_the_batch_norms_of_its_weights():
    trained = skeleton(make_row("fasterrcnn_resnet50_fpn", weights="enum:COCO_V1"))
    norm = trained.backbone.body.bn1
    assert isinstance(norm, FrozenBatchNorm2d)
    assert norm.eps == 0.0
    assert not any(isinstance(part, nn.BatchNorm2d) for part in trained.backbone.modules())
    second = skeleton(make_row("fasterrcnn_resnet50_fpn_v2", weights="enum:COCO_V1"))
    assert isinstance(second.backbone.body.bn1, nn.BatchNorm2d)
    untrained = skeleton(make_row("fasterrcnn_resnet50_fpn"))
    assert isinstance(untrained.backbone.body.bn1, nn.BatchNorm2d)


def test_a_detector_keeps_its_keys_and_runs_its_backbone_only():
    with torch.device("meta"):
        whole = detection.fasterrcnn_mobilenet_v3_large_fpn(weights=None, weights_backbone=None)
    row = make_row("fasterrcnn_mobilenet_v3_large_fpn")
    module = build(row, seed=0)
    assert set(module.state_dict()) == set(whole.state_dict())
    with torch.no_grad():
        maps = module(torch.rand(1, 3, 96, 128))
    assert all(value.shape[1] == 256 for value in maps.values())


def test_inception_and_googlenet_are_built_as_their_weights_need_them():
    row = make_row("googlenet", weights="enum:IMAGENET1K_V1")
    module = skeleton(row)
    assert module.transform_input
    assert any(key.startswith("aux1") for key in module.state_dict())
    assert not skeleton(make_row("inception_v3")).transform_input
