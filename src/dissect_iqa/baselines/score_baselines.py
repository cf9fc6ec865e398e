"""Score every pair of a data set by one baseline metric."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from tqdm import tqdm

from dissect_iqa.baselines.names import check_baseline
from dissect_iqa.datasets.decoding.decode import read_picture
from dissect_iqa.datasets.intact import require_intact
from dissect_iqa.distances.tables import Measured, distance_table
from dissect_iqa.errors import UserError

log = logging.getLogger(__name__)

#: A metric's name, the path and the spec of its trunk, the device, and the display as JSON.
Settings = tuple[str, str | None, str | None, str, str | None]


def score_baselines(
    metric: str,
    dataset: Any,
    *,
    trunk: Path | str | None = None,
    trunk_spec: str | None = None,
    device: str = "cpu",
    processes: int = 1,
) -> pd.DataFrame:
    """Score every pair of a data set by one metric.

    Parameters
    ----------
    metric : str
        A key of `dissect_iqa.baselines.names.BASELINES`.
    dataset : Dataset
        What `dissect_iqa.datasets.tables.read_dataset` returned.
    trunk : path, optional
        Weights file of the metric's trunk; needed by LPIPS and DISTS.
    trunk_spec : str, optional
        The spec that it must have been made from.
    device : str
        Where the networks of LPIPS and DISTS run; see `features.forward.device.claim_device`.
    processes : int
        Worker processes; each takes all pairs of one reference at a time. On a GPU there is one.

    Returns
    -------
    DataFrame
        See `dissect_iqa.distances.tables.distance_table`: layer "", depth NaN, the metric's name as
        `distance`, its raw value, at most its `cap`, and its `sign`.

    Raises
    ------
    UserError
        If the metric is unknown or has no trunk file, or a picture is missing, isn't the
        one that the data set was prepared with (all are listed before any is scored),
        differs from its reference in size, is too small for the metric, or has no finite value.
    """
    baseline = check_baseline(metric)
    if baseline.trunk and trunk is None:
        raise UserError(
            f"{metric}: needs a weights file of torchvision's {baseline.trunk}; "
            "fetch it with the rule fetch_weights"
        )
    require_intact(dataset)
    pairs = dataset.pairs
    values = np.full(len(pairs), np.nan)
    rows, tasks = [], []
    for file, indices in _by_reference(pairs):
        rows.append(indices)
        distorted = [dataset.path(name) for name in pairs["distorted_file"].iloc[indices]]
        tasks.append((dataset.path(file), distorted))
    bar = tqdm(total=len(pairs), desc=metric, unit="pair", disable=None)
    display = dataset.facts.get("display")
    shown = None if display is None else json.dumps(display, sort_keys=True)
    with _claimed(device if baseline.on_device else None, processes) as place, bar:
        settings = (metric, None if trunk is None else str(trunk), trunk_spec, place, shown)
        if processes == 1 or place != "cpu":
            for indices, task in zip(rows, tasks, strict=True):
                for index, value in zip(indices, _score(settings, *task), strict=True):
                    values[index] = value
                    bar.update()
        else:
            parallel = joblib.Parallel(n_jobs=processes, return_as="generator")
            results = parallel(joblib.delayed(_score_all)(settings, *task) for task in tasks)
            for indices, result in zip(rows, results, strict=True):
                values[indices] = result
                bar.update(len(indices))
    require_intact(dataset)  # still: they may have changed while they were read
    log.info("%s: %d pairs of %d references", metric, len(pairs), len(tasks))
    return distance_table(pairs, [Measured("", np.nan, metric, values, "metric")], baseline.sign)


@contextmanager
def _claimed(device: str | None, threads: int) -> Iterator[str]:
    """Hold the device of a metric that is a network; the others do without PyTorch's start-up."""
    if device is None:
        yield "cpu"
        return
    import torch

    from dissect_iqa.features.forward.device import claim_device

    torch.set_num_threads(threads)
    with claim_device(device) as place:
        yield str(place)


def _by_reference(pairs: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each reference file with the positions of its pairs."""
    codes, files = pd.factorize(pairs["reference_file"])
    for code, file in enumerate(files):
        yield str(file), np.flatnonzero(codes == code)


def _score_all(settings: Settings, reference: Path, files: list[Path]) -> list[float]:
    """Score one reference's pairs in a worker process, whose threads joblib limits."""
    return list(_score(settings, reference, files))


def _score(settings: Settings, reference: Path, files: list[Path]) -> Iterator[float]:
    """Yield the value of each distorted picture; the reference is decoded once."""
    metric = _metric(*settings)
    name = settings[0]
    expected = _decode(reference)
    smallest = check_baseline(name).smallest
    height, width = expected.shape[:2]
    if min(height, width) < smallest:
        raise UserError(
            f"{reference}: {width}x{height} pixels, but {name} needs at least {smallest} on the "
            f"short side; use larger pictures or take {name} out of the config's baselines"
        )
    for file in files:
        picture = _decode(file)
        if picture.shape != expected.shape:
            raise UserError(
                f"{file}: {picture.shape[1]}x{picture.shape[0]} pixels, but its reference "
                f"{reference} has {width}x{height}"
            )
        yield _finite(metric(expected, picture), name, reference, file)


def _finite(value: float, name: str, reference: Path, file: Path) -> float:
    value = min(value, check_baseline(name).cap)
    if not np.isfinite(value):
        raise UserError(
            f"{file}: {name} against {reference} is {value}; leave this pair out of the data set, "
            f"or {name} out of the config's baselines"
        )
    return value


@lru_cache(maxsize=1)
def _metric(
    name: str, trunk: str | None, spec: str | None, device: str, display: str | None
) -> Callable[[np.ndarray, np.ndarray], float]:
    """Return the metric's function, built once a process; torch is loaded only if it's needed."""
    if check_baseline(name).trunk:
        from dissect_iqa.baselines.learned import learned_metric

        return learned_metric(name, str(trunk), device, spec)
    if check_baseline(name).in_torch:
        from dissect_iqa.baselines.vdp import vdp_metric

        return vdp_metric(device, None if display is None else json.loads(display))
    from dissect_iqa.baselines.classic import CLASSIC

    return CLASSIC[name]


def _decode(path: Path) -> np.ndarray:
    """Return a picture, 0..255: uint8, or float64 where it has more than 8 bits per channel."""
    picture = read_picture(path)
    return picture if picture.dtype == np.uint8 else picture / 257
