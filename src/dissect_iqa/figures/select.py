"""From the collected correlations to what a figure shows: pure tables, no plotting."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from dissect_iqa.correlation.summary import best_layers, common_distance, highest_median
from dissect_iqa.errors import UserError, suggest
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.zoo.twins import Twins, find_twins

#: What stands for a correlation where people chose between two pictures instead of rating them.
AGREEMENT = "agreement"
CORRELATION_COLUMNS = (
    *("dataset", "model", "kind", "layer", "depth", "distance", "subset", "distortion"),
    *("statistic", "value", "low", "high", "n"),
)
MODEL_COLUMNS = ("id", "architecture", "group", "family", "environment", "untrained")
_NUMBERS = ("depth", "value", "low", "high", "n")

Label = str | None | Mapping[str, str | None]


@dataclass(frozen=True)
class View:
    """What one data set's figures are drawn from.

    Attributes
    ----------
    dataset : str
        Name of the data set.
    label : str or None
        A notice that must accompany every number, such as where transferred scores come from.
    statistic : str
        What `value` is: the chosen correlation, or ``agreement`` for triplets.
    models : DataFrame
        Indexed by id, in the model table's order; only models that have rows.
    layers : DataFrame
        Rows of the networks over the whole data set, one a model, layer and distance; finite.
    baselines : DataFrame
        Rows of the classic metrics, highest first; finite.
    nested : DataFrame
        One row a model and distance: the correlation with the layer chosen on other references.
    by_type : DataFrame
        Rows per type of `distortion`, of networks and baselines.
    ceiling : float or None
        The highest correlation that the scores' own noise allows.
    distance : str
        The distance of the figures that show only one.
    rule : str
        How that distance was chosen, as a sentence.
    missing : tuple of str
        Models and baselines without a single finite correlation.
    pairs, references : int
        Number of pairs, and of references, behind the correlations; 0 if it isn't recorded.
    """

    dataset: str
    label: str | None
    statistic: str
    models: pd.DataFrame
    layers: pd.DataFrame
    baselines: pd.DataFrame
    nested: pd.DataFrame
    by_type: pd.DataFrame
    ceiling: float | None
    distance: str
    rule: str
    missing: tuple[str, ...]
    pairs: int
    references: int

    @cached_property
    def distances(self) -> list[str]:
        """Names of the distances, in the order of the table."""
        return list(dict.fromkeys(self.layers["distance"]))

    def at(self, distance: str) -> pd.DataFrame:
        """Return the networks' rows of one distance, ordered by model and depth."""
        rows = self.layers[self.layers["distance"] == distance]
        order = rows["model"].map({name: i for i, name in enumerate(self.models.index)})
        return rows.assign(_order=order).sort_values(["_order", "depth"], kind="stable")

    def best(self, distance: str) -> pd.DataFrame:
        """Return the best layer of every model under one distance, the highest first.

        Of layers that tie, the shallowest is taken.
        """
        rows = self.at(distance)
        chosen = rows.loc[rows.groupby("model")["value"].idxmax()]
        return chosen.sort_values(["value", "model"], ascending=[False, True], kind="stable")

    def judged(self) -> pd.DataFrame:
        """Return a row a network with its facts: its honest value, and where its best layer lies.

        Besides the columns of `models`: `model, layer, depth` of the best layer under the view's
        distance, and `value, low, high` with the layer chosen on other references than those it is
        judged on; where that isn't known, those of the best layer.
        """
        best = self.best(self.distance).set_index("model", drop=False)
        honest = self.nested[self.nested["distance"] == self.distance].set_index("model")
        columns = ["value", "low", "high"]
        known = honest.index.intersection(best.index)
        values = best[columns].astype(float)
        values.loc[known] = honest.loc[known, columns].astype(float)
        facts = self.models.loc[best.index]
        return pd.concat([best[["model", "layer", "depth"]], values, facts], axis=1)

    @property
    def is_honest(self) -> bool:
        """Whether `judged` knows a network's value at a layer chosen on other references."""
        return bool((self.nested["distance"] == self.distance).any())

    def untrained(self, model: str) -> bool:
        """Tell whether a model's weights come from a random seed."""
        return bool(self.models.loc[model, "untrained"])


def views(
    correlations: pd.DataFrame, models: pd.DataFrame, label: Label, settings: FigureSettings
) -> list[View]:
    """Return what to draw for each data set, in the order of the table.

    Parameters
    ----------
    correlations : DataFrame
        The collected correlations: `CORRELATION_COLUMNS`, one row an observation.
    models : DataFrame
        The models' descriptions: at least `MODEL_COLUMNS`, one row a model.
    label : str, None or mapping of data set to str or None
        Notice for every data set, or for each.
    settings : FigureSettings
        Chooses statistic and distance.

    Raises
    ------
    UserError
        If a column is missing, a model isn't described, or the chosen distance or statistic was
        not computed.
    """
    _require(correlations, CORRELATION_COLUMNS, "the correlations")
    _require(models, MODEL_COLUMNS, "the model table")
    models = models.set_index("id", drop=False)
    # categories, which Parquet keeps, would bring groups that have no rows
    words = [name for name in CORRELATION_COLUMNS if name not in _NUMBERS]
    correlations = correlations.astype(dict.fromkeys(words, object))
    return [
        _view(
            str(dataset),
            rows,
            models,
            label.get(str(dataset)) if isinstance(label, Mapping) else label,
            settings,
        )
        for dataset, rows in correlations.groupby("dataset", sort=False)
    ]


