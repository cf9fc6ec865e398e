"""The data sets in words, for a methods section: opinions, thresholds, misaligned pictures."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

Facts = Mapping[str, Mapping[str, Any]]


def cite(keys: Iterable[str]) -> str:
    """Return a citation as Pandoc reads it, with a blank before it; empty without keys."""
    unique = list(dict.fromkeys(key for key in keys if key))
    return f" [{'; '.join('@' + key for key in unique)}]" if unique else ""


def listed(items: Sequence[str]) -> str:
    """Return "a, b and c"."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def counted(number: int, what: str) -> str:
    """Return "1 pair", "2 pairs"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def dataset_key(name: str, facts: Mapping[str, Any]) -> str:
    """Return the BibTeX key of a data set's paper; empty if nobody is to be cited."""
    if facts.get("citation_key"):
        return str(facts["citation_key"])
    return f"dataset_{re.sub(r'[^A-Za-z0-9]+', '_', name)}" if facts.get("citation") else ""


def is_opinions(facts: Mapping[str, Any]) -> bool:
    """Tell by what a data set says of itself whether people judged its pictures, in their place."""
    return not {"of", "display"} & set(facts)


def data_in_words(correlations: pd.DataFrame, datasets: Facts, study: str, intervals: bool) -> str:
    """Describe the data sets that ran.

    Parameters
    ----------
    correlations : DataFrame
        `dataset, n` and perhaps `references`.
    datasets : mapping of str to mapping
        What the data sets' tables say of themselves.
    study : str
        BibTeX key of the paper whose measurement it is.
    intervals : bool
        Whether there are any.
    """
    names = [str(name) for name in correlations["dataset"].unique()]
    rows = {name: correlations[correlations["dataset"] == name] for name in names}
    rated = [name for name in names if is_opinions(datasets[name])]
    parts = []
    if rated:
        texts = "; ".join(_rated(name, rows[name], datasets[name]) for name in rated)
        parts.append(
            f"Following{cite([study])}, agreement with human opinion was measured on {texts}. "
            "Scores were turned so that higher means better quality."
        )
    for name in names:
        if "display" in datasets[name]:
            parts.append(_seen(name, rows[name], datasets[name], intervals))
        if "of" in datasets[name]:
            known = "low" not in rows[name] or bool(rows[name]["low"].notna().any())
            parts.append(_moved(name, datasets[name], intervals and known))
    return f"**Data.** {' '.join(parts)}"


def _rated(name: str, rows: pd.DataFrame, facts: Mapping[str, Any]) -> str:
    size = counted(int(rows["n"].max()), "pair")
    if "references" in rows and rows["references"].notna().any():
        size += f" from {counted(int(rows['references'].max()), 'reference picture')}"
    text = f"{facts.get('title') or name}{cite([dataset_key(name, facts)])}, {size}"
    if facts.get("label"):
        text += f" (note: {str(facts['label']).rstrip('.')})"
    return text


def _seen(name: str, rows: pd.DataFrame, facts: Mapping[str, Any], intervals: bool) -> str:
    """Describe stimuli of threshold experiments, and how a layer's threshold was found."""
    display = facts["display"]
    key = cite([dataset_key(name, facts)])
    text = (
        f"What layers see was measured on stimuli of contrast threshold experiments ({name}): "
        f"{facts['stimuli']} stimuli{key}, shown with 16 bits per channel by a display of "
        f"{display['peak']:g} cd/m² at {display['pixels_per_degree']:g} pixels per degree, "
        f"{counted(int(rows['n'].max()), 'picture')} at multiples of the contrast at which people "
        "see them. A layer’s threshold is the contrast at which its distance from the plain "
        "background reaches one criterion, the same for all stimuli; each study’s thresholds were "
        "found by a criterion fitted to the other studies, and held against people’s as the root "
        "mean squared difference of log contrasts (20 dB a decade)."
    )
    if intervals:
        text += (
            " Its intervals are percentiles over draws of whole studies and, within them, of "
            "observers."
        )
    return text


def _moved(name: str, facts: Mapping[str, Any], intervals: bool) -> str:
    how = facts["misalignment"]
    text = (
        f"Invariance was measured on the pairs of {facts['of']} with distorted pictures "
        f"{facts['words']} ({name}; interpolation: {how['interpolation']}; border: "
        f"{how['border']}), as the share of the agreement with opinions that is kept"
    )
    return f"{text}{', with the paired jackknife over references' if intervals else ''}."
