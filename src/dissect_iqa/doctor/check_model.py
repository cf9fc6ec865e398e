"""Whether a configuration is what its line says, and fit to be studied.

Everything runs on the CPU with one small photograph, in well under a minute.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

from dissect_iqa.doctor.checks import Check
from dissect_iqa.errors import UserError
from dissect_iqa.features.forward.runner import Runner
from dissect_iqa.models.architecture import skeleton
from dissect_iqa.models.load import load_network
from dissect_iqa.models.network import Network
from dissect_iqa.zoo.row import ModelRow

#: Standard deviations of the noise, in grey levels of 0..255.
LADDER = (2, 4, 8, 16, 32)

#: Largest change of a distance, relative to it, that the size of a batch may make.
BATCH_TOLERANCE = 1e-3


def check_model(
    row: ModelRow, weights: Path | str, others: Mapping[str, Path] | None = None
) -> list[Check]:
    """Check one configuration with its weights.

    Parameters
    ----------
    row : ModelRow
        The configuration.
    weights : path
        What `fetch_weights` made of it.
    others : mapping of str to path, optional
        Weights of other configurations of the same architecture, by id; see `rivals`. Files
        that do not exist are left out.

    Returns
    -------
    list of Check
        In order; after a failure that makes the rest impossible the rest is missing.
    """
    try:
        module = skeleton(row)
    except UserError as error:
        mend = "correct the columns builder and architecture"
        return [Check("FAIL", "builds", str(error), mend)]
    count = sum(parameter.numel() for parameter in module.parameters())
    results = [Check("PASS", "builds", f"{type(module).__name__}, {count / 1e6:.2f} M values")]
    if not Path(weights).exists():
        mend = f"fetch them: snakemake --cores 1 resources/weights/{row.id}.safetensors"
        return [*results, Check("FAIL", "weights", f"{weights} does not exist", mend)]
    try:
        network = load_network(row, weights)
    except UserError as error:
        mend = "correct architecture, unwrap, strip, drop, layers or input of its line"
        return [*results, Check("FAIL", "loads strictly", str(error), mend)]
    depths = f"{network.layers[0].name} .. {network.layers[-1].name}"
    left_out = [f"not read: {item}" for item in network.left_out]
    results += [
        Check("PASS", "loads strictly", f"sha256 {network.weights_sha256[:12]}"),
        Check("PASS", "layers", "; ".join([f"{len(network.layers)}: {depths}", *left_out])),
        _differs(row, Path(weights), others or {}),
    ]
    return results + _behaviour(network)


def rivals(row: ModelRow, models: Iterable[ModelRow]) -> list[str]:
    """Return the ids of other rows that build the same network, and so could share weights."""
    return [
        other.id
        for other in models
        if other.id != row.id
        and (other.builder, other.name) == (row.builder, row.name)
        and other.weights != row.weights
    ]


def _differs(row: ModelRow, weights: Path, others: Mapping[str, Path]) -> Check:
    present = {name: path for name, path in others.items() if Path(path).exists()}
    same = [name for name, path in present.items() if _same_values(weights, Path(path))]
    if same:
        mend = (
            f"one of the two got the other's weights: delete both files and fetch again; if they "
            f"stay equal, correct the column weights of {row.id} or {same[0]}"
        )
        return Check("FAIL", "own weights", f"the same as those of {', '.join(same)}", mend)
    return Check("PASS", "own weights", f"differ from {len(present)} others that are here")


def _same_values(first: Path, second: Path) -> bool:
    """Tell whether two weights files hold the same numbers, whatever is noted beside them."""
    with safe_open(first, "pt") as a, safe_open(second, "pt") as b:
        shared = set(a.keys()) & set(b.keys())
        return bool(shared) and all(
            torch.equal(a.get_tensor(key), b.get_tensor(key)) for key in sorted(shared)
        )


def _behaviour(network: Network) -> list[Check]:
    """Check what the network does with a photograph and noisy copies of it."""
    clean, noisy = _pictures()
    try:
        with Runner(network, torch.device("cpu")) as runner:
            runner.start(clean[None])
            references, _ = runner.references(clean[None])

            def distances(pictures: np.ndarray) -> np.ndarray:
                index = np.zeros(len(pictures), np.int64)
                layers, _ = runner.distorted(pictures, references, index).wait()
                return np.stack([np.sqrt(layer[2].mean(axis=-1)) for layer in layers])

            return _judge(network, distances, clean, noisy)
    except UserError as error:
        mend = "correct the columns layers and input"
        return [Check("FAIL", "runs", str(error), mend)]


def _judge(
    network: Network,
    distances: Callable[[np.ndarray], np.ndarray],
    clean: np.ndarray,
    noisy: np.ndarray,
) -> list[Check]:
    names = [layer.name for layer in network.layers]
    together = distances(noisy)
    single = np.concatenate([distances(picture[None]) for picture in noisy], axis=1)
    identical = distances(clean[None])[:, 0]
    if not np.isfinite(together).all():
        bad = [
            name for name, row in zip(names, together, strict=True) if not np.isfinite(row).all()
        ]
        mend = "the weights or the column input do not fit this network"
        return [Check("FAIL", "finite", f"not finite from layer {bad[0]!r} on", mend)]
    extent = f"root mean squared differences {together.min():.3g} .. {together.max():.3g}"
    results = [Check("PASS", "finite", extent)]
    change = np.abs(together - single) / np.maximum(single, np.finfo(np.float32).tiny)
    results.append(
        _verdict(
            "batch-independent",
            names,
            change.max(axis=1) <= BATCH_TOLERANCE,
            f"largest relative change {change.max():.1e}",
            "the network mixes the pictures of a batch; it must be in eval mode and without "
            "statistics over the batch",
        )
    )
    results.append(
        _verdict(
            "identical pair is 0",
            names,
            identical == 0,
            f"largest distance {identical.max():.3g}",
            "the network is not deterministic (dropout, random sampling); build it without",
        )
    )
    levels = ", ".join(map(str, LADDER))
    results.append(
        _verdict(
            "grows with noise",
            names,
            np.all(np.diff(single, axis=1) > 0, axis=1),
            f"for noise of {levels} grey levels",
            "check scale, mean, std and channels of the column input, and the weights",
        )
    )
    return results


def _verdict(name: str, layers: list[str], holds: np.ndarray, detail: str, mend: str) -> Check:
    wrong = [layer for layer, good in zip(layers, holds, strict=True) if not good]
    if not wrong:
        return Check("PASS", name, f"{detail}, all {len(layers)} layers")
    shown = ", ".join(wrong[:5]) + (", ..." if len(wrong) > 5 else "")
    return Check(
        "FAIL", name, f"{detail}; not in {len(wrong)} of {len(layers)} layers: {shown}", mend
    )


def _pictures() -> tuple[np.ndarray, np.ndarray]:
    """Return a photograph (H, W, 3) and copies with more and more of the same noise."""
    from skimage.data import astronaut

    clean = np.ascontiguousarray(astronaut()[:224, 100:356])
    noise = np.random.default_rng(0).standard_normal(clean.shape)
    noisy = [np.clip(np.round(clean + sigma * noise), 0, 255) for sigma in LADDER]
    return clean, np.stack(noisy).astype(np.uint8)
