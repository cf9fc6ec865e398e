"""The tables that stages hand on: who makes each, of which data sets, and where they lie."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """What a stage makes for others to read.

    Attributes
    ----------
    stage : str
        Who makes it; its spec is the table's.
    path : str
        Where it lies in the results; with ``{dataset}`` there is one a data set.
    of : str
        The method of `Study` that names these data sets.
    joined : bool
        Its readers take those of all data sets as one table, whose rows say of which they are.
    """

    stage: str
    path: str
    of: str = ""
    joined: bool = False


#: By name, in the order of a run. Tables of one model or metric are not among them: see
#: `Study.read_distances` and `Study.correlations`.
TABLES = {
    "correlations": Table("collect", "correlations.parquet"),
    "contests": Table("hold_contests", "contests/{dataset}.parquet", "rated"),
    "judgements": Table("judge_pairs", "judgements/{dataset}/competitors.parquet", "rated"),
    "factors": Table("explain_factors", "factors.parquet"),
    "layers": Table(
        "find_thresholds", "thresholds/{dataset}/layers.parquet", "threshold_sets", joined=True
    ),
    "stimuli": Table(
        "find_thresholds", "thresholds/{dataset}/stimuli.parquet", "threshold_sets", joined=True
    ),
    "invariance": Table(
        "measure_invariance", "invariance/{dataset}/layers.parquet", "misaligned_sets", joined=True
    ),
    "universes": Table("walk_multiverse", "multiverse/{dataset}.parquet", "rated"),
}
