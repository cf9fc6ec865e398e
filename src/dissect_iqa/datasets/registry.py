"""All data sets the pipeline knows, and the table of those a study uses."""

import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from dissect_iqa.datasets.base import DatasetKind
from dissect_iqa.datasets.entry import (
    FOLDER_OPTIONS,
    KIND_OPTIONS,
    MISALIGNED_OPTIONS,
    THRESHOLD_OPTIONS,
    DatasetEntry,
)
from dissect_iqa.datasets.public.bapps import BAPPS
from dissect_iqa.datasets.public.cid22 import CID22
from dissect_iqa.datasets.public.cidiq import CIDIQ
from dissect_iqa.datasets.public.csiq import CSIQ
from dissect_iqa.datasets.public.kadid10k import KADID10K
from dissect_iqa.datasets.public.live import LIVE
from dissect_iqa.datasets.public.livemd import LIVE_MD
from dissect_iqa.datasets.public.mdid import MDID
from dissect_iqa.datasets.public.nights import NIGHTS
from dissect_iqa.datasets.public.pieapp import PIEAPP
from dissect_iqa.datasets.public.pipal import PIPAL
from dissect_iqa.datasets.public.tid2008 import TID2008
from dissect_iqa.datasets.public.tid2013 import TID2013
from dissect_iqa.datasets.public.vclfer import VCLFER
from dissect_iqa.datasets.thresholds.table import STUDIES
from dissect_iqa.errors import Problems, UserError, suggest
from dissect_iqa.files.strict_yaml import read_yaml
from dissect_iqa.files.validation import explain, find_in_yaml, known_names

#: Every public data set by the name its `kind` has in the config.
KINDS: dict[str, DatasetKind] = {
    kind.name: kind
    for kind in (
        TID2008,
        TID2013,
        KADID10K,
        CSIQ,
        LIVE,
        LIVE_MD,
        PIPAL,
        PIEAPP,
        MDID,
        CIDIQ,
        CID22,
        VCLFER,
        BAPPS,
        NIGHTS,
    )
}

#: Kinds that are made on this machine, without a download or a folder.
MADE_HERE = ("demo", "thresholds", "misaligned")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def read_datasets(path: Path | str) -> dict[str, DatasetEntry]:
    """Read the data set table.

    Parameters
    ----------
    path : path
        YAML: a mapping from names (used in the config and as folder names) to entries.

    Returns
    -------
    dict of str to DatasetEntry
        In the order of the file.

    Raises
    ------
    UserError
        Naming file, line, option, what was found and what is allowed.
    """
    path = Path(path)
    content = read_yaml(path, "table of data sets")
    if not isinstance(content, dict) or not content:
        raise UserError(f"{path}: must be a mapping from data set names to entries")
    entries = {}
    problems = Problems()
    for name, values in content.items():
        with problems.caught():
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise UserError(
                    f"{find_in_yaml([path], (name,))}: {name!r} can't name a data set; use "
                    "letters, digits, '_', '-' and '.', and quotes around what looks like a number"
                )
            if not isinstance(values, dict):
                raise UserError(
                    f"{find_in_yaml([path], (name,))}: {name!r} must hold options, e.g. "
                    f"{{kind: tid2013}}; found {values!r}"
                )
            entries[name] = parse_entry(name, values, path)
    for name, entry in entries.items():
        if entry.of is not None and entry.of in content:
            with problems.caught():
                _check_parent(name, entries, path)
        elif entry.of is not None:
            problems.add(
                f"data set {name!r}: {find_in_yaml([path], (name, 'of'))}: there is no entry "
                f"{entry.of!r}{suggest(entry.of, tuple(entries))}"
            )
    problems.raise_all()
    return entries


def _check_parent(name: str, entries: Mapping[str, DatasetEntry], path: Path) -> None:
    """Check that a data set has pictures that can be displaced."""
    parent = entries.get(str(entries[name].of))  # None of one that is itself at fault
    if parent is not None and parent.kind in ("misaligned", "thresholds"):
        why = {
            "misaligned": "is itself misaligned; name the data set that it is of",
            "thresholds": "has plain references, against which nothing is misaligned",
        }[parent.kind]
        place = find_in_yaml([path], (name, "of"))
        raise UserError(f"data set {name!r}: {place}: {entries[name].of!r} {why}")


