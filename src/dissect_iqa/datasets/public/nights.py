"""NIGHTS: triplets of mid-level similarity, with unanimous votes (Fu et al. 2023)."""

from pathlib import Path

from dissect_iqa.datasets.base import Citation, DatasetKind, Index, Reading, RemoteFile, Source
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.public.text import bad_line, to_float
from dissect_iqa.datasets.public.triplets import TripletTable
from dissect_iqa.errors import UserError
from dissect_iqa.files.delimited import check_columns, records
from dissect_iqa.files.text_files import read_text

#: Columns that the official loader reads by position.
_VOTE, _REFERENCE, _LEFT, _RIGHT = 2, 4, 5, 6
_NAMED = ("votes", "split", "is_imagenet")


def read(index: Index, entry: DatasetEntry) -> Reading:
    """Read `data.csv`: column 2 says whether the left (0) or right (1) picture is closer.

    By default triplets with at least six votes, as in the official evaluation; all votes of a
    triplet agree.
    """
    path = index.require("data.csv")
    wanted = NIGHTS.split(entry)
    table = TripletTable()
    aside: set[str] = set()
    few = 0
    for number, cells, named in _rows(path):
        reference, left, right = (
            index.locate(cells[column]) for column in (_REFERENCE, _LEFT, _RIGHT)
        )
        votes = to_float(path, number, named["votes"], "number of votes", 0, 1000)
        if (wanted != "all" and named["split"] != wanted) or votes < entry.min_votes:
            few += named["split"] == wanted or wanted == "all"
            aside.update((reference, left, right))
            continue
        second = to_float(path, number, cells[_VOTE], "vote", 0, 1)
        if second not in (0.0, 1.0):
            raise bad_line(path, number, cells[_VOTE], "a vote of 0 or 1")
        imagenet = named["is_imagenet"].lower() in ("true", "1")
        table.add(
            cells[_REFERENCE].rpartition(".")[0].lower(),
            (reference, left, right),
            second,
            None,
            distortion="variation by a generative network",
            raters_=votes,
            subset_imagenet=imagenet,
            subset_no_imagenet=not imagenet,
        )
    frame = table.frame()
    if frame.empty:
        raise UserError(f"{path}: no triplets of split {wanted!r} with {entry.min_votes} votes")
    frame["raters"] = frame.pop("raters_")
    used = set(frame["reference_file"]) | set(frame["distorted_file"])
    return Reading(
        frame,
        facts={
            "split": wanted,
            "score_se_from": None,
            "triplets": len(frame) // 2,
            "left_out_triplets": {f"fewer than {entry.min_votes} votes": few},
            "evaluation": "agreement with the raters' choice, not correlation; similarity of "
            "layout and pose rather than distortion",
        },
        aside=aside - used,
    )


def _rows(path: Path) -> list[tuple[int, list[str], dict[str, str]]]:
    """Return (line, cells, the named cells) of each row."""
    lines = records(path, read_text(path, "table of votes"), ",")
    header = [name.strip().lower() for name in next(lines, (0, []))[1]]
    absent = [name for name in _NAMED if name not in header]
    if absent:
        raise UserError(f"{path}, line 1: no column {absent[0]!r}")
    check_columns(path, 1, header)
    result = []
    for number, cells in lines:
        if len(cells) != len(header):
            raise bad_line(path, number, ",".join(cells), f"{len(header)} cells")
        cells = [cell.strip() for cell in cells]
        result.append((number, cells, {name: cells[header.index(name)] for name in _NAMED}))
    return result


NIGHTS = DatasetKind(
    name="nights",
    title="NIGHTS",
    read=read,
    triplets=True,
    direction="higher is better",
    citation=Citation(
        "fu2023dreamsim",
        "S. Fu, N. Tamir, S. Sundaram, L. Chai, R. Zhang, T. Dekel, P. Isola. DreamSim: Learning "
        "new dimensions of human visual similarity using synthetic data. Advances in Neural "
        "Information Processing Systems (NeurIPS), 2023.",
    ),
    licence="No licence for the pictures was found; see the project page.",
    page="https://github.com/ssundaram21/dreamsim",
    download_size="58 GB unpacked",
    sources=(
        Source(
            "official archive (no published checksum)",
            (RemoteFile(("https://data.csail.mit.edu/nights/nights.zip",), "nights.zip"),),
        ),
    ),
    options=frozenset({"split", "min_votes"}),
    splits=("test", "val", "train", "all"),
)
