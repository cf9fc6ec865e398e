"""The study as the workflow sees it: what is selected, and the spec of every stage.

Each stage's spec holds everything that can change its numbers: its own settings, its version, and
the fingerprints of the stages it reads from. A change anywhere upstream therefore changes every
fingerprint downstream, and nothing else does.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from dissect_iqa.correlation.contests import MOST
from dissect_iqa.datasets.tables import Dataset, read_dataset
from dissect_iqa.errors import UserError
from dissect_iqa.files.provenance import (
    canonical_json,
    fingerprint,
    read_table,
    table_provenance,
)
from dissect_iqa.study.rehearsal import REHEARSAL_VERSION
from dissect_iqa.study.selection import Selection
from dissect_iqa.zoo.seeds import seed_of


class Study(Selection):
    """A validated configuration, the models and data sets it selects, and its stages' specs."""

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
            marks = {"stage": stage, "version": STAGES[stage].version}
            self._specs[key] = canonical_json({**marks, **content})
        return self._specs[key]

    def fingerprint(self, stage: str, dataset: str = "", name: str = "") -> str:
        """Return the sha256 of `spec` for the same arguments."""
        return fingerprint(self.spec(stage, dataset, name))

    def distances_spec(self, dataset: str, name: str) -> str:
        """Return the spec of a table of distances, whether a model or a baseline made it."""
        stage = "score_baselines" if name in self.config.baselines else "measure_distances"
        stage = "read_scores" if name in self.outside() else stage
        return self.spec(stage, dataset, name)

    def measured_specs(self, dataset: str, name: str) -> list[str]:
        """Return the specs of all tables that `correlate` reads: distances, then any readouts."""
        specs = [self.distances_spec(dataset, name)]
        if self.has_readouts(dataset, name):
            specs.append(self.spec("fit_readouts", dataset, name))
        return specs

    def read(
        self, stage: str, datasets: Iterable[str], paths: Iterable[Path | str]
    ) -> dict[str, pd.DataFrame]:
        """Return, by data set, the tables that a stage made of some, if they are this study's."""
        return {
            name: read_table(path, self.spec(stage, name))
            for name, path in zip(datasets, paths, strict=True)
        }

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

    def correlations(self) -> list[tuple[str, str, str]]:
        """Return (data set, model or metric, spec) of every table that is collected."""
        return [
            (dataset, name, self.spec("correlate", dataset, name))
            for dataset in self.datasets
            for name in self.scored(dataset)
        ]

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
        return {name: facts["label"] for name, facts in self.dataset_facts().items()}


def _fetch_dataset(study: Study, dataset: str, _: str) -> dict[str, Any]:
    study.dataset(dataset)  # which says it if there is none
    content: dict[str, Any] = {"dataset": dataset, "entry": study.own.datasets[dataset]}
    if parent := study.dataset(dataset).of:
        content["parent"] = study.fingerprint("fetch_dataset", parent)
    if study.config.rehearse:
        content["shortest_side"] = study.rehearsed_side()
    return content


def _fetch_weights(study: Study, _: str, model: str) -> dict[str, Any]:
    spec = {**study.row(model).spec(), **study.own.models.get(model, {})}
    content: dict[str, Any] = {
        "model": {key: spec[key] for key in spec if key not in ("layers", "input")}
    }
    if study.config.rehearse:
        content["seed"] = seed_of(study.row(model))
    return content


def _extract_features(study: Study, dataset: str, model: str) -> dict[str, Any]:
    extraction = study.config.extraction
    return {
        "dataset": study.fingerprint("fetch_dataset", dataset),
        "model": study.row(model).spec(),
        "weights": study.fingerprint("fetch_weights", name=model),
        "precision": extraction.precision,
        "keep_raw": sorted(extraction.keep_raw),
    }


def _measure_distances(study: Study, dataset: str, model: str) -> dict[str, Any]:
    content: dict[str, Any] = {
        "features": study.fingerprint("extract_features", dataset, model),
        "distances": sorted(study.config.distances),
    }
    if study.config.readouts.concatenations:
        content["concatenations"] = study.config.readouts.concatenations
    return content


