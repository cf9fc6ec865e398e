"""The rooms of the house: a module imports only what stands below it, and no two each other."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "dissect_iqa"
#: From the ground up. What a study is made of knows nothing of studies.
ROOMS = (
    "errors",
    "files",
    "zoo",
    "models",
    "datasets",
    "features",
    "distances",
    "readouts",
    "baselines",
    "correlation",
    "thresholds",
    "invariance",
    "factors",
    "claims",
    "multiverse",
    "figures",
    "pages",
    "explorer",
    "study",
    "doctor",
    "cli",
)
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SOURCE.rglob("*.py"))
    if path != SOURCE / "__init__.py"
}


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and name of every module of ours that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dissect_iqa"):
            base = str(node.module).removeprefix("dissect_iqa").lstrip(".")
            for alias in node.names:
                full = f"{base}.{alias.name}".lstrip(".")
                yield node.lineno, full if full in MODULES else base
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("dissect_iqa."):
                    yield node.lineno, alias.name.removeprefix("dissect_iqa.")


def test_every_module_is_in_a_room() -> None:
    assert {name.partition(".")[0] for name in MODULES} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_stands_below_it(room: str) -> None:
    climbs = [
        f"{path.relative_to(SOURCE)}, line {line}: {name}"
        for module, path in MODULES.items()
        if module.partition(".")[0] == room
        for line, name in imported(path)
        if ROOMS.index(name.partition(".")[0]) > ROOMS.index(room)
    ]
    assert not climbs


def test_no_two_modules_import_each_other() -> None:
    below = {module: {name for _, name in imported(path)} for module, path in MODULES.items()}
    circles, done = [], set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        if module in way:
            circles.append(" -> ".join((*way[way.index(module) :], module)))
        elif module not in done:
            for name in sorted(below.get(module, ())):
                visit(name, (*way, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())
    assert not circles


def test_nothing_of_ours_imports_snakemake() -> None:
    """The package is of use without it; plugins for it are packages of their own."""
    users = [
        name
        for name, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        and any(
            word.startswith("snakemake")
            for word in (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in node.names]
            )
        )
    ]
    assert not users


@pytest.mark.parametrize("path", sorted(SOURCE.parents[1].glob("tests/*/test_*.py")), ids=str)
def test_tests_lie_in_the_room_of_what_they_test(path: Path) -> None:
    assert path.parent.name in (*ROOMS, "workflow", "slurm", "terminal")
