"""The room and memory that a study will still take, model by model."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from dissect_iqa.datasets.registry import MADE_HERE
from dissect_iqa.datasets.status import datasets_status
from dissect_iqa.errors import UserError
from dissect_iqa.study import costs
from dissect_iqa.study.size_networks import build_of
from dissect_iqa.study.study import Study
from dissect_iqa.zoo.row import ModelRow

GIGABYTE = 1e9


@dataclass
class Needs:
    """What a study will still take.

    Attributes
    ----------
    weights, features, data : int
        Bytes to be written.
    gflops : float
        Billions of operations that networks will take.
    extractions : int
        Feature files that are to be made.
    memory : int
        Bytes that the largest extraction asks for, as in workflow/rules/features.smk.
    unknown : list of str
        Data sets whose size nobody knows before they are here.
    faults : list of str
        Models that don't build, or lack a layer that the study names.
    """

    weights: int = 0
    features: int = 0
    data: int = 0
    gflops: float = 0.0
    extractions: int = 0
    memory: int = round(4 * GIGABYTE)
    unknown: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def study_needs(study: Study, resources: Path, rows: Iterable[ModelRow]) -> Needs:
    """Add up what isn't here yet; needs neither weights nor pictures.

    Parameters
    ----------
    study : Study
        What is to run.
    resources : path
        Where weights and data sets are.
    rows : iterable of ModelRow
        Whose weights are needed.
    """
    needs = Needs()
    pictures = _count_data(study, resources, needs)
    sizes = _Sizes(study.config.extraction.keep_raw)
    for row in tqdm(list(rows), desc="sizing models", leave=False, disable=None):
        path = resources / "weights" / f"{row.id}.safetensors"
        missing = [
            dataset
            for dataset in pictures
            if row.id in study.models
            and not Path(study.shared("features", dataset, row.id)).exists()
        ]
        if path.is_file():
            needs.memory = max(needs.memory, _job_memory(path.stat().st_size))
            if not missing:
                continue
        try:
            size, features, gflops = sizes.of(row, [pictures[dataset] for dataset in missing])
        except UserError as error:
            needs.faults.append(str(error))
            continue
        needs.features += features
        needs.gflops += gflops
        needs.extractions += len(missing)
        if not path.is_file():
            needs.memory = max(needs.memory, _job_memory(size))
            # What is fetched stays in resources/downloads
            needs.weights += size if row.weights_kind in ("seed", "file", "package") else 2 * size
    return needs


class _Sizes:
    """The sizes of models, each architecture looked at once however many weights it has.

    Parameters
    ----------
    keep_raw : tuple of str
        Patterns of layers whose raw features are kept.
    """

    def __init__(self, keep_raw: tuple[str, ...]):
        self._keep_raw = keep_raw
        self._known: dict[tuple[str, ...], tuple[int, dict[tuple[int, ...], Any]]] = {}

    def of(self, row: ModelRow, pictures: Sequence[costs.Pictures]) -> tuple[int, int, float]:
        """Return a model's costs on some data sets.

        Returns
        -------
        weights, features : int
            Bytes of its weights and of all feature files.
        gflops : float
            Billions of operations that these take.

        Raises
        ------
        UserError
            If its line doesn't build, or names layers that it has not.
        """
        key = build_of(row)
        weights, files = self._known.get(key, (0, {}))
        asked = {_asked(item): item for item in pictures}
        if not weights or asked.keys() - files.keys():
            network = costs.bare_network(row)
            weights = costs.weights_bytes(network)
            for mark, item in asked.items():
                if mark not in files:
                    files[mark] = costs.features_cost(network, item, self._keep_raw)
            self._known[key] = weights, files
        found = [files[_asked(item)] for item in pictures]
        return weights, sum(item[0] for item in found), sum(item[1] for item in found)


def _asked(pictures: costs.Pictures) -> tuple[int, ...]:
    """Return what of pictures decides the room that their features take."""
    height, width = pictures.sizes[["height", "width"]].value_counts().index[0]
    return int(height), int(width), len(pictures.sizes), pictures.pairs


def _job_memory(weights: int) -> int:
    return round(4 * GIGABYTE) + 4 * weights


def _count_data(study: Study, resources: Path, needs: Needs) -> dict[str, costs.Pictures]:
    """Return each data set's pictures where they are known; add up what is to be fetched."""
    found: dict[str, costs.Pictures] = {}
    for row in datasets_status(study.datasets, resources).itertuples(index=False):
        entry = study.datasets[row.dataset]
        if row.state == "ready":
            found[row.dataset] = costs.prepared(resources / "datasets" / row.dataset)
            continue
        pictures, download = costs.expected(entry, study.datasets), costs.download_bytes(entry)
        if pictures is not None:
            found[row.dataset] = pictures
        if pictures is None or download is None:
            needs.unknown.append(row.dataset)
        if entry.kind in MADE_HERE and pictures is not None:
            numbers = 3 * int((pictures.sizes["height"] * pictures.sizes["width"]).sum())
            needs.data += numbers * (2 if entry.kind == "thresholds" else 1)
        elif entry.folder is None and row.state in ("missing", "downloaded", "at hand"):
            # Unpacked pictures take about as much as their archive, which stays
            needs.data += (2 if row.state == "missing" else 1) * (download or 0)
    return found
