"""Each finding of the paper, with the evidence for or against it in this run."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dissect_iqa.claims.answers import ANSWERS_CLAIMS, Answers
from dissect_iqa.claims.claims import CLAIMS, Claim
from dissect_iqa.claims.evidence import FAILS, HOLDS, OPEN
from dissect_iqa.claims.preprint import LARGE, PREPRINT_CLAIMS
from dissect_iqa.claims.run import MODEL_COLUMNS, Run, make_run
from dissect_iqa.correlation.clusters import FEW_REFERENCES
from dissect_iqa.errors import UserError
from dissect_iqa.files.plain_text import cell
from dissect_iqa.files.provenance import atomic_path, write_csv

COLUMNS = [
    *("dataset", "claim", "finding", "verdict", "effect_name", "effect", "low", "high", "p", "n"),
    "families",
    *("evidence", "why", "label"),
]
#: Columns of answers beside opinions.
_ANSWERS = {"thresholds", "kept"}
_BEYOND = (
    "At the distance that suits opinions best, over trained networks. Thresholds are measured "
    "human data; each layer's are found by a criterion that is fitted to other studies."
)
_PREPRINT = (
    "The first version of the paper (arXiv 2302.13345) has sentences that the journal's version "
    "left out or turned. “Large” and “major” are "
    f"more than {LARGE} SRCC here; the paper gives no number."
)
_CONTEST_COLUMNS = ["dataset", "first", "second", "winner"]


def test_claims(
    summary: pd.DataFrame,
    models: pd.DataFrame,
    contests: pd.DataFrame | None = None,
    labels: Mapping[str, str | None] | None = None,
    level: float = 0.95,
    answers: Iterable[Answers] = (),
) -> tuple[pd.DataFrame, str]:
    """Test every finding of the paper's abstract on every data set of a run, and some beyond it.

    Parameters
    ----------
    summary : DataFrame
        What `dissect_iqa.correlation.summary.summarise` returned.
    models : DataFrame
        See `dissect_iqa.zoo.row.ModelRow.description`, one row a model.
    contests : DataFrame, optional
        What `correlation.hold_contests.hold_contests` returned, for all data sets. Without it,
        differences count as significant where intervals don't overlap.
    labels : mapping of str to str or None, optional
        By data set, a notice that must accompany its results.
    level : float
        That of the intervals; 1 - level is the level of the contests.
    answers : iterable of Answers
        What layers answer beside opinions, for the claims of `ANSWERS_CLAIMS`.

    Returns
    -------
    claims : DataFrame
        `COLUMNS`, one row a data set and finding, behind which there are `n` models of so many
        `families`; `verdict` is ``holds``, ``does not hold`` or ``can't be told``, and `why` says
        why it can't.
    text : str
        The same to be read, in Markdown.

    Raises
    ------
    UserError
        If a column is missing or a model of the summary isn't described.
    """
    for name in MODEL_COLUMNS:
        if name not in models:
            raise UserError(f"claims: the model table has no column {name!r}")
    contests = pd.DataFrame(columns=_CONTEST_COLUMNS) if contests is None else contests
    labels = labels or {}
    rows, heads = [], {}
    for dataset, table in summary[summary["statistic"] == "srcc"].groupby("dataset", sort=False):
        run, distance = make_run(str(dataset), table, models, contests)
        head = _head(run, table, distance, level)
        label = labels.get(str(dataset)) or ""
        heads[run.dataset] = f"{head} {cell(label)}".strip()
        for claim in (*CLAIMS, *PREPRINT_CLAIMS):
            found = claim.check(run)
            rows.append(
                {
                    "dataset": run.dataset, "claim": claim.name, "finding": claim.finding,
                    **vars(found), "label": label,
                }
            )  # fmt: skip
    for several in answers:
        for question in ANSWERS_CLAIMS:
            # the largest set of answers that a claim needs, no larger one: each is told once
            if set(several.table.columns) & _ANSWERS == set(question.needs):
                rows.append(
                    {
                        "dataset": several.names, "claim": question.name,
                        "finding": question.finding, **vars(question.check(several)), "label": "",
                    }
                )  # fmt: skip
    claims = pd.DataFrame(rows, columns=COLUMNS)
    return claims, _markdown(claims, heads)


def write_claims(
    table: pd.DataFrame,
    text: str,
    csv: Path | str,
    markdown: Path | str,
    remarks: Mapping[str, str] | None = None,
    notice: str = "",
) -> None:
    """Write what `test_claims` returned, whole or not at all.

    Parameters
    ----------
    table, text
        What it returned.
    csv, markdown : path
        The files.
    remarks : mapping of str to str, optional
        Further columns of the table, the same in every row.
    notice : str
        What stands below the text's title: whose findings these are.
    """
    write_csv(table, csv, remarks)
    title, rest = text.split("\n", 1)
    with atomic_path(markdown) as temporary:
        written = f"{title}\n\n**{notice}**\n{rest}" if notice else text
        temporary.write_text(written, encoding="utf-8")


test_claims.__test__ = False  # type: ignore[attr-defined]  # not a test for pytest to collect


def _head(run: Run, table: pd.DataFrame, distance: str, level: float) -> str:
    references, pairs = int(table["references"].max()), int(table["n"].max())
    head = (
        f"trained configurations: {len(run.models)} of {run.models['family'].nunique()} families "
        f"(untrained controls, in no count: {len(run.untrained)}), "
        f"metrics: {len(run.metrics)}, pairs: {pairs}, references: {references}"
    )
    if distance:
        head += (
            f"; SRCC of the honestly chosen layer, never above that of the naive best, distance "
            f"{distance}, the same for all (highest median)"
        )
    head += "."
    held = len(run.contests)
    if held:
        head += (
            f" “Significantly” is at {100 * (1 - level):.2g} % after Holm's correction over the "
            f"{held} contests that are planned here: every model against SSIM, MS-SSIM, LPIPS and "
            "DISTS where they were computed, and the members of each group in comparisons.yaml "
            "among themselves. Intervals and p of shares and of correlations over models are not "
            "corrected for the number of findings."
        )
    else:
        head += " No contests were held: “significantly” is where intervals don't overlap."
    if references < FEW_REFERENCES:
        head += f" Intervals from {references} references are a rough guide."
    return head


def _markdown(claims: pd.DataFrame, heads: Mapping[str, str]) -> str:
    of_paper = claims[claims["claim"].isin([claim.name for claim in CLAIMS])]
    counts = of_paper["verdict"].value_counts()
    tally = ", ".join(f"{int(counts.get(name, 0))} {name}" for name in (HOLDS, FAILS, OPEN))
    lines = ["# The paper's findings in this run", ""]
    lines += [f"Verdicts: {tally}.", ""]
    lines += [f"- **{dataset}**: {head}" for dataset, head in heads.items()]
    lines += [
        "",
        "Models are what the findings are about, but networks of one family are variations of one "
        "design and no independent witnesses: intervals over models are as wide as if there were "
        "only as many models as families. They treat the families of this run as a sample of the "
        "families there could be, and say nothing about networks unlike them.",
    ]
    for claim in CLAIMS:
        lines += _section(claim.finding, claims[claims["claim"] == claim.name])
    lines += ["", "# What the preprint says otherwise", "", _PREPRINT]
    for claim in PREPRINT_CLAIMS:
        lines += _section(claim.finding, claims[claims["claim"] == claim.name])
        lines += _versus(claim, claims)
    beyond = [claim for claim in ANSWERS_CLAIMS if (claims["claim"] == claim.name).any()]
    if beyond:
        lines += ["", "# Beyond the paper: what layers see, and what moves them", "", _BEYOND]
    for question in beyond:
        lines += _section(question.finding, claims[claims["claim"] == question.name])
    return "\n".join(lines) + "\n"


def _versus(claim: Claim, claims: pd.DataFrame) -> list[str]:
    """Set the journal's sentence beside one of the preprint that says otherwise."""
    rows = claims[claims["claim"] == claim.versus]
    if rows.empty:
        return []
    told = ", ".join(f"{row.verdict} on {row.dataset}" for row in rows.itertuples())
    return ["", f"The journal has instead: “{rows['finding'].iloc[0]}” ({told})."]


def _section(finding: str, rows: pd.DataFrame) -> list[str]:
    """Return the lines of one finding's verdicts."""
    verdicts = list(dict.fromkeys(rows["verdict"]))
    verdict = verdicts[0] if len(verdicts) == 1 else "differs between data sets"
    lines = ["", f"## {finding} *{verdict.capitalize()}.*"]
    for row in rows.itertuples():
        prefix = f"On {row.dataset}, {row.verdict}: " if len(rows) > 1 else ""
        lines += ["", f"{prefix}{row.evidence}{_effect(row)}{_why(row)}"]
    return lines


def _effect(row: Any) -> str:
    if not row.effect_name or not np.isfinite(row.effect):
        return ""
    text = f" Effect: {row.effect_name} {row.effect:.3f}"
    if np.isfinite(row.low) and np.isfinite(row.high):
        text += f", 95 % interval {row.low:.3f} to {row.high:.3f}"
    return text + (f", p = {row.p:.2g}." if np.isfinite(row.p) else ".")


def _why(row: Any) -> str:
    return f" It can't be told: {row.why}." if row.verdict == OPEN and row.why else ""
