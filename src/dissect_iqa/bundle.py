"""Hand a finished study to a colleague as one archive, whole or not at all.

An archive holds the configuration, every table with its fingerprint, the data sets' tables (not
the pictures, which aren't ours to hand on), figures and texts, and on request the features.
Snakemake's own records of these files go with them, and so do their times of modification:
where it is unpacked, Snakemake considers them done. The first member is a manifest with the
sha256 of each file, and unpacking puts nothing in place before all of them are right.
"""

import io
import json
import os
import tarfile
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from dissect_iqa.errors import UserError
from dissect_iqa.provenance import (
    atomic_path,
    fingerprint,
    sha256_file,
    software_versions,
    table_provenance,
)
from dissect_iqa.study import Study

MANIFEST = "bundle.json"
FORMAT = 1
#: Folders that an archive may write to.
ROOTS = ("config/", "resources/datasets/", "results/", ".snakemake/metadata/")
#: Where Snakemake keeps one record a file, under the base64 of the file's path.
RECORDS = Path(".snakemake/metadata")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Member:
    """One file of an archive.

    Attributes
    ----------
    path : str
        Relative to the study's folder, with slashes.
    bytes : int
        Its size.
    sha256 : str
        Of its content, 64 hex digits.
    modified_ns : int
        Its time of modification in nanoseconds since 1970.
    fingerprint : str or None
        Of the spec that it was made from, for tables and features.
    """

    path: str
    bytes: int
    sha256: str
    modified_ns: int
    fingerprint: str | None = None


def bundle(
    study: Study,
    archive: Path | str,
    config_files: Sequence[Path | str] = (),
    folder: Path | str = ".",
    features: bool = False,
) -> list[Member]:
    """Write a finished study into one archive.

    Parameters
    ----------
    study : Study
        What has run.
    archive : path
        The file to write; ``.tar``, or ``.tar.gz`` to compress (tables and features already are).
    config_files : sequence of path
        The study's YAML files; the tables that they name are added by themselves.
    folder : path
        Where the study ran.
    features : bool
        Put the feature caches in, too: large, but new distances then need no GPU.

    Returns
    -------
    list of Member
        What is inside.

    Raises
    ------
    UserError
        If something is missing, damaged or made with other settings, or lies outside the folder.
    """
    folder, archive = Path(folder), Path(archive)
    mode = _mode(archive)
    wanted: dict[str, str | None] = dict.fromkeys(_inputs(study, config_files, folder))
    wanted |= _stages(study, folder, features)
    wanted |= {path: None for path in _results(folder) if path not in wanted}
    members = [_member(folder, path, mark) for path, mark in wanted.items()]
    members += [_member(folder, path) for path in _records(folder, wanted)]
    manifest = {
        "format": FORMAT,
        "versions": software_versions(),
        "files": [asdict(member) for member in members],
    }
    with atomic_path(archive) as temporary, tarfile.open(temporary, mode) as tar:
        _add(tar, MANIFEST, io.BytesIO(json.dumps(manifest, indent=1).encode()))
        for member in members:
            with (folder / member.path).open("rb") as file:
                _add(tar, member.path, file, member)
    return members


def unbundle(
    archive: Path | str, folder: Path | str = ".", overwrite: bool = False
) -> list[Member]:
    """Unpack an archive of `bundle` into a study's folder.

    Parameters
    ----------
    archive : path
        What `bundle` wrote.
    folder : path
        Where to unpack: a checkout of the project, or an empty folder.
    overwrite : bool
        Replace files that are there with another content. Without it they are an error.

    Returns
    -------
    list of Member
        What is now in place.

    Raises
    ------
    UserError
        If the archive is damaged, isn't one of ours, or would overwrite something else. Nothing
        has been put in place then.
    """
    archive, folder = Path(archive), Path(folder)
    try:
        with tarfile.open(archive, "r:*") as tar:
            members = _manifest(archive, tar)
            folder.mkdir(parents=True, exist_ok=True)
            if not overwrite:
                _refuse_conflicts(archive, folder, members)
            # Beside the final places, so that each file only has to be renamed.
            with tempfile.TemporaryDirectory(dir=folder, prefix=".unbundle-") as waiting:
                _unpack(archive, tar, members, Path(waiting))
                for member in members:
                    _place(Path(waiting) / member.path, folder / member.path, member)
    except (OSError, EOFError, tarfile.TarError) as error:
        raise UserError(f"{archive}: can't be unpacked ({error})") from error
    return members


