"""Tables prove every one of their bytes, and say so in seconds when they aren't what they were."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dissect_iqa.errors import UserError
from dissect_iqa.files import seal
from dissect_iqa.files.provenance import (
    PARQUET_KEY,
    fingerprint,
    read_table,
    table_provenance,
    write_table,
)
from dissect_iqa.study.costs import counted_pictures

SPEC = '{"stage":"correlate"}'
FRAME = pd.DataFrame(
    {
        "pair": np.arange(50),
        "layer": pd.Categorical(["a", "b"] * 25),
        "value": np.random.default_rng(0).random(50),
        "level": pd.array([1, None] * 25, dtype="Int64"),
    }
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "x.parquet"
    write_table(FRAME, path, SPEC, label="transferred")
    return path


def test_a_table_comes_back_and_equal_tables_have_equal_bytes(table: Path, tmp_path: Path) -> None:
    pd.testing.assert_frame_equal(read_table(table, SPEC), FRAME)
    assert table_provenance(table)["label"] == "transferred"
    write_table(FRAME, tmp_path / "y.parquet", SPEC, label="transferred")
    assert (tmp_path / "y.parquet").read_bytes() == table.read_bytes()
    assert seal.is_whole(table) is True


def test_every_flipped_bit_is_found(table: Path) -> None:
    """Pages, dictionaries, statistics, names, types, metadata, the seal itself: all of them."""
    content = table.read_bytes()
    for place in [*range(0, len(content), 3), *range(len(content) - 90, len(content))]:
        flipped = bytearray(content)
        flipped[place] ^= 1 << (place % 8)
        table.write_bytes(flipped)
        read = read_table if place % 4 else table_provenance
        with pytest.raises(UserError, match=r"x\.parquet: ") as caught:
            read(table)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("keep", [0, 3, 11, 200, -1, -4, -9, -200])
def test_every_cut_is_found(table: Path, keep: int) -> None:
    table.write_bytes(table.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"x\.parquet: not a whole table"):
        read_table(table)


def test_bytes_before_or_between_are_found(table: Path) -> None:
    content = table.read_bytes()
    for changed in (b"PAR1" + content, content[:60] + b"\0" + content[60:], content + content):
        table.write_bytes(changed)
        with pytest.raises(UserError, match=r"x\.parquet"):
            read_table(table)


def rewritten(path: Path, change) -> None:
    """Write a table again the way another tool would, its metadata kept."""
    found = change(pq.read_table(path))
    metadata = {**(found.schema.metadata or {}), **pq.read_schema(path).metadata}
    pq.write_table(found.replace_schema_metadata(metadata), path)


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found.rename_columns(["pair", "layer", "quality", "level"]),
        lambda found: found.set_column(2, "value", found["value"].cast(pa.float32())),
        lambda found: found.set_column(0, "pair", found["pair"].cast(pa.string())),
        lambda found: found.drop_columns(["level"]),
        lambda found: found.slice(1),
        lambda found: found,
    ],
)
def test_a_table_that_another_tool_wrote_again_is_refused(table: Path, change) -> None:
    rewritten(table, change)
    with pytest.raises(UserError, match=r"x\.parquet: damaged \(not the bytes that were written"):
        read_table(table, SPEC)


def test_a_table_without_its_seal_is_refused_if_it_says_that_it_has_one(table: Path) -> None:
    found = pq.read_table(table)
    kept = {PARQUET_KEY: pq.read_schema(table).metadata[PARQUET_KEY]}
    pq.write_table(found.replace_schema_metadata(kept), table)
    with pytest.raises(UserError, match="not the bytes that were written"):
        read_table(table)


def test_a_table_of_a_version_without_seals_is_still_read(table: Path) -> None:
    old = f'{{"spec": "{{}}", "fingerprint": "{fingerprint("{}")}"}}'
    content = pa.Table.from_pandas(FRAME, preserve_index=False)
    content = content.replace_schema_metadata(
        {**content.schema.metadata, PARQUET_KEY: old.encode()}
    )
    pq.write_table(content, table, write_page_checksum=True)
    pd.testing.assert_frame_equal(read_table(table, "{}"), FRAME)


@pytest.mark.parametrize("record", ["[]", "{}", '{"spec": 1, "fingerprint": 2}', "{", "null"])
def test_a_record_that_is_none(table: Path, record: str) -> None:
    content = pa.table({"x": [1]}).replace_schema_metadata({PARQUET_KEY: record.encode()})
    pq.write_table(content, table)
    with pytest.raises(UserError, match=r"x\.parquet: not a whole table of this pipeline"):
        read_table(table)


def test_rows_that_no_file_of_this_size_can_hold_take_no_memory(table: Path) -> None:
    """A column of one repeated value: a few kilobytes that would unpack to gigabytes."""
    rows = 40_000_000
    column = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(rows, np.int8)), pa.array(["a long text that repeats"])
    )
    record = f'{{"spec": "{{}}", "fingerprint": "{fingerprint("{}")}"}}'.encode()
    content = pa.table({"x": column}).replace_schema_metadata({PARQUET_KEY: record})
    pq.write_table(content, table, compression="zstd")
    assert table.stat().st_size < 300_000
    with pytest.raises(UserError, match=r"declares 40000000 rows of 1 columns"):
        read_table(table)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.parquet", tmp_path):
        with pytest.raises(UserError, match="not a whole table"):
            read_table(path)


def test_a_damaged_table_of_pictures_is_not_counted(tmp_path: Path) -> None:
    """The doctor counts pictures of every data set before it says which table is damaged."""
    for name in ("whole", "damaged", "empty"):
        write_table(FRAME, tmp_path / "datasets" / name / "images.parquet", SPEC)
    path = tmp_path / "datasets" / "damaged" / "images.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    (tmp_path / "datasets" / "empty" / "images.parquet").write_bytes(b"")
    assert counted_pictures(tmp_path) == {"whole": len(FRAME)}
