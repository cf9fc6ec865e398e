"""The methods paragraph and the references of exactly what ran, ready for a paper."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

from dissect_iqa.baselines.names import BASELINES
from dissect_iqa.baselines.outside import OutsideMetric
from dissect_iqa.claims.data_in_words import (
    cite,
    counted,
    data_in_words,
    dataset_key,
    is_opinions,
    listed,
)
from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.correlation.words import statistics_in_words
from dissect_iqa.distances.concatenations import in_words
from dissect_iqa.distances.measure_distances import DISTANCES
from dissect_iqa.errors import UserError
from dissect_iqa.files.plain_text import cell
from dissect_iqa.files.provenance import atomic_path, software_versions
from dissect_iqa.zoo.licence import licence_flag

_STUDY, _WORKFLOW = "hernandez2025dissecting", "molder2021snakemake"
_SHAPLEY = ("lindeman1980introduction", "gromping2007estimators")
_SOFTWARE = ("paszke2019pytorch", "virtanen2020scipy", _WORKFLOW)


@dataclass(frozen=True)
class MethodsText:
    """A methods text and its references.

    Attributes
    ----------
    text : str
        Markdown with citations as Pandoc reads them: ``[@key]``.
    bibtex : str
        Exactly the entries that the text cites, sorted by key.
    """

    text: str
    bibtex: str


def describe(
    correlations: pd.DataFrame,
    models: pd.DataFrame,
    datasets: Mapping[str, Mapping[str, Any]],
    statistics: StatisticsSettings,
    bibliography: str = "",
    notice: str = "",
    outside: Mapping[str, OutsideMetric] | None = None,
    factors: pd.DataFrame | None = None,
) -> MethodsText:
    """Describe the study that gave these correlations: only what ran is named and cited.

    Parameters
    ----------
    correlations : DataFrame
        The collected correlations: at least `dataset, model, kind, layer, distance, n`.
    models : DataFrame
        See `dissect_iqa.zoo.row.ModelRow.description`; `citation` holds BibTeX keys with
        semicolons between.
    datasets : mapping of str to mapping
        What the data sets' tables say of themselves: `title`, `direction`, `label`, `citation`,
        `citation_key`, `licence`.
    statistics : StatisticsSettings
        How correlations and intervals were computed.
    bibliography : str
        BibTeX of the papers behind the models.
    notice : str
        What has to be said first, e.g. that this was a rehearsal.
    outside : mapping of str to OutsideMetric, optional
        What is said of the metrics whose scores are from outside.
    factors : DataFrame, optional
        What `dissect_iqa.factors.explain_factors.explain_factors` returned.

    Returns
    -------
    MethodsText
        Weights under a non-commercial licence, and weights without a stated one, are flagged.

    Raises
    ------
    UserError
        If the correlations hold a data set that isn't described.
    """
    unknown = [name for name in correlations["dataset"].unique() if name not in datasets]
    if unknown:
        raise UserError(f"methods: data set {unknown[0]!r} has correlations but no description")
    ran = models[models["id"].isin(correlations["model"].unique())]
    networks = correlations[correlations["model"].isin(ran["id"])]
    metrics = list(dict.fromkeys(correlations.loc[correlations["kind"] == "metric", "model"]))
    sections = [
        "# Methods",
        f"**{notice}**" if notice else "",
        data_in_words(correlations, datasets, _STUDY, statistics.draws > 0),
        _models(ran),
        _readout(
            list(dict.fromkeys(networks["distance"])), metrics, _not_downsampled(correlations)
        ),
        _outside({name: facts for name, facts in (outside or {}).items() if name in metrics}),
        _statistics(correlations, statistics, datasets),
        _factors(factors, statistics.level),
        _software(),
        _model_table(ran),
        _licences(ran, datasets, list(correlations["dataset"].unique())),
    ]
    text = "\n\n".join(section for section in sections if section) + "\n"
    library = read_bibtex(files("dissect_iqa.claims").joinpath("methods.bib").read_text("utf-8"))
    library |= read_bibtex(bibliography)
    library |= _from_datasets(datasets, library)
    keys = sorted({key for group in re.findall(r"\[(@[^\]]+)\]", text) for key in _keys(group)})
    entries = [library.get(key) or _placeholder(key) for key in keys]
    return MethodsText(text, "\n".join(entries))


def write_methods(
    methods: MethodsText, text: Path | str, references: Path | str, spec: str | None = None
) -> None:
    """Write the text and the references; the spec stands in the references as a comment."""
    with atomic_path(text) as temporary:
        temporary.write_text(methods.text, encoding="utf-8")
    with atomic_path(references) as temporary:
        head = f"% made from {spec}\n" if spec else ""
        temporary.write_text(head + methods.bibtex, encoding="utf-8")


def read_bibtex(text: str) -> dict[str, str]:
    """Return a bibliography's entries by key; an entry begins with ``@`` at a line's start."""
    parts = re.split(r"^(?=@)", text, flags=re.MULTILINE)
    entries = {}
    for part in parts:
        match = re.match(r"@\w+\{\s*([^,\s]+)\s*,", part)
        if match:
            entries[match[1]] = part[: part.rindex("}") + 1] + "\n"
    return entries


def _keys(group: str) -> list[str]:
    return [key.strip().removeprefix("@") for key in group.split(";")]


def _model_keys(citation: Any) -> list[str]:
    return [key.strip() for key in str(citation or "").split(";") if key.strip()]


def _models(ran: pd.DataFrame) -> str:
    if ran.empty:
        return ""
    untrained = ran["untrained"]
    trained = ran[~untrained]
    parts = []
    for function, rows in trained.groupby("function", sort=False):
        keys = cite(key for text in rows["citation"] for key in _model_keys(text))
        parts.append(f"{function} ({len(rows)}){keys}")
    text = f"**Networks.** {counted(len(trained), 'pre-trained configuration')} were read"
    text += f", by what they were trained for: {'; '.join(parts)}." if parts else "."
    if untrained.any():
        rows = ran[untrained]
        keys = cite(key for text in rows["citation"] for key in _model_keys(text))
        text += (
            f" {counted(len(rows), 'network')} with random weights from a fixed seed "
            f"served as control{keys}."
        )
    return text


def _readout(distances: Sequence[str], metrics: Sequence[str], same: Sequence[str]) -> str:
    words = []
    for name in distances:
        known = DISTANCES.get(name)
        other = in_words(name) or f"the readout ‘{name}’"
        words.append(known.words + cite([known.cites]) if known else other)
    parts = []
    if words:
        parts.append(
            "**Readout.** The activations for reference and distorted picture were compared at "
            f"every layer in one forward pass per picture, with {listed(words)}."
        )
    ours = [BASELINES[name] for name in metrics if name in BASELINES]
    if ours:
        named = [metric.title + _tuned(metric.tuned_on) + cite([metric.cites]) for metric in ours]
        parts.append(f"Classic metrics for comparison: {listed(named)}.")
    if same:
        parts.append(
            f"On {listed(same)} SSIM and SSIM (downsampled) are the same numbers: a picture "
            "whose shorter side has fewer than 384 pixels is not downsampled."
        )
    return " ".join(parts)


def _tuned(on: str) -> str:
    return f" (tuned on {on})" if on else ""


def _outside(metrics: Mapping[str, OutsideMetric]) -> str:
    """Say which scores weren't computed here, and what is known of them."""
    if not metrics:
        return ""
    said = [
        f"{name}{_tuned(facts.tuned_on)}" + (f": {facts.source}" if facts.source else "")
        for name, facts in metrics.items()
    ]
    return f"**Scores from outside.** Not computed here, but taken as given: {'; '.join(said)}."


