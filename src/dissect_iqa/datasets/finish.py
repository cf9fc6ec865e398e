"""The last step of every data set: check table and pictures against each other, and write."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from dissect_iqa.datasets.base import Counts, Index, index_folder
from dissect_iqa.datasets.changed import sums_of
from dissect_iqa.datasets.file_names import spelled
from dissect_iqa.datasets.pictures import inspect_pairs
from dissect_iqa.errors import Problems, UserError
from dissect_iqa.files.provenance import (
    fingerprint,
    sha256_file,
    software_versions,
    write_json,
    write_table,
)
from dissect_iqa.files.sums import remember, stamps

log = logging.getLogger(__name__)

_FILES = ("reference_file", "distorted_file")
_REQUIRED = (*_FILES, "distortion", "score")
_NAMED_AT_MOST = 100


def finish(
    folder: Path,
    frame: pd.DataFrame,
    facts: dict[str, Any],
    spec: str,
    *,
    index: Index | None = None,
    aside: Iterable[str] = (),
    tables: Iterable[str] = (),
    counts: Counts | None = None,
    drop_identical: bool = False,
    choose: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
    workers: int | None = None,
) -> None:
    """Check a table of pairs against its pictures and write the data set's three files.

    Parameters
    ----------
    folder : Path
        Where `pairs.parquet`, `images.parquet` and `provenance.json` go.
    frame : DataFrame
        One row a pair; see `dissect_iqa.datasets.base.Reading`.
    facts : dict
        Must hold `direction` ("higher is better" or "higher is worse"), `citation` and
        `licence`; may hold `label`, `source`, `notes`, and `root`: the folder that file names
        are relative to, itself relative to `folder` (default ".") or absolute.
    spec : str
        Canonical JSON of the stage.
    index : Index, optional
        The files below the root; default: everything there.
    aside : iterable of str
        Pictures that may be there without a row.
    tables : iterable of str
        Files with scores below the root; their sums are kept as those of pictures are.
    counts : Counts, optional
        References and pairs that must come out before identical pairs are dropped.
    drop_identical : bool
        Leave out pairs whose pictures are pixel-identical.
    choose : callable, optional
        Takes some of the pairs, after all have been checked; for a rehearsal.
    workers : int, optional
        Processes that decode; default: all CPUs.

    Raises
    ------
    UserError
        If a row has no picture, a picture no row or a row no score, if a picture doesn't decode
        or differs in size from its reference, or if the counts are wrong; names every case.
    """
    root = folder / facts.get("root", ".")
    where = str(facts.get("title", folder))
    frame = complete(frame, where)
    problems = Problems()
    with problems.caught():
        check_pictures(frame, index or index_folder(root), aside)
    pairs, left_out = leave_out(frame)
    for check in (check_scores, _check_triplets):
        with problems.caught():
            check(pairs, where)
    problems.raise_all()
    check_counts(pairs, counts, where)
    files = {file: root / file for name in _FILES for file in pairs[name]}
    seen = stamps(files)
    found = inspect_pairs(pairs, root, workers)
    if found.problems:
        raise UserError(
            f"{root}: {len(found.problems)} picture(s) can't be used:\n" + listing(found.problems)
        )
    if found.identical:
        log.info("%s: %d pairs are pixel-identical", where, len(found.identical))
    if drop_identical and found.identical:
        pairs = pairs.drop(index=_whole_triplets(pairs, found.identical))
        left_out["pixel-identical to the reference"] = (
            len(frame) - len(pairs) - sum(left_out.values())
        )
    if choose is not None:
        pairs = choose(pairs)
    facts = {
        "root": ".",
        "label": None,
        **facts,
        "identical_pairs": len(found.identical),
        "left_out": left_out,
        "tables": {file: sha256_file(root / file) for file in sorted(tables)},
    }
    _write(folder, pairs, found.pictures, facts, spec)
    # so that planning the next run need not hash them again
    remember({file: sha256 for file, sha256, *_ in found.pictures}, seen, sums_of(folder))


def check_pictures(frame: pd.DataFrame, index: Index, aside: Iterable[str] = ()) -> None:
    """Check that every row has its pictures and every picture a row.

    Raises
    ------
    UserError
        Naming all missing and all superfluous pictures.
    """
    files = set(index.files)
    used = set(frame["reference_file"]) | set(frame["distorted_file"])
    missing, extra = sorted(used - files), sorted(index.pictures - used - set(aside))
    problems = Problems()
    if missing:
        missing = [_with_lookalike(name, index) for name in missing]
        problems.add(
            f"{index.root}: {len(missing)} picture(s) named in the table of scores are not "
            f"there:\n{listing(missing)}"
        )
    if extra:
        problems.add(
            f"{index.root}: {len(extra)} picture(s) have no row in the table of scores (remove "
            "them, or name them under 'ignore' in the data set's config entry):\n" + listing(extra)
        )
    problems.raise_all()


def _with_lookalike(name: str, index: Index) -> str:
    """Return a missing picture's name, with the file that looks the same, if there is one."""
    alike = index.lookalike(name)
    if alike is None:
        return name
    return f"{spelled(name)}: write it as the file that looks alike, {spelled(alike)}"


def listing(lines: list[str]) -> str:
    """Return lines indented, at most a hundred of them, with the number of those left out."""
    shown = [
        f"  {line if line.isprintable() else ascii(line)[1:-1]}" for line in lines[:_NAMED_AT_MOST]
    ]
    if len(lines) > _NAMED_AT_MOST:
        shown.append(f"  ... and {len(lines) - _NAMED_AT_MOST} more")
    return "\n".join(shown)


