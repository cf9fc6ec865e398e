"""Choose the device, keep it to one job, and set its arithmetic."""

import fcntl
import logging
import os
import platform
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch

from dissect_iqa.errors import UserError

log = logging.getLogger(__name__)

PRECISIONS = {
    "float32": torch.float32,
    "tf32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}


@contextmanager
def claim_device(wanted: str = "auto") -> Iterator[torch.device]:
    """Choose a device and hold it while the block runs.

    Parameters
    ----------
    wanted : str
        ``auto`` (a CUDA device if there is one, else the CPU), ``cpu``, ``cuda`` (any that no
        other job of this user has claimed) or ``cuda:N``. Numbers count the devices that
        ``CUDA_VISIBLE_DEVICES`` shows.

    Raises
    ------
    UserError
        If CUDA is asked for and there is none, or not that many.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "cpu" or (wanted == "auto" and count == 0):
        log.info("device: cpu (%d threads)%s", torch.get_num_threads(), _why_cpu(wanted))
        yield torch.device("cpu")
        return
    if count == 0:
        raise UserError(
            f"device {wanted!r} asked for, but {_no_cuda()}; use device 'auto' or 'cpu'"
        )
    with ExitStack() as stack:
        if wanted in ("auto", "cuda"):
            number = stack.enter_context(claim_slot([_uuid(i) for i in range(count)]))
        else:
            number = _number(wanted, count)
        log.info("device: cuda:%d (%s)", number, torch.cuda.get_device_name(number))
        with torch.cuda.device(number):
            yield torch.device("cuda", number)


@contextmanager
def claim_slot(devices: Sequence[str], folder: Path | None = None) -> Iterator[int]:
    """Yield the index of a device that no other job holds; if all are held, share one.

    A slot is a lock on a file named after the device, which the system releases even when a job
    is killed.

    Parameters
    ----------
    devices : sequence of str
        Unique ids of the visible devices.
    folder : Path, optional
        Where the lock files are; by default one a user in the system's temporary folder.
    """
    folder = folder or Path(tempfile.gettempdir()) / f"dissect-iqa-{os.getuid()}"
    folder.mkdir(parents=True, exist_ok=True)
    for number, device in enumerate(devices):
        descriptor = os.open(folder / f"{device}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            continue
        try:
            yield number
        finally:
            os.close(descriptor)
        return
    shared = os.getpid() % len(devices)
    log.warning("all %d devices are in use by other jobs; sharing number %d", len(devices), shared)
    yield shared


@contextmanager
def arithmetic(precision: str) -> Iterator[None]:
    """Set matrix arithmetic for a precision, repeatable from run to run, while the block runs.

    float32 really is float32: TF32, which PyTorch lets convolutions use by default, is off.
    """
    tf32 = precision == "tf32"
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = (cudnn.allow_tf32, matmul.allow_tf32, cudnn.benchmark, cudnn.deterministic)
    cudnn.allow_tf32 = matmul.allow_tf32 = tf32
    cudnn.benchmark, cudnn.deterministic = False, True
    try:
        yield
    finally:
        cudnn.allow_tf32, matmul.allow_tf32, cudnn.benchmark, cudnn.deterministic = before


def memory_format(device: torch.device, precision: str) -> torch.memory_format:
    """Return the order of axes in memory with which convolutions are fastest.

    cuDNN computes in true float32 with channels first; everything else likes them last.
    """
    first = device.type == "cuda" and precision == "float32"
    return torch.contiguous_format if first else torch.channels_last


def describe(device: torch.device, precision: str) -> dict[str, Any]:
    """Return what about the device can change a number's last digits."""
    facts: dict[str, Any] = {"kind": device.type, "precision": precision}
    if device.type == "cuda":
        facts["name"] = torch.cuda.get_device_name(device)
        facts["cuda"] = torch.version.cuda
        facts["cudnn"] = torch.backends.cudnn.version()
        facts["tf32"] = precision == "tf32"
        facts["deterministic"] = True
    else:
        facts["name"] = platform.processor() or platform.machine()
        facts["capability"] = torch.backends.cpu.get_cpu_capability()
        facts["threads"] = torch.get_num_threads()
    return facts


def out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that the device's memory is used up."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in text or "not enough memory" in text or "out of memory" in text
    )


def _number(wanted: str, count: int) -> int:
    number = int(wanted.partition(":")[2])
    if number >= count:
        raise UserError(
            f"device {wanted!r} asked for, but only {count} CUDA device(s) are visible "
            f"(cuda:0 to cuda:{count - 1}; CUDA_VISIBLE_DEVICES="
            f"{os.environ.get('CUDA_VISIBLE_DEVICES', 'not set')})"
        )
    return number


def _uuid(number: int) -> str:
    properties = torch.cuda.get_device_properties(number)
    return str(getattr(properties, "uuid", f"{platform.node()}-{number}"))


def _why_cpu(wanted: str) -> str:
    return f", because {_no_cuda()}" if wanted == "auto" else ""


def _no_cuda() -> str:
    if torch.version.cuda is None:
        return "this PyTorch is built without CUDA"
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return f"no CUDA device is usable (CUDA_VISIBLE_DEVICES={visible!r})"
    return "no CUDA device is usable on this machine"
