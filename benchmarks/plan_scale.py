"""How long planning takes, and whether a thousand configurations run: no network is needed.

    .venv/bin/python benchmarks/plan_scale.py            # all; about a quarter of an hour
    .venv/bin/python benchmarks/plan_scale.py --only plan  # only the plan

Two things are measured. The time of a dry run for 46 to 2000 configurations on 4 data sets, with
that of Snakemake's own start beside it. And a run of 1000 configurations in which every job only
waits and makes its files: jobs a second, what a second look costs, and what ten more
configurations add to the plan. Results go to benchmarks/results/plan_scale.json.
"""

import argparse
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "plan_scale.json"
SIZES = (46, 200, 1000, 2000)
DATA_SETS = ("a", "b", "c", "d")
#: Seconds that a stand-in for each rule waits; others don't.
WAITS = {"extract_features": 1.0, "measure_distances": 0.1, "correlate": 0.1}
#: Rules that exist once, whatever the number of models.
COLLECTING = {"collect", "hold_contests", "test_claims", "write_methods", "all"}


def _collects(rule: str) -> bool:
    return rule in COLLECTING or rule.startswith("plot_")


def write_study(folder: Path, models: int, datasets: tuple[str, ...]) -> None:
    """Write a configuration of `models` untrained networks."""
    config, pictures = folder / "config", folder / "pictures"
    for made in (config, pictures):
        made.mkdir(parents=True, exist_ok=True)
    (pictures / "s.csv").touch()
    names = ("id", "set", "builder", "architecture", "weights", "layers", "input")
    rows = ["\t".join((*names, "function", "family", "environment"))]
    for number in range(models):
        cells = (f"m{number:04}", "demo", "torchvision", "resnet18", f"seed:{number}")
        rows.append("\t".join((*cells, "auto", "imagenet", "none", "resnet", "none")))
    (config / "models.tsv").write_text("\n".join(rows) + "\n")
    (config / "config.yaml").write_text(
        f"models: [demo]\ndatasets: [{', '.join(datasets)}]\nbaselines: [psnr, ssim]\n"
    )
    entry = "{kind: folder, folder: pictures, csv: s.csv, direction: higher is better}"
    (config / "datasets.yaml").write_text("".join(f"{name}: {entry}\n" for name in datasets))


def write_stand_in(folder: Path) -> Path:
    """Copy the workflow, with a wait in place of every script; return its Snakefile."""
    for name in ("workflow", "profiles", "envs"):
        shutil.copytree(REPOSITORY / name, folder / name)
    shutil.copy(REPOSITORY / "Snakefile", folder)
    for path in (folder / "workflow" / "rules").glob("*.smk"):
        text = path.read_text()
        text = re.sub(
            r"(rule ?(\w*):\n.*?)script:\n\s+\"[^\"]*\"",
            lambda found: f'{found[1]}shell: "sleep {WAITS.get(found[2], 0)}; touch {{output}}"',
            text,
            flags=re.DOTALL,
        )
        path.write_text(text)
    contents = folder / "workflow" / "Snakefile"
    # the closing summary reads what a stand-in doesn't write
    contents.write_text(contents.read_text().partition("onsuccess:")[0])
    return folder / "Snakefile"


def snakemake(snakefile: Path, folder: Path, *arguments: str) -> tuple[float, float, str]:
    """Run Snakemake; return its wall time, its CPU time and what it printed."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    run = subprocess.run(
        [*command, "--directory", str(folder), "--cores", "64", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = run.stdout + run.stderr
    if run.returncode:
        sys.exit(output[-3000:])
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, used, output


def planned(output: str) -> Counter[str]:
    """Read the table of jobs of a dry run."""
    rows = re.findall(r"^(\w+) +(\d+)$", output, flags=re.MULTILINE)
    return Counter({rule: int(count) for rule, count in rows if rule != "total"})


def plan(folder: Path) -> dict[str, object]:
    """Time dry runs; the first Snakemake is thrown away, it fills the file cache."""
    empty = folder / "empty"
    empty.mkdir()
    (empty / "Snakefile").write_text("rule all:\n    shell: 'true'\n")
    snakemake(empty / "Snakefile", empty, "--dry-run")
    starts = [snakemake(empty / "Snakefile", empty, "--dry-run")[:2] for _ in range(3)]
    start_wall, start_cpu = (min(values) for values in zip(*starts, strict=True))
    rows = []
    for size in SIZES:
        study = folder / f"plan{size}"
        write_study(study, size, DATA_SETS)
        wall, cpu, output = snakemake(REPOSITORY / "Snakefile", study, "--dry-run")
        rows.append(
            {
                "configurations": size,
                "jobs": sum(planned(output).values()),
                "seconds": round(wall, 1),
                "seconds_beyond_start": round(wall - start_wall, 1),
                "cpu_seconds_beyond_start": round(cpu - start_cpu, 1),
            }
        )
        print(rows[-1], flush=True)
    return {"data_sets": len(DATA_SETS), "start_seconds": round(start_wall, 1), "plans": rows}


def run(folder: Path, models: int, gpus: int) -> dict[str, object]:
    """Run stand-ins for `models` configurations on one data set, then add ten."""
    snakefile = write_stand_in(folder / "repository")
    study = folder / "run"
    write_study(study, models, DATA_SETS[:1])
    options = ("--resources", f"gpu={gpus}", "--quiet", "rules", "progress")
    wall, cpu, _ = snakemake(snakefile, study, *options)
    _, _, output = snakemake(snakefile, study, "--dry-run", "--forceall")
    jobs = planned(output)
    again, _, output = snakemake(snakefile, study, "--dry-run")
    if planned(output):
        sys.exit(f"a finished study plans {dict(planned(output))}")
    write_study(study, models + 10, DATA_SETS[:1])
    more, _, output = snakemake(snakefile, study, "--dry-run")
    added = planned(output)
    if any(added[rule] not in (0, 10) for rule in added if not _collects(rule)):
        sys.exit(f"ten more configurations plan {dict(added)}")
    return {
        "configurations": models,
        "data_sets": 1,
        "gpus": gpus,
        "jobs": sum(jobs.values()),
        "seconds": round(wall, 1),
        "least_seconds": models * WAITS["extract_features"] / gpus,
        "jobs_per_second": round(sum(jobs.values()) / wall, 1),
        "cpu_seconds_per_job": round(cpu / sum(jobs.values()), 3),
        "second_look_seconds": round(again, 1),
        "ten_more_seconds": round(more, 1),
        "ten_more_jobs": dict(added),
    }


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("plan", "run"), help="one of the two measurements")
    parser.add_argument("--models", type=int, default=1000, help="configurations of the run")
    parser.add_argument("--gpus", type=int, default=16, help="extractions at a time in the run")
    options = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results["machine"] = {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "snakemake": version("snakemake"),
    }
    with tempfile.TemporaryDirectory(prefix="plan_scale") as folder:
        if options.only != "run":
            results["plan"] = plan(Path(folder))
        if options.only != "plan":
            results["run"] = run(Path(folder), options.models, options.gpus)
            print(results["run"])
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