def _not_downsampled(correlations: pd.DataFrame) -> list[str]:
    """Return the data sets on which both forms of SSIM have exactly the same correlations."""
    keys = ["dataset", "subset", "statistic"]
    one, other = (
        correlations[correlations["model"] == name].set_index(keys)["value"]
        for name in ("ssim", "ssim_downsampled")
    )
    both = pd.DataFrame({"one": one, "other": other}).dropna(how="all")
    equal = (both["one"] == both["other"]).groupby(level="dataset", sort=False).all()
    return [str(name) for name in equal[equal].index]


def _statistics(
    correlations: pd.DataFrame,
    settings: StatisticsSettings,
    datasets: Mapping[str, Mapping[str, Any]],
) -> str:
    opinions = [name for name, facts in datasets.items() if is_opinions(facts)]
    said = statistics_in_words(correlations, settings, opinions)
    return f"**Statistics.** {' '.join(text + cite(keys) + '.' for text, *keys in said)}"


def _factors(table: pd.DataFrame | None, level: float) -> str:
    """Say how much each factor explains, and how that was found; nothing where it can't be told."""
    if table is None or not table["share"].notna().any():
        return ""
    shares = [
        f"{row.factor} {100 * row.share:.0f} % ({100 * row.low:.0f} to {100 * row.high:.0f})"
        for row in table.sort_values("share", ascending=False, kind="stable").itertuples()
    ]
    vital = ("not identifiable", "left out")
    notes = [note for note in dict.fromkeys(table["note"]) if any(word in note for word in vital)]
    text = (
        "**Factors.** The variance of the honest correlation over networks, data sets and "
        "distances was divided among factors by Shapley values of the variance explained by "
        "least squares, corrected for the number of columns"
        f"{cite(_SHAPLEY)}; intervals "
        f"({100 * level:.0f} %) are those of jackknives over networks and over references: "
        f"{', '.join(shares)}."
    )
    return " ".join([text, *(f"{note[0].upper()}{note[1:]}." for note in notes)])