def parse_entry(name: str, values: dict, path: Path | str = "datasets") -> DatasetEntry:
    """Validate one entry; see `read_datasets`."""
    files = [path] if Path(path).is_file() else []
    try:
        entry = DatasetEntry.model_validate(values)
    except ValidationError as error:
        text = explain(error, DatasetEntry, lambda location: find_in_yaml(files, (name, *location)))
        lines = [f"data set {name!r}: {line}" for line in text.splitlines()]
        raise UserError("\n".join(lines)) from error
    problems = _problems(entry)
    if problems:
        place = find_in_yaml(files, (name,))
        raise UserError(f"data set {name!r}: {place}: {'; '.join(problems)}")
    return entry


def of_triplets(entry: DatasetEntry) -> bool:
    """Tell whether people chose the closer of two pictures instead of rating one."""
    return entry.kind in KINDS and KINDS[entry.kind].triplets


def artificial_reference(entry: DatasetEntry) -> str:
    """Return the reference of a data set that is no photograph; empty if none is, or no more."""
    known = entry.kind in KINDS and not entry.drop_reference_25
    return KINDS[entry.kind].artificial if known else ""


def why_closed(entry: DatasetEntry) -> str:
    """Return why a data set's pictures can't be shown, as a sentence; empty if they can."""
    return KINDS[entry.kind].closed if entry.kind in KINDS else entry.closed or ""


def _problems(entry: DatasetEntry) -> list[str]:
    """Return what of an entry doesn't go together."""
    allowed = [*KINDS, "folder", "demo", "thresholds", "misaligned"]
    if entry.kind not in allowed:
        close = suggest(entry.kind, allowed)
        return [f"unknown kind {entry.kind!r}{close}; allowed: {', '.join(allowed)}"]
    kind = KINDS.get(entry.kind)
    problems = _unfit(entry, kind.options if kind else frozenset())
    if kind and entry.split not in (None, *kind.splits):
        problems.append(
            f"unknown split {entry.split!r} of {entry.kind}"
            f"{suggest(str(entry.split), kind.splits)}; "
            f"allowed: {', '.join(kind.splits) or 'none'}"
        )
    if entry.kind == "folder":
        missing = [name for name in ("folder", "csv", "direction") if not getattr(entry, name)]
        problems += [f"a data set of kind 'folder' needs the option {name!r}" for name in missing]
        if entry.reference.lower() == entry.distorted.lower():
            problems.append("'reference' and 'distorted' name the same column")
    if entry.kind == "misaligned":
        missing = [name for name in MISALIGNED_OPTIONS if not getattr(entry, name)]
        problems += [
            f"a data set of kind 'misaligned' needs the option {name!r}" for name in missing
        ]
    if entry.kind == "thresholds":
        problems += _unfit_display(entry)
    return problems


def _unfit_display(entry: DatasetEntry) -> list[str]:
    """Return what is wrong with the options of a display."""
    problems = []
    try:
        known_names(entry.studies, tuple(STUDIES))
    except ValueError as error:
        problems.append(f"option 'studies': {error}")
    if entry.black >= entry.peak:
        problems.append(
            f"'black' ({entry.black:g} cd/m²) is not darker than 'peak' ({entry.peak:g} cd/m²)"
        )
    for name in ("multiples", "phases"):
        values = getattr(entry, name)
        if len(set(values)) < len(values):
            problems.append(f"{name!r} names one value twice")
    return problems


def _unfit(entry: DatasetEntry, options: frozenset[str]) -> list[str]:
    """Return what is wrong with the options that are set, given those that the kind has."""
    wrong = set(KIND_OPTIONS) - options
    if entry.kind != "folder":
        wrong |= set(FOLDER_OPTIONS)
    else:
        wrong |= {"archive", "mirrors"}
    if entry.kind != "thresholds":
        wrong |= set(THRESHOLD_OPTIONS)
    if entry.kind != "misaligned":
        wrong |= set(MISALIGNED_OPTIONS)
    else:
        wrong |= {"drop_identical"}
    if entry.kind in MADE_HERE:
        wrong |= {"folder", "archive", "mirrors", "ignore"}
    unused = sorted(wrong & entry.model_fields_set)
    problems = [f"option {name!r} means nothing for kind {entry.kind!r}" for name in unused]
    if entry.folder is not None and (entry.archive or entry.mirrors) and not unused:
        problems.append("'folder' excludes 'archive' and 'mirrors': give one of them")
    return problems
