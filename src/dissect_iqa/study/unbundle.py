"""Unpack a study that somebody else has bundled, without trusting the archive with anything.

Files are unpacked beside their places, checked, and moved only when all of them are right. Only
data are taken, see `bundle_format`; but data can name code: a model table any function
that is installed here, a configuration expressions that Snakemake would evaluate. The first is
shown and needs a yes, the second is refused.
"""

import ast
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from dissect_iqa.errors import UserError
from dissect_iqa.files.archives import open_tar, size_limit
from dissect_iqa.files.provenance import sha256_file
from dissect_iqa.files.writing import saying_where
from dissect_iqa.study.bundle_format import (
    MANIFEST,
    Member,
    is_record,
    read_manifest,
    take_manifest,
)
from dissect_iqa.zoo.table import read_models

#: First bytes of formats that can't be read as a table of models.
_BINARY = (b"PAR1", b"\x89HDF", b"\x89PNG", b"%PDF")
_OWN = re.compile(r"(dissect_iqa\.models\.(?:architectures\.\w+|craft|hed|vgg_trunk)):(\w+)")
#: Most values that a configuration may have once its anchors are followed.
_MOST_VALUES = 100_000
_CHUNK = 1 << 20


def unbundle(
    archive: Path | str,
    folder: Path | str = ".",
    overwrite: bool = False,
    trust: Callable[[str], bool] = lambda _: False,
) -> list[Member]:
    """Unpack an archive of `bundle` into a study's folder.

    Parameters
    ----------
    archive : path
        What `bundle` wrote.
    folder : path
        Where to unpack: a checkout of the project, or an empty folder.
    overwrite : bool
        Replace files that are there with another content, Snakemake's records of them, too.
        Without it they are an error.
    trust : callable
        Asked once, with a sentence, if the archive's model table names functions that are not
        part of this project: whether they may be built, which runs them. The default says no.

    Returns
    -------
    list of Member
        What is now in place.

    Raises
    ------
    UserError
        If the archive is damaged, isn't one of ours, holds more than data, would overwrite
        something else or follow a link. Nothing has been put in place then.
    """
    archive, folder = Path(archive), Path(folder)
    members = read_manifest(archive)
    _check_room(archive, folder, members)
    same = _check_places(archive, folder, members, overwrite)
    with saying_where(folder):
        made = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
    try:
        # Beside the final places, so that each file only has to be renamed.
        with tempfile.TemporaryDirectory(dir=folder, prefix=".unbundle-") as name:
            waiting = Path(name)
            _stage(archive, members, waiting)
            _check_contents(archive, members, waiting)
            _ask(archive, [item.path for item in members if item.path not in same], waiting, trust)
            # A record tells Snakemake that its file is done, so the file comes first
            for member in sorted(members, key=lambda member: is_record(member.path)):
                _place(waiting / member.path, folder / member.path, member)
    finally:
        if made and not any(folder.iterdir()):
            folder.rmdir()
    return members


def _check_room(archive: Path, folder: Path, members: list[Member]) -> None:
    """Check before anything is written that all fits, and that the sizes make sense."""
    from shutil import disk_usage

    total = sum(member.bytes for member in members)
    if total > size_limit(archive):
        raise UserError(
            f"{archive}: has {archive.stat().st_size:,} bytes and says that {total:,} come out, "
            "which no study compresses to"
        )
    there = next(item for item in (folder, *folder.absolute().parents) if item.is_dir())
    free = disk_usage(there).free
    if total > free:
        raise UserError(f"{archive}: needs {total:,} bytes, but {free:,} are free in {there}")


def _check_places(
    archive: Path, folder: Path, members: list[Member], overwrite: bool
) -> frozenset[str]:
    """Check that no file would replace another one or land behind a link.

    Returns
    -------
    frozenset of str
        The paths that are there already with the same content.
    """
    same, different = set(), []
    for parent in sorted({part for item in members for part in PurePosixPath(item.path).parents}):
        place = folder / parent
        if parent.parts and place.is_symlink():
            raise UserError(
                f"{place}: is a link, and an archive's files don't follow links; unpack "
                f"{archive} into another folder and move what you want from there"
            )
        if place.exists() and not place.is_dir():
            raise UserError(f"{place}: is no folder, but {archive} has files for it")
    for member in members:
        place = folder / member.path
        if place.is_symlink() or (place.exists() and not place.is_file()):
            raise UserError(
                f"{place}: is a link, a folder or a device, and {archive} has a file of that name; "
                "move it away or unpack into another folder"
            )
        if place.is_file():
            equal = place.stat().st_size == member.bytes and sha256_file(place) == member.sha256
            same.add(member.path) if equal else different.append(place)
    if different and not overwrite:
        raise UserError(
            f"{different[0]}: differs from the one in {archive}, as do {len(different) - 1} more; "
            "unpack into another folder, or allow overwriting with --overwrite"
        )
    return frozenset(same)


