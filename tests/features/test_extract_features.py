"""Extraction gives the statistics that its definition says, whatever the batches and the order."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from features_data import NETWORKS, SPEC, make_dataset, resnet, shuffled, stripes, vgg
from PIL import Image

from dissect_iqa.errors import UserError
from dissect_iqa.features.extract_features import extract_features
from dissect_iqa.features.file.read import open_cache
from dissect_iqa.features.forward.input import picture_input
from dissect_iqa.features.statistics.names import STATISTICS
from dissect_iqa.models.network import InputPolicy, Layer

torch.set_num_threads(1)


def run(network, dataset, path, **options):
    options = {"device": "cpu", "progress": False, **options}
    extract_features(network, dataset, path, SPEC, **options)
    with open_cache(path, SPEC) as cache:
        return cache.images, cache.pairs, [cache.layer(i) for i in range(len(cache.layers))]


def raw_features(network, dataset, file):
    """All layers of one picture, (positions, C): a float64 pass, read by hooks that copy."""
    found = {}
    pixels = np.array(Image.open(dataset.path(file)))

    def keep(layer):
        def hook(_module, _inputs, output):
            output = output.clone()
            if layer.layout == "NCHW":
                found[layer.name] = output[0].flatten(1).T.numpy()
            else:
                found[layer.name] = output[0, layer.skip_tokens :].numpy()

        return hook

    module = network.module.double()
    handles = [
        module.get_submodule(la.name).register_forward_hook(keep(la)) for la in network.layers
    ]
    with torch.no_grad():
        module(picture_input(torch.from_numpy(pixels)[None], network.input).double())
    for handle in handles:
        handle.remove()
    return [found[layer.name] for layer in network.layers]


def direct_statistics(x, y):
    """The definitions in float64; x is the reference."""
    unit_x = x / (np.linalg.norm(x, axis=1, keepdims=True) + 1e-10)
    unit_y = y / (np.linalg.norm(y, axis=1, keepdims=True) + 1e-10)
    return y.mean(0), y.var(0), ((x - y) ** 2).mean(0), ((unit_x - unit_y) ** 2).mean(0)


@pytest.mark.parametrize("name", NETWORKS)
def test_statistics_equal_those_of_raw_features_in_float64(tmp_path, name):
    network, dataset = NETWORKS[name](), make_dataset(tmp_path / "data", 1, 3)
    images, _, layers = run(NETWORKS[name](), dataset, tmp_path / "f.h5")
    files = images["name"].tolist()
    for row, pair in dataset.pairs.iterrows():
        x = raw_features(network, dataset, pair["reference_file"])
        y = raw_features(network, dataset, pair["distorted_file"])
        image = files.index(pair["distorted_file"])
        for layer, a, b in zip(layers, x, y, strict=True):
            found = [layer[s][image if s in ("mean", "var") else row] for s in STATISTICS]
            check_layer(found, a, b)


POLICIES = {
    "native": InputPolicy(),
    "resized": InputPolicy(size=(40, 56)),
    "multiple": InputPolicy(multiple=16),
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("batch_size", [1, 4, 16])
def test_pictures_of_several_sizes(tmp_path, policy, batch_size):
    """Sizes that differ natively but not for the network, and the other way round."""
    sizes = [(48, 64), (48, 64), (64, 48), (50, 70), (48, 64), (33, 79), (50, 70)]
    dataset = shuffled(make_dataset(tmp_path / "data", 7, 1, size=sizes), 5)

    def network():
        return replace(stripes(), input=POLICIES[policy])

    images, _, layers = run(network(), dataset, tmp_path / "f.h5", batch_size=batch_size)
    files = images["name"].tolist()
    for row, pair in dataset.pairs.iterrows():
        x = raw_features(network(), dataset, pair["reference_file"])
        y = raw_features(network(), dataset, pair["distorted_file"])
        image = files.index(pair["distorted_file"])
        for layer, a, b in zip(layers, x, y, strict=True):
            found = [layer[s][image if s in ("mean", "var") else row] for s in STATISTICS]
            check_layer(found, a, b)


def test_pictures_that_are_too_small_are_all_named_before_the_start(tmp_path, monkeypatch):
    monkeypatch.setattr("dissect_iqa.features.extract_features.Runner", None)
    dataset = make_dataset(tmp_path / "data", 3, 0, size=[(48, 64), (31, 64), (64, 20)])
    network = replace(stripes(), input=InputPolicy(multiple=32))
    with pytest.raises(UserError) as caught:
        run(network, dataset, tmp_path / "f.h5")
    text = str(caught.value)
    assert text.startswith("stripes: d1_0.png: a picture of 31 x 64 is smaller than the 32 pixels")
    assert text.endswith("so are d2_0.png, r1.png, r2.png")


def check_layer(found, x, y):
    """Hold statistics to float64 features within what a float32 forward pass can do.

    Each feature of such a pass is wrong by up to 1e-5 of the layer's size, and so is each
    difference of two of them, however small.
    """
    noise = 1e-5 * np.sqrt((y**2).mean())
    wanted = direct_statistics(x, y)
    for statistic, value, right in zip(STATISTICS, found, wanted, strict=True):
        if statistic == "unit_mse":
            noise = 1e-5 / np.sqrt(x.shape[1])
        allowed = noise if statistic == "mean" else 2 * noise * np.sqrt(right) + noise**2
        assert (np.abs(value - right) <= 1e-5 * np.abs(right) + allowed).all(), statistic


@pytest.mark.parametrize("name", ["resnet", "vit"])
def test_batch_size_and_order_do_not_matter(tmp_path, name):
    dataset = make_dataset(tmp_path / "data", 2, 8)
    _, _, wanted = run(NETWORKS[name](), dataset, tmp_path / "a.h5", batch_size=7)
    for size in (1, 64):
        _, _, layers = run(NETWORKS[name](), dataset, tmp_path / f"{size}.h5", batch_size=size)
        close(layers, wanted)
    mixed = shuffled(dataset, 5)
    images, pairs, layers = run(NETWORKS[name](), mixed, tmp_path / "mixed.h5", batch_size=7)
    order = [
        dataset.pairs["distorted_file"].tolist().index(file)
        for file in mixed.pairs["distorted_file"]
    ]
    back = [{k: v[order] if k.endswith("mse") else v for k, v in la.items()} for la in wanted]
    close(layers, back)
    assert images["name"].to_numpy()[pairs["distorted"]].tolist() == list(
        mixed.pairs["distorted_file"]
    )


def close(found, wanted):
    """The stated tolerance: 1e-3 of each value, or 1e-5 of the layer's mean."""
    for a, b in zip(found, wanted, strict=True):
        for statistic in STATISTICS:
            scale = np.abs(b[statistic]).mean()
            np.testing.assert_allclose(a[statistic], b[statistic], rtol=1e-3, atol=1e-5 * scale)


