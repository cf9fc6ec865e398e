"""What a comparison with SSIM needs beside it: PSNR, and networks that have learned nothing."""

from collections.abc import Iterator

import pandas as pd

from dissect_iqa.baselines.names import BASELINES
from dissect_iqa.claims.run import Run
from dissect_iqa.zoo.twins import find_twins

_PSNR = ("psnr", "psnr_y")


def beside(run: Run, rival: str) -> str:
    """Say how PSNR and untrained networks do against the metric that models are held against.

    Parameters
    ----------
    run : Run
        One data set's numbers.
    rival : str
        Name of the metric.

    Returns
    -------
    str
        Sentences; empty if the run has neither PSNR nor an untrained network.
    """
    level, title = run.metrics.loc[rival, "value"], BASELINES[rival].title
    sentences, above = [], []
    for name in _PSNR:
        if name in run.metrics.index and name != rival:
            value = run.metrics.loc[name, "value"]
            sentences.append(f"{BASELINES[name].title} has {value:.3f}{_told(run, name, rival)}.")
            above += [BASELINES[name].title] if value > level else []
    if len(run.untrained):
        values = run.untrained["honest"].sort_values(ascending=False)
        named = ", ".join(f"{name} {value:.3f}" for name, value in values.items())
        higher = int((values > level).sum())
        sentences.append(
            f"Of {_networks(len(values))} without training {higher} "
            f"{'is' if higher == 1 else 'are'} above {title} ({named})."
        )
        above += ["untrained networks"] if higher else []
        beaten = int((run.models["honest"] < values.iloc[0]).sum())
        if beaten:
            sentences.append(
                f"{values.index[0]} is also above {beaten} of {len(run.models)} trained ones."
            )
        sentences += training_adds(run)
    if above:
        sentences.append(
            f"As {' and '.join(above)} are above {title} here, too, being above it is no evidence "
            "of what networks have learned."
        )
    return " ".join(sentences)


def training_adds(run: Run) -> Iterator[str]:
    """Say how each trained network does against its untrained twin."""
    gains = []
    networks = pd.concat([run.models, run.untrained])
    for group in find_twins(networks):
        for control in group.untrained:
            for name in group.trained:
                gain = networks.loc[name, "honest"] - networks.loc[control, "honest"]
                gains.append(f"{name} {gain:+.3f} from {control}{_told(run, name, control)}")
    if gains:
        yield f"What training adds: {'; '.join(gains)}."


def _told(run: Run, first: str, second: str) -> str:
    outcome = run.outcome(first, second)
    if run.met(first, second):
        return " (can't be told apart)" if outcome == "open" else " (significant)"
    return f" (no contest; intervals {'overlap' if outcome == 'open' else 'are apart'})"


def _networks(count: int) -> str:
    return "one network" if count == 1 else f"{count} networks"
