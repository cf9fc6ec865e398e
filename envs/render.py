"""Write the environment definitions from pyproject.toml and requirements.lock.

    .venv/bin/python envs/render.py

So nobody types a version twice; a test fails when a file isn't what this would write.
"""

import re
import tomllib
from pathlib import Path

FOLDER = Path(__file__).parent
REPOSITORY = FOLDER.parent
PYTHON = "3.11"
#: Needed where Snakemake runs, not inside its jobs.
OUTSIDE = {
    "pip",
    "snakemake",
    "snakemake-executor-plugin-slurm",
    "snakemake-interface-logger-plugins",
}
#: Needed by rules that run or build a network.
NETWORKS = {"cvvdp", "numba", "piq", "plenoptic", "timm", "torch", "torchmetrics", "torchvision"}

HEADER = """\
# {title}
# For `snakemake --sdm conda`. Written by envs/render.py from requirements.lock; don't edit.
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python={python}
  - pip
  - pip:
"""


def read_lock(path: Path) -> dict[str, tuple[list[str], set[str]]]:
    """Return each locked package's requirement lines and the packages that asked for it."""
    packages: dict[str, tuple[list[str], set[str]]] = {}
    asked: set[str] = set()
    for line in path.read_text().splitlines():
        if found := re.match(r"([\w.-]+)==\S+(?: ; [^\\]+)?", line):
            lines, asked = packages.setdefault(found[1], ([], set()))
            lines.append(found[0].strip())
        elif found := re.match(r" +#(?: +via)? +([\w.-]+)", line):
            asked.add(found[1])
    return packages


def wanted(exclude: set[str]) -> set[str]:
    """Return the names of pyproject's own dependencies but some."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    names = {re.match(r"[\w.-]+", line)[0].lower() for line in project["dependencies"]}
    return names - exclude


def closure(
    roots: set[str], packages: dict[str, tuple[list[str], set[str]]], exclude: set[str]
) -> list[str]:
    """Return the requirement lines of packages and everything that they ask for."""
    chosen, before = set(roots), set()
    while chosen != before:
        before = set(chosen)
        chosen |= {name for name, (_, asked) in packages.items() if asked & before} - exclude
    missing = chosen - packages.keys()
    if missing:
        raise SystemExit(f"requirements.lock has no {sorted(missing)[0]}; run `make lock`")
    return [line for name in sorted(chosen) for line in packages[name][0]]


def render(title: str, exclude: set[str]) -> str:
    """Return one environment definition."""
    lines = closure(wanted(exclude), read_lock(REPOSITORY / "requirements.lock"), exclude)
    head = HEADER.format(title=title, python=PYTHON)
    return head + "".join(f'      - "{line}"\n' for line in lines)


def render_all() -> dict[Path, str]:
    """Return the content of every file that is generated."""
    return {
        FOLDER / "dissect-iqa.yaml": render("Rules that run a network: PyTorch and all.", OUTSIDE),
        FOLDER / "tables.yaml": render(
            "Rules that only read and write tables and figures: no PyTorch.", OUTSIDE | NETWORKS
        ),
    }


if __name__ == "__main__":
    for path, content in render_all().items():
        path.write_text(content)
