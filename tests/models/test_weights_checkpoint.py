"""Reading checkpoints safely, and turning any publisher's keys into an architecture's own."""

import argparse
import io
import os
import pickle
import zipfile

import h5py
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from checkpoint_layouts import (
    EXTRA,
    TinyTrunk,
    flat_trunk,
    layout_of,
    moco,
    prefixed,
    tiny_trunk,
    trained,
)
from model_rows import MODELS, make_row
from safetensors.torch import save_file

from dissect_iqa.errors import UserError
from dissect_iqa.models.architecture import build, skeleton
from dissect_iqa.models.weights.checkpoint import load_into, select_state
from dissect_iqa.models.weights.inert import Shell
from dissect_iqa.models.weights.reading import read_checkpoint
from dissect_iqa.zoo.table import read_models

URL_ROWS = [row for row in read_models(MODELS).values() if row.weights_kind == "url"]


def tiny(**columns):
    return make_row("tiny", "checkpoint_layouts:tiny_trunk", **columns)


# ------------------------------------------------------------------------------ key layouts


@pytest.mark.parametrize("row", URL_ROWS, ids=lambda row: row.id)
def test_every_address_of_the_table_fits_its_publishers_layout(row):
    wanted = {key: tuple(value.shape) for key, value in skeleton(row).state_dict().items()}
    trunk = {key: torch.empty(shape, device="meta") for key, shape in wanted.items()}
    state = select_state(row, layout_of(row.weights)(trunk))
    found = {key: tuple(value.shape) for key, value in state.items()}
    lacking = {key for key in wanted if key not in found}
    assert found == {key: shape for key, shape in wanted.items() if key not in lacking}
    assert all(key.endswith("num_batches_tracked") for key in lacking)


def test_values_are_those_of_the_wanted_encoder():
    state = trained()
    row = tiny(unwrap="state_dict", strip="=module.encoder_q.", drop="fc.*")
    module = tiny_trunk()
    load_into(row, module, select_state(row, moco(state)))
    assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items())


def test_old_densenet_keys_are_renamed_for_any_enum():
    row = make_row("densenet121", weights="enum:IMAGENET1K_V1")
    wanted = skeleton(row).state_dict()
    old = {
        key.replace("norm1.", "norm.1.")
        .replace("norm2.", "norm.2.")
        .replace("conv1.", "conv.1.")
        .replace("conv2.", "conv.2."): value
        for key, value in wanted.items()
    }
    assert set(old) != set(wanted)
    assert set(select_state(row, old)) == set(wanted)


def test_old_feature_pyramids_are_brought_up_to_date_by_torchvision():
    row = make_row("fasterrcnn_mobilenet_v3_large_320_fpn", weights="enum:COCO_V1")
    module = build(row)
    old = {
        key.replace("_blocks.0.0.", "_blocks.0.")
        .replace("_blocks.1.0.", "_blocks.1.")
        .replace("head.conv.0.0.", "head.conv."): value.clone()
        for key, value in module.state_dict().items()
    }
    assert sum(key not in module.state_dict() for key in old) == 10
    load_into(row, module, select_state(row, old))


def test_keys_in_order():
    row = make_row("flat", "checkpoint_layouts:flat_trunk", strip="in-order", drop="head.*")
    state, module = trained(), flat_trunk()
    load_into(row, module, select_state(row, {**state, "head.weight": EXTRA}))
    for value, own in zip(module.state_dict().values(), state.values(), strict=True):
        assert torch.equal(value, own)


def test_keys_in_order_must_agree_in_count_shape_and_kind():
    row = make_row("flat", "checkpoint_layouts:flat_trunk", strip="in-order")
    state = trained()
    with pytest.raises(UserError, match="9 in the file instead of 8"):
        load_into(row, flat_trunk(), {**state, "extra.weight": EXTRA})
    keys = list(state)
    swapped = {key: state[key] for key in (keys[0], keys[2], keys[1], *keys[3:])}
    with pytest.raises(UserError, match=r"bn1\.bias \[4\] instead of stem\.1\.weight \[4\]"):
        load_into(row, flat_trunk(), swapped)


def test_module_versions_survive_only_untouched_keys():
    state = TinyTrunk().state_dict()
    assert select_state(tiny(), state)._metadata == state._metadata
    dropped = select_state(tiny(drop="layer1.*"), state)
    assert dropped._metadata == state._metadata
    renamed = select_state(tiny(strip="conv1->conv2"), state)
    assert not hasattr(renamed, "_metadata")


