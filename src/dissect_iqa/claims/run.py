"""What is known of one data set in a run: what claims about networks are judged by."""

from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from dissect_iqa.correlation.summary import common_distance
from dissect_iqa.errors import UserError

#: What claims need to know of every model.
MODEL_COLUMNS = [
    *("id", "untrained", "function", "supervision", "name", "family", "environment"),
    *("scale", "top1"),
]


@dataclass(frozen=True)
class Run:
    """What is known of one data set in a run.

    Attributes
    ----------
    dataset : str
        Its name.
    models : DataFrame
        One row a trained model, indexed by id: `honest` (SRCC of the honestly chosen layer),
        `honest_low`, `honest_high`, `last`, `layers`, `rise` (rank correlation of SRCC with
        depth over its layers), and the model table's `function`,
        `supervision`, `family`, `environment`, `scale`, `top1` and `name` of the architecture.
    metrics : DataFrame
        One row a metric, indexed by name: `value`, `low`, `high`.
    contests : DataFrame
        Rows of `hold_contests` on this data set; may be empty.
    untrained : DataFrame
        The same as `models` of networks with random weights: controls, no models of the findings.
    by_distance : DataFrame
        `honest` of trained models, one row a model, one column a distance; those over several
        layers, too. All else is at the one distance that suits the data set best.
    """

    dataset: str
    models: pd.DataFrame
    metrics: pd.DataFrame
    contests: pd.DataFrame
    untrained: pd.DataFrame
    by_distance: pd.DataFrame = field(default_factory=pd.DataFrame)

    def outcome(self, first: str, second: str) -> str:
        """Tell whether `first` beats `second`: ``won``, ``lost`` or ``open``.

        By their contest if they met; else by intervals that don't overlap, which is stricter.
        """
        if self.met(first, second):
            winner = self._winners[frozenset((first, second))]
            return "open" if not winner else ("won" if winner == first else "lost")
        (low1, high1), (low2, high2) = self._interval(first), self._interval(second)
        if low1 > high2:
            return "won"
        return "lost" if high1 < low2 else "open"

    def met(self, first: str, second: str) -> bool:
        """Tell whether the two were compared with each other."""
        return frozenset((first, second)) in self._winners

    @cached_property
    def _winners(self) -> dict[frozenset[str], str]:
        """The winner of each contest, empty if it is open; asked for very often."""
        names = zip(self.contests["first"], self.contests["second"], strict=True)
        return dict(zip(map(frozenset, names), self.contests["winner"], strict=True))

    def _interval(self, name: str) -> tuple[float, float]:
        for networks in (self.models, self.untrained):
            if name in networks.index:
                return tuple(networks.loc[name, ["honest_low", "honest_high"]])
        return tuple(self.metrics.loc[name, ["low", "high"]])


def make_run(
    dataset: str,
    table: pd.DataFrame,
    models: pd.DataFrame,
    contests: pd.DataFrame,
    distance: str | None = None,
) -> tuple[Run, str]:
    """Arrange one data set's numbers for claims.

    Parameters
    ----------
    dataset : str
        Its name.
    table : DataFrame
        Its rows of what `dissect_iqa.correlation.summary.summarise` returned.
    models : DataFrame
        See `dissect_iqa.zoo.row.ModelRow.description`; at least `MODEL_COLUMNS`.
    contests : DataFrame
        What `hold_contests` returned, for any data sets.
    distance : str, optional
        The one at which networks are compared; by default the one that suits them best.

    Returns
    -------
    run : Run
        The numbers.
    distance : str
        The one at which networks are compared.

    Raises
    ------
    UserError
        If a model isn't described.
    """
    is_metric = table["kind"] == "metric"
    metrics = table[is_metric & table["best"].notna()].set_index("model")
    networks = table[~is_metric & table["best"].notna()].copy()
    # where only one layer was measured there was nothing to choose
    given = networks["honest"].notna()
    for end in ("", "_low", "_high"):
        networks[f"honest{end}"] = networks[f"honest{end}"].where(given, networks[f"best{end}"])
    described = models.set_index("id")
    for name in networks["model"].unique():
        if name not in described.index:
            raise UserError(f"claims: model {name!r} is not in the model table")
    distance = common_distance(networks) if distance is None else distance
    trained = described.index[~described["untrained"].astype(bool)]
    unfitted = networks[networks["kind"].isin(["network", "concatenation"])]
    by_distance = unfitted[unfitted["model"].isin(trained)].pivot(
        index="model", columns="distance", values="honest"
    )
    networks = networks[networks["distance"] == distance]
    networks = networks.set_index("model").join(described[MODEL_COLUMNS[1:]])
    networks["top1"] = pd.to_numeric(networks["top1"], errors="coerce")
    untrained = networks["untrained"]
    run = Run(
        dataset=dataset,
        models=networks[~untrained],
        metrics=metrics[["best", "best_low", "best_high"]].set_axis(
            ["value", "low", "high"], axis=1
        ),
        contests=contests[contests["dataset"] == dataset],
        untrained=networks[untrained],
        by_distance=by_distance,
    )
    return run, distance
