"""The stage fetch_weights: from every kind of source to a file that loads strictly."""

import hashlib
import io
import logging
import os
import socket
import stat
import threading
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from checkpoint_layouts import PUBLISHERS, TinyTrunk, plain, tiny_trunk, trained
from file_server import serving
from model_rows import MODELS, make_row
from safetensors.torch import load_file, save
from weights_place import SPEC, Place, same, tiny

from dissect_iqa.errors import UserError
from dissect_iqa.files import download as download_module
from dissect_iqa.files.provenance import canonical_json, fingerprint
from dissect_iqa.models.architecture import build
from dissect_iqa.models.load import load_network
from dissect_iqa.models.weights.fetch_weights import require_distinct, twins, weights_provenance
from dissect_iqa.models.weights.file import tensors_sha256
from dissect_iqa.models.weights.lock import read_pins
from dissect_iqa.models.weights.sources import addresses
from dissect_iqa.zoo.table import read_models


def packed(checkpoint: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    return buffer.getvalue()


def sum_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download_module, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(download_module, "LONGEST_WAIT", 0.02)
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in ("HF_ENDPOINT", "DISSECT_IQA_MIRROR"):
            monkeypatch.delenv(name)
    with serving() as running:
        yield running


# ---------------------------------------------------------------------------------- by address

#: One line of the table a layout: what it says of the keys.
COLUMNS = {
    "vissl_trained": ("classy_state_dict.base_model.model.trunk", "_feature_blocks.", ""),
    "vissl_converted": ("model_state_dict", "_feature_blocks.", ""),
    "vissl_jigsaw": ("model_state_dict", "_feature_blocks.", "*fc1*;*fc2*"),
    "swav": ("state_dict?", "module.", "projection_head*;prototypes*"),
    "swav_wrapped": ("state_dict?", "module.", "projection_head*;prototypes*"),
    "moco": ("state_dict", "=module.encoder_q.", "fc.*"),
    "moco_v3_resnet": ("state_dict", "=module.base_encoder.", "fc.*"),
    "moco_v3_vit": ("state_dict", "=module.base_encoder.", "head.*"),
    "simsiam": ("state_dict", "=module.encoder.", "fc.*"),
    "data_parallel": ("state_dict", "module.", ""),
    "composer": ("state.model", "module.", "fc.*"),
    "composer_classifier": ("state.model", "module.", "classifier.*"),
    "wrapped": ("state_dict", "", ""),
    "miil": ("state_dict", "", "fc.*"),
    "dino_teacher": ("teacher", "module.;backbone.;encoder.", "head.*"),
    "with_fc": ("", "", "fc.*"),
    "with_classifier": ("", "", "classifier.*"),
    "plain": ("", "", ""),
}
LAYOUTS = {layout.__name__: layout for layout in PUBLISHERS.values()}


@pytest.mark.parametrize("name", COLUMNS)
def test_every_layout_arrives_over_a_connection_that_breaks(name, server, place):
    state = trained()
    data = packed(LAYOUTS[name](state))
    url = server.add(f"/{name}.pth.tar", data, cut=[len(data) // 3, len(data) // 3, None])
    unwrap, strip, drop = COLUMNS[name]
    row = tiny(f"url:{url}", unwrap=unwrap, strip=strip, drop=drop, sha256=sum_of(data))
    assert same(place.fetch(row), state)
    assert server.ranges_of(f"/{name}.pth.tar")[1].startswith("bytes=")
    assert place.stored() == [f"{sum_of(data)}/{name}.pth.tar"]
    assert not place.lock.exists()


def test_file_of_the_stage(server, place):
    data = packed(trained())
    row = tiny(f"url:{server.add('/a.pth', data)}")
    old_mask = os.umask(0o022)
    try:
        place.fetch(row)
    finally:
        os.umask(old_mask)
    assert stat.S_IMODE(place.target(row).stat().st_mode) == 0o644
    facts = weights_provenance(place.target(row), expect=SPEC)
    assert facts["fingerprint"] == fingerprint(SPEC)
    assert facts["spec"] == SPEC
    assert facts["source"] == f"{server.base}/a.pth"
    assert facts["source_sha256"] == sum_of(data)
    network, found = load_network(row, place.target(row)), load_file(place.target(row))
    assert network.weights_sha256 == facts["sha256"] == tensors_sha256(found)
    with pytest.raises(UserError, match="made with other settings"):
        weights_provenance(place.target(row), expect=canonical_json({"version": 2}))


def test_half_precision_becomes_the_architectures_own(server, place):
    state = {k: v.half() if v.is_floating_point() else v for k, v in trained().items()}
    found = place.fetch(tiny(f"url:{server.add('/a.pth', packed(state))}"))
    assert found["conv1.weight"].dtype == torch.float32
    assert torch.equal(found["conv1.weight"], state["conv1.weight"].float())


def test_sum_is_pinned_when_first_fetched(server, place, caplog):
    data = packed(trained())
    row = tiny(f"url:{server.add('/model.pth', data)}")
    with caplog.at_level(logging.WARNING):
        place.fetch(row)
    assert "commit that file" in caplog.text
    pin = read_pins(place.lock)[f"{server.base}/model.pth"]
    assert (pin.sha256, pin.size) == (sum_of(data), len(data))
    assert place.stored() == [f"{sum_of(data)}/model.pth"]
    before = place.lock.read_bytes(), place.target(row).read_bytes()
    place.fetch(row)
    assert (place.lock.read_bytes(), place.target(row).read_bytes()) == before
    assert len(server.requests) == 1


def test_a_replaced_file_is_noticed_on_another_machine(server, place, tmp_path):
    row = tiny(f"url:{server.add('/model.pth', packed(trained()))}")
    place.fetch(row)
    server.add("/model.pth", packed(trained(seed=1)))
    colleague = Place(tmp_path / "colleague")
    colleague.lock = place.lock
    with pytest.raises(UserError, match=r"(?s)gives another file.*pinned in .*weights\.lock\.tsv"):
        colleague.fetch(row)
    assert not colleague.target(row).exists()
    place.lock.unlink()
    assert same(colleague.fetch(row), trained(seed=1))


@pytest.mark.parametrize("digits", [64, 8])
def test_wrong_sum_is_refused_and_nothing_is_kept(server, place, digits):
    row = tiny(f"url:{server.add('/model.pth', packed(trained()))}", sha256="0" * digits)
    with pytest.raises(UserError, match=r"(?s)tiny: .*(another file|begin with 00000000)"):
        place.fetch(row)
    assert place.stored() == []
    assert not place.target(row).exists()
    assert not place.lock.exists()


def test_first_digits_of_the_sum_are_enough(server, place):
    data = packed(trained())
    row = tiny(f"url:{server.add('/model.pth', data)}", sha256=sum_of(data)[:8])
    assert same(place.fetch(row), trained())
    assert list(read_pins(place.lock)) == [f"{server.base}/model.pth"]


def test_equal_names_are_not_equal_files(server, place):
    rows = {}
    for seed in (0, 1):
        url = server.add(f"/run{seed}/resnet50.pth", packed(trained(seed)))
        rows[seed] = tiny(f"url:{url}", id=f"run{seed}")
    for seed, row in rows.items():
        assert same(place.fetch(row), trained(seed))
    assert len(place.stored()) == 2
    require_distinct([row.id for row in rows.values()], place.weights)


def test_jobs_that_want_one_file_fetch_it_once(server, place):
    data = packed(trained())
    url = server.add("/shared.pth", data, slow=0.01)
    rows = [tiny(f"url:{url}", id=f"job{number}") for number in range(4)]
    errors: list[Exception] = []

    def job(row) -> None:
        try:
            place.fetch(row)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=job, args=(row,)) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(server.requests) == 1
    assert place.stored() == [f"{sum_of(data)}/shared.pth"]
    assert len(read_pins(place.lock)) == 1
    assert all(same(load_file(place.target(row)), trained()) for row in rows)


@pytest.mark.parametrize("known", [True, False], ids=["sum in the table", "no sum"])
def test_offline_says_what_to_put_where(server, place, known):
    data = packed(trained())
    row = tiny(f"url:{server.base}/model.pth", sha256=sum_of(data) if known else "")
    with pytest.raises(UserError, match="offline mode is on") as caught:
        place.fetch(row, offline=True)
    message = str(caught.value)
    assert row.weights_source in message
    path = Path(message.partition(": ")[2].partition(": not there")[0])
    assert path.is_relative_to(place.cache)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    assert same(place.fetch(row, offline=True), trained())
    assert place.stored() == [f"{sum_of(data)}/model.pth"]
    place.target(row).unlink()
    assert same(place.fetch(row, offline=True), trained())
    assert server.requests == []


def test_a_file_that_does_not_fit_leaves_the_old_weights(server, place):
    row = tiny(f"url:{server.add('/a.pth', packed(trained()))}")
    place.fetch(row)
    before = place.target(row).read_bytes()
    wrong = tiny(f"url:{server.add('/b.pth', packed({'net.weight': torch.ones(2)}))}")
    with pytest.raises(UserError, match="missing 7"):
        place.fetch(wrong)
    assert place.target(row).read_bytes() == before
    assert [path.name for path in place.weights.iterdir()] == ["tiny.safetensors"]


# ------------------------------------------------------------------------ hubs and packages


def test_hub_file_and_its_revision(server, place, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", server.base)
    server.add("/me/nets/resolve/main/a/model.safetensors", save(trained()))
    server.add("/me/nets/resolve/v2/a/model.safetensors", save(trained(seed=2)))
    for name, seed in (("me/nets", 0), ("me/nets@v2", 2)):
        row = tiny(f"hub:{name}!a/model.safetensors", id=f"hub{seed}")
        assert same(place.fetch(row), trained(seed))
    assert all(source.startswith("https://huggingface.co/") for source in read_pins(place.lock))


def test_mirror_serves_torchvisions_files(server, place, monkeypatch):
    monkeypatch.setenv("DISSECT_IQA_MIRROR", server.base)
    row = make_row("shufflenet_v2_x0_5", weights="enum:IMAGENET1K_V1")
    (address,) = addresses(row)
    state = build(row, seed=3).state_dict()
    data = packed(state)
    server.add(f"/{address.partition('://')[2]}", data)
    with pytest.raises(UserError, match=r"must begin with [0-9a-f]{8}"):
        place.fetch(row)
    assert same(place.fetch(row.model_copy(update={"sha256": sum_of(data)})), state)


def timm_row(name: str, tag: str, **columns: object):
    return make_row(name, "timm", weights=f"tag:{tag}", input="timm", **columns)


def hub_path(row, file: str) -> str:
    name = timm.get_pretrained_cfg(f"{row.name}.{row.weights_source}").hf_hub_id
    return f"/{name}/resolve/main/{file}"


def initialised(name: str, **options: object) -> dict[str, torch.Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return timm.create_model(name, **options).state_dict()


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_timm_tag_is_fetched_from_where_timm_keeps_it(server, place, monkeypatch, file):
    monkeypatch.setenv("HF_ENDPOINT", server.base)
    row = timm_row("test_vit", "r160_in1k")
    state = initialised("test_vit")
    data = save(state) if file.endswith("safetensors") else packed({"model": state})
    server.add(hub_path(row, file), data)
    assert same(place.fetch(row), state)


def test_timm_renames_resizes_and_drops_the_head(server, place, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", server.base)
    row = timm_row("test_vit", "r160_in1k")
    row = row.model_copy(update={"architecture": "test_vit head=none img_size=80"})
    state = initialised("test_vit")
    server.add(hub_path(row, "model.safetensors"), save(state))
    found = place.fetch(row)
    assert set(state) - set(found) == {"head.weight", "head.bias"}
    assert found["pos_embed"].shape[1] < state["pos_embed"].shape[1]
    assert torch.equal(found["blocks.0.attn.qkv.weight"], state["blocks.0.attn.qkv.weight"])
    assert same(found, load_network(row, place.target(row)).module.state_dict())


def test_timm_refuses_a_file_that_does_not_fit(server, place, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", server.base)
    for architecture in ("test_vit", "test_vit head=none"):
        row = timm_row("test_vit", "r160_in1k")
        row = row.model_copy(update={"architecture": architecture})
        state = initialised("test_vit")
        del state["blocks.0.norm1.weight"]
        server.add(hub_path(row, "model.safetensors"), save(state))
        with pytest.raises(UserError, match=r"timm can't load .*blocks\.0\.norm1\.weight"):
            place.fetch(row)
        place.lock.unlink()


def test_every_line_of_the_table_has_an_address():
    for row in read_models(MODELS).values():
        if row.weights_kind in ("enum", "tag", "url", "hub"):
            assert all(address.startswith(("https://", "http://")) for address in addresses(row))


def test_unknown_tag_and_enum_are_suggested(place):
    with pytest.raises(UserError, match=r"no weights 'dyno' of vit_base_patch16_224 .*'dino'"):
        place.fetch(timm_row("vit_base_patch16_224", "dyno"))
    with pytest.raises(UserError, match="IMAGENET1K_V1"):
        place.fetch(make_row("resnet18", weights="enum:IMAGENET1K_V9"))


def test_file_on_disk(place, tmp_path):
    path = tmp_path / "mine.pth"
    path.write_bytes(packed(trained()))
    for weights in (f"file:{path}", f"url:file://{path}"):
        row = tiny(weights)
        assert same(place.fetch(row, offline=True), trained())
        assert weights_provenance(place.target(row))["source_sha256"] == sum_of(path.read_bytes())
    with pytest.raises(UserError, match="column sha256 says"):
        place.fetch(tiny(f"file:{path}", sha256="0" * 8))
    with pytest.raises(UserError, match=r"no file .*none\.pth"):
        place.fetch(tiny(f"file:{tmp_path}/none.pth"))


def test_file_of_an_installed_package(place):
    row = make_row(
        "lins", "weights_place:lpips_weights", weights="package:lpips!lpips/weights/v0.1/alex.pth"
    )
    found = place.fetch(row, offline=True)
    assert found["lin0.model.1.weight"].shape == (1, 64, 1, 1)
    missing = row.model_copy(update={"weights": "package:lpips!lpips/weights/v0.1/alix.pth"})
    with pytest.raises(UserError, match=r"no file .*alix\.pth'.*alex\.pth"):
        place.fetch(missing)
    absent = row.model_copy(update={"weights": "package:nothing-of-this-name!a.pth"})
    with pytest.raises(UserError, match=r"is not installed here.*wheel:nothing-of-this-name"):
        place.fetch(absent)


# -------------------------------------------------------------------------------------- seeds


def test_seeded_weights_are_the_architectures_own_and_always_the_same(place, tmp_path):
    row = make_row("resnet18 head=none", weights="seed:4", id="a")
    torch.manual_seed(11)
    state = torch.random.get_rng_state()
    found = place.fetch(row)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(12)
    other = Place(tmp_path / "again")
    other.fetch(row)
    assert place.target(row).read_bytes() == other.target(row).read_bytes()
    # He initialisation, as torchvision's ResNet does it
    weight = found["layer4.0.conv1.weight"]
    assert float(weight.std()) == pytest.approx(np.sqrt(2 / (512 * 9)), rel=0.02)
    different = place.fetch(make_row("resnet18 head=none", weights="seed:5", id="b"))
    assert not torch.equal(different["conv1.weight"], found["conv1.weight"])
    assert weights_provenance(place.target(row))["source_sha256"] is None
    assert not place.lock.exists()


# -------------------------------------------------------------------------------------- twins


def test_twins_are_found_under_other_names_and_warned_of(server, place, caplog):
    state = trained()
    first = tiny(f"url:{server.add('/a/model.pth', packed(state))}", id="first")
    second = tiny(f"url:{server.add('/b/model.pth', packed(plain(state)))}", id="second")
    place.fetch(first)
    with caplog.at_level(logging.WARNING):
        place.fetch(second)
    assert "second.safetensors holds the same weights as first.safetensors" in caplog.text
    assert twins(place.target(second), place.weights.iterdir()) == [place.target(first)]
    words = r"first \(http\S+/a/model\.pth\) and second \(http\S+/b/model\.pth\) hold the same"
    with pytest.raises(UserError, match=words):
        require_distinct(["first", "second"], place.weights)
    require_distinct(["first", "absent"], place.weights)


def test_sharing_the_first_layers_makes_no_twins(server, place):
    state = trained()
    tuned = {**state, "layer1.0.weight": state["layer1.0.weight"] + 1}
    rows = {
        name: tiny(f"url:{server.add(f'/{name}.pth', packed(values))}", id=name)
        for name, values in (("start", state), ("tuned", tuned))
    }
    for row in rows.values():
        place.fetch(row)
    require_distinct(rows, place.weights)
    (place.weights / "broken.safetensors").write_bytes(b"x")
    assert twins(place.target(rows["start"]), place.weights.iterdir()) == []


def test_two_readings_of_one_source_may_share_it(server, place, caplog):
    url = server.add("/a.pth", packed(trained()))
    rows = {name: tiny(f"url:{url}", id=name, input=name) for name in ("imagenet", "unit")}
    for row in rows.values():
        place.fetch(row)
    require_distinct(rows, place.weights)
    assert "same weights" not in caplog.text


# ------------------------------------------------------------------------------- lock table


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("url\tsum\n", "line 1: must be the header"),
        ("source\tsha256\tsize\nhttp://a/b\tabc\t3\n", "line 2"),
        ("source\tsha256\tsize\nhttp://a/b\t" + "0" * 64 + "\n", "line 2"),
        ("source\tsha256\tsize\n" + ("http://a/b\t" + "0" * 64 + "\t3\n") * 2, "line 3.*twice"),
    ],
)
def test_malformed_lock_tables_are_explained(server, place, text, words):
    place.lock.parent.mkdir(parents=True)
    place.lock.write_text(text)
    with pytest.raises(UserError, match=rf"weights\.lock\.tsv, {words}"):
        place.fetch(tiny(f"url:{server.add('/a.pth', packed(trained()))}"))
    assert place.lock.read_text() == text


def test_not_ours_is_said_so(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(save(trained()))
    with pytest.raises(UserError, match="not a whole weights file of this pipeline"):
        weights_provenance(path)


# ------------------------------------------------------------------------------ nothing outside


def test_loading_what_was_fetched_opens_no_socket(server, place, monkeypatch):
    row = tiny(f"url:{server.add('/a.pth', packed(trained()))}")
    place.fetch(row)

    def refuse(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    assert len(load_network(row, place.target(row)).layers) == 2
    assert same(place.fetch(row, offline=True), trained())


def test_the_tiny_network_has_all_kinds_of_keys():
    assert set(TinyTrunk().state_dict()) == set(tiny_trunk().state_dict())
    assert len(trained()) == 8


# ------------------------------------------------------------------------- what is no weights file

NO_WEIGHTS = {
    "page": b"<html><body>503 Service Unavailable</body></html>",
    "page_with_a_blank": b"\n<!DOCTYPE html>",
    "json": b'{"error": "Repository not found"}',
    "text": b"Not Found",
    "nothing": b"",
    "xml": b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
    "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n",
    "gzip": b"\x1f\x8b\x08\x00" + bytes(20),
}


@pytest.mark.parametrize("kind", NO_WEIGHTS)
def test_what_is_no_weights_file_is_never_pinned(kind, server, place):
    """An address that says "no such file" with status 200 today may give the file tomorrow."""
    url = server.add("/model.pth", NO_WEIGHTS[kind])
    row = tiny(f"url:{url}")
    with pytest.raises(
        UserError, match=r"tiny: .*gives no weights; .* deleted and not pinned"
    ) as said:
        place.fetch(row)
    assert url in str(said.value) and "\n" not in str(said.value)
    assert not place.lock.exists() and place.stored() == []
    server.add("/model.pth", packed(trained()))
    assert same(place.fetch(row), trained())
    assert list(read_pins(place.lock)) == [url]


def test_weights_that_read_but_do_not_fit_are_kept(server, place):
    """Columns are corrected without fetching two gigabytes again."""
    data = packed({"model": trained()})
    url = server.add("/model.pth", data)
    with pytest.raises(UserError, match="unwrap"):
        place.fetch(tiny(f"url:{url}"))
    assert read_pins(place.lock)[url].sha256 == sum_of(data)
    assert place.stored() == [f"{sum_of(data)}/model.pth"]
    assert same(place.fetch(tiny(f"url:{url}", unwrap="model")), trained())
    assert len(server.requests) == 1


def test_a_pinned_file_that_does_not_read_is_kept(server, place):
    """Its sum says that it is the one that was meant."""
    data = b"Not Found"
    row = tiny(f"url:{server.add('/model.pth', data)}", sha256=sum_of(data))
    with pytest.raises(UserError, match="neither PyTorch, safetensors nor"):
        place.fetch(row)
    assert place.stored() == [f"{sum_of(data)}/model.pth"]


@pytest.mark.parametrize("path", ["/..", "/%2e%2e", "/a/", "/%2fetc%2fpasswd", "/x%00.pth"])
def test_addresses_without_a_name_for_the_file(path, server, place):
    for known in (path, path.replace("/..", "/")):
        server.add(known, packed(trained()))
    try:
        place.fetch(tiny(f"url:{server.base}{path}"))
    except UserError as error:
        assert "can't be fetched" in str(error)
    inside = place.cache.resolve()
    assert all(inside in path.resolve().parents for path in place.cache.rglob("*"))
    assert not any(path.name == "passwd.part" for path in place.cache.parent.glob("*"))
