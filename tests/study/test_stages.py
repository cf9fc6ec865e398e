"""A stage has one name everywhere, and its version is thought of when its code changes."""

import ast
import hashlib
import re
import tokenize
from importlib import import_module
from pathlib import Path

import pytest
from small_study import REPOSITORY

import dissect_iqa
from dissect_iqa.study.study import STAGES, Stage

PACKAGE = Path(dissect_iqa.__file__).parent
NOTED = Path(__file__).with_name("stage_code.tsv")
RULES = "\n".join(path.read_text() for path in (REPOSITORY / "workflow/rules").glob("*.smk"))
#: The figures are many rules of one stage.
ROOMS = dict.fromkeys(("plot", "plot_contests", "plot_multiverse", "plot_answers"), "figures.plot")


def tokens(path: Path) -> str:
    """Return what a file says to Python, the same for every version of it: no comment counts."""
    found, fresh = [], True
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type in (tokenize.COMMENT, tokenize.NL, tokenize.ENCODING):
                continue
            if token.type in (tokenize.INDENT, tokenize.DEDENT, tokenize.NEWLINE):
                fresh = True
                found.append(tokenize.tok_name[token.type])
                continue
            if not (fresh and token.type == tokenize.STRING):  # a docstring
                found.append(token.string)
            fresh = False
    return "".join(found)


def code_of(stage: Stage) -> str:
    """Return the sha256 of what a stage's files say: Python without comments and docstrings."""
    files = sorted({path for pattern in stage.code for path in PACKAGE.glob(pattern)})
    for pattern in stage.code:
        assert list(PACKAGE.glob(pattern)), f"nothing matches {pattern}"
    said = {path: tokens(path) if path.suffix == ".py" else path.read_text() for path in files}
    text = "\n".join(f"{path.relative_to(PACKAGE)} {said[path]}" for path in files)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def noted() -> dict[str, tuple[int, str]]:
    lines = (line.split("\t") for line in NOTED.read_text().splitlines()[1:])
    return {name: (int(version), code) for name, version, code in lines}


def note() -> None:
    rows = [f"{name}\t{stage.version}\t{code_of(stage)}" for name, stage in STAGES.items()]
    NOTED.write_text("\n".join(["stage\tversion\tcode", *rows]) + "\n")


@pytest.mark.parametrize("name", STAGES)
def test_changed_code_is_no_accident(name: str) -> None:
    version, code = noted()[name]
    assert (STAGES[name].version, code_of(STAGES[name])) == (version, code), (
        f"the code of stage {name} has changed since it was noted. If that changes any number, "
        "raise its version in src/dissect_iqa/study/study.py, so that studies compute it anew; "
        f"if not, leave it. Then note it: python {NOTED.with_name(Path(__file__).name)}"
    )


@pytest.mark.parametrize("name", STAGES)
def test_rule_script_module_and_function_bear_one_name(name: str) -> None:
    script = REPOSITORY / "workflow/scripts" / f"{name}.py"
    text = script.read_text()
    first = re.match(rf'"""Rule {name}: see (dissect_iqa[.\w]+)\."""\n', text)
    assert first, text.splitlines()[0]
    many = name in ("plot", "plot_answers")
    assert f"scripts/{name}.py" in RULES and (many or f"rule {name}:" in RULES)
    module = "dissect_iqa." + ROOMS[name] if name in ROOMS else first[1]
    assert callable(getattr(import_module(module), name))
    assert f"from {module} import" in text


def test_scripts_are_thin_and_no_stage_lacks_one() -> None:
    scripts = {
        path.stem: path.read_text() for path in (REPOSITORY / "workflow/scripts").glob("*.py")
    }
    assert set(scripts) == set(STAGES)
    for name, text in scripts.items():
        assert len(text.splitlines()) <= 25, name
        kinds = {type(node) for node in ast.walk(ast.parse(text))}
        assert not kinds & {ast.If, ast.While, ast.FunctionDef, ast.Try}, name


if __name__ == "__main__":
    note()
