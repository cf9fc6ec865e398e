"""Extraction on a real CUDA device: the CPU's numbers, the same ones every time, within memory."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from features_data import NETWORKS, SPEC, make_dataset, resnet, shuffled, vgg

from dissect_iqa.features.extract_features import extract_features
from dissect_iqa.features.file.read import open_cache
from dissect_iqa.features.forward.device import claim_device
from dissect_iqa.features.statistics.names import STATISTICS

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is here"),
]

#: Relative difference (L2 over channels) from the CPU that each arithmetic makes at most.
WITHIN = {"float32": 1e-4, "tf32": 5e-2, "float16": 1e-1, "bfloat16": 6e-1}


def run(network, dataset, path, device="cuda:0", **options):
    extract_features(network, dataset, path, SPEC, device=device, progress=False, **options)
    with open_cache(path, SPEC) as cache:
        layers = [cache.layer(number) for number in range(len(cache.layers))]
        return layers, json.loads(cache.facts["device"])


def farthest(found, right):
    """Return the largest relative difference of a statistic of any layer and picture."""
    worst = 0.0
    for ours, theirs in zip(found, right, strict=True):
        for name in STATISTICS:
            away = np.linalg.norm(ours[name] - theirs[name], axis=1)
            size = np.linalg.norm(theirs[name], axis=1)
            worst = max(worst, float((away / np.where(size > 0, size, 1)).max()))
    return worst


@pytest.mark.parametrize("precision", WITHIN)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_numbers_are_those_of_the_cpu(tmp_path, name, precision):
    dataset = make_dataset(tmp_path / "p", size=(96, 128), levels=5)
    right, _ = run(NETWORKS[name](), dataset, tmp_path / "cpu.h5", "cpu")
    found, device = run(NETWORKS[name](), dataset, tmp_path / "gpu.h5", precision=precision)
    assert device["kind"] == "cuda" and device["precision"] == precision
    assert device["statistics"] == "in_triton" and "left" not in device, device
    away = farthest(found, right)
    print(f"{name} {precision}: {away:.1e}")
    assert away <= WITHIN[precision]


@pytest.mark.parametrize("name", NETWORKS)
def test_again_and_in_another_order_gives_the_same(tmp_path, name):
    dataset = make_dataset(tmp_path / "p", size=(96, 128), levels=7)
    first, _ = run(NETWORKS[name](), dataset, tmp_path / "a.h5")
    again, _ = run(NETWORKS[name](), dataset, tmp_path / "b.h5")
    for one, other in zip(first, again, strict=True):
        for statistic in STATISTICS:
            np.testing.assert_array_equal(one[statistic], other[statistic])
    mixed = shuffled(dataset, 1)
    order = [
        dataset.pairs["distorted_file"].tolist().index(file)
        for file in mixed.pairs["distorted_file"]
    ]
    others, _ = run(NETWORKS[name](), mixed, tmp_path / "c.h5", batch_size=3)
    for one, other in zip(first, others, strict=True):
        np.testing.assert_allclose(other["mse"], one["mse"][order], rtol=2e-3, atol=1e-9)


def test_plain_and_fast_agree(tmp_path):
    dataset = make_dataset(tmp_path / "p", size=(96, 128), levels=5)
    fast, _ = run(resnet(), dataset, tmp_path / "fast.h5")
    plain, device = run(resnet(), dataset, tmp_path / "plain.h5", plain=True)
    assert device["statistics"] == "in_torch"
    assert farthest(fast, plain) < 1e-4


def within(memory, code, *arguments):
    """Run code in a process whose tensors may take so many bytes of the device; return it ended."""
    lines = (
        "import logging, sys; logging.basicConfig()",
        "sys.path[:0] = ['tests/helpers', 'tests/features']",
        "from pathlib import Path; import torch",
        "from features_data import *; from test_gpu import run",
        "total = torch.cuda.get_device_properties(0).total_memory",
        f"torch.cuda.set_per_process_memory_fraction({memory} / total)" if memory else "",
        code,
    )
    root = Path(__file__).parents[2]
    paths = [str(root / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-c", "\n".join(lines), *map(str, arguments)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_batches_are_halved_until_they_fit(tmp_path):
    """There is memory for some pictures of a VGG-16, but not for sixteen."""
    dataset = make_dataset(tmp_path / "p", references=1, levels=16, size=(384, 512))
    right, _ = run(vgg(), dataset, tmp_path / "all.h5", batch_size=17)
    code = (
        "data = make_dataset(Path(sys.argv[1]), references=1, levels=16, size=(384, 512))\n"
        "run(vgg(), data, Path(sys.argv[2]), batch_size=17)\n"
    )
    job = within(1.2e9, code, tmp_path / "q", tmp_path / "little.h5")
    said = job.communicate()[1]
    assert job.returncode == 0 and "out of memory with 16 pictures" in said, said
    with open_cache(tmp_path / "little.h5", SPEC) as cache:
        assert 1 <= int(cache.facts["batch_size"]) < 17
        found = [cache.layer(number) for number in range(len(cache.layers))]
    assert farthest(found, right) < 1e-3


def test_too_little_memory_for_one_picture_is_one_sentence(tmp_path):
    code = (
        "data = make_dataset(Path(sys.argv[1]), references=1, levels=1, size=(1024, 1536))\n"
        "run(vgg(), data, Path(sys.argv[2]))\n"
    )
    job = within(0.4e9, code, tmp_path / "p", tmp_path / "none.h5")
    last = job.communicate()[1].splitlines()[-1]
    assert re.search(r"UserError: vgg16: not enough memory on cuda:0 for .*batch_size", last), last


def test_two_jobs_share_one_device(tmp_path):
    """The second finds the device claimed, says so, and works all the same."""
    code = (
        "data = make_dataset(Path(sys.argv[1]), size=(96, 128), levels=3)\n"
        "run(resnet(), data, Path(sys.argv[2]), 'cuda')\n"
    )
    with claim_device("cuda"):
        jobs = [within(None, code, tmp_path / f"p{n}", tmp_path / f"{n}.h5") for n in range(2)]
        said = [job.communicate()[1] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], said
    if torch.cuda.device_count() == 1:
        assert all("in use by other jobs" in text for text in said)
    with open_cache(tmp_path / "0.h5") as one, open_cache(tmp_path / "1.h5") as other:
        np.testing.assert_array_equal(one.layer(0)["mse"], other.layer(0)["mse"])
