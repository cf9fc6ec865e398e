"""The stage fetch_weights: every source becomes one safetensors file that fits exactly."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch import nn

from dissect_iqa.errors import UserError
from dissect_iqa.files.provenance import fingerprint
from dissect_iqa.models.architecture import build
from dissect_iqa.models.load import load_strictly
from dissect_iqa.models.weights.checkpoint import load_into, select_state
from dissect_iqa.models.weights.file import weights_provenance, write_weights
from dissect_iqa.models.weights.lock import LOCK_TABLE
from dissect_iqa.models.weights.reading import check_zip, read_checkpoint
from dissect_iqa.models.weights.sources import SourceFile, obtain_source
from dissect_iqa.zoo.row import ModelRow, timm_name
from dissect_iqa.zoo.seeds import seed_of

log = logging.getLogger(__name__)


def fetch_weights(
    row: ModelRow,
    target: Path | str,
    cache: Path | str,
    spec: str,
    offline: bool = False,
    lock: Path | str = LOCK_TABLE,
    rehearse: bool = False,
) -> None:
    """Make the weights file of one model.

    Parameters
    ----------
    row : ModelRow
        The configuration; the columns ``weights``, ``sha256``, ``unwrap``, ``strip`` and
        ``drop`` say where its weights are and how they fit its architecture.
    target : path
        The safetensors file to write; appears only when it is whole and loads strictly.
    cache : path
        Folder of the fetched files, each stored under its sha256.
    spec : str
        Canonical JSON of everything that can change the weights; written into the file.
    offline : bool
        Don't touch the network: a file that isn't there is an error that says which one to put
        where.
    lock : path
        Table of the sums that are pinned when a file is first fetched.
    rehearse : bool
        Take the architecture's own random start instead of its weights, fetch nothing; see
        `dissect_iqa.study.rehearsal`.

    Raises
    ------
    UserError
        If the source can't be had, is another file than it must be, or does not fit the
        architecture (naming the keys).
    """
    target, cache, lock = Path(target), Path(cache), Path(lock)
    if rehearse or row.weights_kind == "seed":
        source = None
        module = build(row, seed=seed_of(row))
    else:
        with obtain_source(row, cache, lock, offline) as source:
            module = _load(row, source)
    facts = {
        "model": row.id,
        "spec": spec,
        "fingerprint": fingerprint(spec),
        "source": source.source if source else f"seed:{seed_of(row)}",
        "source_sha256": source.sha256 if source else None,
    }
    load_strictly(row, build(row), module.state_dict())  # what every later load will do
    write_weights(module.state_dict(), target, facts)
    for twin in twins(target, target.parent.glob("*.safetensors")):
        if weights_provenance(twin)["source"] != facts["source"]:
            log.warning(
                "%s holds the same weights as %s, though from another source. If the table "
                "doesn't mean them to be the same, correct the column weights of one of them",
                target.name,
                twin.name,
            )


def _load(row: ModelRow, source: SourceFile) -> nn.Module:
    """Build a row's architecture with what its source file holds."""
    if row.weights_kind == "tag":
        return _load_through_timm(row, source)
    module = build(row)
    load_into(row, module, select_state(row, read_checkpoint(source.path)))
    return module


def _load_through_timm(row: ModelRow, source: SourceFile) -> nn.Module:
    """Let timm translate its own file: it knows renamed keys and resized position tables.

    timm is given what was read, so that it neither downloads nor unpickles anything. It loads
    strictly as long as the head is that of the file; a head the row doesn't want is left out
    afterwards.
    """
    import timm

    full: Any
    options = row.options
    headless = options.pop("head", "keep") == "none" or options.get("num_classes") == 0
    options.pop("num_classes", None) if headless else None
    archive = source.path.suffix == ".npz"
    if archive:
        check_zip(source.path)
    overlay = (
        {"file": str(source.path), "custom_load": True}
        if archive
        else {"state_dict": read_checkpoint(source.path)}
    )
    try:
        full = timm.create_model(
            timm_name(row), pretrained=True, pretrained_cfg_overlay=overlay, **options
        )
    except Exception as error:  # timm's own readers raise whatever they meet
        raise UserError(
            f"{row.id}: timm can't load {source.path.name} into {row.architecture!r}: "
            f"{' '.join(str(error).split())[:600]}"
        ) from error
    state = full.state_dict()
    module = build(row)
    if headless:
        wanted = module.state_dict()
        heads = full.pretrained_cfg.get("classifier") or ()
        heads = (heads,) if isinstance(heads, str) else tuple(heads)
        state = {
            key: value
            for key, value in state.items()
            if key in wanted or not key.startswith(tuple(f"{head}." for head in heads))
        }
    load_into(row, module, state)
    return module


def twins(path: Path, others: Iterable[Path]) -> list[Path]:
    """Return the files that hold the same weights as `path`, whatever their keys are called.

    Two files are twins if every kernel and matrix of the one that has fewer is in the other. A
    network fine-tuned with its first layers frozen is thus no twin of the one it started from.
    Files that are not whole are left out.
    """
    own = set(weights_provenance(path)["tensors"])
    found = []
    for other in sorted(Path(item) for item in others):
        if other == path:
            continue
        try:
            theirs = set(weights_provenance(other)["tensors"])
        except UserError:
            continue
        if own and theirs and (own <= theirs or theirs <= own):
            found.append(other)
    return found


def require_distinct(ids: Iterable[str], folder: Path | str) -> None:
    """Check that no two configurations from different sources hold the same weights.

    Parameters
    ----------
    ids : iterable of str
        The configurations to compare; those without a file in `folder` are left out.
    folder : path
        Where the weights files are.

    Raises
    ------
    UserError
        Naming both configurations and their sources.
    """
    paths = {id: Path(folder) / f"{id}.safetensors" for id in ids}
    paths = {id: path for id, path in paths.items() if path.is_file()}
    for id, path in paths.items():
        for twin in twins(path, paths.values()):
            first, second = (weights_provenance(item)["source"] for item in (path, twin))
            if first != second:
                raise UserError(
                    f"{id} ({first}) and {twin.stem} ({second}) hold the same weights, though "
                    "their sources differ. Delete both files and fetch them again; if they stay "
                    "equal, correct the column weights of one of them"
                )
