"""What can be known before anything starts: do models, data sets and baselines go together.

Looked at while the whole study is planned, dry runs included, and by `dissect-iqa doctor`. What
needs the bytes of a download is looked at by the job that fetches it, before any long work.
"""

from functools import cache
from pathlib import Path

import pandas as pd

from dissect_iqa.baselines.names import BASELINES
from dissect_iqa.baselines.outside import ScoresEntry
from dissect_iqa.baselines.outside_table import match_rows, read_outside, scores_of
from dissect_iqa.datasets.base import Index, index_folder
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.finish import check_pictures, check_scores, complete
from dissect_iqa.datasets.folder import read_folder
from dissect_iqa.datasets.pictures import header_sizes
from dissect_iqa.errors import Problems, UserError
from dissect_iqa.files.provenance import table_provenance
from dissect_iqa.models.known_names import check_names, try_builders
from dissect_iqa.study.study import Study
from dissect_iqa.zoo.on_disk import weights_on_disk
from dissect_iqa.zoo.row import ModelRow


@cache
def check_upfront(study: Study, resources: Path = Path("resources")) -> None:
    """Check everything that a study names and that is on this machine.

    Parameters
    ----------
    study : Study
        What is to run.
    resources : Path
        Where weights and data sets are. What lies there was checked when it was made: such rows
        and data sets are not looked at again, only whether they go together with the baselines.
        A rehearsal makes its own data sets and needs no files of weights.

    Raises
    ------
    UserError
        All that is wrong, a line each: architectures, tags or builders that don't exist, builders
        that don't build, files of weights, archives, folders or pictures that aren't there,
        tables of scores that can't be read or are constant, pictures too small for a baseline.
    """
    problems = Problems()
    rows = [row for row in study.weights_rows() if not _weights(resources, row).is_file()]
    named: list[ModelRow] = []
    for row in rows:
        with problems.caught():
            check_names([row])
            if not study.config.rehearse:
                weights_on_disk(row)
            named.append(row)
    with problems.caught():
        try_builders(named)
    for name in study.datasets if not study.config.rehearse else ():
        with problems.caught():
            _check_data_set(study, name, resources / "datasets" / name)
    for entry in study.config.scores:
        if entry.dataset in study.datasets:
            with problems.caught():
                _check_scores(study, entry, resources / "datasets")
    problems.raise_all()


def check_sizes(study: Study, name: str, images: pd.DataFrame) -> None:
    """Check that a data set's pictures are large enough for the study's baselines.

    Parameters
    ----------
    study : Study
        Whose baselines are meant.
    name : str
        The data set.
    images : DataFrame
        Columns `file`, `width` and `height` (pixels), a row a picture.

    Raises
    ------
    UserError
        A line for each baseline that needs larger pictures.
    """
    short = images[["width", "height"]].min(axis="columns")
    least = images.loc[short.idxmin()]
    problems = Problems()
    for metric in study.config.baselines:
        if BASELINES[metric].smallest > short.min():
            problems.add(
                f"data set {name!r}: {least['file']} has {least['width']}x{least['height']} "
                f"pixels, but {metric} needs at least {BASELINES[metric].smallest} on the short "
                f"side; take {metric} out of the option 'baselines', or use larger pictures"
            )
    problems.raise_all()


def _check_plain(study: Study, name: str) -> None:
    """Check that no metric needs more of pictures than stimuli on plain backgrounds have."""
    asked = {metric: BASELINES[metric] for metric in study.config.baselines}
    problems = Problems()
    for wrong, why in (
        (
            [metric for metric, facts in asked.items() if facts.needs_structure],
            "its references are plain backgrounds, against which {} is undefined",
        ),
        (
            [metric for metric, facts in asked.items() if facts.only_8_bits],
            "its pictures have 16 bits per channel, and {} reads 8 only",
        ),
    ):
        if wrong:
            problems.add(
                f"data set {name!r}: {why.format(', '.join(wrong))}; take it out of the option "
                "'baselines', or the data set out of 'datasets'"
            )
    problems.raise_all()


def _weights(resources: Path, row: ModelRow) -> Path:
    return resources / "weights" / f"{row.id}.safetensors"


def _check_data_set(study: Study, name: str, folder: Path) -> None:
    entry = study.datasets[name]
    if entry.kind == "misaligned":
        return  # as its parent, which is looked at, too
    if entry.kind == "thresholds":
        from dissect_iqa.datasets.thresholds.make import selected

        selected(entry)  # refuses a display that shows nothing
        _check_plain(study, name)
        size = {"file": "a stimulus", "width": entry.pixels, "height": entry.pixels}
        check_sizes(study, name, pd.DataFrame([size]))
    if _is_ready(folder, study.fingerprint("fetch_dataset", name)):
        check_sizes(study, name, pd.read_parquet(folder / "images.parquet"))
        if entry.kind == "folder" and entry.csv_path().is_file():
            # Versions before may have read it otherwise, e.g. one of two columns of one name
            read_folder(Index(entry.csv_path().parent, ()), entry)
    elif entry.kind == "folder":
        _check_own(study, name, entry)
    else:
        for path in filter(None, (entry.folder, *entry.archive)):
            if not path.exists():
                raise UserError(
                    f"data set {name!r}: there is no {path}; correct 'folder' or 'archive' in "
                    f"{study.config.datasets_table}"
                )


def _check_scores(study: Study, entry: ScoresEntry, prepared: Path) -> None:
    """Read a table of scores from outside, and find its rows if the pairs are known already."""
    known = study.own.scores.get(entry.dataset, {})
    if not entry.table.exists() and all(known.get(metric) for metric in entry.metrics):
        return  # gone by now, but used, as where a study was unbundled
    table = read_outside(entry)
    name = study.dataset(entry.dataset).of or entry.dataset
    folder = prepared / name
    if study.config.rehearse or not _is_ready(folder, study.fingerprint("fetch_dataset", name)):
        return
    rows = match_rows(table, pd.read_parquet(folder / "pairs.parquet"), repr(name))
    problems = Problems()
    for metric in entry.metrics:
        with problems.caught():
            scores_of(table, metric, rows)
    problems.raise_all()


def _is_ready(folder: Path, fingerprint: str) -> bool:
    try:
        marks = [
            table_provenance(folder / f"{table}.parquet")["fingerprint"]
            for table in ("pairs", "images")
        ]
    except (UserError, OSError, KeyError):
        return False  # the job that makes it anew, or that reads it, tells
    return marks == [fingerprint] * 2


def _check_own(study: Study, name: str, entry: DatasetEntry) -> None:
    """Do with a user's own pictures what the job does that prepares them, but decode none."""
    assert entry.folder is not None
    where = f"data set {name!r}"
    index = index_folder(entry.folder, entry.ignore)
    frame = complete(read_folder(index, entry).frame, where)
    problems = Problems()
    with problems.caught():
        check_pictures(frame, index)
    with problems.caught():
        check_scores(frame, where)
    problems.raise_all()
    sizes = header_sizes(index.root, frame["reference_file"].unique())
    if len(sizes):
        check_sizes(study, name, sizes)