def view_of(
    correlations: pd.DataFrame, models: pd.DataFrame, label: str | None, settings: FigureSettings
) -> View:
    """Return what to draw for one data set; see `views`.

    Raises
    ------
    UserError
        See `views`; or if there isn't exactly one data set.
    """
    found = views(correlations, models, label, settings)
    if len(found) != 1:
        raise UserError(f"a figure of one data set was given {len(found)}")
    return found[0]


def _require(frame: pd.DataFrame, columns: tuple[str, ...], what: str) -> None:
    lacking = [column for column in columns if column not in frame.columns]
    if lacking:
        raise UserError(
            f"{what}: column {lacking[0]!r} is missing; found {', '.join(map(str, frame.columns))}"
        )


def _view(
    dataset: str,
    rows: pd.DataFrame,
    models: pd.DataFrame,
    label: str | None,
    settings: FigureSettings,
) -> View:
    # an infinite correlation does not exist; treat it as the missing number it is
    value = rows["value"].astype(float)
    rows = rows.assign(value=value.where(np.isfinite(value)))
    statistic = _statistic(rows, dataset, settings)
    ours = rows[rows["statistic"] == statistic]
    is_ceiling, is_baseline = ours["kind"] == "ceiling", ours["kind"] == "metric"
    is_network = ~is_baseline & ~is_ceiling
    _described(ours.loc[is_network, "model"], models, dataset)
    whole = ours["subset"] == "all"
    layers, baselines = ours[is_network & whole], ours[is_baseline & whole]
    finite_layers = layers[layers["value"].notna()].reset_index(drop=True)
    finite_baselines = baselines[baselines["value"].notna()]
    seen = [*layers["model"].unique(), *baselines["model"].unique()]
    drawn = {*finite_layers["model"], *finite_baselines["model"]}
    distance, rule = _choose_distance(rows, finite_layers, settings)
    nested = rows[(rows["statistic"] == f"{statistic}_nested") & (rows["subset"] == "all")]
    ceiling = ours.loc[is_ceiling & whole, "value"].dropna()
    by_type = ours[(ours["distortion"] != "") & ~is_ceiling]
    return View(
        dataset=dataset,
        label=label or None,
        statistic=statistic,
        models=models[models["id"].isin(finite_layers["model"])],
        layers=finite_layers,
        baselines=finite_baselines.sort_values(
            ["value", "model"], ascending=[False, True]
        ).reset_index(drop=True),
        nested=nested[nested["value"].notna()].reset_index(drop=True),
        by_type=by_type,
        ceiling=float(ceiling.iloc[0]) if len(ceiling) else None,
        distance=distance,
        rule=rule,
        missing=tuple(name for name in seen if name not in drawn),
        pairs=_largest(ours[whole], "n"),
        references=_largest(ours[whole], "references"),
    )


def _largest(rows: pd.DataFrame, column: str) -> int:
    numbers = rows[column].dropna() if column in rows else pd.Series(dtype=float)
    return int(numbers.max()) if len(numbers) else 0


def _statistic(rows: pd.DataFrame, dataset: str, settings: FigureSettings) -> str:
    computed = sorted(rows["statistic"].unique())
    for name in (settings.statistic, AGREEMENT):
        if name in computed:
            return name
    raise UserError(
        f"figures.statistic: {settings.statistic!r} was not computed for data set {dataset!r}; "
        f"computed: {', '.join(computed)}"
    )


def _described(ids: pd.Series, models: pd.DataFrame, dataset: str) -> None:
    for name in ids.unique():
        if name not in models.index:
            raise UserError(
                f"the correlations of data set {dataset!r} hold model {name!r}, which the model "
                f"table doesn't describe{suggest(name, list(models.index))}"
            )


def _choose_distance(
    rows: pd.DataFrame, layers: pd.DataFrame, settings: FigureSettings
) -> tuple[str, str]:
    names = list(dict.fromkeys(layers["distance"]))
    if settings.distance != "auto":
        if names and settings.distance not in names:
            raise UserError(
                f"figures.distance: {settings.distance!r} was not computed"
                f"{suggest(settings.distance, names)}; computed: {', '.join(names)}"
            )
        return settings.distance, "{distance} (chosen in the configuration)."
    if not names:
        return "", ""
    networks = rows[rows["model"].isin(layers["model"])]
    if len(names) == 1:
        return names[0], "{distance} (the only one computed)."
    best = best_layers(networks[networks["distance"].isin(names)])
    # readouts, fitted to scores, are shown where the user asks for one, or there is nothing else
    chosen = common_distance(best) or highest_median(best) or names[0]
    return chosen, (
        f"{{distance}}, the same for all models: of {len(names)} the one with the highest median "
        "of the models’ honest values."
    )


def ranked(view: View) -> pd.DataFrame:
    """Return the best layers under the view's distance and the metrics, highest value first."""
    best = view.best(view.distance)
    # not concat with an empty frame: pandas would have to guess the columns' types
    parts = [part for part in (best, view.baselines) if len(part)]
    if not parts:
        return best
    rows = pd.concat(parts, ignore_index=True)
    return rows.sort_values(["value", "model"], ascending=[False, True], kind="stable")


def twins(view: View) -> list[Twins]:
    """Return a view's untrained networks with their trained twins."""
    return find_twins(view.models)
