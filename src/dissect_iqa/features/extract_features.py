"""The extraction engine: every picture once through the network, statistics into one file.

The references of a unit run first and their layer outputs stay on the device. Their distorted
pictures follow in batches; inside each layer's hook the output is reduced against the
reference's and dropped. So memory is that of plain inference plus one reference's features, and
nothing but statistics leaves the device. Pictures are decoded ahead in threads. Every finished
batch goes into a journal (the part file), from which the HDF5 file is made at the end.
"""

import hashlib
import json
import logging
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import astuple
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from dissect_iqa.datasets.intact import require_intact
from dissect_iqa.errors import UserError
from dissect_iqa.features.file.journal import Journal
from dissect_iqa.features.file.layout import cache_bytes
from dissect_iqa.features.file.shared import IDENTITY, give, still_valid, take
from dissect_iqa.features.file.write import write_cache
from dissect_iqa.features.forward.device import (
    PRECISIONS,
    arithmetic,
    claim_device,
    describe,
    out_of_memory,
)
from dissect_iqa.features.forward.loop import Engine, NotFinite
from dissect_iqa.features.forward.memory import kept_memory
from dissect_iqa.features.forward.order import Plan, make_plan
from dissect_iqa.features.forward.pictures import Loader, PictureSet
from dissect_iqa.features.forward.runner import Runner
from dissect_iqa.files.provenance import canonical_json, fingerprint, software_versions
from dissect_iqa.models.network import Network

log = logging.getLogger(__name__)

#: Part files of another number are not continued; raise it when a change moves any digit.
ENGINE_VERSION = 3

_NAMED_AT_MOST = 20


def extract_features(
    network: Network,
    dataset: PictureSet,
    target: Path | str,
    spec: str,
    device: str = "auto",
    batch_size: int = 16,
    precision: str = "float32",
    keep_raw: tuple[str, ...] = (),
    store: Path | str | None = None,
    keep: bool = False,
    progress: bool = True,
    plain: bool = False,
    threads: int | None = None,
) -> None:
    """Extract the channel statistics of all layers for all pictures and pairs of a data set.

    A run that was interrupted is continued from its part file, ``<target>.part``, if that was
    begun with the same spec, pictures, weights, layers, device and versions.

    Parameters
    ----------
    network : Network
        With its weights loaded; its module is moved to the device.
    dataset : PictureSet
        What `dissect_iqa.datasets.tables.read_dataset` returned.
    target : path
        The HDF5 file; appears only when it is whole and verified.
    spec : str
        Canonical JSON of everything that can change a number.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; see `claim_device`.
    batch_size : int
        Most pictures in one pass; halved by itself when memory runs out.
    precision : {"float32", "tf32", "float16", "bfloat16"}
        Arithmetic of the network; statistics are float32 always.
    keep_raw : tuple of str
        Layers (names or wildcards) whose features are kept whole, too, as float16.
    store : path, optional
        A folder of finished files, shared with other studies: what is there is not extracted
        again, and what is extracted is left there. See `dissect_iqa.features.file.shared`.
    keep : bool
        Leave the file that is there, if it is whole and made of the very same things.
    progress : bool
        Show a bar if there is a terminal.
    plain : bool
        Compute statistics by PyTorch, without anything faster; nothing is taken from `store`,
        whose files may have been made the fast way.
    threads : int, optional
        Of PyTorch's and ours; by default as many as PyTorch takes.

    Raises
    ------
    UserError
        If the device is not there, pictures are missing, have changed or are too small for the
        network (all are listed before it runs), the network itself fails or isn't a function of
        the picture, a feature isn't finite, memory does not suffice for one picture, the disk is
        full, or another process is extracting into the same file.
    """
    target = Path(target)
    if precision not in PRECISIONS:
        raise UserError(f"precision {precision!r}; allowed: {', '.join(PRECISIONS)}")
    raw = match_layers(network, keep_raw)
    if threads:
        torch.set_num_threads(threads)
    with ExitStack() as stack:
        place = stack.enter_context(claim_device(device))
        stack.enter_context(arithmetic(precision))
        stack.enter_context(orderly_end())
        stack.enter_context(kept_memory())
        require_intact(dataset)
        for item in network.left_out:
            log.info("%s: no layer: %s", network.id, item)
        images = dataset.images[["file", "role", "sha256", "height", "width"]]
        seen = _seen_sizes(images, network)
        plan = make_plan(dataset.pairs, images, batch_size, seen.prod(axis=1))
        facts = _facts(network, images, plan, spec)
        if keep and still_valid(target, facts):
            return
        if store is not None and not plain and take(store, facts, target):
            return
        with Runner(network, place, precision, raw, plain) as runner, Loader(dataset) as loader:
            samples = list(loader.stream(_samples(seen)))
            try:
                runner.require_function(samples[0])
                channels = runner.start(*samples)
            except Exception as error:
                if out_of_memory(error):
                    raise runner.no_memory("a few pictures") from error
                raise
            facts["device"] = canonical_json(
                {**describe(place, precision), **runner.statistics.facts()}
            )
            _check_room(target, cache_bytes(channels, len(images), len(plan.reference)))
            identity = _identity(facts, network, channels, raw)
            with Journal(target.with_name(f"{target.name}.part"), identity) as journal:
                while True:
                    loop = Engine(runner, loader, plan, journal, images, batch_size)
                    try:
                        loop.run(progress)
                        break
                    except NotFinite:
                        # PyTorch's statistics may do better; what is finished stays.
                        if not runner.statistics.fast:
                            raise
                        runner.statistics.leave("a feature is not finite")
                facts["batch_size"] = str(loop.batch_size)
                how = {**describe(place, precision), **runner.statistics.account()}
                facts["device"] = canonical_json(how)
                pairs = pd.DataFrame({"reference": plan.reference, "distorted": plan.distorted})
                write_cache(target, journal, network.layers, channels, images, pairs, facts)
                journal.remove()
        if store is not None:
            give(store, facts, target)
    log.info("%s: %d pictures, %d pairs, %d layers", target, len(images), len(pairs), len(channels))


