"""What every data set module is made of: where it comes from, how it is laid out, what it cites."""

import fnmatch
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import pandas as pd

from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.file_names import folded, is_text, looks, spelled
from dissect_iqa.errors import UserError

Direction = Literal["higher is better", "higher is worse"]

#: Endings that count as pictures when a folder is searched for pictures without a score.
PICTURE_SUFFIXES = frozenset(
    {".bmp", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".ppm", ".pgm", ".gif", ".webp", ".jp2"}
)
#: What unpackers and file managers leave behind.
_JUNK = frozenset({"__macosx", "thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class RemoteFile:
    """One file of a source.

    Attributes
    ----------
    urls : tuple of str
        Addresses of the same bytes, tried in turn.
    name : str
        File name in the downloads folder.
    sha256, size : str, int or None
        What the bytes must be; None where the publisher states nothing. The sum of an unpinned
        file is recorded in the provenance.
    unpack : bool
        False for a table that is used as it is.
    """

    urls: tuple[str, ...]
    name: str
    sha256: str | None = None
    size: int | None = None
    unpack: bool = True


@dataclass(frozen=True)
class Source:
    """One way to get a whole data set: all of `files` together."""

    label: str
    files: tuple[RemoteFile, ...]


@dataclass(frozen=True)
class Citation:
    """The paper to cite: a BibTeX key and the reference as text."""

    key: str
    text: str


@dataclass(frozen=True)
class Counts:
    """How many references and pairs a data set has once its own non-pairs are left out."""

    references: int
    pairs: int


@dataclass
class Reading:
    """What a data set module made of its score tables.

    Attributes
    ----------
    frame : DataFrame
        One row a pair: `reference_file` and `distorted_file` (relative to the index's root),
        `distortion`, `score`; optionally `level`, `score_se`, `raters`, `reference`, bool
        columns ``subset_<name>``, for triplets `triplet` and `preferred`, and `left_out`: the
        reason why a row is no pair of the data set (missing for pairs).
    facts : dict
        Plain data for the provenance, e.g. how `score_se` was derived.
    aside : set of str
        Pictures that belong to the data set but to no row, so that they are not reported as
        pictures without a score.
    counts : Counts or None
        What must come out, if an option makes it differ from `DatasetKind.counts`.
    """

    frame: pd.DataFrame
    facts: dict[str, Any] = field(default_factory=dict)
    aside: set[str] = field(default_factory=set)
    counts: Counts | None = None


@dataclass(frozen=True)
class DatasetKind:
    """Everything the pipeline knows about one public data set.

    Attributes
    ----------
    name, title : str
        As in the config, and as people write it.
    read : callable
        ``read(index, entry) -> Reading``.
    direction : str
        Direction of the raw score.
    citation, licence, page : Citation, str, str
        Whom to cite, the terms as far as they are published, the official page.
    closed : str
        Why its pictures can't be shown in what a study makes, as a sentence; empty if they can.
    download_size : str
        For people, e.g. "1.2 GB".
    sources : tuple of Source
        Tried in turn; empty if the data set can't be fetched without a form.
    how_to_get : str
        What to do by hand.
    options : frozenset of str
        Which of the entry's kind-specific options mean something here.
    splits : tuple of str
        Allowed values of the option `split`; the first is the default.
    triplets : bool
        Whether people chose the closer of two pictures instead of rating one.
    artificial : str
        The reference that is no photograph; empty if all are.
    counts : dict of str to Counts
        What must come out, by split ("" if there are no splits); a split whose counts nobody
        has published is absent.
    """

    name: str
    title: str
    read: Callable[["Index", DatasetEntry], Reading]
    direction: Direction
    citation: Citation
    licence: str
    page: str
    download_size: str
    closed: str = ""
    sources: tuple[Source, ...] = ()
    how_to_get: str = ""
    options: frozenset[str] = frozenset()
    splits: tuple[str, ...] = ()
    triplets: bool = False
    artificial: str = ""
    counts: dict[str, Counts] = field(default_factory=dict)

    def split(self, entry: DatasetEntry) -> str:
        """Return the chosen split, the first one by default, "" if there are none."""
        return entry.split or (self.splits[0] if self.splits else "")

    def expected(self, entry: DatasetEntry, reading: Reading) -> Counts | None:
        """Return the counts that must come out, or None."""
        return reading.counts or self.counts.get(self.split(entry))


class Index:
    """The files below a folder, found whatever the case and Unicode form of their names.

    A name written exactly as its file is always means that file. macOS writes accents as marks of
    their own (NFD), where tables have one character (NFC): both find the file.

    Parameters
    ----------
    root : Path
        The folder.
    files : iterable of str
        Paths relative to it, with forward slashes.

    Attributes
    ----------
    tables : set of str
        The files with scores that were asked for so far, see `table`.
    """

    def __init__(self, root: Path, files: Iterable[str]):
        self.root = root
        self._paths: dict[str, list[str]] = defaultdict(list)
        self._names: dict[str, list[str]] = defaultdict(list)
        self.tables: set[str] = set()
        for file in files:
            path = folded(file)
            self._paths[path].append(file)
            self._names[path.rpartition("/")[2]].append(file)

    @property
    def files(self) -> list[str]:
        """All relative paths in order."""
        return sorted(file for files in self._paths.values() for file in files)

    @property
    def pictures(self) -> set[str]:
        """The relative paths whose ending is that of a picture."""
        return {file for file in self.files if is_picture(file)}

    def matches(self, name: str) -> list[str]:
        """Return the files whose path ends in `name` (a file name or trailing path), any case."""
        wanted = folded(name.strip("/"))
        return [
            file
            for file in self._names.get(wanted.rpartition("/")[2], ())
            if f"/{folded(file)}".endswith(f"/{wanted}")
        ]

    def find(self, name: str) -> str | None:
        """Return the file at `name`, else the one whose path ends in `name`, else None.

        Raises
        ------
        UserError
            If there are several and not one of them is written exactly so.
        """
        name = name.strip("/")
        found = self._paths.get(folded(name)) or self.matches(name)
        if len(set(map(folded, found))) == 1:  # one path, written in several ways
            exact = [file for file in found if f"/{file}".endswith(f"/{name}")]
            found = exact or found
        if len(found) > 1:
            raise UserError(
                f"{self.root}: {len(found)} files are called {name!r} "
                f"({', '.join(map(spelled, sorted(found)))}); keep one, or name the others under "
                "'ignore' in the data set's config entry"
            )
        return found[0] if found else None

    def lookalike(self, name: str) -> str | None:
        """Return a file that `find` doesn't take for `name`, but people's eyes do, if there is one.

        Such as one with another kind of blank, dash, quotation mark or ligature in its name.
        """
        return self._shown.get(looks(name.rpartition("/")[2]))

    @cached_property
    def _shown(self) -> dict[str, str]:
        return {looks(file.rpartition("/")[2]): file for file in reversed(self.files)}

    def locate(self, name: str) -> str:
        """Return `find(name)`, or `name` itself if it isn't there.

        Used for pictures: all that are missing are reported together later.
        """
        return self.find(name) or name

    def table(self, file: str) -> Path:
        """Return the path of a file with scores, and remember that it was read."""
        self.tables.add(file)
        return self.root / file

    def require(self, *names: str) -> Path:
        """Return the path of the first of `names` that is there.

        Raises
        ------
        UserError
            If none is there; names the folder and what was looked for.
        """
        for name in names:
            found = self.find(name)
            if found:
                return self.table(found)
        wanted = " or ".join(repr(name) for name in names)
        raise UserError(
            f"{self.root}: no file {wanted} in it or below it. Is it the right folder or archive?"
        )


def is_picture(file: str) -> bool:
    """Tell whether a file's ending is that of a picture."""
    return PurePosixPath(file).suffix.lower() in PICTURE_SUFFIXES


def index_folder(root: Path, ignore: Iterable[str] = ()) -> Index:
    """Index all files below a folder, leaving out hidden ones and unpackers' debris.

    Links are followed, but not to a folder that leads to them.

    Parameters
    ----------
    root : Path
        The folder.
    ignore : iterable of str
        Wildcards matched against relative paths, e.g. ``"thumbnails/*"``.

    Raises
    ------
    UserError
        If the folder isn't there, or pictures have names that no table can hold.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such folder")
    patterns = [folded(pattern) for pattern in ignore]
    files = [
        file
        for file in _walk(root, "", frozenset())
        if not any(fnmatch.fnmatchcase(folded(file), pattern) for pattern in patterns)
    ]
    foreign = [file for file in files if not is_text(file)]
    unreadable = [spelled(file) for file in foreign if is_picture(file)]
    if unreadable:
        raise UserError(
            f"{root}: {len(unreadable)} picture(s) have names that aren't UTF-8; rename them, or "
            f"name them under 'ignore' in the data set's config entry: {', '.join(unreadable[:20])}"
        )
    return Index(root, (file for file in files if file not in set(foreign)))


def _walk(folder: Path, base: str, above: frozenset[tuple[int, int]]) -> Iterator[str]:
    """Yield the paths of all files below `folder`, `base` before each, by name."""
    status = folder.stat()
    above |= {(status.st_dev, status.st_ino)}
    try:
        with os.scandir(folder) as listed:
            entries = sorted((entry for entry in listed if _wanted(entry.name)), key=_name)
    except PermissionError:
        raise UserError(
            f"{folder}: this folder may not be read; change its permissions, or name it under "
            "'ignore' in the data set's config entry"
        ) from None
    for entry in entries:
        if not _is(entry.is_dir):
            # a picture that is a pipe or leads nowhere is named when it is read; tables aren't
            if _is(entry.is_file) or is_picture(entry.name):
                yield base + entry.name
            continue
        status = entry.stat()
        if (status.st_dev, status.st_ino) not in above:
            yield from _walk(Path(entry.path), f"{base}{entry.name}/", above)


def _name(entry: os.DirEntry) -> str:
    return entry.name


def _is(test: Callable[[], bool]) -> bool:
    try:
        return test()
    except OSError:  # a link to itself
        return False


def _wanted(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in _JUNK
