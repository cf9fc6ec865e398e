"""The study as the workflow sees it: what is selected, and the spec of every stage.

Each stage's spec holds everything that can change its numbers: its own settings, its
``STAGE_VERSIONS`` number, and the fingerprints of the stages it reads from. A change anywhere
upstream therefore changes every fingerprint downstream, and nothing else does.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from dissect_iqa.baselines.names import BASELINES
from dissect_iqa.correlation.contests import MOST, contests, everyone
from dissect_iqa.datasets.changed import DAMAGE
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.registry import of_triplets, read_datasets
from dissect_iqa.errors import Problems, UserError, suggest
from dissect_iqa.files.provenance import canonical_json, fingerprint, table_provenance
from dissect_iqa.files.text_files import read_text
from dissect_iqa.files.validation import Origin
from dissect_iqa.study.config import Config, parse_config
from dissect_iqa.study.config_files import check_files
from dissect_iqa.study.own_files import OwnFiles
from dissect_iqa.study.rehearsal import FOLDER, REHEARSAL_VERSION, rehearsed, shortest_side
from dissect_iqa.zoo.comparisons import read_comparisons
from dissect_iqa.zoo.seeds import seed_of
from dissect_iqa.zoo.table import ModelRow, read_models, select

#: Raise a stage's number when its code changes what it computes; never for cosmetics.
STAGE_VERSIONS = {
    "fetch_dataset": 1,
    "fetch_weights": 1,
    "extract_features": 2,
    "measure_distances": 1,
    "score_baselines": 1,
    "fit_readouts": 1,
    "correlate": 2,
    "collect": 2,
    "compare": 2,
    "test_claims": 2,
    "plot": 2,
    "plot_duels": 2,
    "write_methods": 2,
}


class Study:
    """A validated configuration together with the models and data sets that it selects.

    Parameters
    ----------
    config : Config
        What `parse_config` returned.
    origin : Origin, optional
        Where its values come from; only to name the place of an error.

    Attributes
    ----------
    models : dict of str to ModelRow
        The selected rows of the model table, in the table's order.
    datasets : dict of str to DatasetEntry
        The selected data sets.

    Raises
    ------
    UserError
        If a table is malformed or a name is not in it.
    """

    def __init__(self, config: Config, origin: Origin | None = None):
        self.config = rehearsed(config) if config.rehearse else config
        self._origin = origin or Origin()
        self._table: dict[str, ModelRow] = {}
        self.models: dict[str, ModelRow] = {}
        self.datasets: dict[str, DatasetEntry] = {}
        problems = Problems()
        with problems.caught():
            self._table = read_models(config.models_table)
            self.models = self._select_models()
            self._check_models()
        with problems.caught():
            self.datasets = self._select_datasets()
        if self._table:
            with problems.caught():
                self.comparisons  # noqa: B018  read now, so that its faults are found now
        path, self._bibliography = config.models_table.with_name("references.bib"), ""
        if path.is_file():
            with problems.caught():
                self._bibliography = read_text(path, "bibliography")
        problems.raise_all()
        resources = self.folder / "resources"
        self.own = OwnFiles.look(self.datasets, self.weights_rows(), resources)
        self.spec = lru_cache(maxsize=None)(self._spec)

    @property
    def folder(self) -> Path:
        """The folder of all that the study makes: the current one, or a rehearsal's own."""
        return FOLDER if self.config.rehearse else Path()

    def plain(self) -> dict[str, Any]:
        """Return all that the study is and has read, as plain data for `from_plain`."""
        return {
            "config": self.config.model_dump(mode="json"),
            "rows": [row.model_dump(mode="json") for row in self.weights_rows()],
            "models": list(self.models),
            # an option that is set means something else than the same option by default
            "datasets": {
                name: entry.model_dump(mode="json", exclude_unset=True)
                for name, entry in self.datasets.items()
            },
            "comparisons": self.comparisons,
            "bibliography": self._bibliography,
            "own": self.own.plain(),
        }

    @classmethod
    def from_plain(cls, content: Mapping[str, Any]) -> "Study":
        """Return the study that `plain` was called on; no file is read."""
        study = cls.__new__(cls)
        study.config = Config.model_validate(content["config"])
        study._origin = Origin()
        study._table = {row["id"]: ModelRow.model_validate(row) for row in content["rows"]}
        study.models = {name: study._table[name] for name in content["models"]}
        study.datasets = {
            name: DatasetEntry.model_validate(entry) for name, entry in content["datasets"].items()
        }
        study.comparisons = content["comparisons"]
        study._bibliography = content["bibliography"]
        study.own = OwnFiles(**content["own"])
        study.spec = lru_cache(maxsize=None)(study._spec)
        return study

    @classmethod
    def from_values(
        cls,
        values: dict[str, Any],
        files: Sequence[Path | str] = (),
        command_line: Mapping[str, Any] | None = None,
    ) -> "Study":
        """Build a study from plain values.

        Parameters
        ----------
        values : dict
            What the YAML files and the command line gave.
        files : sequence of path
            The YAML files, first the one that wins; read again, because whoever read them before
            let the last of two equal keys win.
        command_line : mapping, optional
            What was given with ``--config``.

        Raises
        ------
        UserError
            Naming file, line, option, what was found and what is allowed.
        """
        check_files(files)
        origin = Origin(tuple(files), command_line or {})
        return cls(parse_config(values, origin), origin)

    def _select_models(self) -> dict[str, ModelRow]:
        try:
            return {row.id: row for row in select(self._table, self.config.models)}
        except UserError:
            problems = Problems()
        for number, pattern in enumerate(self.config.models):
            try:
                select(self._table, [pattern])
            except UserError as error:
                problems.add(f"{self._origin.place(('models', number))}: {error}")
        problems.raise_all()
        raise AssertionError("patterns that fail together fail alone")

    def _check_models(self) -> None:
        """Check that models and baselines go together."""
        problems = Problems()
        for name in sorted(set(self.models) & set(self.config.baselines)):
            problems.add(
                f"{self.config.models_table}: model id {name!r} is also the name of a baseline "
                "metric; rename the model"
            )
        for number, metric in enumerate(self.config.baselines):
            try:
                self.trunk(metric)
            except UserError as error:
                problems.add(f"{self._origin.place(('baselines', number))}: {error}")
        problems.raise_all()

    def _select_datasets(self) -> dict[str, DatasetEntry]:
        table = read_datasets(self.config.datasets_table)
        problems = Problems()
        for number, name in enumerate(self.config.datasets):
            if name not in table:
                problems.add(
                    f"{self._origin.place(('datasets', number))}: datasets: {name!r} is not in "
                    f"{self.config.datasets_table}{suggest(name, tuple(table))}; it has: "
                    f"{', '.join(table)}"
                )
        problems.raise_all()
        return {name: table[name] for name in self.config.datasets}

    def _spec(self, stage: str, dataset: str = "", name: str = "") -> str:
        """Return the canonical JSON spec of one stage for one data set and model or metric."""
        content = getattr(self, f"_{stage}")(dataset, name)
        if self.config.rehearse:
            content["rehearsal"] = REHEARSAL_VERSION
        return canonical_json({"stage": stage, "version": STAGE_VERSIONS[stage], **content})

    def fingerprint(self, stage: str, dataset: str = "", name: str = "") -> str:
        """Return the sha256 of `spec` for the same arguments."""
        return fingerprint(self.spec(stage, dataset, name))

    def scored(self) -> list[str]:
        """Return the ids of all selected models, then the names of all baselines."""
        return [*self.models, *self.config.baselines]

    def row(self, model: str) -> ModelRow:
        """Return a selected model, or the model table's row of a learned baseline's trunk.

        Raises
        ------
        UserError
            If there is none of that id.
        """
        row = self.models.get(model) or self._table.get(model)
        if row is None:
            known = tuple(self._table)
            raise UserError(
                f"no model {model!r} in {self.config.models_table}{suggest(model, known)}"
            )
        return row

    def dataset(self, name: str) -> DatasetEntry:
        """Return a selected data set.

        Raises
        ------
        UserError
            If the study has none of that name.
        """
        if name not in self.datasets:
            known = tuple(self.datasets)
            raise UserError(
                f"the study has no data set {name!r}{suggest(name, known)}; it has: "
                f"{', '.join(known)}"
            )
        return self.datasets[name]

    def trunk(self, metric: str) -> str | None:
        """Return the id of the model whose weights a learned baseline runs on, if it is one.

        Raises
        ------
        UserError
            If the model table has no row with those weights.
        """
        architecture = BASELINES[metric].trunk
        if not architecture:
            return None
        for row in self._table.values():
            if (row.builder, row.architecture, row.weights) == (
                "torchvision",
                architecture,
                "enum:IMAGENET1K_V1",
            ):
                return row.id
        raise UserError(
            f"{self.config.models_table}: baseline {metric!r} needs a row with builder "
            f"torchvision, architecture {architecture}, weights enum:IMAGENET1K_V1"
        )

    def weights_rows(self) -> list[ModelRow]:
        """Return the rows whose weights the study needs: its models, and baselines' trunks."""
        trunks = [self.trunk(metric) for metric in self.config.baselines]
        names = dict.fromkeys([*self.models, *(trunk for trunk in trunks if trunk)])
        return [self.row(name) for name in names]

    def damage(self, dataset: str) -> list[str]:
        """Return the list of damaged pictures of a data set, if there ever was one."""
        path = self.folder / "resources/datasets" / dataset / DAMAGE
        return [str(path)] if path.is_file() else []

    def models_frame(self) -> pd.DataFrame:
        """Return what is said of the selected models, one row each, in the table's order."""
        return pd.DataFrame(list(self._descriptions().values()))

    def dataset_facts(self) -> dict[str, dict[str, Any]]:
        """Return what each prepared data set says of itself: label, citation, licence ..."""
        return {
            name: table_provenance(
                self.folder / f"resources/datasets/{name}/pairs.parquet",
                self.spec("fetch_dataset", name),
            )
            for name in self.datasets
        }

    def labels(self) -> dict[str, str | None]:
        """Return each data set's remark that must stand beside its results."""
        return {name: facts["label"] for name, facts in self.dataset_facts().items()}

    @cached_property
    def comparisons(self) -> list[dict[str, Any]]:
        """Return the comparisons of which at least two members run, as plain data."""
        if not self.config.comparisons.is_file():
            return []
        found = [
            {**comparison.model_dump(mode="json"), "members": members}
            for comparison in read_comparisons(self.config.comparisons, self._table)
            if len(members := [name for name in comparison.members if name in self.models]) > 1
        ]
        return found

    def bibliography(self) -> str:
        """Return the BibTeX entries beside the model table, if there are any."""
        return self._bibliography

    def distances_spec(self, dataset: str, name: str) -> str:
        """Return the spec of a table of distances, whether a model or a baseline made it."""
        baseline = name in self.config.baselines
        return self.spec("score_baselines" if baseline else "measure_distances", dataset, name)

    def has_readouts(self, dataset: str, name: str) -> bool:
        """Tell whether readouts of a model are fitted: they need features, and ratings."""
        return (
            bool(self.config.readouts.names)
            and name in self.models
            and not of_triplets(self.dataset(dataset))
        )

    def readout_sources(self, dataset: str) -> list[str]:
        """Return the other data sets that readouts are fitted to and then measured here."""
        if not self.config.readouts.transfer:
            return []
        return [
            name
            for name, entry in self.datasets.items()
            if name != dataset and not of_triplets(entry)
        ]

    def rated(self) -> list[str]:
        """Return the data sets whose pictures people rated, instead of choosing between two."""
        return [name for name, entry in self.datasets.items() if not of_triplets(entry)]

    def contests(self) -> list[tuple[str, str]]:
        """Return which models and metrics are compared because a question is behind it."""
        groups = [group["members"] for group in self.comparisons]
        return contests(list(self.models), self.config.baselines, groups)

    def meetings(self) -> list[tuple[str, str]]:
        """Return all contests that are held, for the matrix of who beats whom."""
        return everyone(list(self.models), self.config.baselines, self.contests())

    def correlations(self) -> list[tuple[str, str, str]]:
        """Return (data set, model or metric, spec) of every table that is collected."""
        return [
            (dataset, name, self.spec("correlate", dataset, name))
            for dataset in self.datasets
            for name in self.scored()
        ]

    def _fetch_dataset(self, dataset: str, _: str) -> dict[str, Any]:
        self.dataset(dataset)  # which says it if there is none
        content = {"dataset": dataset, "entry": self.own.datasets[dataset]}
        if self.config.rehearse:
            content["shortest_side"] = shortest_side(self.config, self.models.values())
        return content

    def _fetch_weights(self, _: str, model: str) -> dict[str, Any]:
        spec = {**self.row(model).spec(), **self.own.models.get(model, {})}
        content = {"model": {key: spec[key] for key in spec if key not in ("layers", "input")}}
        if self.config.rehearse:
            content["seed"] = seed_of(self.row(model))
        return content

    def _extract_features(self, dataset: str, model: str) -> dict[str, Any]:
        extraction = self.config.extraction
        return {
            "dataset": self.fingerprint("fetch_dataset", dataset),
            "model": self.row(model).spec(),
            "weights": self.fingerprint("fetch_weights", name=model),
            "precision": extraction.precision,
            "keep_raw": sorted(extraction.keep_raw),
        }

    def _measure_distances(self, dataset: str, model: str) -> dict[str, Any]:
        return {
            "features": self.fingerprint("extract_features", dataset, model),
            "distances": sorted(self.config.distances),
        }

    def _score_baselines(self, dataset: str, metric: str) -> dict[str, Any]:
        trunk = self.trunk(metric)
        return {
            "dataset": self.fingerprint("fetch_dataset", dataset),
            "metric": metric,
            "trunk": self.fingerprint("fetch_weights", name=trunk) if trunk else None,
        }

    def _correlate(self, dataset: str, name: str) -> dict[str, Any]:
        content = {
            "dataset": dataset,
            "name": name,
            "distances": fingerprint(self.distances_spec(dataset, name)),
            "statistics": self.config.statistics.model_dump(mode="json"),
        }
        if self.has_readouts(dataset, name):
            content["readouts"] = self.fingerprint("fit_readouts", dataset, name)
        return content

    def _fit_readouts(self, dataset: str, model: str) -> dict[str, Any]:
        settings = self.config.readouts
        return {
            "features": self.fingerprint("extract_features", dataset, model),
            "sources": {
                name: self.fingerprint("extract_features", name, model)
                for name in self.readout_sources(dataset)
            },
            "names": sorted(settings.names),
            "concatenations": settings.concatenations,
            "folds": settings.folds,
        }

    def _compare(self, dataset: str, _: str) -> dict[str, Any]:
        return {
            "dataset": dataset,
            "collected": self.fingerprint("collect"),
            "meetings": self.meetings() if len(self.scored()) > MOST else "everyone",
            "statistics": self.config.statistics.model_dump(mode="json"),
        }

    def _collect(self, *_: str) -> dict[str, Any]:
        tables = {f"{dataset}/{name}": spec for dataset, name, spec in self.correlations()}
        return {"correlations": {name: fingerprint(spec) for name, spec in tables.items()}}

    def _test_claims(self, *_: str) -> dict[str, Any]:
        return {
            "collected": self.fingerprint("collect"),
            "comparisons": {name: self.fingerprint("compare", name) for name in self.rated()},
            "contests": self.contests(),
            "models": self._descriptions(),
        }

    def _descriptions(self) -> dict[str, Any]:
        """Return the columns that no number depends on, but claims and figures do."""
        return {id: row.description() for id, row in self.models.items()}

    def _plot(self, dataset: str, figure: str) -> dict[str, Any]:
        content = {"collected": self.fingerprint("collect"), "models": self._descriptions()}
        if figure == "comparisons":
            content["comparisons"] = self.comparisons
        return {**content, "figure": figure, "style": self.config.figures.model_dump(mode="json")}

    def _plot_duels(self, *_: str) -> dict[str, Any]:
        return {
            "comparisons": {name: self.fingerprint("compare", name) for name in self.rated()},
            "style": self.config.figures.model_dump(mode="json"),
        }

    def _write_methods(self, *_: str) -> dict[str, Any]:
        return {
            "collected": self.fingerprint("collect"),
            "models": self._descriptions(),
            "statistics": self.config.statistics.model_dump(mode="json"),
            "bibliography": fingerprint(self.bibliography()),
        }