# ------------------------------------------------------------------------- what doesn't fit


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: {k: s[k] for k in s if k != "conv1.weight"}, r"missing 1 \(conv1.weight\)"),
        (lambda s: {**s, "fc.weight": EXTRA}, r"left over 1 \(fc.weight\)"),
        (
            lambda s: {**s, "conv1.weight": EXTRA},
            r"conv1.weight \[2, 3\] instead of \[4, 3, 3, 3\]",
        ),
        (lambda s: {**s, "bn1.bias": torch.full((4,), torch.nan)}, r"not finite in: bn1.bias"),
    ],
)
def test_a_checkpoint_that_does_not_fit_lists_the_keys(change, words):
    row = tiny(id="mine")
    with pytest.raises(UserError, match=rf"mine: the weights don't fit.*{words}"):
        load_into(row, tiny_trunk(), select_state(row, change(trained())))


@pytest.mark.parametrize(
    ("columns", "checkpoint", "words"),
    [
        ({"unwrap": "state.model"}, {"state": {"net": 1}}, "no 'model' at this place; it has: net"),
        ({"unwrap": "a.b"}, {"a": 3}, "no 'b' at this place; it has: int"),
        ({}, [1, 2], "the file holds list"),
        ({}, {"state_dict": {"a": EXTRA}, "x": EXTRA}, "may be in one of: state_dict"),
        ({}, {"epoch": 3, "a": EXTRA}, "'epoch' in the file is int, not a tensor"),
        ({"strip": "=encoder."}, {"backbone.a": EXTRA}, "leave no key .* it has: backbone.a"),
        ({"strip": "x.;y."}, {"x.a": EXTRA, "y.a": EXTRA}, "two keys of the file into 'a'"),
        ({"drop": "*"}, {"a": EXTRA}, "leave no key"),
    ],
)
def test_wrong_columns_are_explained(columns, checkpoint, words):
    with pytest.raises(UserError, match=words):
        select_state(tiny(**columns), checkpoint)


def test_optional_unwrapping_and_dropped_extras():
    row = tiny(unwrap="state_dict?", drop="epoch;*.extra")
    for checkpoint in ({"a": EXTRA}, {"state_dict": {"a": EXTRA, "epoch": 3, "b.extra": "text"}}):
        assert list(select_state(row, checkpoint)) == ["a"]


def test_arrays_count_as_tensors():
    state = select_state(tiny(), {"a": np.ones(3, np.float32), "n": np.int64(4)})
    assert state["a"].dtype == torch.float32
    assert int(state["n"]) == 4


# -------------------------------------------------------------------------------- safe reading


class Harmful:
    """Writes a file when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_nothing_in_a_checkpoint_is_executed(tmp_path, zipped):
    trace, path = tmp_path / "trace", tmp_path / "model.pth"
    state = trained()
    checkpoint = {
        "state_dict": state,
        "harm": Harmful(f"touch {trace}"),
        "args": argparse.Namespace(lr=1),
        "scalar": np.float32(2),
    }
    torch.save(checkpoint, path, _use_new_zipfile_serialization=zipped)
    found = read_checkpoint(path)
    assert not trace.exists()
    assert isinstance(found["harm"], Shell)
    assert isinstance(found["args"], Shell)
    assert float(found["scalar"]) == 2
    assert all(torch.equal(found["state_dict"][key], value) for key, value in state.items())
    # the same file does harm if it is read carelessly, so the test would notice
    torch.load(path, weights_only=False)
    assert trace.exists()


class Trainer:
    """A publisher's own class, with everything that pickles do to objects."""

    def __init__(self) -> None:
        self.items = {"a": [1, 2]}
        self.weight = torch.nn.Parameter(torch.ones(2))


class History(list):
    pass


class Table(dict):
    pass


def test_objects_of_any_class_become_shells(tmp_path):
    path = tmp_path / "full.pth"
    table = Table(a=1)
    checkpoint = {
        "model": torch.nn.Parameter(torch.arange(3.0)),
        "trainer": Trainer(),
        "history": History([1, 2]),
        "table": table,
        "function": argparse.ArgumentParser,
        "array": np.arange(3),
    }
    torch.save(checkpoint, path)
    found = read_checkpoint(path)
    assert found["model"].tolist() == [0, 1, 2]
    assert found["array"].tolist() == [0, 1, 2]
    for name in ("trainer", "history", "table"):
        assert isinstance(found[name], Shell)
        assert type(found[name]).__module__ == Trainer.__module__


def test_a_shell_cannot_reach_anything():
    from dissect_iqa.models.weights import inert

    text = pickle.dumps(Harmful("false"))
    assert isinstance(inert.loads(text), Shell)
    for module, name in (("builtins", "eval"), ("os", "system"), ("torch", "os.Storage")):
        assert issubclass(inert.Unpickler(io.BytesIO()).find_class(module, name), Shell)


def test_a_plain_checkpoint_needs_no_shells(tmp_path, caplog):
    path = tmp_path / "model.bin"
    torch.save(trained(), path)
    assert set(read_checkpoint(path)) == set(trained())
    assert not caplog.records


