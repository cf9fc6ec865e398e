"""One bit of one tensor, or anything else of a weights file, can't change without a word."""

import re
from pathlib import Path

import pytest
import torch
from model_rows import make_row
from safetensors.torch import load_file, save_file

from dissect_iqa.baselines.learned import load_trunk
from dissect_iqa.errors import UserError
from dissect_iqa.files.provenance import canonical_json, fingerprint
from dissect_iqa.models.architecture import build
from dissect_iqa.models.load import load_network
from dissect_iqa.models.weights.file import (
    read_weights,
    tensors_sha256,
    weights_provenance,
    write_weights,
)

SPEC = canonical_json({"stage": "fetch_weights", "version": 1})
FACTS = {"model": "small", "spec": SPEC, "fingerprint": fingerprint(SPEC), "source": "seed:3"}


@pytest.fixture
def small(tmp_path):
    row = make_row("squeezenet1_1", id="small")
    path = tmp_path / "small.safetensors"
    write_weights(build(row, seed=3).state_dict(), path, FACTS)
    return row, path


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_one_flipped_bit_is_found_by_every_reader(small, place):
    row, path = small
    start = 8 + int.from_bytes(path.read_bytes()[:8], "little")
    size = path.stat().st_size
    flip(path, {"first": start, "middle": (start + size) // 2, "last": size - 1}[place])
    for load in (
        lambda: load_network(row, path),
        lambda: load_trunk("squeezenet1_1", path),
        lambda: read_weights(path),
    ):
        with pytest.raises(UserError, match=r"small\.safetensors: damaged, its tensors have"):
            load()


def test_weights_of_another_spec_are_refused_by_every_reader(small):
    row, path = small
    other = canonical_json({"stage": "fetch_weights", "version": 2})
    for load in (load_network, lambda _, *rest: load_trunk("squeezenet1_1", *rest)):
        load(row, path, SPEC)
        with pytest.raises(UserError, match="made with other settings"):
            load(row, path, other)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.update(b=s.pop("a")),
        lambda s: s.update(a=s["a"].reshape(3, 2)),
        lambda s: s.update(a=s["a"].view(torch.int32)),
        lambda s: s.update(c=torch.zeros(0)),
        lambda s: s.pop("n"),
    ],
    ids=["name", "shape", "dtype", "an empty one more", "one less"],
)
def test_the_sum_is_of_names_dtypes_shapes_and_bytes(change):
    state = {"a": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(3)}
    before = tensors_sha256(state)
    assert before == tensors_sha256(dict(reversed(state.items())))
    assert before == tensors_sha256({**state, "a": state["a"].t().contiguous().t()})
    change(state)
    assert tensors_sha256(state) != before


def test_tensors_of_every_kind_go_through_a_file(tmp_path):
    state = {
        str(kind): torch.tensor([0, 1, 1]).to(kind)
        for kind in (torch.bool, torch.uint8, torch.int64, torch.bfloat16, torch.float64)
    }
    state["tied"] = state["number"] = torch.tensor(2.5)
    write_weights(state, tmp_path / "w.safetensors", {})
    found = read_weights(tmp_path / "w.safetensors")
    assert found.sha256 == tensors_sha256(state)
    assert all(torch.equal(found.state[name], value) for name, value in state.items())


def test_a_file_without_a_sum_is_refused(small):
    row, path = small
    facts = weights_provenance(path)
    del facts["sha256"]
    save_file(load_file(path), path, metadata={"dissect_iqa": canonical_json(facts)})
    with pytest.raises(UserError, match=re.escape("Delete it and run again")):
        load_network(row, path)
