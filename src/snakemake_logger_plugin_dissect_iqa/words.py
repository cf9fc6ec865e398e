"""Words for people: of stages, of reasons to run a job, and of lengths of time."""

import re

#: What a rule does, as the name of a stage; all rules that draw figures are one stage.
STAGES = {
    "fetch_dataset": "Data sets",
    "fetch_weights": "Weights",
    "extract_features": "Features",
    "measure_distances": "Distances",
    "fit_readouts": "Readouts",
    "score_baselines": "Baselines",
    "read_scores": "Scores from outside",
    "correlate": "Correlations",
    "collect": "Collecting them",
    "hold_contests": "Contests",
    "judge_pairs": "Pairs of pictures",
    "pick_misjudged": "Misjudged pairs",
    "size_networks": "Sizes of networks",
    "explain_factors": "Factors",
    "find_thresholds": "Contrast thresholds",
    "measure_invariance": "Misalignment",
    "walk_multiverse": "Multiverse",
    "count_verdicts": "Verdicts",
    "test_claims": "Findings",
    "write_methods": "Methods text",
    "draw_contact_sheets": "Contact sheets",
    "write_pages": "Pages",
    "write_explorer": "Explorer",
}
FIGURES = "Figures"

#: What stands in Snakemake's reason for a job, and what to call it; the first found says it.
REASONS = {
    "Forced execution": "asked for",
    "Params have changed": "settings changed",
    "Code has changed": "code changed",
    "Set of input files has changed": "other input files",
    "Software environment definition has changed": "environment changed",
    "Incomplete output files": "unfinished output",
    "Updated input files": "input is newer",
    "Missing output files": "not there yet",
    "Input files updated by another job": "input is made anew",
}


def stage_of(rule: str) -> str:
    """Return the name of the stage that a rule belongs to."""
    if rule.startswith("plot_"):
        return FIGURES
    return STAGES.get(rule, rule.replace("_", " "))


def reason_in_words(reason: str) -> str:
    """Return in words why Snakemake runs a job; its own text holds files, settings and hashes."""
    reason = re.sub(r"^Finished \(was: ", "", reason)
    found = [words for text, words in REASONS.items() if re.search(rf"(^|; ){text}", reason)]
    causes = [words for words in found if words != REASONS["Input files updated by another job"]]
    return " and ".join(causes or found) or "always run"


def duration(seconds: float) -> str:
    """Return a length of time as people write it: '12 s', '3 min 05 s', '2 h 13 min'."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def roughly(seconds: float) -> str:
    """Return a length of time that is only estimated, without its last digits."""
    if seconds < 60:
        return f"{max(5, round(seconds / 5) * 5)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{round(minutes / 60)} h"
