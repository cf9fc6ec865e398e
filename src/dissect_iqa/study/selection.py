"""What a configuration selects: models and data sets, and whose files they need."""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from dissect_iqa.baselines.names import BASELINES
from dissect_iqa.datasets.changed import DAMAGE
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.registry import read_datasets
from dissect_iqa.errors import Problems, UserError, suggest
from dissect_iqa.files.text_files import read_text
from dissect_iqa.files.validation import Origin
from dissect_iqa.study.config import Config, parse_config
from dissect_iqa.study.config_files import check_files, study_name
from dissect_iqa.study.missing import reasons, scores_without, what_is_missing
from dissect_iqa.study.outside_names import check_scores
from dissect_iqa.study.own_files import OwnFiles
from dissect_iqa.study.rehearsal import FOLDER, rehearsed
from dissect_iqa.zoo.comparisons import read_comparisons
from dissect_iqa.zoo.select import OUT
from dissect_iqa.zoo.table import ModelRow, read_models, select


class Selection:
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
    missing : dict of str to str
        Models, metrics and data sets that are asked for but couldn't be had, and why.

    Raises
    ------
    UserError
        If a table is malformed or a name is not in it.
    """

    def __init__(self, config: Config, origin: Origin | None = None):
        self.config = rehearsed(config) if config.rehearse else config
        self.origin = origin or Origin()
        self.missing: dict[str, str] = {}
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
            check_scores(config, self._table, self.origin)
        if self._table:
            with problems.caught():
                self.comparisons  # noqa: B018  read now, so that its faults are found now
        path, self._bibliography = config.models_table.with_name("references.bib"), ""
        if path.is_file():
            with problems.caught():
                self._bibliography = read_text(path, "bibliography")
        problems.raise_all()
        resources = self.folder / "resources"
        self.own = OwnFiles.look(self.datasets, self.weights_rows(), resources, self.config.scores)

    @property
    def folder(self) -> Path:
        """The folder of all that the study makes: the current one, or a rehearsal's own."""
        return FOLDER if self.config.rehearse else Path()

    @property
    def results(self) -> Path:
        """The folder of the studies' folders and of what they share."""
        return self.folder / "results"

    @property
    def name(self) -> str:
        """The study's name, which is that of its own folder among the results."""
        return self.config.study

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
            "missing": self.missing,
        }

    @classmethod
    def from_plain(cls, content: Mapping[str, Any]) -> Self:
        """Return the study that `plain` was called on; no file is read."""
        study = cls.__new__(cls)
        study.config = Config.model_validate(content["config"])
        study.origin = Origin()
        study.missing = content["missing"]
        study._table = {row["id"]: ModelRow.model_validate(row) for row in content["rows"]}
        study.models = {name: study._table[name] for name in content["models"]}
        study.datasets = {
            name: DatasetEntry.model_validate(entry) for name, entry in content["datasets"].items()
        }
        study.comparisons = content["comparisons"]
        study._bibliography = content["bibliography"]
        study.own = OwnFiles(**content["own"])
        return study

    @classmethod
    def from_values(
        cls,
        values: dict[str, Any],
        files: Sequence[Path | str] = (),
        command_line: Mapping[str, Any] | None = None,
    ) -> Self:
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
        origin = Origin(tuple(map(_as_typed, files)), command_line or {})
        named = {**values, "study": study_name(values, files, command_line)}
        study = cls(parse_config(named, origin), origin)
        study.leave_out(what_is_missing())
        return study

    def leave_out(self, missing: Mapping[str, str]) -> None:
        """Leave out models, metrics and data sets that couldn't be had.

        Parameters
        ----------
        missing : mapping of str to str
            Their names, and why.

        Raises
        ------
        UserError
            If no model or no data set is left.
        """
        # what shows the pictures of a missing data set displaced goes with it
        gone = dict(missing)
        for name, parent in self.misaligned_sets().items():
            if parent in missing:
                gone.setdefault(name, f"it shows the pictures of {parent}, which is missing")
        left = {
            "models": [name for name in self.models if name not in gone],
            "datasets": [name for name in self.datasets if name not in gone],
        }
        for what, names in left.items():
            if not names:
                raise UserError(f"none of the {what} could be had: {reasons(gone)}")
        self.missing = gone
        self.models = {name: self.models[name] for name in left["models"]}
        self.datasets = {name: self.datasets[name] for name in left["datasets"]}
        self.config = self.config.model_copy(
            update={
                "baselines": tuple(name for name in self.config.baselines if name not in gone),
                "scores": scores_without(self.config.scores, gone),
            }
        )
        vars(self).pop("comparisons", None)  # computed anew from who is left

    def _select_models(self) -> dict[str, ModelRow]:
        try:
            return {row.id: row for row in select(self._table, self.config.models)}
        except UserError as error:
            problems, together = Problems(), error
        patterns = self.config.models
        for number, pattern in enumerate(patterns):
            others = [other for other in patterns if not other.startswith(OUT)]
            try:
                select(self._table, [*others, pattern] if pattern.startswith(OUT) else [pattern])
            except UserError as error:
                problems.add(f"{self.origin.place(('models', number))}: {error}")
        problems.raise_all()
        raise UserError(f"{self.origin.place(('models',))}: {together}")

    def _check_models(self) -> None:
        """Check that models and baselines go together."""
        problems = Problems()
        for name in sorted(set(self.models) & set(self.config.baselines)):
            problems.add(
                f"{self.config.models_table}: model id {name!r} is also the name of a baseline "
                "metric; rename the model"
            )
        outside = {name for entry in self.config.scores for name in entry.metrics}
        for row in self.models.values():
            if row.title != row.id and row.title in {*self.config.baselines, *outside}:
                problems.add(
                    f"{self.config.models_table}: the title {row.title!r} of model {row.id!r} is "
                    "also the name of a metric; give the model another title"
                )
        for number, metric in enumerate(self.config.baselines):
            try:
                self.trunk(metric)
            except UserError as error:
                problems.add(f"{self.origin.place(('baselines', number))}: {error}")
        problems.raise_all()

    def _select_datasets(self) -> dict[str, DatasetEntry]:
        table = read_datasets(self.config.datasets_table)
        problems = Problems()
        for number, name in enumerate(self.config.datasets):
            if name not in table:
                problems.add(
                    f"{self.origin.place(('datasets', number))}: datasets: {name!r} is not in "
                    f"{self.config.datasets_table}{suggest(name, tuple(table))}; it has: "
                    f"{', '.join(table)}"
                )
            elif (parent := table[name].of) and parent not in self.config.datasets:
                problems.add(
                    f"{self.origin.place(('datasets', number))}: {name!r} is {parent!r} with its "
                    f"distorted pictures displaced; name {parent!r} under 'datasets', too"
                )
        problems.raise_all()
        return {name: table[name] for name in self.config.datasets}

    def misaligned_sets(self) -> dict[str, str]:
        """Return the data sets whose pictures are displaced, and whose pictures these are."""
        return {name: entry.of for name, entry in self.datasets.items() if entry.of}

    def parent_tables(self, dataset: str) -> list[str]:
        """Return the tables of the data set whose pictures one shows displaced, if it does."""
        parent = self.dataset(dataset).of
        folder = self.folder / "resources/datasets"
        return [str(folder / f"{parent}/{name}.parquet") for name in ("pairs", "images") if parent]

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


def _as_typed(file: Path | str) -> str:
    """Return the path of a file from here if it lies below: Snakemake makes some absolute."""
    inside = os.path.relpath(file)
    return str(file) if inside.startswith("..") else inside
