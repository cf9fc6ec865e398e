"""Made-up events of a run, as Snakemake tells of them."""

from typing import Any

from snakemake_logger_plugin_dissect_iqa.state import Run


def info(number: int, rule: str, words: str | None = "", **more: Any) -> dict[str, Any]:
    """Return what Snakemake tells of a job."""
    return {
        "jobid": number,
        "rule_name": rule,
        "rule_msg": words,
        "wildcards": {"model": "tiny"},
        "log": [],
        **more,
    }


def run_of(**counts: int) -> Run:
    run = Run()
    run.plan({**counts, "all": 1, "total": sum(counts.values()) + 1}, 0.0)
    return run
