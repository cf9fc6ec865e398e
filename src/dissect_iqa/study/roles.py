"""Who plays which part in a study: what was rated, who competes, and what is said of it."""

from typing import Any

import pandas as pd

from dissect_iqa.baselines.names import BASELINES
from dissect_iqa.baselines.outside import OutsideMetric, ScoresEntry
from dissect_iqa.correlation.contests import contests, everyone
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.registry import artificial_reference, of_triplets, why_closed
from dissect_iqa.study.missing import reasons
from dissect_iqa.study.rehearsal import NOTICE, shortest_side
from dissect_iqa.study.selection import Selection
from dissect_iqa.zoo.variants import Variant, find_variants


class Roles(Selection):
    """A selection whose data sets, models and metrics have parts to play."""

    def threshold_sets(self) -> list[str]:
        """Return the names of the data sets that are made of people's thresholds."""
        return [name for name, entry in self.datasets.items() if entry.kind == "thresholds"]

    def opinions(self) -> list[str]:
        """Return the data sets of people's opinions, ratings or choices, each picture once."""
        return [name for name, entry in self.datasets.items() if _has_opinions(entry)]

    def together(self) -> list[str]:
        """Return "" for a figure of all data sets of opinions, if there are several."""
        return [""] if len(self.opinions()) > 1 else []

    def outside(self, dataset: str | None = None) -> dict[str, ScoresEntry]:
        """Return the metrics whose scores are from outside, and where these are.

        Parameters
        ----------
        dataset : str, optional
            Of which data set; all of the study by default, then with one of several tables.
        """
        wanted = self.datasets if dataset is None else [dataset]
        return {
            name: entry
            for entry in self.config.scores
            for name in entry.metrics
            if entry.dataset in wanted
        }

    def outside_facts(self) -> dict[str, OutsideMetric]:
        """Return what is said of each metric whose scores are from outside."""
        return {name: entry.metrics[name] for name, entry in self.outside().items()}

    def metrics(self, dataset: str | None = None) -> list[str]:
        """Return the names of the baselines, then of metrics from outside with scores there."""
        return [*self.config.baselines, *self.outside(dataset)]

    def scored(self, dataset: str | None = None) -> list[str]:
        """Return who is measured on a data set, or on any: models' ids, then metrics' names."""
        return [*self.models, *self.metrics(dataset)]

    def scored_twice(self, dataset: str) -> list[str]:
        """Return who is measured on a misaligned data set and on the one that it displaces."""
        aligned = self.scored(self.dataset(dataset).of)
        return [name for name in self.scored(dataset) if name in aligned]

    def tuned_on(self) -> dict[str, str]:
        """Return what judgements each metric was fitted to, of those that were to any."""
        found = {name: BASELINES[name].tuned_on for name in self.config.baselines}
        found |= {name: facts.tuned_on for name, facts in self.outside_facts().items()}
        return {name: words for name, words in found.items() if words}

    def descriptions(self) -> dict[str, Any]:
        """Return the columns that no number depends on, but claims and figures do."""
        return {id: row.description() for id, row in self.models.items()}

    def models_frame(self) -> pd.DataFrame:
        """Return what is said of the selected models, one row each, in the table's order."""
        return pd.DataFrame(list(self.descriptions().values()))

    def titles(self) -> dict[str, str]:
        """Return what figures call the selected models, by id."""
        return {id: row.title for id, row in self.models.items()}

    def has_readouts(self, dataset: str, name: str) -> bool:
        """Tell whether readouts of a model are fitted: they need features, and ratings."""
        return (
            bool(self.config.readouts.names)
            and name in self.models
            and _is_rated(self.dataset(dataset))
        )

    def read_out(self) -> list[str]:
        """Return the data sets on which readouts or layers taken together are measured."""
        readouts = self.config.readouts
        known = bool(readouts.names or readouts.concatenations) and bool(self.models)
        return self.rated() if known else []

    def readout_sources(self, dataset: str) -> list[str]:
        """Return the other data sets that readouts are fitted to and then measured here."""
        if not self.config.readouts.transfer:
            return []
        return [name for name in self.rated() if name != dataset]

    def rated(self) -> list[str]:
        """Return the data sets whose pictures people rated, each by itself."""
        return [name for name, entry in self.datasets.items() if _is_rated(entry)]

    def planned_contests(self) -> list[tuple[str, str]]:
        """Return which models and metrics are compared because a question is behind it."""
        groups = [group["members"] for group in self.comparisons]
        return contests(list(self.models), self.config.baselines, groups)

    def contests(self, dataset: str) -> list[tuple[str, str]]:
        """Return all contests that are held on a data set, for the matrix of who beats whom."""
        return everyone(
            list(self.models),
            self.config.baselines,
            list(self.outside(dataset)),
            self.planned_contests(),
        )

    def disagreeing(self, dataset: str) -> list[tuple[str, str]]:
        """Return whose disagreements are listed: the planned contests, and scores from outside."""
        outside = list(self.outside(dataset))
        return [
            *self.planned_contests(),
            *((name, metric) for metric in self.config.baselines for name in outside),
            *((name, model) for model in self.models for name in outside),
        ]

    def artificial_reference(self, dataset: str) -> str:
        """Return the reference of a data set that is no photograph; empty if there is none."""
        return artificial_reference(self.dataset(dataset))

    def closed(self, dataset: str) -> str:
        """Return why a data set's pictures can't be shown, as a sentence; empty if they can."""
        return "" if self.config.rehearse else why_closed(self.dataset(dataset))

    def variants(self) -> list[Variant]:
        """Return the models that are another reading of a model before them in the table."""
        return find_variants(self.models.values())

    def remarks(self) -> dict[str, str]:
        """Return columns that tables for people get besides: of which study, what is missing."""
        notes = ["rehearsal, no result"] if self.config.rehearse else []
        notes += [f"without {reasons(self.missing)}"] if self.missing else []
        return {"study": self.name, **({"of_study": "; ".join(notes)} if notes else {})}

    def notice(self) -> str:
        """Return what stands above texts: whose they are, what is missing, if it is a rehearsal."""
        sentences = [
            f"Study {self.name}.",
            NOTICE if self.config.rehearse else "",
            f"Without {reasons(self.missing)}." if self.missing else "",
        ]
        return " ".join(filter(None, sentences))

    def rehearsed_side(self) -> int | None:
        """Return how many pixels a rehearsal's pictures need at least; None if it is none."""
        rows = self.models.values()
        return shortest_side(self.config, rows) if self.config.rehearse else None


def _is_rated(entry: DatasetEntry) -> bool:
    """Tell whether people rated pictures, instead of choosing between two or just seeing them."""
    return _has_opinions(entry) and not of_triplets(entry)


def _has_opinions(entry: DatasetEntry) -> bool:
    """Tell whether people's opinions of a data set's pictures count with it.

    Those of a misaligned one were given where the pictures were, and are counted there.
    """
    return entry.kind not in ("thresholds", "misaligned")