def test_identical_pictures_differ_by_nothing(tmp_path):
    dataset = make_dataset(tmp_path / "data", 2, 2)
    _, pairs, layers = run(resnet(), dataset, tmp_path / "f.h5")
    same = dataset.pairs["level"].to_numpy() == 2
    for layer in layers:
        assert (layer["mse"][same] == 0).all() and (layer["unit_mse"][same] == 0).all()
        assert (layer["mse"][~same].max(axis=1) > 0).all()
        r, d = pairs["reference"][same], pairs["distorted"][same]
        assert (layer["mean"][r] == layer["mean"][d]).all()
        assert (layer["var"][r] == layer["var"][d]).all()


def test_references_may_differ_in_size(tmp_path):
    sizes = [(48, 64), (64, 48), (40, 40)]
    dataset = make_dataset(tmp_path / "data", 3, 2, sizes)
    run(stripes(), dataset, tmp_path / "f.h5")
    with open_cache(tmp_path / "f.h5") as cache:
        assert cache.layers[0].positions is None
        grids = dict(zip(cache.images["name"], cache.grid(0).tolist(), strict=True))
    assert grids["r0.png"] == [23, 31] and grids["d1_0.png"] == [31, 23]


def test_small_references_share_a_pass(tmp_path, monkeypatch):
    from dissect_iqa.features.forward.runner import Runner

    passes = []
    original = Runner.distorted
    monkeypatch.setattr(
        Runner, "distorted", lambda self, p, *a: passes.append(len(p)) or original(self, p, *a)
    )
    dataset = make_dataset(tmp_path / "data", 4, 2)
    _, _, together = run(stripes(), dataset, tmp_path / "a.h5", batch_size=12)
    assert passes == [8]  # 4 x 2, the identical copies left out
    _, _, alone = run(stripes(), dataset, tmp_path / "b.h5", batch_size=3)
    assert passes[1:] == [2, 2, 2, 2]
    close(together, alone)


def test_features_that_are_not_finite_name_layer_and_picture(tmp_path):
    network, dataset = stripes(), make_dataset(tmp_path / "data", 1, 2)
    with torch.no_grad():
        network.module[2].bias[3] = float("nan")
    with pytest.raises(UserError, match=r"stripes: layer '3', picture r0.png: .*not finite"):
        run(network, dataset, tmp_path / "f.h5")
    assert not (tmp_path / "f.h5").exists()


def test_layers_overwritten_in_place_are_read_before(tmp_path):
    """The outputs of VGG's convolutions, which the ReLUs after them overwrite."""
    network, dataset = vgg(("0", "2")), make_dataset(tmp_path / "data", 1, 1)
    images, _, layers = run(network, dataset, tmp_path / "f.h5")
    x, y = (raw_features(vgg(("0", "2")), dataset, file) for file in ("r0.png", "d0_0.png"))
    assert x[0].min() < 0  # not rectified
    image = images["name"].tolist().index("d0_0.png")
    for layer, a, b in zip(layers, x, y, strict=True):
        rows = (image, image, 0, 0)
        check_layer([layer[s][row] for s, row in zip(STATISTICS, rows, strict=True)], a, b)


def test_a_layer_that_runs_twice_is_refused(tmp_path):
    network, dataset = resnet(), make_dataset(tmp_path / "data", 1, 1)
    layers = (Layer("layer1.0.relu", 0.5), Layer("layer4.1", 1.0))
    twice = replace(network, layers=layers)
    with pytest.raises(UserError, match=r"layer 'layer1.0.relu' ran twice"):
        run(twice, dataset, tmp_path / "f.h5")