def damaged_zip() -> bytes:
    buffer = io.BytesIO()
    torch.save(trained(), buffer)
    return buffer.getvalue()[:-200]


def script_archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("notes.txt", "nothing")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "neither PyTorch, safetensors nor Keras"),
        (b"just text, no weights", "neither PyTorch, safetensors nor Keras"),
        (b"  <!DOCTYPE html><html>", "a web page"),
        (damaged_zip(), "neither PyTorch, safetensors nor Keras"),
        (script_archive(), "neither PyTorch, safetensors nor Keras"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "damaged HDF5"),
        ((2).to_bytes(8, "little") + b"{]" + bytes(9), "damaged safetensors"),
    ],
    ids=["empty", "text", "web page", "cut off", "other zip", "cut off HDF5", "bad safetensors"],
)
def test_files_that_are_no_weights(tmp_path, content, words):
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    with pytest.raises(UserError, match=words) as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match="can't be read"):
        read_checkpoint(tmp_path / "none.pth")


def test_safetensors_are_known_by_their_content(tmp_path):
    path = tmp_path / "model.pth.tar"
    save_file(trained(), path)
    assert set(read_checkpoint(path)) == set(trained())


# ----------------------------------------------------------------------------------- Keras


def test_keras_kernels_convolve_as_in_keras(tmp_path):
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(3, 5, 2, 4)).astype(np.float32)  # height, width, in, out
    dense = rng.normal(size=(4, 6)).astype(np.float32)
    path = tmp_path / "model.weights.h5"
    with h5py.File(path, "w") as file:
        for place, name, values in (
            ("block/layers/conv2d", "stem", (kernel, np.arange(4, dtype=np.float32))),
            ("top", "top", (dense,)),
        ):
            group = file.create_group(f"{place}/vars")
            group.attrs["name"] = name
            for index, value in enumerate(values):
                group[str(index)] = value
        file["optimizer/vars/0"] = np.float32(1)
    state = read_checkpoint(path)
    assert list(state) == ["stem.weight", "stem.bias", "top.weight"]
    picture = rng.normal(size=(8, 9, 2)).astype(np.float32)
    expected = np.zeros((6, 5, 4), np.float32)  # "valid" correlation, channels last, by hand
    for row, column in np.ndindex(6, 5):
        window = picture[row : row + 3, column : column + 5]
        expected[row, column] = np.einsum("hwi,hwio->o", window, kernel) + np.arange(4)
    found = F.conv2d(
        torch.from_numpy(picture).permute(2, 0, 1)[None], state["stem.weight"], state["stem.bias"]
    )
    np.testing.assert_allclose(found[0].permute(1, 2, 0), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(state["top.weight"], dense.T)


def test_older_keras_files_name_their_variables(tmp_path):
    path = tmp_path / "old.h5"
    with h5py.File(path, "w") as file:
        file["block1_conv1/block1_conv1/kernel:0"] = np.zeros((3, 3, 2, 4), np.float32)
        file["block1_conv1/block1_conv1/bias:0"] = np.zeros(4, np.float32)
        for name in ("gamma", "beta", "moving_mean", "moving_variance"):
            file[f"norm/norm/{name}:0"] = np.zeros(4, np.float32)
    norm = ("weight", "bias", "running_mean", "running_var")
    expected = {"block1_conv1.weight", "block1_conv1.bias", *(f"norm.{name}" for name in norm)}
    state = read_checkpoint(path)
    assert set(state) == expected
    assert state["block1_conv1.weight"].shape == (4, 2, 3, 3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"norm/vars/0": (4,), "norm/vars/1": (4,), "norm/vars/2": (4,)}, "neither a convolution"),
        ({"depthwise_conv2d/vars/0": (3, 3, 4, 1)}, "neither a convolution"),
        ({"a/same/kernel:0": (3, 4), "b/same/kernel:0": (3, 4)}, "two layers are called 'same'"),
        ({"measurements": (3, 4)}, "without Keras weights"),
    ],
)
def test_keras_files_that_can_be_misread_are_refused(tmp_path, content, words):
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        for name, shape in content.items():
            file[name] = np.zeros(shape, np.float32)
    with pytest.raises(UserError, match=words):
        read_checkpoint(path)


def test_prefixes_are_only_removed_at_the_start():
    row = tiny(strip="module.")
    state = select_state(row, prefixed({"a.module.b": EXTRA}, "module."))
    assert list(state) == ["a.module.b"]


def test_keys_that_are_no_names(tmp_path):
    """Their text may be of any length: it doubles with each level that a nested key shares."""
    key: tuple = ()
    for _ in range(12):
        key = (key, key)
    with pytest.raises(UserError, match="a key of the file is tuple, not a name"):
        select_state(tiny(), {key: torch.zeros(1)})
