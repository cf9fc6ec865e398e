"""The study as the workflow sees it: what is selected, its stages' specs, and reading tables."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from dissect_iqa.datasets.tables import Dataset, read_dataset
from dissect_iqa.figures.plot import FIGURES
from dissect_iqa.figures.titles import titled
from dissect_iqa.files.provenance import read_table, table_provenance
from dissect_iqa.pages.write_pages import Shown
from dissect_iqa.study.missing import reasons
from dissect_iqa.study.stages import Specs
from dissect_iqa.study.tables import TABLES


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

    def figure_paths(self, figure: str) -> dict[str, list[str]]:
        """Return by name the paths, in the study's folder, of the tables that a figure takes."""
        return {name: list(self.specs(name)) for name in FIGURES[figure].takes if name in TABLES}

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
            Shown(f"Figure {number}. {FIGURES[name].title}", path, captions[name])
            for number, (name, path) in enumerate(
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
        self, figure: str, paths: Mapping[str, Sequence[Path | str]]
    ) -> dict[str, Any]:
        """Return by name what a figure takes, given the tables' paths by the same names.

        Networks go by their titles. Correlations are those of pictures in place; see the figure of
        invariance for the others.
        """
        takes: dict[str, Any] = {"models": self.models_frame(), "comparisons": self.comparisons}
        for name in self.figure_paths(figure):
            made = TABLES[name]
            found = self.read(made.stage, self.datasets_of(name), paths[name])
            if not made.of:
                takes[name] = self.in_place(found[""])
            elif made.joined:
                takes[name] = pd.concat([pd.DataFrame(), *found.values()], ignore_index=True)
            else:
                takes[name] = found
        return {name: titled(content, self.titles()) for name, content in takes.items()}

    def in_place(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table without rows of displaced pictures, which only invariance is about."""
        if "dataset" not in table:
            return table
        return table[~table["dataset"].isin(self.misaligned_sets())]

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

    def dataset_facts(self) -> dict[str, dict[str, Any]]:
        """Return what each prepared data set says of itself: label, citation, licence ..."""
        return {
            name: table_provenance(
                self.folder / f"resources/datasets/{name}/pairs.parquet",
                self.spec("fetch_dataset", name),
            )
            for name in self.datasets
        }

    def parent(self, dataset: str) -> Dataset | None:
        """Return the prepared data set whose pictures one shows displaced, if it does."""
        name = self.dataset(dataset).of
        if name is None:
            return None
        folder = self.folder / "resources/datasets" / name
        return read_dataset(folder, self.spec("fetch_dataset", name))

    def labels(self) -> dict[str, str | None]:
        """Return each data set's remark that must stand beside its results."""
        missing = f"Without {reasons(self.missing)}." if self.missing else ""
        return {
            name: " ".join(filter(None, (facts["label"], missing))) or None
            for name, facts in self.dataset_facts().items()
        }
