"""What stages hand on: who makes it, of which data sets, and where it lies.

What a study concludes lies in a folder of its own. What depends on one network or metric and one
data set is shared by all studies of a clone: such a file carries in its name the beginning of the
fingerprint of what it was made from, so that studies that differ in an option keep one each, and
find those on which they agree.
"""

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


#: By name, in the order of a run, and where each lies in a study's own folder.
TABLES = {
    "sizes": Table("size_networks", "sizes.parquet"),
    "correlations": Table("collect", "correlations.parquet"),
    "contests": Table("hold_contests", "contests/{dataset}.parquet", "rated"),
    "judgements": Table("judge_pairs", "judgements/{dataset}/competitors.parquet", "rated"),
    "predictions": Table("judge_pairs", "judgements/{dataset}/predictions.parquet", "rated"),
    "misjudged": Table("pick_misjudged", "judgements/{dataset}/misjudged.parquet", "rated"),
    "thumbnails": Table("pick_misjudged", "judgements/{dataset}/thumbnails.parquet", "rated"),
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


#: What the explorer shows.
EXPLORED = (
    *("correlations", "sizes", "contests", "predictions", "misjudged", "thumbnails"),
    *("layers", "invariance"),
)


@dataclass(frozen=True)
class Csv:
    """A table that people read.

    Attributes
    ----------
    stage : str
        Who makes it.
    path : str
        Where it lies in a study's own folder; with ``{dataset}`` there is one a data set.
    title, caption : str
        What stands above it on the page of tables; the caption's file in ``workflow/report/``.
    of : str
        The method of `Study` that names these data sets.
    """

    stage: str
    path: str
    title: str
    caption: str
    of: str = ""


#: In reading order.
CSVS = (
    Csv("collect", "summary.csv", "Best layers", "summary"),
    Csv("explain_factors", "factors.csv", "Shares of factors", "factors_table"),
    Csv("count_verdicts", "multiverse.csv", "How much hangs on choices", "multiverse_table"),
    Csv(
        "find_thresholds",
        "thresholds/{dataset}/summary.csv",
        "Contrast thresholds",
        "thresholds",
        "threshold_sets",
    ),
    Csv(
        "measure_invariance",
        "invariance/{dataset}/summary.csv",
        "What misalignment leaves",
        "invariance_table",
        "misaligned_sets",
    ),
    Csv(
        "judge_pairs",
        "judgements/{dataset}/summary.csv",
        "Pairs of pictures",
        "judgements",
        "rated",
    ),
    Csv(
        "judge_pairs",
        "judgements/{dataset}/disagreements.csv",
        "Where competitors disagree",
        "disagreements",
        "rated",
    ),
    Csv(
        "pick_misjudged",
        "judgements/{dataset}/misjudged.csv",
        "Pairs that are misjudged most",
        "misjudged",
        "rated",
    ),
    Csv("collect", "published.csv", "Published figures beside these", "published"),
)

#: The folder, among the results, of what studies share. No study can have its name.
SHARED = "shared"
#: So many digits of its fingerprint are part of a shared file's name.
MARK = 10
#: Shared files by what they hold: where each lies in the shared folder. `Specs.shared_stage` says
#: who makes it.
SHARED_FILES = {
    "features": "features/{dataset}/{name}.{mark}.h5",
    "distances": "distances/{dataset}/{name}.{mark}.parquet",
    "readouts": "readouts/{dataset}/{name}.{mark}.parquet",
    "correlations": "correlations/{dataset}/{name}.{mark}.parquet",
}
#: Who makes what is shared: what these make doesn't depend on who else is studied.
SHARED_STAGES = (
    "fetch_dataset",
    "fetch_weights",
    "extract_features",
    "measure_distances",
    "score_baselines",
    "read_scores",
    "fit_readouts",
    "correlate",
)