def _score_baselines(study: Study, dataset: str, metric: str) -> dict[str, Any]:
    trunk = study.trunk(metric)
    return {
        "dataset": study.fingerprint("fetch_dataset", dataset),
        "metric": metric,
        "trunk": study.fingerprint("fetch_weights", name=trunk) if trunk else None,
    }


def _read_scores(study: Study, dataset: str, metric: str) -> dict[str, Any]:
    entry = study.outside(dataset).get(metric)
    if entry is None:
        raise UserError(f"the study has no scores of {metric!r} on {dataset}")
    return {
        "dataset": study.fingerprint("fetch_dataset", dataset),
        "metric": metric,
        "better": entry.metrics[metric].better,
        "scores_sha256": study.own.scores.get(dataset, {}).get(metric),
    }


def _fit_readouts(study: Study, dataset: str, model: str) -> dict[str, Any]:
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


def _correlate(study: Study, dataset: str, name: str) -> dict[str, Any]:
    content = {
        "dataset": dataset,
        "name": name,
        "distances": fingerprint(study.distances_spec(dataset, name)),
        "statistics": study.config.statistics.model_dump(mode="json"),
    }
    if study.has_readouts(dataset, name):
        content["readouts"] = study.fingerprint("fit_readouts", dataset, name)
    return content


def _collect(study: Study, *_: str) -> dict[str, Any]:
    tables = {f"{dataset}/{name}": spec for dataset, name, spec in study.correlations()}
    return {
        "correlations": {name: fingerprint(spec) for name, spec in tables.items()},
        "tuned_on": study.tuned_on(),
    }


def _find_thresholds(study: Study, dataset: str, _: str) -> dict[str, Any]:
    return {
        "dataset": study.fingerprint("fetch_dataset", dataset),
        "distances": {
            name: fingerprint(study.distances_spec(dataset, name)) for name in study.scored(dataset)
        },
        "statistics": study.config.statistics.model_dump(mode="json"),
    }


def _hold_contests(study: Study, dataset: str, _: str) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "collected": study.fingerprint("collect"),
        "contests": study.contests(dataset) if len(study.scored(dataset)) > MOST else "everyone",
        "statistics": study.config.statistics.model_dump(mode="json"),
    }


def _judge_pairs(study: Study, dataset: str, _: str) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "collected": study.fingerprint("collect"),
        "disagreeing": study.disagreeing(dataset),
        "statistics": study.config.statistics.model_dump(mode="json"),
    }


def _walk_multiverse(study: Study, dataset: str, _: str) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "names": {
            name: fingerprint(study.distances_spec(dataset, name)) for name in study.scored(dataset)
        },
        "distances": sorted(study.config.distances),
        "artificial": study.artificial_reference(dataset),
        "variants": [vars(variant) for variant in study.variants()],
        "planned_contests": study.planned_contests(),
        "models": study.descriptions(),
        "statistics": study.config.statistics.model_dump(mode="json"),
    }


def _count_verdicts(study: Study, *_: str) -> dict[str, Any]:
    return {
        "universes": {name: study.fingerprint("walk_multiverse", name) for name in study.rated()},
        "claims": study.fingerprint("test_claims"),
    }


def _plot_multiverse(study: Study, *_: str) -> dict[str, Any]:
    return {
        "universes": {name: study.fingerprint("walk_multiverse", name) for name in study.rated()},
        "style": study.config.figures.model_dump(mode="json"),
    }


def _measure_invariance(study: Study, dataset: str, _: str) -> dict[str, Any]:
    of = study.dataset(dataset).of or ""
    return {
        "dataset": dataset,
        "of": of,
        "distances": {
            name: [fingerprint(study.distances_spec(data, name)) for data in (of, dataset)]
            for name in study.scored_twice(dataset)
        },
        "statistics": study.config.statistics.model_dump(mode="json"),
    }