def _software() -> str:
    versions = software_versions()
    numbers = ", ".join(f"{name} {number}" for name, number in versions.items())
    return f"**Software.** dissect-iqa, a Snakemake workflow{cite(_SOFTWARE)}, with {numbers}."


def _model_table(ran: pd.DataFrame) -> str:
    if ran.empty:
        return ""
    lines = [
        "| model | architecture | function | trained on | licence of the weights | reference |",
        "|---|---|---|---|---|---|",
    ]
    for row in ran.itertuples():
        licence = "none needed" if row.untrained else row.licence or "not stated"
        if licence_flag(str(row.licence)) == "non-commercial":
            licence = f"**non-commercial**: {licence}"
        cells = (row.id, row.architecture, row.function, row.environment, licence)
        keys = cite(_model_keys(row.citation)).strip()
        lines.append("| " + " | ".join(map(cell, (*cells, keys))) + " |")
    return "\n".join(lines)


def _licences(
    ran: pd.DataFrame, datasets: Mapping[str, Mapping[str, Any]], names: Sequence[str]
) -> str:
    trained = ran[~ran["untrained"]]
    flags = trained["licence"].fillna("").map(licence_flag)
    lines = []
    closed = list(trained.loc[flags == "non-commercial", "id"])
    if closed:
        lines.append(
            f"- **Non-commercial weights** ({len(closed)}): {', '.join(closed)}. Their "
            "licence forbids commercial use."
        )
    silent = list(trained.loc[flags == "not stated", "id"])
    if silent:
        lines.append(f"- No licence is stated for the weights of: {', '.join(silent)}.")
    for name in names:
        terms = str(datasets[name].get("licence") or "not stated").rstrip(".")
        lines.append(f"- Data set {datasets[name].get('title') or name}: {terms}.")
    return "**Licences**\n\n" + "\n".join(lines)


def _from_datasets(
    datasets: Mapping[str, Mapping[str, Any]], library: Mapping[str, str]
) -> dict[str, str]:
    """Make entries from the plain references of data sets that the library doesn't know."""
    entries = {}
    for name, facts in datasets.items():
        key = dataset_key(name, facts)
        if key and key not in library:
            entries[key] = f"@misc{{{key},\n  note = {{{_tex(str(facts.get('citation')))}}}\n}}\n"
    return entries


def _placeholder(key: str) -> str:
    return f"@misc{{{key},\n  note = {{The bibliography has no entry for {_tex(key)}}}\n}}\n"


def _tex(text: str) -> str:
    return re.sub(r"([&%#_])", r"\\\1", text.replace("{", "").replace("}", ""))
