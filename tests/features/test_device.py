"""Devices are chosen openly, and held by one job at a time."""

import logging
import os
import signal
import subprocess
import sys

import pytest
import torch

from dissect_iqa.errors import UserError
from dissect_iqa.features.forward.device import arithmetic, claim_device, claim_slot, out_of_memory
from dissect_iqa.features.forward.memory import kept_memory

needs_no_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")


@needs_no_cuda
@pytest.mark.parametrize("wanted", ["cuda", "cuda:1"])
def test_cuda_asked_for_and_absent_is_an_error(wanted, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    message = f"device '{wanted}' asked for, but no CUDA device is usable.*; use device 'auto'"
    with pytest.raises(UserError, match=message), claim_device(wanted):
        pass
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(UserError, match="CUDA_VISIBLE_DEVICES=''"), claim_device(wanted):
        pass


@needs_no_cuda
def test_auto_says_what_it_chose_and_why(caplog):
    with caplog.at_level(logging.INFO, "dissect_iqa"), claim_device("auto") as device:
        assert device.type == "cpu"
    assert "device: cpu" in caplog.text and "because no CUDA device is usable" in caplog.text


def fake_cuda(monkeypatch, count):
    """Let PyTorch claim to see some GPUs."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda n: f"GPU {n}")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda n: type("P", (), {"uuid": n}))


def test_a_number_that_is_not_there_is_an_error(monkeypatch):
    fake_cuda(monkeypatch, 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    with pytest.raises(UserError, match=r"'cuda:2'.*only 2.*\(cuda:0 to cuda:1; .*=4,7\)"):
        claim_device("cuda:2").__enter__()


def test_jobs_get_different_devices(tmp_path, caplog):
    names = ["gpu-a", "gpu-b"]
    with claim_slot(names, tmp_path) as first, claim_slot(names, tmp_path) as second:
        assert (first, second) == (0, 1)
        with claim_slot(names, tmp_path) as third:
            assert third in (0, 1) and "all 2 devices are in use" in caplog.text
    with claim_slot(names, tmp_path) as again:
        assert again == 0


def test_visible_devices_are_honoured(tmp_path):
    """Two jobs that see different devices don't get in each other's way."""
    with claim_slot(["gpu-b"], tmp_path) as one, claim_slot(["gpu-a", "gpu-b"], tmp_path) as two:
        assert (one, two) == (0, 0)
    with claim_slot(["gpu-a"], tmp_path), claim_slot(["gpu-a", "gpu-b"], tmp_path) as other:
        assert other == 1


def test_a_killed_job_frees_its_device(tmp_path):
    code = (
        "import sys, time; from pathlib import Path\n"
        "from dissect_iqa.features.forward.device import claim_slot\n"
        "with claim_slot(['gpu'], Path(sys.argv[1])):\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    descriptor = os.open(tmp_path / "gpu.lock", os.O_RDWR)
    import fcntl

    with pytest.raises(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)


def test_float32_is_float32_while_extracting():
    cudnn = torch.backends.cudnn
    before = cudnn.allow_tf32
    with arithmetic("float32"):
        assert not cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32
        assert cudnn.deterministic and not cudnn.benchmark
    with arithmetic("tf32"):
        assert cudnn.allow_tf32 and torch.backends.cuda.matmul.allow_tf32
    assert cudnn.allow_tf32 == before


def test_what_counts_as_out_of_memory():
    assert out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert out_of_memory(MemoryError())
    assert out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    assert not out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_memory_is_kept_and_given_back():
    import psutil

    process = psutil.Process()
    with kept_memory():
        before = process.memory_info().rss
        x = torch.ones(64 << 20)  # 256 MiB
        del x
        kept = process.memory_info().rss - before
    assert process.memory_info().rss - before < 64 << 20
    if sys.platform == "linux" and kept < 200 << 20:
        pytest.fail(f"only {kept >> 20} MiB were kept")