def _answers(study: Study) -> dict[str, Any]:
    """What is answered beside opinions."""
    return {
        stage: {name: study.fingerprint(stage, name) for name in names}
        for stage, names in (
            ("find_thresholds", study.threshold_sets()),
            ("measure_invariance", study.misaligned_sets()),
        )
    }


def _explain_factors(study: Study, *_: str) -> dict[str, Any]:
    return {
        "collected": study.fingerprint("collect"),
        "datasets": study.rated(),
        "models": study.descriptions(),
        "statistics": study.config.statistics.model_dump(mode="json"),
    }


def _plot_factors(study: Study, *_: str) -> dict[str, Any]:
    return {
        "factors": study.fingerprint("explain_factors"),
        "style": study.config.figures.model_dump(mode="json"),
    }


def _test_claims(study: Study, *_: str) -> dict[str, Any]:
    return {
        "answers": _answers(study),
        "collected": study.fingerprint("collect"),
        "contests": {name: study.fingerprint("hold_contests", name) for name in study.rated()},
        "planned_contests": study.planned_contests(),
        "models": study.descriptions(),
    }


def _plot(study: Study, dataset: str, figure: str) -> dict[str, Any]:
    content: dict[str, Any] = {"collected": study.fingerprint("collect")}
    content["models"] = study.descriptions()
    if figure == "comparisons":
        content["comparisons"] = study.comparisons
    return {**content, "figure": figure, "style": study.config.figures.model_dump(mode="json")}


def _plot_contests(study: Study, *_: str) -> dict[str, Any]:
    return {
        "contests": {name: study.fingerprint("hold_contests", name) for name in study.rated()},
        "style": study.config.figures.model_dump(mode="json"),
    }


def _plot_answers(study: Study, _: str, figure: str) -> dict[str, Any]:
    return {
        "collected": study.fingerprint("collect"),
        "answers": _answers(study),
        "models": study.descriptions(),
        "figure": figure,
        "style": study.config.figures.model_dump(mode="json"),
    }


def _write_methods(study: Study, *_: str) -> dict[str, Any]:
    return {
        "collected": study.fingerprint("collect"),
        "factors": study.fingerprint("explain_factors"),
        "models": study.descriptions(),
        "statistics": study.config.statistics.model_dump(mode="json"),
        "bibliography": fingerprint(study.bibliography()),
        "outside": {name: facts.model_dump() for name, facts in study.outside_facts().items()},
    }


@dataclass(frozen=True)
class Stage:
    """What makes a stage's results what they are.

    Attributes
    ----------
    version : int
        Raised when its code changes what it computes; never for cosmetics.
    holds : callable
        ``holds(study, data set, model or metric)``: all else that can change a number, plain data.
    code : tuple of str
        Wildcards of the package's files that decide its numbers. A test notes what they hold, so
        that nobody forgets to ask whether the version is to be raised.
    """

    version: int
    holds: Callable[[Study, str, str], dict[str, Any]]
    code: tuple[str, ...]


_CORRELATING = tuple(
    f"correlation/{name}.py"
    for name in (
        "correlate",
        "best_layer",
        "clusters",
        "forms",
        "jackknife",
        "logistic",
        "means",
        "triplets",
    )
)

