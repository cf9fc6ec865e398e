"""The user's own files that decide numbers beside the configuration: known by their sums."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dissect_iqa.baselines.outside import ScoresEntry
from dissect_iqa.baselines.outside_table import read_outside
from dissect_iqa.datasets.changed import changed_files, note_damage
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.errors import UserError
from dissect_iqa.files.provenance import canonical_json, table_provenance
from dissect_iqa.files.sums import names_of, sums
from dissect_iqa.study.tables import MARK, SHARED
from dissect_iqa.zoo.builder_source import builder_source
from dissect_iqa.zoo.on_disk import place_of_weights
from dissect_iqa.zoo.row import ModelRow

_WEIGHTS, _CODE, _PACKAGE = "weights_file_sha256", "builder_sha256", "builder_package"


@dataclass
class OwnFiles:
    """What a study's own files were when they were looked at.

    Attributes
    ----------
    datasets : dict of str to dict
        What of each data set can change a number: its entry and the sums of the user's files.
    models : dict of str to dict
        The same beyond its row for each model that has any: the sum of its weights file, and
        what `builder_source` says of its builder.
    scores : dict of str to dict
        The sum of each metric's scores from outside, by data set and metric; None where nobody
        can tell, which `check_upfront` does.
    pictures : dict of str to list of str
        For each prepared data set the pictures that are no longer what it was prepared with.
    stale : dict of str to str
        For each model what has changed since its weights were made: "its weights file a.pth".
    """

    datasets: dict[str, dict[str, Any]] = field(default_factory=dict)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    scores: dict[str, dict[str, str | None]] = field(default_factory=dict)
    pictures: dict[str, list[str]] = field(default_factory=dict)
    stale: dict[str, str] = field(default_factory=dict)

    @classmethod
    def look(
        cls,
        datasets: Mapping[str, DatasetEntry],
        rows: Iterable[ModelRow],
        resources: Path | str = "resources",
        scores: Sequence[ScoresEntry] = (),
    ) -> "OwnFiles":
        """Look at the files as they are now; only what is new since the last look is hashed.

        Parameters
        ----------
        datasets : mapping of str to DatasetEntry
            The selected data sets.
        rows : iterable of ModelRow
            The models whose weights are needed.
        resources : path
            Where prepared data sets and weights are; results are beside it.
        scores : sequence of ScoresEntry
            Tables of scores from outside.
        """
        found = cls()
        for name, entry in datasets.items():
            found._look_at_data(name, entry, Path(resources) / "datasets" / name)
        found._look_at_models(list(rows), Path(resources) / "weights")
        for table in scores:
            found._look_at_scores(table, Path(resources).parent / "results" / SHARED / "distances")
        return found

    def plain(self) -> dict[str, Any]:
        """Return what later jobs have to know as plain data, for the constructor."""
        return {"datasets": self.datasets, "models": self.models, "scores": self.scores}

    def notices(self) -> list[str]:
        """Return a sentence for each thing that has changed since results were made from it."""
        pictures = [
            f"data set {name}: {len(files)} file(s) changed since it was prepared "
            f"({names_of(files)}); it is prepared anew"
            for name, files in self.pictures.items()
        ]
        models = [
            f"model {name}: {what} changed since its weights were made; it is stale"
            for name, what in self.stale.items()
        ]
        return pictures + models

    def note_damage(self, resources: Path | str = "resources") -> None:
        """Have Snakemake make copies anew that the project keeps and that have changed.

        Pictures of a user's own folder are what they are now, so their sum is part of the
        specification. Those that the project itself unpacked or made are damaged, and are to be
        again what they were.
        """
        for name, files in self.pictures.items():
            if "pictures_sha256" not in self.datasets[name]:
                note_damage(Path(resources) / "datasets" / name, files)

    def require_unchanged(self, row: ModelRow) -> None:
        """Check, in a job, that a model's code is still that for which the job was planned.

        Raises
        ------
        UserError
            Naming the builder.
        """
        planned = self.models.get(row.id, {})
        now = builder_source(row.builder)
        if any(planned.get(key) != now.get(key) for key in (_CODE, _PACKAGE)):
            raise UserError(
                f"{row.id}: the code of builder {row.builder!r} has changed since this run was "
                "planned; start Snakemake again"
            )

    def _look_at_data(self, name: str, entry: DatasetEntry, folder: Path) -> None:
        spec = entry.spec()
        recorded = _recorded_entry(folder)
        if "csv_sha256" in spec and spec["csv_sha256"] is None:
            # It may be gone by now, as it is where a study was unbundled.
            spec["csv_sha256"] = recorded.get("csv_sha256")
        changed, now = changed_files(folder)
        if changed:
            self.pictures[name] = changed
        if entry.folder is not None:
            # Not before the first change: nobody knows their sums before they are prepared
            if changed:
                spec["pictures_sha256"] = _sum_of(now)
            elif "pictures_sha256" in recorded:
                spec["pictures_sha256"] = recorded["pictures_sha256"]
        self.datasets[name] = spec

    def _look_at_scores(self, entry: ScoresEntry, distances: Path) -> None:
        known = self.scores.setdefault(entry.dataset, {})
        try:
            table = read_outside(entry)
        except UserError:  # told by `check_upfront`, unless it is gone by now, but was used
            here = entry.table.exists()
            for metric in entry.metrics:
                used = None if here else _newest(distances / entry.dataset, metric)
                known[metric] = _recorded(used).get("scores_sha256") if used else None
        else:
            known.update({metric: table.sum(metric) for metric in entry.metrics})

    def _look_at_models(self, rows: list[ModelRow], weights: Path) -> None:
        sources: dict[str, dict[str, Any]] = {}
        files = {row.id: path for row in rows if (path := _file_of(row))}
        memory = weights / ".sums.json"
        by_path = sums({str(path): path for path in files.values()}, memory) if files else {}
        for row in rows:
            if row.builder not in sources:
                sources[row.builder] = builder_source(row.builder)
            content = dict(sources[row.builder])
            if row.id in files:
                content[_WEIGHTS] = by_path[str(files[row.id])]
            if not content:
                continue
            recorded = _recorded_model(weights / f"{row.id}.safetensors")
            if _WEIGHTS in content and content[_WEIGHTS] is None:
                content[_WEIGHTS] = recorded.get(_WEIGHTS)  # gone by now, but used
            self.models[row.id] = content
            what = [
                words
                for key, words in (
                    (_WEIGHTS, f"its weights file {files.get(row.id)}"),
                    (_CODE, f"the code of its builder {row.builder}"),
                    (_PACKAGE, f"the package of its builder {row.builder}"),
                )
                if key in recorded and content.get(key) != recorded[key]
            ]
            if what:
                self.stale[row.id] = " and ".join(what)


def _file_of(row: ModelRow) -> Path | None:
    try:
        return place_of_weights(row)
    except UserError:  # told by `check_upfront`
        return None


def _newest(folder: Path, name: str) -> Path | None:
    """Return the table of a model's or metric's distances that was made last, if there is one."""
    found = folder.glob(f"{name}.{'?' * MARK}.parquet")
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def _sum_of(pictures: Mapping[str, str | None]) -> str:
    return hashlib.sha256(canonical_json(sorted(pictures.items())).encode()).hexdigest()


def _recorded_entry(folder: Path) -> dict[str, Any]:
    """Return the entry that a prepared data set was made from, empty if there is none."""
    return _recorded(folder / "pairs.parquet").get("entry", {})


def _recorded(path: Path) -> dict[str, Any]:
    """Return the spec that a table was made from, empty if there is none."""
    if not path.is_file():
        return {}
    try:
        return json.loads(table_provenance(path)["spec"])
    except (UserError, KeyError, ValueError):
        return {}  # whoever reads the table tells


def _recorded_model(path: Path) -> dict[str, Any]:
    """Return the model that a weights file was made for; read without PyTorch, which is slow."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(size, path.stat().st_size)))
        return json.loads(json.loads(header["__metadata__"]["dissect_iqa"])["spec"])["model"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
