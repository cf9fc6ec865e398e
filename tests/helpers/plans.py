"""Which jobs Snakemake would run after a change."""

import re
from collections import Counter
from pathlib import Path

from small_study import snakemake

from dissect_iqa.figures.plot import FIGURES

#: The figures of a study of one data set of opinions, without readouts.
PLOTS = Counter(
    f"plot_{name}"
    for name, figure in FIGURES.items()
    if not figure.needs and figure.each in ("", "opinions", "rated")
)
#: What a colleague's Snakemake makes anew.
HTML = Counter(write_pages=1, write_explorer=1)
#: What is made of figures and tables to be looked at.
PAGES = HTML + Counter(draw_contact_sheets=1)
#: What reads the collected correlations: the claims, the methods text and the figures.
READERS = (
    PLOTS
    + PAGES
    + Counter(
        hold_contests=1,
        judge_pairs=1,
        pick_misjudged=1,
        explain_factors=1,
        walk_multiverse=1,
        test_claims=1,
        count_verdicts=1,
        write_methods=1,
    )
)
#: What of these reads distances and no correlations.
UNIVERSES = Counter(walk_multiverse=1, plot_multiverse=1)
COLLECTING = Counter(collect=1) + READERS


def planned(folder: Path, *options: str) -> Counter[str]:
    """Return how often each rule would run, with options of Snakemake."""
    run = snakemake(folder, "--dry-run", "--quiet", "rules", *options)
    assert run.returncode == 0, run.stdout + run.stderr
    table = re.findall(r"^(\w+) +(\d+)$", run.stdout, flags=re.MULTILINE)
    return Counter({rule: int(count) for rule, count in table if rule not in ("all", "total")})
