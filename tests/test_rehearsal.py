"""A rehearsal: made-up data sets of every kind, random starts, and a whole study of them."""

from pathlib import Path

import layouts
import pytest

from dissect_iqa.datasets import (
    KINDS,
    Dataset,
    DatasetEntry,
    index_folder,
    prepare_dataset,
    read_dataset,
)

SPEC = '{"stage":"fetch_dataset"}'


def made_up(tmp_path: Path, kind: str, side: int = 128) -> Dataset:
    prepare_dataset(
        DatasetEntry(kind=kind), tmp_path / "made", tmp_path / "none", SPEC, rehearse=side
    )
    return read_dataset(tmp_path / "made", SPEC)


def layout(kind: str) -> layouts.Tree:
    """Return the published layout of a data set; see `layouts`."""
    if kind in ("tid2008", "tid2013"):
        references, types, levels = (25, 24, 5) if kind == "tid2013" else (25, 17, 4)
        lines = ["5.0"] * (references * types * levels)
        return layouts.tid(lines, lines, references, types, levels)
    if kind == "csiq":
        pictures, rest = layouts.csiq_pictures(flat=False)
        return {**pictures, **rest, "csiq.DMOS.xlsx": layouts.csiq_workbook()}
    if kind == "kadid10k":
        return layouts.kadid()
    made = getattr(layouts, kind)()
    if kind == "vclfer":
        return {**made[0], "VCLFER.txt": layouts.waterloo(made[1])}
    return made[0] if isinstance(made, tuple) else made


@pytest.mark.parametrize("kind", KINDS)
def test_a_made_up_data_set_has_the_columns_of_its_kind(tmp_path: Path, kind: str) -> None:
    """Read from the published layout on the one side, made up on the other."""
    for name, data in layout(kind).items():
        (tmp_path / "real" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "real" / name).write_bytes(data)
    options = {"scores": "original"} if kind == "live" else {}
    entry = DatasetEntry(kind=kind, **options)
    real = KINDS[kind].read(index_folder(tmp_path / "real"), entry).frame
    dataset = made_up(tmp_path, kind)
    pairs = dataset.pairs
    always = {"pair", "quality", "reference", "level", "score_se", "raters"}
    assert set(pairs.columns) | always == set(real.columns) - {"left_out"} | always
    for name in ("level", "score_se", "raters"):
        there = name in real and real[name].notna().any()
        if (kind, name) not in {("live", "score_se"), ("livemd", "raters")}:
            assert pairs[name].notna().any() == there, name
    for name in pairs.columns[pairs.columns.str.startswith("subset_")]:
        assert 0 < pairs[name].sum() < len(pairs), name
    assert dataset.facts["direction"] == KINDS[kind].direction
    assert dataset.facts["label"].startswith("Rehearsal: untrained networks")
