"""Hand a finished study to a colleague as one archive, whole or not at all.

An archive holds the configuration, every table with its fingerprint, the data sets' tables (not
the pictures, which aren't ours to hand on), figures and texts, and on request the features.
Snakemake's own records of these files go with them, and so do their times of modification:
where it is unpacked, Snakemake considers them done. The first member is a manifest with the
sha256 of each file, and unpacking (`unbundle`) puts nothing in place before all of
them are right.
"""

import io
import json
import logging
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from dissect_iqa.errors import UserError
from dissect_iqa.files.provenance import (
    atomic_path,
    fingerprint,
    sha256_file,
    software_versions,
    table_provenance,
)
from dissect_iqa.study.bundle_format import (
    FORMAT,
    MANIFEST,
    Member,
    is_data,
    read_manifest,
    record_of,
)
from dissect_iqa.study.study import Study
from dissect_iqa.study.tables import TABLES
from dissect_iqa.study.unbundle import unbundle

__all__ = ["MANIFEST", "Member", "bundle", "read_manifest", "unbundle"]

log = logging.getLogger(__name__)


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
    if study.config.rehearse:
        raise UserError(
            "a rehearsal has no results to hand on; take 'rehearse: true' out of the configuration"
        )
    folder, archive = Path(folder), Path(archive)
    mode = _mode(archive)
    wanted: dict[str, str | None] = dict.fromkeys(_inputs(study, config_files, folder))
    wanted |= _stages(study, folder, features)
    wanted |= {path: None for path in _results(study, folder) if path not in wanted}
    members = [_member(folder, path, mark) for path, mark in wanted.items()]
    members += [_member(folder, path) for path in _records(folder, wanted)]
    manifest = {
        "format": FORMAT,
        "versions": software_versions(),
        "files": [asdict(member) for member in members],
    }
    with atomic_path(archive) as temporary, tarfile.open(temporary, mode) as tar:  # type: ignore[call-overload]
        _add(tar, MANIFEST, io.BytesIO(json.dumps(manifest, indent=1).encode()))
        for member in members:
            with (folder / member.path).open("rb") as file:
                _add(tar, member.path, file, member)
    return members


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
        if not is_data(relative):
            raise UserError(f"{path}: its ending is that of no configuration or table; rename it")
        yield relative


def tables(study: Study) -> dict[str, str]:
    """Return the path of each table that a finished study has, and the spec that it carries."""
    own = study.results / study.name
    found = {str(own / path): spec for name in TABLES for path, spec in study.specs(name).items()}
    for dataset in study.datasets:
        spec = study.spec("fetch_dataset", dataset)
        found[f"resources/datasets/{dataset}/pairs.parquet"] = spec
    for dataset, name, spec in study.correlations():
        found[study.shared("correlations", dataset, name)] = spec
        found[study.shared("distances", dataset, name)] = study.distances_spec(dataset, name)
    return found


def require_finished(study: Study, folder: Path | str = ".") -> dict[str, str]:
    """Return each table's path and fingerprint if all are there as the study makes them.

    Raises
    ------
    UserError
        If one is missing, or was made with other settings.
    """
    folder = Path(folder)
    marks = {path: fingerprint(spec) for path, spec in tables(study).items()}
    missing = [path for path in marks if not (folder / path).exists()]
    if missing:
        raise UserError(
            f"{missing[0]}: not there, nor are {len(missing) - 1} other tables of this study; "
            "let Snakemake finish it first"
        )
    for path, mark in marks.items():
        found = table_provenance(folder / path)["fingerprint"]
        if found != mark:
            raise UserError(
                f"{path}: made with other settings (fingerprint {found[:12]}, wanted {mark[:12]}); "
                "let Snakemake renew it first"
            )
    return marks


def _stages(study: Study, folder: Path, features: bool) -> dict[str, str | None]:
    """Return each table's path and fingerprint; what is there must agree with the study."""
    marks = require_finished(study, folder)
    others = [
        f"resources/datasets/{dataset}/{name}"
        for dataset in study.datasets
        for name in ("images.parquet", "provenance.json")
    ]
    caches = _features(study, folder) if features else {}
    return {**marks, **dict.fromkeys(others), **caches}


def _features(study: Study, folder: Path) -> dict[str, str | None]:
    """Return the feature caches' paths and fingerprints, every byte of them checked."""
    from dissect_iqa.features.file.verify import verify_cache  # PyTorch is not needed for the rest

    caches: dict[str, str | None] = {}
    for dataset in study.datasets:
        for model in study.models:
            path = study.shared("features", dataset, model)
            spec = study.spec("extract_features", dataset, model)
            if not (folder / path).exists():
                raise UserError(f"{path}: not there; let Snakemake make it, or leave features out")
            faults = verify_cache(folder / path, spec)
            if faults:
                raise UserError(faults[0])
            caches[path] = fingerprint(spec)
    return caches


def _results(study: Study, folder: Path) -> Iterator[str]:
    """Yield what is made to be read: summaries, claims, texts, figures."""
    for path in sorted((folder / study.results / study.name).rglob("*")):
        relative = path.relative_to(folder).as_posix()
        if path.is_file() and not path.name.startswith("."):
            if path.suffix == ".html":
                continue  # a page could run something where it is opened; made anew in seconds
            if is_data(relative):
                yield relative
            else:
                log.warning("%s: of a kind that is not handed on; left out", relative)


def _records(folder: Path, paths: Iterable[str]) -> Iterator[str]:
    """Yield Snakemake's records of the files that it made."""
    for path in paths:
        record = record_of(path)
        if len(Path(record).name) < 255 and (folder / record).is_file():
            yield record


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
