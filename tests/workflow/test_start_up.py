"""What a job of the workflow loads before it works: no large package that it doesn't use."""

import ast
import json
import subprocess
import sys

import pytest
from small_study import REPOSITORY

SCRIPTS = REPOSITORY / "workflow" / "scripts"

#: Packages that take from a tenth of a second to some seconds, each.
LARGE = {
    *("torch", "torchvision", "timm", "torchmetrics", "numba"),
    *("matplotlib", "seaborn", "scipy.stats", "statsmodels", "skimage", "h5py", "requests"),
}
#: What of them a script may load with its own imports; all others load none.
MAY = {
    "draw_contact_sheets": {"matplotlib", "seaborn", "scipy.stats", "statsmodels"},
    "hold_contests": {"scipy.stats", "statsmodels"},
    "size_networks": {"torch", "torchvision", "h5py"},
    "extract_features": {"torch", "torchvision", "h5py"},
    "fetch_dataset": {"requests"},
    "fetch_weights": {"torch", "torchvision", "h5py", "requests"},
    "fit_readouts": {"scipy.stats"},
    "test_claims": {"scipy.stats", "statsmodels"},
    "walk_multiverse": {"scipy.stats", "statsmodels"},
    "count_verdicts": {"scipy.stats", "statsmodels"},
}


def imports_of(script: str) -> list[str]:
    """Return a script's imports, without those that depend on its job."""
    found = []
    nodes: list[ast.AST] = [ast.parse((SCRIPTS / f"{script}.py").read_text())]
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(ast.unparse(node))
        elif not isinstance(node, ast.If):
            nodes += ast.iter_child_nodes(node)
    return found


@pytest.mark.parametrize("script", sorted(path.stem for path in SCRIPTS.glob("*.py")))
def test_a_job_loads_what_it_uses(script: str) -> None:
    code = [*imports_of(script), "import json, sys", "print(json.dumps(list(sys.modules)))"]
    command = [sys.executable, "-c", "\n".join(code)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert LARGE & set(json.loads(run.stdout)) <= MAY.get(script, set())
