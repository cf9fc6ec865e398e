"""What the study's preprint says otherwise than the journal, or beyond it, tested like the rest.

Hernández-Cámara, Vila-Tomás, Laparra, Malo, arXiv 2302.13345 (2023), the first version of the
paper whose later findings are in `claims`. Some of its sentences contradict those: both are tested,
and the text says which of the two this run agrees with.
"""

from collections.abc import Sequence

from dissect_iqa.baselines.names import BASELINES
from dissect_iqa.claims.claims import SSIM_FAMILY, Claim, classifiers
from dissect_iqa.claims.evidence import (
    FAILS,
    HOLDS,
    OPEN,
    Verdict,
    rank_correlation,
    share,
    stays_within,
    too_few,
)
from dissect_iqa.claims.run import Run

#: A difference of SRCC that counts as a large one: about what parts LPIPS from DISTS on TID2013.
LARGE = 0.05
_LPIPS = tuple(name for name, metric in BASELINES.items() if metric.family == "LPIPS")
#: Descriptors: what is left of a layer if it doesn't matter where in the picture something is.
_DESCRIPTOR, _FEATURES = "mean_std", "rmse"


def all_beat_ssim(run: Run) -> Verdict:
    """Hold if every model is above SSIM, most significantly; not if one is significantly below."""
    present = [name for name in SSIM_FAMILY if name in run.metrics.index]
    if not present or run.models.empty:
        return Verdict(OPEN, "No model or no SSIM has a correlation here.", "nothing to compare")
    rival = run.metrics.loc[present, "value"].idxmax()
    gap = (run.models["honest"] - run.metrics.loc[rival, "value"]).sort_values()
    outcomes = {name: run.outcome(name, rival) for name in run.models.index}
    lost = [name for name in gap.index if outcomes[name] == "lost"]
    won = sum(outcome == "won" for outcome in outcomes.values())
    text = (
        f"{(gap > 0).sum()} of {len(gap)} trained models have a higher SRCC than "
        f"{BASELINES[rival].title}, {won} of them significantly; the lowest, {gap.index[0]}, is "
        f"{gap.iloc[0]:+.3f} from it."
    )
    if lost:
        verdict, why = FAILS, ""
    elif (gap > 0).all() and 2 * won > len(gap):
        verdict, why = HOLDS, ""
    else:
        verdict, why = OPEN, "no model is significantly below it, but not all are clearly above"
    name = f"SRCC of the lowest model above {BASELINES[rival].title}"
    families = run.models["family"].nunique()
    return Verdict(verdict, text, why, name, gap.iloc[0], n=len(gap), families=families)


def self_supervised_beat_lpips(run: Run) -> Verdict:
    """Hold if one self-supervised model beats every LPIPS significantly; not if all are beaten."""
    present = [name for name in _LPIPS if name in run.metrics.index]
    table = run.models[run.models["supervision"] == "none"]
    if not present or table.empty:
        text = "No LPIPS, or no self-supervised model, has a correlation here."
        return Verdict(OPEN, text, "nothing to compare")
    rival = run.metrics.loc[present, "value"].idxmax()
    outcomes = {name: {run.outcome(name, other) for other in present} for name in table.index}
    winners = [name for name, found in outcomes.items() if found == {"won"}]
    beaten = [name for name, found in outcomes.items() if "lost" in found]
    best = table["honest"].idxmax()
    margin = table.loc[best, "honest"] - run.metrics.loc[rival, "value"]
    text = (
        f"{len(winners)} of {len(table)} self- and unsupervised models beat "
        f"{' and '.join(BASELINES[name].title for name in present)} significantly; the best, "
        f"{best} ({table.loc[best, 'function']}), is {margin:+.3f} from the better of these."
    )
    verdict = HOLDS if winners else (FAILS if len(beaten) == len(table) else OPEN)
    why = "no difference is large enough for this number of pictures" if verdict == OPEN else ""
    name, families = "SRCC of the best self-supervised model above LPIPS", table["family"].nunique()
    return Verdict(verdict, text, why, name, margin, n=len(table), families=families)


def rises_in_simple_nets(run: Run) -> Verdict:
    """Hold if SRCC rises with depth in the simpler classifiers, and less the deeper a network is.

    How far it rises is the rank correlation of SRCC with depth over a network's layers.
    """
    table = classifiers(run)
    table = table[table["rise"].notna()]
    few = too_few(table["family"], "supervised ImageNet-1k classifiers with several layers")
    if few:
        return few
    families = table["family"].nunique()
    rho, low, high, p = rank_correlation(table["layers"], table["rise"], families)
    simple = table["layers"] <= table["layers"].median()
    rises = table.loc[simple, "rise"].median(), table.loc[~simple, "rise"].median()
    text = (
        f"Over {len(table)} supervised ImageNet-1k classifiers of {families} families, the rank "
        f"correlation of SRCC with depth is {rises[0]:+.2f} (median) in those with at most "
        f"{table['layers'].median():.0f} layers and {rises[1]:+.2f} in the others; its rank "
        f"correlation with the number of layers is {rho:+.2f}."
    )
    if high < 0 < rises[0]:
        verdict, why = HOLDS, ""
    elif low > 0 or (rises[0] <= 0 and high < 0):
        verdict, why = FAILS, ""
    else:
        verdict, why = OPEN, "the interval holds 0"
    name = "rank correlation of the rise with the number of layers"
    effect = (rho, low, high, p)
    return Verdict(verdict, text, why, name, *effect, n=len(table), families=families)