def read_manifest(archive: Path | str) -> list[Member]:
    """Return what an archive says it holds.

    Raises
    ------
    UserError
        If it isn't an archive of `bundle`.
    """
    archive = Path(archive)
    try:
        with tarfile.open(archive, "r:*") as tar:
            return _manifest(archive, tar)
    except (OSError, EOFError, tarfile.TarError) as error:
        raise UserError(f"{archive}: can't be read ({error})") from error


def _mode(archive: Path) -> str:
    if archive.name.endswith(".tar"):
        return "w"
    if archive.name.endswith((".tar.gz", ".tgz")):
        return "w:gz"
    raise UserError(f"{archive}: the name must end in .tar or .tar.gz")


def _inputs(study: Study, config_files: Sequence[Path | str], folder: Path) -> Iterator[str]:
    """Yield the configuration, relative to the study's folder."""
    config = study.config
    tables = [config.models_table, config.datasets_table]
    if (folder / config.comparisons).exists():
        tables.append(config.comparisons)
    for path in [*config_files, *tables]:
        try:
            relative = (folder / path).resolve().relative_to(folder.resolve()).as_posix()
        except ValueError:
            relative = ""
        if not relative.startswith("config/"):
            raise UserError(f"{path}: not in the study's config/; move it there to bundle it")
        yield relative


def _stages(study: Study, folder: Path, features: bool) -> dict[str, str | None]:
    """Return each table's path and fingerprint; what is there must agree with the study."""
    tables = {"results/correlations.parquet": study.fingerprint("collect")}
    for dataset in study.datasets:
        mark = study.fingerprint("fetch_dataset", dataset)
        tables[f"resources/datasets/{dataset}/pairs.parquet"] = mark
    for dataset, name, spec in study.correlations():
        tables[f"results/correlations/{dataset}/{name}.parquet"] = fingerprint(spec)
        mark = fingerprint(study.distances_spec(dataset, name))
        tables[f"results/distances/{dataset}/{name}.parquet"] = mark
    missing = [path for path in tables if not (folder / path).exists()]
    if missing:
        raise UserError(
            f"{missing[0]}: not there, nor are {len(missing) - 1} other tables of this study; "
            "let Snakemake finish it first"
        )
    for path, mark in tables.items():
        found = table_provenance(folder / path)["fingerprint"]
        if found != mark:
            raise UserError(
                f"{path}: made with other settings (fingerprint {found[:12]}, wanted {mark[:12]}); "
                "let Snakemake renew it first"
            )
    others = [
        f"resources/datasets/{dataset}/{name}"
        for dataset in study.datasets
        for name in ("images.parquet", "provenance.json")
    ]
    caches = _features(study, folder) if features else {}
    return {**tables, **dict.fromkeys(others), **caches}


def _features(study: Study, folder: Path) -> dict[str, str | None]:
    """Return the feature caches' paths and fingerprints, every byte of them checked."""
    from dissect_iqa.features.verify import verify_cache  # PyTorch is not needed for the rest

    caches: dict[str, str | None] = {}
    for dataset in study.datasets:
        for model in study.models:
            path = f"results/features/{dataset}/{model}.h5"
            spec = study.spec("extract_features", dataset, model)
            if not (folder / path).exists():
                raise UserError(f"{path}: not there; let Snakemake make it, or leave features out")
            faults = verify_cache(folder / path, spec)
            if faults:
                raise UserError(faults[0])
            caches[path] = fingerprint(spec)
    return caches


