"""The statistics in words, for a methods section: every widening and correction that is applied."""

from collections.abc import Collection, Iterator

import pandas as pd

from dissect_iqa.correlation.clusters import FEW_REFERENCES
from dissect_iqa.correlation.jackknife import CURVATURE, FEWEST, MOST_GROUPS
from dissect_iqa.correlation.pairs_of_pairs import ALPHA
from dissect_iqa.correlation.settings import StatisticsSettings


def statistics_in_words(
    correlations: pd.DataFrame, settings: StatisticsSettings, opinions: Collection[str]
) -> Iterator[tuple[str, ...]]:
    """Say what was computed and how: only what these correlations hold.

    Parameters
    ----------
    correlations : DataFrame
        Collected tables of `correlate`: `dataset, model, statistic, references, n, value`.
    settings : StatisticsSettings
        What they were computed with.
    opinions : collection of str
        The data sets of people's opinions: only these have contests, judgements and findings.

    Yields
    ------
    tuple of str
        A sentence without its full stop, and the BibTeX keys of the papers that it follows.
    """
    statistics = set(correlations["statistic"])
    if statistics - {"agreement"}:
        yield (
            "Spearman’s, Kendall’s (tau-b) and Pearson’s correlation between metric and score over "
            "all pairs, with their sign: an inverted metric is negative",
        )
        mapped = " and the logistic mappings" if settings.logistic else ""
        yield (
            f"For Pearson’s correlation{mapped} an infinite value, such as the PSNR of equal "
            "pictures, counts as 100 or the largest finite value, if that is larger",
        )
    if "agreement" in statistics:
        yield (
            "Of triplets, the share of human choices that a distance agrees with, half of it where "
            "both distances are equal",
            "zhang2018unreasonable",
        )
    if settings.logistic and statistics - {"agreement"}:
        yield (
            "Pearson’s correlation is also given after a logistic mapping with four and with five "
            "parameters, fitted on all pairs; its interval holds the fitted mapping fixed",
            "sheikh2006statistical",
        )
    if settings.draws:
        yield from _intervals(correlations, settings)
    yield (
        "A model’s best layer is given as found on all pairs, which flatters, and honestly: each "
        "half of the references chooses a layer, which is judged on the other half, in up to "
        f"{settings.repeats} halvings; by how much a layer is better in the half that chose it, "
        "over √2 because all references are twice as many, is taken off on Fisher’s z, so that the "
        "honest value is never above the naive one",
    )
    if settings.draws:
        yield (
            "The honest value’s interval takes bias and variance from the layers that were chosen, "
            "on average",
        )
    if "ceiling" in set(correlations.loc[correlations["value"].notna(), "kind"]):
        yield (
            "The noise ceiling is the mean correlation of imagined true qualities with scores of "
            "them: the true qualities are the scores, drawn together until their variance is less "
            "by the mean squared standard error, and normal errors are added to them anew",
        )
    rated = correlations[correlations["dataset"].isin(list(opinions))]
    rated = rated[rated["statistic"] != "agreement"]
    if "ceiling" in set(rated.loc[rated["value"].notna(), "kind"]):
        yield from _judgements()
    if settings.draws and len(rated):
        yield from _contests()
    if len(rated):
        yield (
            "Every finding about opinions was tested anew under each combination of distance, "
            "statistic, choice of the layer and what else could have been chosen otherwise: a "
            "multiverse of analyses",
            *("steegen2016multiverse", "simonsohn2020specification"),
        )


def _intervals(
    correlations: pd.DataFrame, settings: StatisticsSettings
) -> Iterator[tuple[str, ...]]:
    references = correlations.groupby("dataset")["references"].max()
    count = int(min(references.max(), MOST_GROUPS))
    couples = min(count * (count - 1) // 2, settings.draws)
    yield (
        f"Intervals are {100 * settings.level:g} % intervals for what very many references like "
        "these would show, from leaving reference pictures out with all their pairs: on Fisher’s "
        "z, of correlations shrunk by one part in the number of pairs so that a perfect one is "
        "finite, the value less Quenouille’s bias, plus and minus the jackknife’s standard error "
        "times Student’s t with one degree of freedom less than references",
        "miller1974jackknife",
    )
    yield (
        "A correlation over pooled references depends on how much these differ, as a variance "
        "does, and of few references that standard error is too small where the correlation is too "
        f"high; its square is therefore widened by {CURVATURE:g}/R times its second-order part, "
        "which for R references is R/2 ((R−2)/R)² times the mean square of "
        "R z − (R−1)(z₁ + z₂) + (R−2) z₁₂, where z₁ and z₂ lack one reference and z₁₂ lacks both, "
        f"over {couples} pairs of references (seed {settings.seed})",
    )
    if settings.level == 0.95:
        yield (
            "In simulated studies whose references differ strongly such intervals held the truth "
            "in 95 to 96 % with 6 to 25 references and in 90 % with 3 (dissect-iqa, "
            "benchmarks/interval_coverage.py)",
        )
    yield (
        f"There is no interval with fewer than {FEWEST} references, and from fewer than "
        f"{FEW_REFERENCES} it is a rough guide",
    )
    if references.max() > MOST_GROUPS:
        yield (
            f"More than {MOST_GROUPS} references were put into {MOST_GROUPS} groups at random, "
            "which were left out as one",
            "kott2001delete",
        )


def _judgements() -> Iterator[tuple[str, ...]]:
    yield (
        "Of two pictures people can tell the better one if their scores differ significantly "
        f"({100 * ALPHA:g} %, by their standard errors). Predictors were judged by the areas under "
        "two receiver operating characteristics, of whether two pictures differ and of which is "
        "better",
        "krasula2016accuracy",
    )
    yield (
        "The outlier ratio is the share of pairs whose prediction, mapped to the scale of the "
        "scores, lies outside the 95 % interval of the score",
        "itu2020p1401",
    )
    yield (
        "Of each planned contest those pictures are named on which the two disagree most",
        "ma2016mad",
    )


def _contests() -> Iterator[tuple[str, ...]]:
    yield (
        "Two competitors on the same pairs are compared by the difference of their values (of "
        "their honest ones, where there are layers to choose) over the jackknife’s standard error "
        "of the difference, without bias or second-order part, against Student’s t with one degree "
        "of freedom less than references; p is corrected over all contests of a data set, and for "
        "the findings over the planned ones alone",
        "holm1979simple",
    )
    yield (
        "The tests of Williams, Steiger and Meng stand beside it; they ignore that pairs share "
        "references",
        *("williams1959comparison", "steiger1980tests", "meng1992comparing"),
    )
    yield (
        "What is found over models counts their families: shares have Wilson’s interval, and rank "
        "correlations that of Bonett and Wright, of as many models as there are families; kinds of "
        "models are compared by one difference a family, with Student’s t over families",
        *("wilson1927probable", "bonett2000sample"),
    )