def match_layers(network: Network, patterns: tuple[str, ...]) -> frozenset[int]:
    """Return the numbers of the layers that any of the names or wildcards matches.

    Raises
    ------
    UserError
        If one matches nothing.
    """
    names = [layer.name for layer in network.layers]
    found: set[int] = set()
    for pattern in patterns:
        matches = {i for i, name in enumerate(names) if fnmatchcase(name, pattern)}
        if not matches:
            raise UserError(
                f"{network.id}: keep_raw {pattern!r} matches no layer; there are: "
                f"{', '.join(names)}"
            )
        found |= matches
    return frozenset(found)


@contextmanager
def orderly_end() -> Iterator[None]:
    """Let SIGTERM end the block like an exception, so that files are closed; status 143."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return

    def end(_signal: int, _frame: Any) -> None:
        log.warning("asked to end (SIGTERM); finished rows stay and the next run continues")
        raise SystemExit(143)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _samples(seen: np.ndarray) -> list[np.ndarray]:
    """Return the row of a picture of the commonest size, and of another size if there is any."""
    _, rows, counts = np.unique(seen, axis=0, return_index=True, return_counts=True)
    return [rows[[i]] for i in np.argsort(-counts, kind="stable")[:2]]


def _seen_sizes(images: pd.DataFrame, network: Network) -> np.ndarray:
    """Return height and width that the network sees of each picture.

    Raises
    ------
    UserError
        Naming all pictures that are too small.
    """
    sizes, small = [], []
    for file, height, width in images[["file", "height", "width"]].itertuples(index=False):
        try:
            sizes.append(network.input.seen(int(height), int(width)))
        except UserError as error:
            small.append((file, error))
    if small:
        others = [file for file, _ in small[1:_NAMED_AT_MOST]]
        rest = len(small) - 1 - len(others)
        raise UserError(
            f"{network.id}: {small[0][0]}: {small[0][1]}"
            + (f"; so are {', '.join(others)}" if others else "")
            + (f" and {rest} more" if rest else "")
        )
    return np.array(sizes, np.int64)


def _check_room(target: Path, wanted: int) -> None:
    """Refuse to start what can't end: for a while there are both the part and the final file."""
    folder = target.parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < 2 * wanted:
        raise UserError(
            f"{target}: needs {2 * wanted / 1e9:.2f} GB for a while and {wanted / 1e9:.2f} GB in "
            f"the end, but only {free / 1e9:.2f} GB are free; make room or choose another folder"
        )


def _facts(network: Network, images: pd.DataFrame, plan: Plan, spec: str) -> dict[str, str]:
    """Return what the features are made from and with; the device is added later."""
    listing = canonical_json(images[["file", "sha256"]].to_numpy().tolist())
    return {
        "fingerprint": fingerprint(spec),
        "spec": spec,
        "model": network.id,
        "left_out": canonical_json(list(network.left_out)),
        "weights_sha256": network.weights_sha256,
        "images_sha256": hashlib.sha256(listing.encode()).hexdigest(),
        "pairs_sha256": hashlib.sha256(
            np.stack([plan.reference, plan.distorted]).tobytes()
        ).hexdigest(),
        "engine": str(ENGINE_VERSION),
        "versions": canonical_json(software_versions()),
    }


def _identity(
    facts: dict[str, str], network: Network, channels: list[int], raw: frozenset[int]
) -> dict[str, Any]:
    """Return what a part file must have been begun with to be continued."""
    device = json.loads(facts["device"])
    device.pop("threads", None)
    return {
        "torch": torch.__version__,
        "device": device,
        "layers": [[*astuple(layer), n] for layer, n in zip(network.layers, channels, strict=True)],
        "raw": sorted(raw),
        **{name: facts[name] for name in IDENTITY},
    }
