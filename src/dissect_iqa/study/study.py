"""The study as the workflow sees it: what is selected, its stages' specs, and reading tables."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from dissect_iqa.datasets.tables import Dataset, read_dataset
from dissect_iqa.explorer.explored import Explored
from dissect_iqa.figures.plot import FIGURES, title_of
from dissect_iqa.figures.titles import titled
from dissect_iqa.files.provenance import read_table, table_provenance
from dissect_iqa.pages.write_pages import Shown
from dissect_iqa.study.missing import reasons
from dissect_iqa.study.stages import Specs
from dissect_iqa.study.tables import EXPLORED, TABLES


class Study(Specs):
    """A validated configuration, the models and data sets it selects, and its stages' specs.

    Tables are read only if they were made as this study would make them.
    """

    def read(
        self, stage: str, datasets: Iterable[str], paths: Iterable[Path | str]
    ) -> dict[str, pd.DataFrame]:
        """Return, by data set, the tables that a stage made of some, if they are this study's."""
        return {
            name: read_table(path, self.spec(stage, name))
            for name, path in zip(datasets, paths, strict=True)
        }

    def figure_datasets(self, table: str, dataset: str) -> list[str]:
        """Return of which data sets a figure takes a table: its own, if the table is of such."""
        names = self.datasets_of(table)
        return [dataset] if dataset in names else names

    def figure_paths(self, figure: str, dataset: str) -> dict[str, list[str]]:
        """Return by name the paths, in the study's folder, of the tables that a figure takes.

        Parameters
        ----------
        figure, dataset : str
            One of `figures`.
        """
        return {
            name: [
                TABLES[name].path.format(dataset=of) for of in self.figure_datasets(name, dataset)
            ]
            for name in FIGURES[figure].takes
            if name in TABLES
        }

    def pages(self, given: Any, made: Any) -> dict[Path | str, tuple[str, list[Shown]]]:
        """Return the pages to write, for `write_pages`: by file the title, and what is shown.

        Parameters
        ----------
        given : object
            The files to show: `figures`, `tables` and `captions` (lists), `claims`, `methods`.
        made : object
            The pages: `figures`, `claims`, `tables`, `methods`.
        """
        captions = {Path(path).stem: path for path in given.captions}
        figures = [
            Shown(f"Figure {number}. {title_of(name, dataset)}", path, captions[name])
            for number, ((name, dataset), path) in enumerate(
                zip(self.figures(), given.figures, strict=True), 1
            )
        ]
        tables = [
            Shown(f"{csv.title}: {of}" if of else csv.title, path, captions[csv.caption])
            for (csv, of), path in zip(self.csvs(), given.tables, strict=True)
        ]
        return {
            made.figures: ("Figures", figures),
            made.claims: ("Findings", [Shown("", given.claims, captions["claims"])]),
            made.tables: ("Tables", tables),
            made.methods: ("Methods", [Shown("", given.methods, captions["methods"])]),
        }

    def figure_tables(
        self, figure: str, dataset: str, paths: Mapping[str, Sequence[Path | str]]
    ) -> dict[str, Any]:
        """Return by name what a figure takes, given the tables' paths by the same names.

        Networks go by their titles. Correlations are those of the figure's data set, or of the one
        whose pictures it shows displaced; else of all with opinions.
        """
        takes: dict[str, Any] = {"models": self.models_frame(), "comparisons": self.comparisons}
        rated = [self.dataset(dataset).of or dataset] if dataset else self.opinions()
        for name, given in paths.items():
            if name not in TABLES:
                continue  # other input of the rule
            found = self.read(TABLES[name].stage, self.figure_datasets(name, dataset), given)
            table = pd.concat([pd.DataFrame(), *found.values()], ignore_index=True)
            whole = name != "correlations"
            takes[name] = table if whole else table[table["dataset"].isin(rated)]
        return {name: titled(content, self.titles()) for name, content in takes.items()}

    def explored(self, paths: Mapping[str, Sequence[Path | str]]) -> Explored:
        """Return what the explorer shows, given its tables' paths by name, and those of `pairs`.

        Networks go by their titles.
        """
        found: dict[str, Any] = {}
        for name in EXPLORED:
            tables = self.read(TABLES[name].stage, self.datasets_of(name), paths[name])
            together = TABLES[name].joined or not TABLES[name].of
            if together:
                table = pd.concat([pd.DataFrame(), *tables.values()], ignore_index=True)
            found[name] = titled(table if together else tables, self.titles())
        correlations = found["correlations"]
        found["correlations"] = correlations[correlations["dataset"].isin(self.opinions())]
        return Explored(
            study=self.name,
            notice=self.notice(),
            remarks={name: label for name, label in self.labels(self.opinions()).items() if label},
            models=titled(self.models_frame(), self.titles()),
            tuned_on=self.tuned_on(),
            pairs=self.read("fetch_dataset", self.rated(), paths["pairs"]),
            closed={name: self.closed(name) for name in self.rated()},
            **found,
        )

    def in_place(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table without rows of displaced pictures, which only invariance is about."""
        return table[~table["dataset"].isin(self.misaligned_sets())]

    def figure_shows(self, figure: str, dataset: str) -> list[str]:
        """Return the data sets whose results a figure shows."""
        shown = [dataset] if dataset else self.opinions()
        for table in FIGURES[figure].takes:
            if table in TABLES and TABLES[table].of:
                shown += self.figure_datasets(table, dataset)
        return list(dict.fromkeys(shown))

    def figure_notice(self, figure: str, dataset: str) -> str | None:
        """Return the remarks on all data sets that a figure shows, each once."""
        said = [
            label for label in self.labels(self.figure_shows(figure, dataset)).values() if label
        ]
        # a data set that is made of another one says what that says, too
        kept = [one for one in said if not any(one in other and one != other for other in said)]
        return " ".join(dict.fromkeys(kept)) or None

    def read_distances(
        self, dataset: str, names: Iterable[str], paths: Iterable[Path | str]
    ) -> Iterator[tuple[str, pd.DataFrame]]:
        """Yield each model's and metric's name and its distances on a data set."""
        for name, path in zip(names, paths, strict=True):
            yield name, read_table(path, self.distances_spec(dataset, name))

    def networks_distances(
        self, paths: Iterable[Path | str]
    ) -> Iterator[tuple[str, str, pd.DataFrame]]:
        """Yield data set, model and its distances, of data sets whose pictures were rated."""
        names = product(self.rated(), self.models)
        for (dataset, model), path in zip(names, paths, strict=True):
            yield dataset, model, read_table(path, self.distances_spec(dataset, model))

    def dataset_facts(self, names: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
        """Return what prepared data sets, all by default, say of themselves: label, citation ..."""
        return {
            name: table_provenance(
                self.folder / f"resources/datasets/{name}/pairs.parquet",
                self.spec("fetch_dataset", name),
            )
            for name in (self.datasets if names is None else names)
        }

    def parent(self, dataset: str) -> Dataset | None:
        """Return the prepared data set whose pictures one shows displaced, if it does."""
        name = self.dataset(dataset).of
        if name is None:
            return None
        folder = self.folder / "resources/datasets" / name
        return read_dataset(folder, self.spec("fetch_dataset", name))

    def labels(self, names: Iterable[str] | None = None) -> dict[str, str | None]:
        """Return the remark that must stand beside a data set's results; of all by default."""
        missing = f"Without {reasons(self.missing)}." if self.missing else ""
        return {
            name: " ".join(filter(None, (facts["label"], missing))) or None
            for name, facts in self.dataset_facts(names).items()
        }
