"""Where a result comes from: specifications, fingerprints, and files that prove themselves.

A stage's *spec* is one canonical JSON string of everything that can change its numbers. Its
sha256 is the *fingerprint*. A stage writes both into its output, and every consumer checks
that the file it reads carries the fingerprint it expects. Snakemake sees the same string as
the rule's only parameter, so that "what runs again" and "what is trusted" can't disagree.
"""

import hashlib
import json
import os
import platform
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dissect_iqa.errors import UserError
from dissect_iqa.files import seal
from dissect_iqa.files.regular_files import open_regular
from dissect_iqa.files.writing import saying_where

PARQUET_KEY = b"dissect_iqa"
_VERSIONED = (
    "dissect-iqa",
    "torch",
    "torchvision",
    "timm",
    "numpy",
    "scipy",
    "pandas",
    "h5py",
    "pillow",
)


def canonical_json(value: Any) -> str:
    """Serialise plain data so that equal content gives the same string, whatever its key order.

    Raises
    ------
    TypeError, ValueError
        If `value` holds anything but dicts, lists, strings, finite numbers, booleans and None.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def fingerprint(spec: str) -> str:
    """Return the sha256 of a canonical spec as 64 hex digits."""
    return hashlib.sha256(spec.encode()).hexdigest()


def sha256_file(path: Path | str) -> str:
    """Return the sha256 of a file's bytes as 64 hex digits."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def software_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that can change a number."""
    versions = {"python": platform.python_version()}
    for name in _VERSIONED:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


@contextmanager
def atomic_path(final: Path | str, then: str = "make room and run again") -> Iterator[Path]:
    """Yield a unique temporary path beside `final`; move it there only if the block succeeds.

    The name is unique because Snakemake, when killed, can leave a job alive that still holds
    the final path: two writers must never share a file.

    Parameters
    ----------
    final : path
        The name the file gets.
    then : str
        What to do when the disk is full, for the message.

    Raises
    ------
    UserError
        If the file can't be written: names it, how far it got and the room that is left.
    """
    final = Path(final)
    temporary = final.with_name(f".{final.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")
    with saying_where(final, temporary, then):
        final.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Told while what was written is still there: its size is part of the message
            with saying_where(final, temporary, then):
                yield temporary
                with temporary.open("rb+") as file:
                    os.fsync(file.fileno())
                temporary.replace(final)
        finally:
            temporary.unlink(missing_ok=True)


def write_json(value: Any, path: Path | str) -> None:
    """Write indented, key-sorted JSON atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def write_table(frame: pd.DataFrame, path: Path | str, spec: str, **facts: Any) -> None:
    """Write a table as Parquet with its spec, fingerprint, versions and further facts inside.

    The file also carries the sha256 of all its own bytes, see `dissect_iqa.files.seal`.

    Parameters
    ----------
    frame : DataFrame
        Tidy table; the index is not kept.
    path : path
        Final name; appears only when the file is whole.
    spec : str
        Canonical JSON of everything that can change the numbers.
    **facts
        Plain data worth keeping beside them, e.g. ``inputs`` or ``label``.

    Raises
    ------
    UserError
        If the file can't be written.
    """
    provenance = {
        "spec": spec,
        "fingerprint": fingerprint(spec),
        "versions": software_versions(),
        "sealed": True,
        **facts,
    }
    table = pa.Table.from_pandas(frame, preserve_index=False)
    table = table.replace_schema_metadata(
        {**(table.schema.metadata or {}), PARQUET_KEY: json.dumps(provenance).encode()}
    )
    options = {"compression": "zstd", "write_page_checksum": True}
    with atomic_path(path) as temporary:
        with pq.ParquetWriter(temporary, table.schema, **options) as writer:
            writer.write_table(table)
            writer.add_key_value_metadata(seal.BLANK)
        seal.close(temporary)


def table_provenance(path: Path | str, expect: str | None = None) -> dict[str, Any]:
    """Return what `write_table` recorded in a Parquet file, every byte of which is proven.

    Parameters
    ----------
    path : path
        The Parquet file.
    expect : str, optional
        The spec the file must have been made from.

    Raises
    ------
    UserError
        If the file is not one of ours, is damaged, or was made from another spec; names the
        file and the cure.
    """
    try:
        sealed = seal.is_whole(Path(path))
        with pq.ParquetFile(path) as file:
            _check_extent(Path(path), file.metadata)
            facts = json.loads((file.schema_arrow.metadata or {})[PARQUET_KEY])
        found = facts["fingerprint"]
        whole = found == fingerprint(facts["spec"])
    except Exception as error:  # a file of unknown origin can fail in any way
        raise UserError(
            f"{path}: not a whole table of this pipeline ({_first_line(error)}). Delete it and "
            "run again."
        ) from error
    # Tables from before there were seals have none, and don't say that they have one
    if sealed is False or (sealed is None and facts.get("sealed")) or not whole:
        raise UserError(f"{path}: damaged (not the bytes that were written). Delete it, run again.")
    if expect is not None and found != fingerprint(expect):
        raise UserError(
            f"{path}: made with other settings (fingerprint {found[:12]}, wanted "
            f"{fingerprint(expect)[:12]}). Delete it and run again."
        )
    return facts


def write_csv(
    table: pd.DataFrame, path: Path | str, remarks: Mapping[str, str] | None = None
) -> None:
    """Write a table for people, whole or not at all.

    Parameters
    ----------
    table : DataFrame
        Without its index.
    path : path
        The CSV file.
    remarks : mapping of str to str, optional
        Further columns, the same in every row.
    """
    with atomic_path(path) as temporary:
        table.assign(**(remarks or {})).to_csv(temporary, index=False)


def read_table(path: Path | str, expect: str | None = None) -> pd.DataFrame:
    """Read a table written by `write_table`, every byte of which is proven.

    Parameters
    ----------
    path : path
        The Parquet file.
    expect : str, optional
        The spec the file must have been made from.

    Raises
    ------
    UserError
        If the file is damaged or was made from another spec; names the file and the cure.
    """
    table_provenance(path, expect)
    try:
        return pq.read_table(path, page_checksum_verification=True).to_pandas()
    except Exception as error:
        raise UserError(
            f"{path}: damaged ({_first_line(error)}). Delete it and run again."
        ) from error


def _check_extent(path: Path, footer: pq.FileMetaData) -> None:
    """Refuse a footer that declares rows which the file can't hold, before memory is taken."""
    if footer.num_rows > 100 * path.stat().st_size + 10**6 or footer.num_columns > 10_000:
        raise ValueError(f"it declares {footer.num_rows} rows of {footer.num_columns} columns")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