#: Every stage by the name that its rule, its script, its module and its function have, too.
STAGES = {
    "fetch_dataset": Stage(
        1,
        _fetch_dataset,
        (
            "datasets/*.py",
            "datasets/public/*.py",
            "datasets/decoding/*.py",
            "datasets/thresholds/*.py",
            "datasets/*.csv",
            "datasets/thresholds/*.csv",
        ),
    ),
    "fetch_weights": Stage(
        1,
        _fetch_weights,
        (
            "models/architecture.py",
            "models/torchvision_builders.py",
            "models/architectures/*.py",
            "models/weights/*.py",
        ),
    ),
    "extract_features": Stage(
        3,
        _extract_features,
        (
            "features/*.py",
            "features/*/*.py",
            "models/*.py",
            "models/architectures/*.py",
            "datasets/decoding/*.py",
        ),
    ),
    "measure_distances": Stage(
        2,
        _measure_distances,
        ("distances/*.py", "features/file/read.py", "features/file/raw.py"),
    ),
    "score_baselines": Stage(
        2,
        _score_baselines,
        (
            "baselines/classic.py",
            "baselines/learned.py",
            "baselines/names.py",
            "baselines/score_baselines.py",
            "baselines/vdp.py",
            "datasets/decoding/*.py",
        ),
    ),
    "read_scores": Stage(
        1,
        _read_scores,
        ("baselines/outside.py", "baselines/outside_table.py", "baselines/read_scores.py"),
    ),
    "fit_readouts": Stage(
        2,
        _fit_readouts,
        ("readouts/*.py", "features/file/read.py"),
    ),
    "correlate": Stage(
        3,
        _correlate,
        _CORRELATING,
    ),
    "collect": Stage(
        4,
        _collect,
        (
            "correlation/collect.py",
            "correlation/summary.py",
            "correlation/ceiling.py",
            *_CORRELATING,
        ),
    ),
    "find_thresholds": Stage(
        1,
        _find_thresholds,
        ("thresholds/*.py", "datasets/thresholds/table.py", "datasets/thresholds/*.csv"),
    ),
    "measure_invariance": Stage(
        1,
        _measure_invariance,
        ("invariance/*.py", *_CORRELATING),
    ),
    "hold_contests": Stage(
        2,
        _hold_contests,
        (
            "correlation/hold_contests.py",
            "correlation/dependent.py",
            "correlation/summary.py",
            *_CORRELATING,
        ),
    ),
    "judge_pairs": Stage(
        2,
        _judge_pairs,
        (
            "correlation/judge_pairs.py",
            "correlation/pairs_of_pairs.py",
            "correlation/disagreements.py",
            "correlation/hold_contests.py",
            "correlation/summary.py",
            *_CORRELATING,
        ),
    ),
    "walk_multiverse": Stage(
        1,
        _walk_multiverse,
        (
            "multiverse/choices.py",
            "multiverse/measure_choices.py",
            "multiverse/walk_multiverse.py",
            "claims/claims.py",
            "claims/preprint.py",
            "claims/evidence.py",
            "claims/run.py",
            "correlation/hold_contests.py",
            "correlation/summary.py",
            *_CORRELATING,
        ),
    ),
    "explain_factors": Stage(
        2,
        _explain_factors,
        ("factors/*.py", *_CORRELATING),
    ),
    "count_verdicts": Stage(
        1,
        _count_verdicts,
        ("multiverse/choices.py", "multiverse/count_verdicts.py"),
    ),
    "test_claims": Stage(
        3,
        _test_claims,
        (
            "claims/answers.py",
            "claims/test_claims.py",
            "claims/claims.py",
            "claims/preprint.py",
            "claims/evidence.py",
            "claims/controls.py",
            "claims/run.py",
            "correlation/summary.py",
        ),
    ),
    "plot": Stage(
        2,
        _plot,
        ("figures/*.py",),
    ),
    "plot_contests": Stage(
        2,
        _plot_contests,
        ("figures/contests.py", "figures/style.py", "figures/labels.py", "figures/save.py"),
    ),
    "plot_factors": Stage(
        2,
        _plot_factors,
        ("figures/factors.py", "figures/style.py", "figures/labels.py", "figures/save.py"),
    ),
    "plot_multiverse": Stage(
        1,
        _plot_multiverse,
        (
            "figures/multiverse.py",
            "figures/style.py",
            "figures/labels.py",
            "figures/save.py",
            "multiverse/count_verdicts.py",
        ),
    ),
    "plot_answers": Stage(
        1,
        _plot_answers,
        (
            "figures/answers.py",
            "figures/invariance.py",
            "figures/thresholds.py",
            "figures/style.py",
            "figures/labels.py",
            "figures/save.py",
            "claims/answers.py",
        ),
    ),
    "write_methods": Stage(
        4,
        _write_methods,
        ("claims/write_methods.py", "claims/data_in_words.py", "correlation/words.py"),
    ),
}