def _stage(archive: Path, members: list[Member], waiting: Path) -> None:
    """Unpack every file that the manifest names, and check each."""
    expected = {member.path: member for member in members}
    with open_tar(archive) as (tar, _):
        if take_manifest(archive, tar) != members:
            raise UserError(f"{archive}: changed while it was read; try again")
        for info in tar:
            tar.members = []  # type: ignore[attr-defined]
            if info.name == MANIFEST and info.offset == 0:
                continue
            member = expected.pop(info.name, None)
            if member is None or not info.isfile() or info.issparse():
                raise UserError(
                    f"{archive}: holds {info.name[:200]!r}, which its {MANIFEST} doesn't name as a "
                    "file"
                )
            if info.size != member.bytes:
                raise UserError(
                    f"{archive}: {member.path} has {info.size:,} bytes, its {MANIFEST} says "
                    f"{member.bytes:,}"
                )
            content = tar.extractfile(info)
            assert content is not None
            place = waiting / member.path
            with saying_where(place):
                place.parent.mkdir(parents=True, exist_ok=True)
                with place.open("xb") as file:
                    while chunk := content.read(_CHUNK):
                        file.write(chunk)
            if sha256_file(place) != member.sha256:
                raise UserError(f"{archive}: {member.path} is damaged; get the archive again")
    if expected:
        raise UserError(f"{archive}: {next(iter(expected))} is missing; get the archive again")


def _check_contents(archive: Path, members: list[Member], waiting: Path) -> None:
    """Check what Snakemake would read before anybody has looked at it."""
    for member in members:
        path = waiting / member.path
        problem = None
        if is_record(member.path):
            problem = _fault_of_record(path)
        elif member.path.startswith("config/") and path.suffix in (".yaml", ".yml", ".json"):
            problem = _fault_of_configuration(path)
        if problem:
            raise UserError(f"{archive}: {member.path} {problem}; nothing was unpacked")


def _fault_of_record(path: Path) -> str | None:
    try:
        return None if isinstance(json.loads(path.read_bytes()), dict) else "is no record"
    except (ValueError, RecursionError):
        return "is no record of Snakemake's"


def _fault_of_configuration(path: Path) -> str | None:
    """Return what is wrong with a YAML file; tags and expressions are code."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        if _values(yaml.compose(text, yaml.SafeLoader)) > _MOST_VALUES:
            return "unfolds to more values than any configuration has"
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return f"can't be read ({' '.join(str(error).split())[:200]})"
    if isinstance(content, dict) and "__use_yte__" in content:
        return "holds expressions that Snakemake would evaluate (__use_yte__)"
    return None


def _values(node: yaml.Node | None) -> int:
    """Return how many values a document has once its anchors are followed.

    Raises
    ------
    ValueError
        If an anchor holds itself.
    """
    known: dict[int, int | None] = {}

    def count(item: Any) -> int:
        if not isinstance(item, yaml.CollectionNode):
            return 1
        if id(item) not in known:
            known[id(item)] = None
            parts = item.value
            if isinstance(item, yaml.MappingNode):
                parts = [part for pair in item.value for part in pair]
            known[id(item)] = 1 + sum(map(count, parts))
        found = known[id(item)]
        if found is None:
            raise ValueError("an anchor holds itself")
        return found

    return count(node)


def _ask(archive: Path, paths: list[str], waiting: Path, trust: Callable[[str], bool]) -> None:
    """Have code that isn't this project's, which a model table names, seen and allowed."""
    found = [f"{path}: {text}" for path in paths for text in foreign_builders(waiting / path)]
    if not found:
        return
    shown = "; ".join(found[:20]) + (f"; and {len(found) - 20} more" if len(found) > 20 else "")
    sentence = (
        f"{archive} names code that is not part of this project and runs here as soon as one of "
        f"these models is looked at ({shown})"
    )
    if not trust(sentence):
        raise UserError(
            f"{sentence}; unpack with --trust-builders if you know it and trust who sent it"
        )


def foreign_builders(table: Path) -> Iterator[str]:
    """Yield ``model MODEL is built by BUILDER`` for every builder that isn't this project's.

    Any file may be a model table, since a configuration can name any; but what `read_models`
    refuses can't build anything.
    """
    with table.open("rb") as file:
        if file.read(8).startswith(_BINARY):
            return
    try:
        rows = read_models(table)
    except Exception:  # no table of models, in whatever way
        return
    for row in rows.values():
        if row.builder not in ("torchvision", "timm") and not _is_own(row.builder):
            yield f"model {row.id} is built by {row.builder}"


def _is_own(builder: str) -> bool:
    """Tell whether a builder is a function that one of this project's own modules defines."""
    match = _OWN.fullmatch(builder)
    spec = find_spec(match[1]) if match else None
    if match is None or spec is None or spec.origin is None:
        return False
    body = ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body
    return any(isinstance(item, ast.FunctionDef) and item.name == match[2] for item in body)


def _place(source: Path, target: Path, member: Member) -> None:
    """Move a checked file to its place, with its time: Snakemake compares those."""
    with saying_where(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        os.utime(source, ns=(member.modified_ns, member.modified_ns))
        source.replace(target)
