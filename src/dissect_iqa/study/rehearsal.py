"""What a rehearsal changes of a study: where it writes, a few settings, and what its results say.

A rehearsal runs a whole study on a few small pictures with networks as they are before training,
so that what is wrong with its configuration shows within minutes instead of after the downloads.
Nothing that it computes is a result: everything lies in a folder of its own, every specification
carries the mark of a rehearsal, and every table, figure and text says so.
"""

from collections.abc import Iterable
from pathlib import Path

from dissect_iqa.baselines.names import BASELINES
from dissect_iqa.study.config import Config
from dissect_iqa.zoo.row import ModelRow
from dissect_iqa.zoo.steps import least_side

#: Everything that rehearsals make, of whatever configuration.
FOLDER = Path("rehearsal")

#: Raise it when a rehearsal's pictures, scores or weights change.
REHEARSAL_VERSION = 2

#: Stands above the methods text and in every report caption.
NOTICE = (
    "This was a rehearsal: untrained networks on a few small pictures. No number in it is a "
    "result, and what is said below to be pre-trained was not."
)

#: What the end of a rehearsal reminds of.
NOT_REHEARSED = (
    "Not rehearsed: downloads, what is done to checkpoints (sha256, unwrap, strip, drop), reading "
    "the public data sets, and the time and memory that real pictures take."
)

#: More bootstrap draws than this show nothing new about a configuration.
_DRAWS = 100

#: Smaller pictures are too small for many networks.
_SHORTEST = 128


def rehearsed(config: Config) -> Config:
    """Return a rehearsal's settings: few bootstrap draws, and no features for other studies."""
    draws = min(config.statistics.draws, _DRAWS)
    return config.model_copy(
        update={
            "statistics": config.statistics.model_copy(update={"draws": draws}),
            "extraction": config.extraction.model_copy(update={"store": None}),
        }
    )


def shortest_side(config: Config, rows: Iterable[ModelRow]) -> int:
    """Return how many pixels a made-up picture needs at least, for metrics and networks."""
    metrics = (BASELINES[name].smallest for name in config.baselines)
    return max([_SHORTEST, *metrics, *map(least_side, rows)])