def environment_matters_little(run: Run) -> Verdict:
    """Hold if other large natural pictures change an otherwise equal network's SRCC little."""
    table = run.models[run.models["scale"] == "large and natural"]
    stratum = table["name"] + ", " + table["function"]
    several = table.groupby(stratum)["environment"].transform("nunique") > 1
    table, stratum = table[several], stratum[several]
    if table.empty:
        text = "No two models differ in nothing but which large natural pictures they learned from."
        return Verdict(OPEN, text, "nothing to compare")
    means = table.groupby([stratum, "environment"])["honest"].mean()
    ranges = means.groupby(level=0).agg(lambda values: values.max() - values.min())
    family = table.groupby(stratum)["family"].first()
    text = (
        f"{len(table)} models in {len(ranges)} group(s) of the same architecture and function "
        f"learned from several large natural data sets; between these, SRCC differs by "
        f"{ranges.mean():.3f} (mean range)."
    )
    return stays_within(ranges, family, text, "range of SRCC over environments", LARGE)


def descriptors_matter_little(run: Run) -> Verdict:
    """Hold if a layer's means and deviations do as well as its features at every position."""
    table = run.by_distance
    if not {_DESCRIPTOR, _FEATURES} <= set(table):
        text = f"Not measured here: {_DESCRIPTOR} and {_FEATURES}."
        return Verdict(OPEN, text, "both are needed")
    gain = (table[_DESCRIPTOR] - table[_FEATURES]).dropna()
    text = (
        f"For {len(gain)} models, the distance between descriptors (means and standard deviations "
        f"of channels) is {gain.mean():+.3f} SRCC from that between features (mean)."
    )
    return stays_within(
        gain, run.models["family"], text, "SRCC of descriptors over features", LARGE
    )


def concatenation_matters_little(run: Run) -> Verdict:
    """Hold if layers side by side, unweighted, do as well as the honestly chosen single layer."""
    table = run.by_distance
    joined = [name for name in table if name.startswith("euclidean on ")]
    if not joined or _FEATURES not in table:
        text = "No layers were taken side by side here (`readouts.concatenations`)."
        return Verdict(OPEN, text, "nothing to compare")
    gain = (table[joined].max(axis=1) - table[_FEATURES]).dropna()
    text = (
        f"For {len(gain)} models, layers side by side ({', '.join(joined)}) are "
        f"{gain.mean():+.3f} SRCC from the honestly chosen layer (mean)."
    )
    return stays_within(gain, run.models["family"], text, "SRCC of several layers over one", LARGE)


def readout_is_a_factor(run: Run) -> Verdict:
    """Hold if for most models it matters much which distance is taken."""
    table = run.by_distance[[name for name in run.by_distance if " on " not in name]]
    table = table.dropna(thresh=2)
    if table.shape[1] < 2 or table.empty:
        return Verdict(OPEN, "One distance was measured here.", "several are needed")
    ranges = table.max(axis=1) - table.min(axis=1)
    text = (
        f"Between {table.shape[1]} distances, SRCC differs by {ranges.median():.3f} (median of "
        f"{len(ranges)} models' ranges), for {(ranges > LARGE).sum()} of them by more than {LARGE}."
    )
    family = run.models["family"].reindex(ranges.index)
    title = f"share of models with a range of more than {LARGE} SRCC over distances"
    return share(ranges > LARGE, family, text, title)


#: What the preprint says, and the journal's sentence that contradicts it, if one does.
PREPRINT_CLAIMS: Sequence[Claim] = (
    Claim("all_beat_ssim", "All models beat SSIM.", all_beat_ssim, versus="most_beat_ssim"),
    Claim(
        "self_supervised_beat_lpips",
        "Self-supervised tasks, such as jigsaw, beat LPIPS.",
        self_supervised_beat_lpips,
        versus="supervised_better",
    ),
    Claim(
        "rises_in_simple_nets",
        "Correlation rises with depth in simple networks only.",
        rises_in_simple_nets,
        versus="best_not_last",
    ),
    Claim(
        "environment_matters_little",
        "Small changes of the environment make no large difference.",
        environment_matters_little,
        versus="large_natural_better",
    ),
    Claim(
        "descriptors_matter_little",
        "Descriptors instead of features have no major impact.",
        descriptors_matter_little,
    ),
    Claim(
        "concatenation_matters_little",
        "Several layers side by side instead of one have no major impact.",
        concatenation_matters_little,
    ),
    Claim("readout_is_a_factor", "The readout is a fourth factor.", readout_is_a_factor),
)
