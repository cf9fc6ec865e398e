"""Do the architectures, weights and builders that rows name exist? Told without loading PyTorch.

Importing timm or torchvision takes longer than planning a study. So names are first looked for in
the packages' source text; only for one that isn't seen there the package itself is asked, and a
row is refused only by the package.
"""

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

from dissect_iqa.errors import Problems, UserError, suggest
from dissect_iqa.zoo.foreign import explained
from dissect_iqa.zoo.row import ModelRow

_REGISTERED = re.compile(r"^@register_model\b.*?^def (\w+)\(", re.MULTILINE | re.DOTALL)
_ENUM = re.compile(r"^class (\w+)_Weights\(WeightsEnum\):\n((?:[ \t].*\n|\n)*)", re.MULTILINE)
_MEMBER = re.compile(r"^    (\w+) = ", re.MULTILINE)
#: Modules of ours that tables from before December 2026 may name, and where they are now.
_MOVED = {
    f"dissect_iqa.models.{name}": f"dissect_iqa.models.architectures.{name}"
    for name in ("craft", "hed", "vgg_trunk")
}
#: Longer than any import takes; a builder that waits for something would stop the planning.
_SECONDS = 120


def check_names(rows: Iterable[ModelRow]) -> None:
    """Check that what rows name exists: models, tags and enums of weights, modules, functions.

    Raises
    ------
    UserError
        A line for each row that names something else, with what was perhaps meant.
    """
    problems = Problems()
    for row in rows:
        with problems.caught():
            if row.builder == "timm":
                _check_timm(row)
            elif row.builder == "torchvision":
                _check_torchvision(row)
            else:
                _check_function(row)
    problems.raise_all()


def try_builders(rows: Iterable[ModelRow]) -> None:
    """Build every row that has a builder of the user's, in a process of its own.

    Only running such code tells whether it works, and it may do anything, end the process
    included.

    Raises
    ------
    UserError
        A line for each row that can't be built.
    """
    own = [row for row in rows if _is_own(row)]
    if not own or find_spec("torch") is None:
        return
    python = sys.executable
    if not Path(python).exists():
        python = shlex.split(python)[0]  # the Snakefile quotes it for the shell
    run = subprocess.run(
        [python, "-m", __name__],
        input="\n".join(row.model_dump_json() for row in own),
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS * len(own),
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )
    problems = Problems()
    marked = [line[len(_MARK) :] for line in run.stdout.splitlines() if line.startswith(_MARK)]
    for line in marked[: len(own)]:
        if line:
            problems.add(line)
    if len(marked) < len(own):
        row, last = own[len(marked)], (run.stderr.strip().splitlines() or ["no message"])[-1]
        problems.add(
            f"{row.id}: builder {row.builder!r} ends the program with status {run.returncode} "
            f"({last})"
        )
    problems.raise_all()


#: Before each line of the other process, which may print what it likes.
_MARK = "dissect-iqa builder: "


def _try() -> None:
    """Build the rows that come in on the standard input; say of each what is wrong."""
    from dissect_iqa.models.architecture import skeleton

    for line in sys.stdin.read().splitlines():
        try:
            skeleton(ModelRow.model_validate_json(line))
            said = ""
        except UserError as error:
            said = " ".join(str(error).splitlines())
        print(f"\n{_MARK}{said}", flush=True)


def _is_own(row: ModelRow) -> bool:
    return ":" in row.builder and not row.builder.startswith("dissect_iqa.")


def _folder(package: str) -> Path | None:
    """Return where an installed package lies, without importing it."""
    found = find_spec(package)
    places = found.submodule_search_locations if found else None
    return Path(places[0]) if places else None


@cache
def _source(package: str, *patterns: str) -> str:
    folder = _folder(package)
    if folder is None:
        return ""
    files = (file for pattern in patterns for file in sorted(folder.glob(pattern)))
    return "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in files)


@cache
def _timm_models() -> frozenset[str]:
    return frozenset(_REGISTERED.findall(_source("timm", "models/*.py")))


@cache
def _torchvision_models() -> dict[str, frozenset[str]]:
    """Return the names of weights by model."""
    places = [f"models/{folder}*.py" for folder in ("", "segmentation/", "detection/")]
    text = _source("torchvision", *places)
    weights = {name.lower(): frozenset(_MEMBER.findall(body)) for name, body in _ENUM.findall(text)}
    return {name: weights.get(name, frozenset()) for name in _REGISTERED.findall(text)}


def _check_timm(row: ModelRow) -> None:
    if _folder("timm") is None:
        return  # this process only plans; the job that fetches the weights tells
    if row.name in _timm_models():
        # timm derives the tags of these from those of the plain ones, in a loop
        name = f"{row.name.replace('_quickgelu', '')}.{row.weights_source}"
        text = _source("timm", "models/*.py")
        if row.weights_kind != "tag" or f"'{name}'" in text or f'"{name}"' in text:
            return
    import timm

    from dissect_iqa.models.weights.sources import addresses

    if not timm.is_model(row.name):
        known = timm.list_models()
        raise UserError(
            f"{row.id}: timm {timm.__version__} has no model {row.name!r}{suggest(row.name, known)}"
        )
    if row.weights_kind == "tag":
        addresses(row)


def _check_torchvision(row: ModelRow) -> None:
    if _folder("torchvision") is None:
        return
    known = _torchvision_models()
    if row.name in known and (
        row.weights_kind != "enum" or row.weights_source in {*known[row.name]}
    ):
        return
    from dissect_iqa.models.torchvision_builders import weights_of

    weights_of(row)


def _check_function(row: ModelRow) -> None:
    """Check that a builder's module is there, is Python, and has such a function."""
    module, function = row.builder.split(":")
    what = f"{row.id}: builder {row.builder!r}"
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)
    with explained(f"{what}: module {module!r} can't be imported: it"):
        found: ModuleSpec | None = find_spec(module)
        if found is None and module in _MOVED:
            raise UserError(f"{what}: this module has moved; write {_MOVED[module]}:{function}")
        if found is None:
            raise UserError(
                f"{what}: there is no module {module!r}; put {module.replace('.', '/')}.py into "
                f"{folder}, or install it"
            )
        if not found.origin or not found.origin.endswith(".py"):
            return
        tree = ast.parse(Path(found.origin).read_bytes(), found.origin)
    names = set(_bound(tree))
    if function not in names and "*" not in names and "__getattr__" not in names:
        raise UserError(
            f"{what}: {found.origin} has no function {function!r}{suggest(function, sorted(names))}"
        )


def _bound(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a module binds outside of functions and classes; ``*`` for any."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("globals", "exec"):
            yield "*"
        else:
            yield from _bound(node)


if __name__ == "__main__":
    _try()
