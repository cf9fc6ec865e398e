"""Environment definitions are those of the lock file, and the light one is enough for its rules."""

import re
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement

REPOSITORY = Path(__file__).parents[2]
ENVS = REPOSITORY / "envs"
#: What Snakemake's own part of a script brings along, whatever the environment.
BLOCKED = ("torch", "torchvision", "timm", "torchmetrics", "piq", "lpips", "snakemake")


def pins(path: Path) -> list[Requirement]:
    """Return the pip requirements of a conda environment."""
    dependencies = yaml.safe_load(path.read_text())["dependencies"]
    (listed,) = (entry["pip"] for entry in dependencies if isinstance(entry, dict))
    return [Requirement(line) for line in listed]


@pytest.mark.parametrize("name", ["dissect-iqa.yaml", "tables.yaml"])
def test_files_are_what_the_lock_file_gives(name: str) -> None:
    sys.path.insert(0, str(ENVS))
    try:
        from render import render_all
    finally:
        sys.path.remove(str(ENVS))
    assert (ENVS / name).read_text() == render_all()[ENVS / name], (
        "run .venv/bin/python envs/render.py"
    )


@pytest.mark.parametrize("path", sorted(ENVS.glob("*.yaml")), ids=lambda path: path.name)
def test_every_version_is_a_locked_one(path: Path) -> None:
    lock = (REPOSITORY / "requirements.lock").read_text()
    locked = set(re.findall(r"^([\w.-]+==\S+)", lock, flags=re.MULTILINE))
    for pin in pins(path):
        assert f"{pin.name}{pin.specifier}" in locked
        assert str(pin.specifier).startswith("==")


@pytest.mark.parametrize("path", sorted(ENVS.glob("*.yaml")), ids=lambda path: path.name)
def test_every_environment_is_closed(path: Path) -> None:
    """Whatever an installed package of it requires here is in it, too."""
    here = default_environment()
    listed = {pin.name.lower() for pin in pins(path) if not pin.marker or pin.marker.evaluate()}
    for name in listed:
        for line in requires(name) or []:
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({**here, "extra": ""}):
                assert re.sub(r"[._]", "-", wanted.name.lower()) in listed, f"{name}: {line}"


def test_light_environment_has_no_networks_and_the_full_one_has() -> None:
    light = {pin.name for pin in pins(ENVS / "tables.yaml")}
    full = {pin.name for pin in pins(ENVS / "dissect-iqa.yaml")}
    assert not light & set(BLOCKED) and not any("nvidia" in name for name in light)
    assert {"torch", "torchvision", "timm", "torchmetrics", "piq"} <= full
    assert light < full


CHECK = """
import sys
from importlib.abc import MetaPathFinder

allowed = set(sys.argv[1].split(","))
foreign = set(sys.argv[2].split(","))

class Block(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in foreign:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Block())
import ast, importlib
from pathlib import Path
for script in sys.argv[3:]:
    for node in ast.walk(ast.parse(Path(script).read_text())):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            for alias in node.names:
                getattr(module, alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                importlib.import_module(alias.name)
"""


def scripts_by_environment() -> dict[str, set[str]]:
    """Return the names of the scripts that the workflow's rules run, by their environment.

    A rule may stand inside a loop, so it begins wherever a line begins with "rule".
    """
    found: dict[str, set[str]] = {"": set()}
    for path in sorted((REPOSITORY / "workflow" / "rules").glob("*.smk")):
        for rule in re.split(r"^\s*rule\b", path.read_text(), flags=re.MULTILINE)[1:]:
            environment = re.search(r'conda:\s+"(?:\.\./)*envs/(\S+)"', rule)
            name = environment[1] if environment else ""
            found.setdefault(name, set()).update(re.findall(r'"\.\./scripts/(\S+)"', rule))
    return found


def test_the_environment_of_every_script_is_known() -> None:
    """Or the test below would pass by not looking."""
    found = scripts_by_environment()
    everything = sorted(path.name for path in (REPOSITORY / "workflow" / "scripts").glob("*.py"))
    assert sorted(name for names in found.values() for name in names) == everything
    assert not found[""] and "plot.py" in found["tables.yaml"]


def test_light_environment_is_enough_for_the_rules_that_use_it() -> None:
    """Import what their scripts import with every package that isn't in it out of reach."""
    names = sorted(scripts_by_environment()["tables.yaml"])
    scripts = [str(REPOSITORY / "workflow" / "scripts" / name) for name in names]
    light = {pin.name.lower() for pin in pins(ENVS / "tables.yaml")} | {"dissect-iqa"}
    foreign = {
        module
        for module, owners in packages_distributions().items()
        if not {re.sub(r"[._]", "-", owner.lower()) for owner in owners} & light
    }
    assert {"torch", "snakemake"} <= foreign and "pandas" not in foreign
    done = subprocess.run(
        [sys.executable, "-c", CHECK, ",".join(light), ",".join(foreign), *scripts],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["Dockerfile", "apptainer.def"])
def test_container_installs_the_lock_file_with_the_same_python(name: str) -> None:
    text = (ENVS / name).read_text()
    python = yaml.safe_load((ENVS / "dissect-iqa.yaml").read_text())["dependencies"][0]
    assert f"python:{python.removeprefix('python=')}-slim" in text
    assert "--require-hashes" in text and "requirements.lock" in text
    assert not re.search(r"pip install (?!--)", text), "every install must be from the lock file"
    for source in re.findall(r"^(?:COPY | +)([\w.]+) /app/", text, flags=re.MULTILINE):
        assert (REPOSITORY / source).exists(), source


def test_what_containers_copy_is_everything_that_a_study_needs() -> None:
    needed = {"Snakefile", "workflow", "profiles", "config", "src", "pyproject.toml"}
    for name in ("Dockerfile", "apptainer.def"):
        text = (ENVS / name).read_text()
        missing = [entry for entry in needed if not re.search(rf"\b{entry}\b", text)]
        assert not missing, f"{name}: {missing}"
