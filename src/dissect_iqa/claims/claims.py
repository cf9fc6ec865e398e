"""The paper's findings as functions from a run's numbers to a verdict.

Hernández-Cámara et al., *Dissecting the effectiveness of deep features as metric of perceptual
image quality*, Neural Networks 2025 (arXiv 2302.13345). Each function states what would have to be
seen for the finding to hold, and for it not to hold; anything between can't be told.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from dissect_iqa.baselines.names import BASELINES
from dissect_iqa.claims.controls import beside
from dissect_iqa.claims.evidence import (
    FAILS,
    HOLDS,
    MODERATE,
    OPEN,
    Verdict,
    rank_correlation,
    shape_of,
    share,
    too_few,
    within_strata,
)
from dissect_iqa.claims.run import Run

SSIM_FAMILY = tuple(name for name, metric in BASELINES.items() if metric.family == "SSIM")
#: What is compared under the name of supervision: two of the values of that column, in words.
_LEARNED_FROM = {"class labels": "supervised classification", "none": "self- or unsupervised"}
_BOTH = ("LPIPS", "DISTS")
LEARNED = tuple(name for name, metric in BASELINES.items() if metric.family in _BOTH)


@dataclass(frozen=True)
class Claim:
    """One finding of the paper: its name, its sentence, and its check.

    `versus` is the name of a finding of the other version of the paper that says otherwise.
    """

    name: str
    finding: str
    check: Callable[[Run], Verdict] = field(repr=False)
    versus: str = ""


def most_beat_ssim(run: Run) -> Verdict:
    """Hold if the share of models above SSIM is over one half, and most are so significantly."""
    present = [name for name in SSIM_FAMILY if name in run.metrics.index]
    if not present or run.models.empty:
        return Verdict(OPEN, "No model or no SSIM has a correlation here.", "nothing to compare")
    rival = run.metrics.loc[present, "value"].idxmax()
    above = run.models["honest"] > run.metrics.loc[rival, "value"]
    outcomes = [run.outcome(name, rival) for name in run.models.index]
    text = (
        f"{above.sum()} of {len(above)} trained models have a higher SRCC than "
        f"{BASELINES[rival].title} "
        f"({run.metrics.loc[rival, 'value']:.3f}), {outcomes.count('won')} of them significantly; "
        f"{outcomes.count('lost')} are significantly below it. {beside(run, rival)}"
    ).strip()
    found = share(above, run.models["family"], text, "share of models above SSIM")
    if found.verdict == HOLDS and 2 * outcomes.count("won") <= len(outcomes):
        few = "most of the differences are not significant on these pictures"
        return replace(found, verdict=OPEN, why=few)
    return found


def some_beat_learned(run: Run) -> Verdict:
    """Hold if one model beats every LPIPS and DISTS of the run significantly."""
    present = [name for name in LEARNED if name in run.metrics.index]
    families = {BASELINES[name].family for name in present}
    if run.models.empty or families != set(_BOTH):
        lacking = " and ".join(name for name in _BOTH if name not in families)
        text = f"Not computed here: {lacking}." if lacking else "No model has a correlation."
        return Verdict(OPEN, text, "the finding is about LPIPS and DISTS together")
    outcomes = {name: [run.outcome(name, rival) for rival in present] for name in run.models.index}
    winners = [name for name, found in outcomes.items() if set(found) == {"won"}]
    beaten = [name for name, found in outcomes.items() if "lost" in found]
    best = run.models["honest"].idxmax()
    margin = run.models.loc[best, "honest"] - run.metrics.loc[present, "value"].max()
    titles = ", ".join(BASELINES[name].title for name in present)
    text = (
        f"{len(winners)} of {len(outcomes)} models beat all of {titles} significantly; "
        f"the best, {best}, is {margin:+.3f} from the best of these."
    )
    verdict = HOLDS if winners else (FAILS if len(beaten) == len(outcomes) else OPEN)
    why = "no difference is large enough for this number of pictures" if verdict == OPEN else ""
    return Verdict(
        verdict, text, why, "SRCC above the best of LPIPS and DISTS", margin, n=len(outcomes)
    )


def supervised_better(run: Run) -> Verdict:
    """Hold if supervised classifiers beat otherwise equal self- and unsupervised networks."""
    stratum = run.models["name"] + " on " + run.models["environment"]
    return within_strata(
        run.models["honest"],
        run.models["supervision"].map(_LEARNED_FROM),
        stratum,
        run.models["family"],
        (_LEARNED_FROM["class labels"], _LEARNED_FROM["none"]),
        "same architecture and same pictures",
    )


def large_natural_better(run: Run) -> Verdict:
    """Hold if networks from large natural data sets beat otherwise equal ones from others."""
    stratum = run.models["name"] + ", " + run.models["function"]
    return within_strata(
        run.models["honest"],
        run.models["scale"],
        stratum,
        run.models["family"],
        ("large and natural", "small or restricted"),
        "same architecture and same function",
    )


def accuracy_no_guide(run: Run) -> Verdict:
    """Hold if accuracy and correlation are at most moderately related, or by an inverted U."""
    table = classifiers(run)
    table = table[table["top1"].notna()]
    few = too_few(table["family"], "supervised ImageNet-1k classifiers with a published accuracy")
    if few:
        return few
    families = table["family"].nunique()
    rho, low, high, p = rank_correlation(table["top1"], table["honest"], families)
    shape = shape_of(
        table["top1"].to_numpy(), table["honest"].to_numpy(), table["family"].to_numpy()
    )
    text = (
        f"Over {len(table)} supervised ImageNet-1k classifiers of {families} families the rank "
        f"correlation of top-1 accuracy ({table['top1'].min():.0f} to "
        f"{table['top1'].max():.0f} %) with SRCC is {rho:+.2f}; shape: {shape}."
    )
    verdict = HOLDS if high < MODERATE or shape == "inverted U" else (FAILS if low > 0 else OPEN)
    why = f"the interval holds 0 and more than {MODERATE}" if verdict == OPEN else ""
    effect = (rho, low, high, p)
    name = "rank correlation with accuracy"
    return Verdict(verdict, text, why, name, *effect, n=len(table), families=families)


def simpler_better(run: Run) -> Verdict:
    """Hold if SRCC falls with the number of layers among supervised classifiers."""
    table = classifiers(run)
    few = too_few(table["family"], "supervised ImageNet-1k classifiers")
    if few:
        return few
    families = table["family"].nunique()
    rho, low, high, p = rank_correlation(table["layers"], table["honest"], families)
    text = (
        f"Over {len(table)} supervised ImageNet-1k classifiers of {families} families with "
        f"{table['layers'].min():.0f} to "
        f"{table['layers'].max():.0f} layers the rank correlation of their number with SRCC is "
        f"{rho:+.2f}."
    )
    verdict = HOLDS if high < 0 else (FAILS if low > 0 else OPEN)
    why = "the interval holds 0" if verdict == OPEN else ""
    effect = (rho, low, high, p)
    name = "rank correlation with the number of layers"
    return Verdict(verdict, text, why, name, *effect, n=len(table), families=families)


def best_not_last(run: Run) -> Verdict:
    """Hold if for most models a layer chosen on other pictures beats the last one."""
    table = run.models[run.models["last"].notna()]
    if table.empty:
        return Verdict(OPEN, "No model has more than one layer here.", "nothing to choose from")
    gain = table["honest"] - table["last"]
    text = (
        f"For {(gain > 0).sum()} of {len(table)} models the best layer, honestly chosen, has a "
        f"higher SRCC than the last one; median gain {gain.median():+.3f}."
    )
    title = "share of models whose best layer is not the last"
    return share(gain > 0, table["family"], text, title)


def best_classifier_not_best(run: Run) -> Verdict:
    """Hold if the best metric is significantly better than the most accurate classifier."""
    table = run.models[run.models["top1"].notna()]
    if len(table) < 3:
        text = f"This run has {len(table)} models with a published accuracy."
        return Verdict(OPEN, text, "at least 3 are needed", n=len(table))
    metric, classifier = table["honest"].idxmax(), table["top1"].idxmax()
    margin = table.loc[metric, "honest"] - table.loc[classifier, "honest"]
    rank = int((table["honest"] > table.loc[classifier, "honest"]).sum()) + 1
    text = (
        f"The most accurate of {len(table)} classifiers, {classifier} "
        f"({table.loc[classifier, 'top1']:.1f} %), is number {rank} by SRCC, {margin:.3f} below "
        f"{metric}."
    )
    outcome = run.outcome(metric, classifier) if metric != classifier else "lost"
    verdict = {"won": HOLDS, "lost": FAILS, "open": OPEN}[outcome]
    why = "the difference is not significant" if verdict == OPEN else ""
    return Verdict(verdict, text, why, "SRCC lost by the best classifier", margin, n=len(table))


#: The findings, in the order in which they are reported.
CLAIMS: Sequence[Claim] = (
    Claim("most_beat_ssim", "Most models beat SSIM.", most_beat_ssim),
    Claim("some_beat_learned", "Some models beat LPIPS and DISTS.", some_beat_learned),
    Claim(
        "supervised_better",
        "Supervised classification gives better metrics than self- and unsupervised functions.",
        supervised_better,
    ),
    Claim(
        "accuracy_no_guide",
        "Better performance in the task does not mean better correlation.",
        accuracy_no_guide,
    ),
    Claim("simpler_better", "Simpler architectures beat very deep ones.", simpler_better),
    Claim("best_not_last", "The best layer is generally not the last.", best_not_last),
    Claim(
        "large_natural_better",
        "Large natural environments give better metrics than small restricted ones.",
        large_natural_better,
    ),
    Claim(
        "best_classifier_not_best",
        "The best classifiers are not the best metrics.",
        best_classifier_not_best,
    ),
)


def classifiers(run: Run) -> pd.DataFrame:
    """Return the models that were trained to classify the pictures of ImageNet-1k."""
    models = run.models
    return models[
        (models["supervision"] == "class labels") & (models["environment"] == "ImageNet-1k")
    ]