def _results(folder: Path) -> Iterator[str]:
    """Yield what is made to be read: summaries, claims, texts, figures."""
    results = folder / "results"
    for path in sorted([*results.glob("*"), *(results / "figures").rglob("*")]):
        if path.is_file() and not path.name.startswith("."):
            yield path.relative_to(folder).as_posix()


def _records(folder: Path, paths: Iterable[str]) -> Iterator[str]:
    """Yield Snakemake's records of the files that it made."""
    for path in paths:
        record = RECORDS / urlsafe_b64encode(path.encode()).decode()
        if len(record.name) < 255 and (folder / record).is_file():
            yield record.as_posix()


def _member(folder: Path, path: str, mark: str | None = None) -> Member:
    file = folder / path
    if not file.is_file():
        raise UserError(f"{path}: not there; let Snakemake finish the study first")
    facts = file.stat()
    return Member(path, facts.st_size, sha256_file(file), facts.st_mtime_ns, mark)


def _add(tar: tarfile.TarFile, name: str, file: io.IOBase, member: Member | None = None) -> None:
    """Add one file without its owner and rights."""
    info = tarfile.TarInfo(name)
    info.size = member.bytes if member else file.seek(0, io.SEEK_END)
    info.mtime = member.modified_ns // 10**9 if member else 0
    file.seek(0)
    tar.addfile(info, file)


def _manifest(archive: Path, tar: tarfile.TarFile) -> list[Member]:
    first = tar.next()
    content = tar.extractfile(first) if first and first.name == MANIFEST else None
    if content is None:
        raise UserError(f"{archive}: not an archive of `dissect-iqa bundle` (no {MANIFEST})")
    try:
        manifest = json.load(content)
        if manifest["format"] != FORMAT:
            raise UserError(
                f"{archive}: has format {manifest['format']}, this version reads {FORMAT}; use "
                "the version of dissect-iqa that wrote it"
            )
        members = [Member(**entry) for entry in manifest["files"]]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{archive}: its {MANIFEST} is damaged ({error})") from error
    for member in members:
        parts = PurePosixPath(member.path).parts
        if not member.path.startswith(ROOTS) or ".." in parts:
            raise UserError(f"{archive}: refuses to write {member.path!r}, outside of a study")
    return members


def _refuse_conflicts(archive: Path, folder: Path, members: list[Member]) -> None:
    """Stop if a file is there with another content; Snakemake's records may differ."""
    different = [
        member.path
        for member in members
        if not member.path.startswith(RECORDS.as_posix())
        and (folder / member.path).exists()
        and sha256_file(folder / member.path) != member.sha256
    ]
    if different:
        raise UserError(
            f"{folder / different[0]}: differs from the one in {archive}, as do "
            f"{len(different) - 1} more; unpack into another folder, or allow overwriting"
        )


def _unpack(archive: Path, tar: tarfile.TarFile, members: list[Member], waiting: Path) -> None:
    """Unpack every file that the manifest names, and check each."""
    expected = {member.path: member for member in members}
    while (info := tar.next()) is not None:
        member = expected.pop(info.name, None)
        content = tar.extractfile(info)
        if member is None or content is None:
            raise UserError(f"{archive}: holds {info.name!r}, which its {MANIFEST} doesn't name")
        place = waiting / member.path
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as file:
            while chunk := content.read(_CHUNK):
                file.write(chunk)
        if sha256_file(place) != member.sha256:
            raise UserError(f"{archive}: {member.path} is damaged; get the archive again")
    if expected:
        raise UserError(f"{archive}: {next(iter(expected))} is missing; get the archive again")


def _place(source: Path, target: Path, member: Member) -> None:
    """Move a checked file to its place, with its time: Snakemake compares those."""
    target.parent.mkdir(parents=True, exist_ok=True)
    os.utime(source, ns=(member.modified_ns, member.modified_ns))
    source.replace(target)
