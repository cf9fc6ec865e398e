"""The machine: are its cores, memory, PyTorch, GPU and disk fit for the study."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch

from dissect_iqa.doctor.checks import Check, Outcome
from dissect_iqa.doctor.needs import GIGABYTE, Needs
from dissect_iqa.features.estimate import machine_speed
from dissect_iqa.files.amounts import in_time


def cores(count: int) -> Check:
    """Look at the number of CPU cores that this process may use."""
    if count > 1:
        return Check("PASS", "cores", str(count))
    return Check("NOTE", "cores", "1; extraction uses 4 where it can get them")


def memory(total: int, wanted: int) -> Check:
    """Compare the machine's memory with what the largest job asks for, in bytes."""
    found = f"{total / GIGABYTE:.1f} GB, the largest job wants {wanted / GIGABYTE:.1f} GB"
    if total >= wanted:
        return Check("PASS", "memory", found)
    mend = "snakemake --cores 1 --config extraction='{batch_size: 2}'"
    return Check("NOTE", "memory", f"{found}; smaller batches take less", mend)


def extraction_time(needs: Needs, device: str) -> Check:
    """Say how long the networks will take, from their operations and a short measurement here.

    Parameters
    ----------
    needs : Needs
        What is still to be extracted.
    device : str
        The option `extraction.device`.
    """
    if not needs.extractions:
        return Check("PASS", "time", "no network has to run any more")
    try:
        seconds = needs.gflops / machine_speed(device)
    except (RuntimeError, AssertionError):  # `gpu` says what is wrong with the device
        return Check("NOTE", "time", f"not measured: {device!r} can't be used here")
    found = (
        f"the networks take about {in_time(seconds)} here, from their GFLOPs and a measurement of "
        "a second; give or take a factor of three"
    )
    if needs.unknown:
        found += f"; not counted: {', '.join(needs.unknown)}"
    return Check("PASS", "time", found)


def torch_build() -> Check:
    """Check that torch and torchvision were built for each other."""
    import torchvision
    from torchvision.ops import nms

    found = f"torch {torch.__version__}, torchvision {torchvision.__version__}"
    try:
        # Compiled code of torchvision, which only the torch it was built for can load
        nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except (RuntimeError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        mend = "rm -f .venv/.ready && make install"
        return Check("FAIL", "PyTorch", f"{found} don't fit together: {reason}", mend)
    return Check("PASS", "PyTorch", found)


def gpu(wanted: str) -> Check:
    """Say whether there is a CUDA device that works, and if not, why.

    Parameters
    ----------
    wanted : str
        The option `extraction.device`; no GPU is a failure only if it asks for one.
    """
    if wanted == "cpu":
        return Check("PASS", "GPU", "not wanted: extraction.device is 'cpu'")
    try:
        device = torch.device(wanted if wanted.startswith("cuda") else "cuda")
        torch.ones(8, device=device).sum().item()
        facts = torch.cuda.get_device_properties(device)
        found = f"{facts.name}, {facts.total_memory / GIGABYTE:.0f} GB; "
        return Check("PASS", "GPU", f"{found}{torch.cuda.device_count()} visible")
    except (RuntimeError, AssertionError) as error:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        hidden = "" if visible is None else f" (CUDA_VISIBLE_DEVICES={visible!r})"
        reason = f"none usable{hidden}: {str(error).splitlines()[0]}"
    if wanted == "auto":
        return Check("NOTE", "GPU", f"{reason}. The CPU is used")
    mend = "snakemake --cores all --config extraction='{device: auto}'"
    return Check("FAIL", "GPU", f"extraction.device is {wanted!r}; {reason}", mend)


def disk(wanted: Mapping[Path, int], needs: Needs) -> list[Check]:
    """Compare the free room of each file system with what the study will still write there.

    Parameters
    ----------
    wanted : mapping of path to int
        Bytes by folder; folders need not exist yet.
    needs : Needs
        Names what couldn't be counted.
    """
    places: dict[int, list[Path]] = {}
    for folder in wanted:
        places.setdefault(_existing(folder).stat().st_dev, []).append(folder)
    checks = []
    for folders in places.values():
        want = sum(wanted[folder] for folder in folders)
        free = shutil.disk_usage(_existing(folders[0])).free
        names = " and ".join(f"{folder}/" for folder in folders)
        found = f"{free / GIGABYTE:.1f} GB free, {want / GIGABYTE:.1f} GB to be written to {names}"
        if needs.unknown:
            found += f"; not counted, for want of their size: {', '.join(needs.unknown)}"
        name = folders[-1]
        mend = f"mv {name} /a/larger/disk/{name} && ln -s /a/larger/disk/{name} {name}"
        outcome: Outcome = "PASS" if want <= free else "FAIL"
        checks.append(Check(outcome, "disk", found, "" if outcome == "PASS" else mend))
    return checks


def _existing(path: Path) -> Path:
    """Return a path, or the nearest folder above it that exists."""
    path = path.absolute()
    return path if path.exists() else _existing(path.parent)
