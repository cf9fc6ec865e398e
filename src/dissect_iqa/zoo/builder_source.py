"""The code that a builder of the user's own consists of: part of what a model is.

Found without importing anything, so that planning stays fast and runs no foreign code: the
builder's module, and what it imports from beside it, followed through import statements.
"""

import ast
import hashlib
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from importlib.machinery import PathFinder
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from dissect_iqa.files.provenance import sha256_file

_OURS = "dissect_iqa"


def builder_source(builder: str) -> dict[str, Any]:
    """Return what identifies the code of a builder.

    Parameters
    ----------
    builder : str
        ``package.module:function``; ``torchvision`` and ``timm`` give nothing, and neither do
        the builders of this project, which `dissect_iqa.zoo.row.MODELS_VERSION` stands for.

    Returns
    -------
    dict
        ``builder_sha256``: one sum of its source files, by name, where it lies in the study's
        folder or anywhere else that isn't installed; ``builder_package``: name and version where
        it belongs to an installed package; empty if it can't be found.
    """
    module, colon, _ = builder.partition(":")
    top = module.partition(".")[0]
    if not colon or top == _OURS:
        return {}
    files: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        for part, path in _files(name):
            if part not in files:
                files[part] = path
                waiting += _imported(part, path)
    if files:
        text = "".join(f"{name} {sha256_file(files[name])}\n" for name in sorted(files))
        return {"builder_sha256": hashlib.sha256(text.encode()).hexdigest()}
    names = packages_distributions().get(top)
    return {"builder_package": f"{names[0]}=={version(names[0])}"} if names else {}


def _files(module: str) -> Iterator[tuple[str, Path]]:
    """Yield (module, file) of a module that isn't installed, and of the packages it is in."""
    places = [*sys.path, str(Path.cwd())]  # in this order when it is imported, too
    parts = module.split(".")
    if parts[0] == _OURS:
        return
    for count in range(1, len(parts) + 1):
        name = ".".join(parts[:count])
        found = PathFinder.find_spec(name, places)
        if found is None or (found.origin and _installed(found.origin)):
            return
        if found.origin and found.origin.endswith(".py"):
            yield name, Path(found.origin)
        places = list(found.submodule_search_locations or ())


@cache
def _installed_in() -> tuple[Path, ...]:
    names = ("purelib", "platlib", "stdlib", "platstdlib")
    return tuple(Path(sysconfig.get_path(name)).resolve() for name in names)


def _installed(origin: str) -> bool:
    path = Path(origin).resolve()
    return any(path.is_relative_to(folder) for folder in _installed_in())


def _imported(module: str, path: Path) -> list[str]:
    """Return the modules that a source file imports anywhere in it."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []  # whoever imports it will say so
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            # what is imported from a package may be a module of it
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return [name for name in names if name]
