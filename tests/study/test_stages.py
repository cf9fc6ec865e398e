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
from dissect_iqa.study.stages import STAGES

PACKAGE = Path(dissect_iqa.__file__).parent
NOTED = Path(__file__).with_name("stage_code.tsv")
RULES = "\n".join(path.read_text() for path in (REPOSITORY / "workflow/rules").glob("*.smk"))

#: The files of the package that decide the numbers of each stage; CORRELATING is a list of its own.
CODE = {
    "CORRELATING": """
        correlation/correlate.py correlation/best_layer.py correlation/clusters.py
        correlation/forms.py correlation/jackknife.py correlation/logistic.py
        correlation/means.py correlation/triplets.py
    """,
    "fetch_dataset": """
        datasets/*.py datasets/public/*.py datasets/decoding/*.py datasets/thresholds/*.py
        datasets/*.csv datasets/thresholds/*.csv
    """,
    "fetch_weights": """
        models/architecture.py models/torchvision_builders.py models/architectures/*.py
        models/weights/*.py
    """,
    "extract_features": """
        features/*.py features/*/*.py models/*.py models/architectures/*.py
        datasets/decoding/*.py
    """,
    "measure_distances": "distances/*.py features/file/read.py features/file/raw.py",
    "score_baselines": """
        baselines/classic.py baselines/learned.py baselines/names.py
        baselines/score_baselines.py baselines/vdp.py datasets/decoding/*.py
    """,
    "read_scores": "baselines/outside.py baselines/outside_table.py baselines/read_scores.py",
    "fit_readouts": "readouts/*.py features/file/read.py",
    "correlate": "CORRELATING",
    "collect": "correlation/collect.py correlation/summary.py correlation/ceiling.py CORRELATING",
    "find_thresholds": "thresholds/*.py datasets/thresholds/table.py datasets/thresholds/*.csv",
    "measure_invariance": "invariance/*.py CORRELATING",
    "hold_contests": """
        correlation/hold_contests.py correlation/dependent.py correlation/summary.py CORRELATING
    """,
    "judge_pairs": """
        correlation/judge_pairs.py correlation/pairs_of_pairs.py correlation/disagreements.py
        correlation/summary.py CORRELATING
    """,
    "pick_misjudged": "correlation/pick_misjudged.py datasets/thumbnails.py",
    "walk_multiverse": """
        multiverse/choices.py multiverse/measure_choices.py multiverse/walk_multiverse.py
        claims/claims.py claims/preprint.py claims/evidence.py claims/run.py
        correlation/hold_contests.py correlation/summary.py CORRELATING
    """,
    "size_networks": """
        study/size_networks.py features/estimate.py models/architecture.py models/input.py
        models/layers.py models/architectures/*.py
    """,
    "explain_factors": "factors/*.py CORRELATING",
    "count_verdicts": "multiverse/choices.py multiverse/count_verdicts.py",
    "test_claims": """
        claims/answers.py claims/test_claims.py claims/claims.py claims/preprint.py
        claims/evidence.py claims/controls.py claims/run.py correlation/summary.py
    """,
    "plot": "figures/*.py claims/answers.py multiverse/count_verdicts.py",
    "draw_contact_sheets": """
        figures/contact_sheets.py figures/pictures_in_pdf.py figures/save.py figures/style.py
        figures/labels.py
    """,
    "write_pages": "pages/*.py",
    "write_explorer": "explorer/*.py explorer/page/* figures/select.py",
    "write_methods": "claims/write_methods.py claims/data_in_words.py correlation/words.py",
}


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


def code_of(stage: str) -> str:
    """Return the sha256 of what a stage's files say: Python without comments and docstrings."""
    patterns = CODE[stage].replace("CORRELATING", CODE["CORRELATING"]).split()
    files = sorted({path for pattern in patterns for path in PACKAGE.glob(pattern)})
    for pattern in patterns:
        assert list(PACKAGE.glob(pattern)), f"nothing matches {pattern}"
    said = {path: tokens(path) if path.suffix == ".py" else path.read_text() for path in files}
    text = "\n".join(f"{path.relative_to(PACKAGE)} {said[path]}" for path in files)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def noted() -> dict[str, tuple[int, str]]:
    lines = (line.split("\t") for line in NOTED.read_text().splitlines()[1:])
    return {name: (int(version), code) for name, version, code in lines}


def note() -> None:
    rows = [f"{name}\t{stage.version}\t{code_of(name)}" for name, stage in STAGES.items()]
    NOTED.write_text("\n".join(["stage\tversion\tcode", *rows]) + "\n")


@pytest.mark.parametrize("name", STAGES)
def test_changed_code_is_no_accident(name: str) -> None:
    version, code = noted()[name]
    assert (STAGES[name].version, code_of(name)) == (version, code), (
        f"the code of stage {name} has changed since it was noted. If that changes any number, "
        "raise its version in src/dissect_iqa/study/stages.py, so that studies compute it anew; "
        f"if not, leave it. Then note it: python {NOTED.with_name(Path(__file__).name)}"
    )


@pytest.mark.parametrize("name", STAGES)
def test_rule_script_module_and_function_bear_one_name(name: str) -> None:
    script = REPOSITORY / "workflow/scripts" / f"{name}.py"
    text = script.read_text()
    first = re.match(rf'"""Rule {name}: see (dissect_iqa[.\w]+)\."""\n', text)
    assert first, text.splitlines()[0]
    # the figures are many rules of one stage
    assert f"scripts/{name}.py" in RULES and (name == "plot" or f"rule {name}:" in RULES)
    assert callable(getattr(import_module(first[1]), name))
    assert f"from {first[1]} import" in text


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
