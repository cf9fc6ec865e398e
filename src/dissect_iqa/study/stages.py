"""The study's stages: the version of each, and what can change its numbers.

Each stage's spec holds everything that can change its numbers: its own settings, its version, and
the fingerprints of the stages it reads from. A change anywhere upstream therefore changes every
fingerprint downstream, and nothing else does.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dissect_iqa.correlation.contests import MOST
from dissect_iqa.errors import UserError
from dissect_iqa.figures.plot import FIGURES, figure_file
from dissect_iqa.files.provenance import canonical_json, fingerprint
from dissect_iqa.study.rehearsal import REHEARSAL_VERSION
from dissect_iqa.study.roles import Roles
from dissect_iqa.study.tables import (
    CSVS,
    EXPLORED,
    MARK,
    SHARED,
    SHARED_FILES,
    SHARED_STAGES,
    TABLES,
    Csv,
)
from dissect_iqa.zoo.seeds import seed_of

#: ``holds(study, data set, model or metric)``: what can change a stage's numbers, as plain data.
Holds = Callable[["Specs", str, str], dict[str, Any]]


@dataclass(frozen=True)
class Stage:
    """What makes a stage's results what they are.

    Attributes
    ----------
    version : int
        Raised when its code changes what it computes; never for cosmetics.
    holds : callable
        All else.
    """

    version: int
    holds: Holds


#: Every stage by the name that its rule, its script, its module and its function have, too.
STAGES: dict[str, Stage] = {}


class Specs(Roles):
    """A selection whose stages have specs: everything that can change their numbers."""

    @cached_property
    def _specs(self) -> dict[tuple[str, str, str], str]:
        return {}

    def spec(self, stage: str, dataset: str = "", name: str = "") -> str:
        """Return the canonical JSON spec of one stage for one data set and model or metric."""
        key = (stage, dataset, name)
        if key not in self._specs:
            content = STAGES[stage].holds(self, dataset, name)
            if self.config.rehearse:
                content["rehearsal"] = REHEARSAL_VERSION
            if stage not in SHARED_STAGES:
                content["study"] = self.name
                if self.missing:
                    content["missing"] = self.missing
            marks = {"stage": stage, "version": STAGES[stage].version}
            self._specs[key] = canonical_json({**marks, **content})
        return self._specs[key]

    def fingerprint(self, stage: str, dataset: str = "", name: str = "") -> str:
        """Return the sha256 of `spec` for the same arguments."""
        return fingerprint(self.spec(stage, dataset, name))

    def shared_stage(self, what: str, name: str) -> str:
        """Return which stage makes a model's or metric's file of `SHARED_FILES`."""
        if what == "distances" and name in self.config.baselines:
            return "score_baselines"
        if what == "distances" and name in self.outside():
            return "read_scores"
        return {
            "features": "extract_features",
            "distances": "measure_distances",
            "readouts": "fit_readouts",
            "correlations": "correlate",
        }[what]

    def shared(self, what: str, dataset: str, name: str) -> str:
        """Return the path of a model's or metric's file of `SHARED_FILES` on a data set."""
        mark = self.fingerprint(self.shared_stage(what, name), dataset, name)[:MARK]
        path = SHARED_FILES[what].format(dataset=dataset, name=name, mark=mark)
        return str(self.results / SHARED / path)

    def marked_spec(self, stage: str, dataset: str, name: str, mark: str) -> str:
        """Return the spec of a shared file, whose name carries the mark of what it is made from.

        Raises
        ------
        UserError
            If the mark is that of other settings, as when an old path is asked for.
        """
        spec = self.spec(stage, dataset, name)
        if not fingerprint(spec).startswith(mark):
            raise UserError(
                f"{name} on {dataset}, {mark}: this study doesn't make that file of {stage}, but "
                f"{fingerprint(spec)[:MARK]}; ask for that one, or go back to the settings of then"
            )
        return spec

    def distances_spec(self, dataset: str, name: str) -> str:
        """Return the spec of a table of distances, whether a model or a baseline made it."""
        return self.spec(self.shared_stage("distances", name), dataset, name)

    def distances_marks(self, dataset: str, names: Iterable[str]) -> dict[str, str]:
        """Return the fingerprints of some tables of distances by model or metric."""
        return {name: fingerprint(self.distances_spec(dataset, name)) for name in names}

    @property
    def plain_statistics(self) -> dict[str, Any]:
        """How correlations and intervals are computed, as plain data."""
        return self.config.statistics.model_dump(mode="json")

    def datasets_of(self, table: str) -> list[str]:
        """Return the data sets that have a table of `TABLES` each; "" if the study has one."""
        of = TABLES[table].of
        return list(getattr(self, of)()) if of else [""]

    def specs(self, table: str) -> dict[str, str]:
        """Return a table's specs by its path in the study's folder: one, or one a data set."""
        made = TABLES[table]
        return {
            made.path.format(dataset=name): self.spec(made.stage, name)
            for name in self.datasets_of(table)
        }

    def figures(self) -> list[tuple[str, str]]:
        """Return the figures that this study can fill, each with its data set or ""."""
        return [
            (name, dataset)
            for name, figure in FIGURES.items()
            if not figure.needs or any(self.specs(table) for table in figure.needs)
            for dataset in (getattr(self, figure.each)() if figure.each else [""])
        ]

    def csvs(self) -> list[tuple[Csv, str]]:
        """Return the tables that people read, each with its data set or "", in reading order."""
        return [
            (csv, dataset)
            for csv in CSVS
            for dataset in (getattr(self, csv.of)() if csv.of else [""])
        ]

    def taken(self, name: str, dataset: str = "") -> Any:
        """Return what makes a table, or what else a figure takes, what it is, as plain data.

        Of a table that there is of each data set, that of one of these, if it is named.
        """
        if name == "models":
            return self.descriptions()
        if name == "comparisons":
            return self.comparisons
        specs = self.specs(name)
        if TABLES[name].of and dataset in self.datasets_of(name):
            own = TABLES[name].path.format(dataset=dataset)
            specs = {own: specs[own]}
        return {path: fingerprint(spec) for path, spec in specs.items()}

    def correlations(self) -> list[tuple[str, str, str]]:
        """Return (data set, model or metric, spec) of every table that is collected."""
        return [
            (dataset, name, self.spec("correlate", dataset, name))
            for dataset in self.datasets
            for name in self.scored(dataset)
        ]

    def measured_specs(self, dataset: str, name: str) -> list[str]:
        """Return the specs of all tables that `correlate` reads: distances, then any readouts."""
        specs = [self.distances_spec(dataset, name)]
        if self.has_readouts(dataset, name):
            specs.append(self.spec("fit_readouts", dataset, name))
        return specs


def _stage(version: int) -> Callable[[Holds], Holds]:
    """Note a function, named after a stage, as what its spec holds."""

    def note(holds: Holds) -> Holds:
        STAGES[holds.__name__.removeprefix("_")] = Stage(version, holds)
        return holds

    return note


@_stage(1)
def _fetch_dataset(study: Specs, dataset: str, _: str) -> dict[str, Any]:
    study.dataset(dataset)  # which says it if there is none
    content: dict[str, Any] = {"dataset": dataset, "entry": study.own.datasets[dataset]}
    if parent := study.dataset(dataset).of:
        content["parent"] = study.fingerprint("fetch_dataset", parent)
    if study.config.rehearse:
        content["shortest_side"] = study.rehearsed_side()
    return content


@_stage(1)
def _fetch_weights(study: Specs, _: str, model: str) -> dict[str, Any]:
    spec = {**study.row(model).spec(), **study.own.models.get(model, {})}
    content: dict[str, Any] = {
        "model": {key: spec[key] for key in spec if key not in ("layers", "input")}
    }
    if study.config.rehearse:
        content["seed"] = seed_of(study.row(model))
    return content


@_stage(3)
def _extract_features(study: Specs, dataset: str, model: str) -> dict[str, Any]:
    extraction = study.config.extraction
    return {
        "dataset": study.fingerprint("fetch_dataset", dataset),
        "model": study.row(model).spec(),
        "weights": study.fingerprint("fetch_weights", name=model),
        "precision": extraction.precision,
        "keep_raw": sorted(extraction.keep_raw),
    }


@_stage(2)
def _measure_distances(study: Specs, dataset: str, model: str) -> dict[str, Any]:
    content: dict[str, Any] = {
        "features": study.fingerprint("extract_features", dataset, model),
        "distances": sorted(study.config.distances),
    }
    if study.config.readouts.concatenations:
        content["concatenations"] = study.config.readouts.concatenations
    return content


@_stage(2)
def _score_baselines(study: Specs, dataset: str, metric: str) -> dict[str, Any]:
    trunk = study.trunk(metric)
    return {
        "dataset": study.fingerprint("fetch_dataset", dataset),
        "metric": metric,
        "trunk": study.fingerprint("fetch_weights", name=trunk) if trunk else None,
    }


@_stage(1)
def _read_scores(study: Specs, dataset: str, metric: str) -> dict[str, Any]:
    entry = study.outside(dataset).get(metric)
    if entry is None:
        raise UserError(f"the study has no scores of {metric!r} on {dataset}")
    return {
        "dataset": study.fingerprint("fetch_dataset", dataset),
        "metric": metric,
        "better": entry.metrics[metric].better,
        "scores_sha256": study.own.scores.get(dataset, {}).get(metric),
    }


@_stage(2)
def _fit_readouts(study: Specs, dataset: str, model: str) -> dict[str, Any]:
    settings = study.config.readouts
    return {
        "features": study.fingerprint("extract_features", dataset, model),
        "sources": {
            name: study.fingerprint("extract_features", name, model)
            for name in study.readout_sources(dataset)
        },
        "names": sorted(settings.names),
        "concatenations": settings.concatenations,
        "folds": settings.folds,
    }


@_stage(3)
def _correlate(study: Specs, dataset: str, name: str) -> dict[str, Any]:
    content = {
        "dataset": dataset,
        "name": name,
        "distances": fingerprint(study.distances_spec(dataset, name)),
        "statistics": study.plain_statistics,
    }
    if study.has_readouts(dataset, name):
        content["readouts"] = study.fingerprint("fit_readouts", dataset, name)
    return content


@_stage(4)
def _collect(study: Specs, *_: str) -> dict[str, Any]:
    tables = {f"{dataset}/{name}": spec for dataset, name, spec in study.correlations()}
    return {
        "correlations": {name: fingerprint(spec) for name, spec in tables.items()},
        "tuned_on": study.tuned_on(),
    }


@_stage(1)
def _find_thresholds(study: Specs, dataset: str, _: str) -> dict[str, Any]:
    return {
        "dataset": study.fingerprint("fetch_dataset", dataset),
        "distances": study.distances_marks(dataset, study.scored(dataset)),
        "statistics": study.plain_statistics,
    }


@_stage(2)
def _hold_contests(study: Specs, dataset: str, _: str) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "collected": study.fingerprint("collect"),
        "contests": study.contests(dataset) if len(study.scored(dataset)) > MOST else "everyone",
        "statistics": study.plain_statistics,
    }


@_stage(2)
def _judge_pairs(study: Specs, dataset: str, _: str) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "collected": study.fingerprint("collect"),
        "disagreeing": study.disagreeing(dataset),
        "statistics": study.plain_statistics,
    }


@_stage(1)
def _pick_misjudged(study: Specs, dataset: str, _: str) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "predictions": study.fingerprint("judge_pairs", dataset),
        "closed": study.closed(dataset),
    }


@_stage(1)
def _walk_multiverse(study: Specs, dataset: str, _: str) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "names": study.distances_marks(dataset, study.scored(dataset)),
        "distances": sorted(study.config.distances),
        "artificial": study.artificial_reference(dataset),
        "variants": [vars(variant) for variant in study.variants()],
        "planned_contests": study.planned_contests(),
        "models": study.descriptions(),
        "statistics": study.plain_statistics,
    }


@_stage(1)
def _count_verdicts(study: Specs, *_: str) -> dict[str, Any]:
    return {
        "universes": study.taken("universes"),
        "claims": study.fingerprint("test_claims"),
    }


@_stage(1)
def _measure_invariance(study: Specs, dataset: str, _: str) -> dict[str, Any]:
    of = study.dataset(dataset).of or ""
    return {
        "dataset": dataset,
        "of": of,
        "distances": {
            data: study.distances_marks(data, study.scored_twice(dataset)) for data in (of, dataset)
        },
        "statistics": study.plain_statistics,
    }


@_stage(1)
def _size_networks(study: Specs, *_: str) -> dict[str, Any]:
    own = study.own.models
    return {"models": {id: {**row.spec(), **own.get(id, {})} for id, row in study.models.items()}}


@_stage(2)
def _explain_factors(study: Specs, *_: str) -> dict[str, Any]:
    return {
        "sizes": study.taken("sizes"),
        "collected": study.fingerprint("collect"),
        "datasets": study.rated(),
        "models": study.descriptions(),
        "statistics": study.plain_statistics,
    }


@_stage(3)
def _test_claims(study: Specs, *_: str) -> dict[str, Any]:
    return {
        "answers": {name: study.taken(name) for name in ("layers", "invariance")},
        "collected": study.fingerprint("collect"),
        "contests": study.taken("contests"),
        "planned_contests": study.planned_contests(),
        "models": study.descriptions(),
    }


@_stage(4)
def _plot(study: Specs, dataset: str, figure: str) -> dict[str, Any]:
    return {
        "figure": figure,
        "dataset": dataset,
        "takes": {name: study.taken(name, dataset) for name in FIGURES[figure].takes},
        "titles": study.titles(),  # also of figures that take no models
        "style": study.config.figures.model_dump(mode="json"),
    }


@_stage(1)
def _draw_contact_sheets(study: Specs, dataset: str, _: str) -> dict[str, Any]:
    return {
        "misjudged": study.fingerprint("pick_misjudged", dataset),
        "titles": study.titles(),
        "style": study.config.figures.model_dump(mode="json"),
    }


@_stage(5)
def _write_methods(study: Specs, *_: str) -> dict[str, Any]:
    return {
        "collected": study.fingerprint("collect"),
        "factors": study.fingerprint("explain_factors"),
        "models": study.descriptions(),
        "statistics": study.plain_statistics,
        "bibliography": fingerprint(study.bibliography()),
        "outside": {name: facts.model_dump() for name, facts in study.outside_facts().items()},
    }


@_stage(1)
def _write_pages(study: Specs, *_: str) -> dict[str, Any]:
    return {
        "figures": {
            figure_file(name, dataset): study.fingerprint("plot", dataset, name)
            for name, dataset in study.figures()
        },
        "tables": {
            csv.path.format(dataset=dataset): study.fingerprint(csv.stage, dataset)
            for csv, dataset in study.csvs()
        },
        "texts": [study.fingerprint(stage) for stage in ("test_claims", "write_methods")],
    }


@_stage(1)
def _write_explorer(study: Specs, *_: str) -> dict[str, Any]:
    figures = study.config.figures
    return {
        "takes": {name: study.taken(name) for name in EXPLORED},
        "models": study.descriptions(),
        "opens_with": {"statistic": figures.statistic, "distance": figures.distance},
        "explorer": study.config.explorer.model_dump(mode="json"),
    }