def complete(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """Add the optional columns and give all of them their types."""
    absent = [name for name in _REQUIRED if name not in frame]
    if absent:
        raise UserError(f"{where}: the table of pairs has no column {absent[0]!r}")
    frame = frame.reset_index(drop=True)
    if "reference" not in frame:
        frame["reference"] = [PurePosixPath(file).stem.lower() for file in frame["reference_file"]]
    for name in ("score", "score_se", "raters", "preferred"):
        if name in frame or name in ("score_se", "raters"):
            values = frame[name] if name in frame else pd.Series(float("nan"), frame.index)
            frame[name] = pd.to_numeric(values).astype("float64")
    for name in ("level", "triplet"):
        if name in frame or name == "level":
            values = frame[name] if name in frame else pd.Series(pd.NA, frame.index)
            frame[name] = values.astype("Int64")
    for name in frame.columns[frame.columns.str.startswith("subset_")]:
        frame[name] = frame[name].astype(bool)
    return frame


def leave_out(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Split off the rows that are no pairs of the data set, counted by reason."""
    if "left_out" not in frame:
        return frame, {}
    out = frame["left_out"].notna()
    reasons = frame.loc[out, "left_out"].value_counts()
    pairs = frame[~out].drop(columns="left_out").reset_index(drop=True)
    return pairs, {str(reason): int(count) for reason, count in reasons.items()}


def check_scores(pairs: pd.DataFrame, where: str) -> None:
    """Check that every pair has a score and appears once.

    Raises
    ------
    UserError
        Naming the pairs.
    """
    if pairs.empty:
        raise UserError(f"{where}: the table of scores has no pairs")
    missing = pairs[~pairs["score"].abs().lt(float("inf"))]
    if len(missing):
        rows = [f"row {row + 1}: {file}" for row, file in missing["distorted_file"].items()]
        raise UserError(f"{where}: {len(rows)} pair(s) have no score:\n{listing(rows)}")
    if "triplet" in pairs:
        return
    twice = pairs[pairs.duplicated(["reference_file", "distorted_file"], keep=False)]
    if len(twice):
        rows = [f"row {row + 1}: {file}" for row, file in twice["distorted_file"].items()]
        raise UserError(f"{where}: pairs that appear more than once:\n{listing(rows)}")


def _check_triplets(pairs: pd.DataFrame, where: str) -> None:
    """Check that each triplet has two rows, one reference and shares that add up to one."""
    if "triplet" not in pairs:
        return
    groups = pairs.groupby("triplet")
    good = (
        groups.size().eq(2)
        & groups["reference_file"].nunique().eq(1)
        & groups["preferred"].sum().sub(1).abs().lt(1e-6)
        & groups["preferred"].min().ge(0)
    )
    if not good.all():
        raise UserError(
            f"{where}: triplet {good.index[~good][0]} is not two pictures of one reference whose "
            "shares of preference are 0 or more and add up to 1"
        )


def check_counts(pairs: pd.DataFrame, counts: Counts | None, where: str) -> None:
    """Check the number of references and pairs.

    Raises
    ------
    UserError
        If they aren't as published.
    """
    if counts is None:
        return
    found = Counts(pairs["reference"].nunique(), len(pairs))
    if found != counts:
        raise UserError(
            f"{where}: {found.references} references and {found.pairs} pairs found, but the data "
            f"set has {counts.references} and {counts.pairs}; is the copy complete?"
        )


def _whole_triplets(pairs: pd.DataFrame, rows: list[int]) -> list[int]:
    """Return `rows`, with the other half of each triplet concerned."""
    if "triplet" not in pairs:
        return rows
    return pairs.index[pairs["triplet"].isin(pairs.loc[rows, "triplet"])].tolist()


def _write(
    folder: Path,
    pairs: pd.DataFrame,
    pictures: list[tuple[str, str, int, int]],
    facts: dict[str, Any],
    spec: str,
) -> None:
    """Write the three files, the one that vouches for the others last."""
    sign = {"higher is better": 1.0, "higher is worse": -1.0}[facts["direction"]]
    pairs = pairs.reset_index(drop=True)
    pairs["quality"] = sign * pairs["score"]
    pairs["pair"] = pd.RangeIndex(len(pairs)).astype("int64")
    first = ["pair", "reference", "reference_file", "distorted_file", "distortion", "level"]
    first += ["score", "quality", "score_se", "raters"]
    rest = [name for name in pairs.columns if name not in first]
    references = set(pairs["reference_file"])
    used = references | set(pairs["distorted_file"])
    images = pd.DataFrame(
        [
            (file, "reference" if file in references else "distorted", *rest_of)
            for file, *rest_of in pictures
            if file in used
        ],
        columns=["file", "role", "sha256", "width", "height"],
    )
    facts["references"] = int(pairs["reference"].nunique())
    facts["pairs"] = len(pairs)
    facts["images"] = len(images)
    kept = {name: facts[name] for name in ("root", "tables", "of") if name in facts}
    write_table(images, folder / "images.parquet", spec, **kept)
    write_table(pairs[first + rest], folder / "pairs.parquet", spec, **facts)
    write_json(
        {
            "spec": spec,
            "fingerprint": fingerprint(spec),
            "versions": software_versions(),
            **facts,
        },
        folder / "provenance.json",
    )
