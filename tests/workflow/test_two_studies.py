"""Two studies in one clone: neither takes the other's place, and what is shared is made once."""

import json
import os
import re
import subprocess
from collections import Counter
from pathlib import Path

import pandas as pd
from plans import COLLECTING, planned
from small_study import RESULTS, shared, snakemake

from dissect_iqa.files.provenance import table_provenance


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_second_study_leaves_the_first_alone(study: Path) -> None:
    (study / "config/second.yaml").write_text("distances: [rmse]\nmodels: [tiny_mobile]\n")
    first, options = content(study / RESULTS), ("--configfile", "config/second.yaml")
    plan = planned(study, *options)
    own = Counter(measure_distances=1, correlate=1, size_networks=1)
    assert plan == own + COLLECTING
    run = snakemake(study, *options)
    assert run.returncode == 0, run.stdout + run.stderr
    assert content(study / RESULTS) == first
    assert not planned(study) and not planned(study, *options)
    second = study / "results/second"
    assert set(pd.read_csv(second / "summary.csv")["study"]) == {"second"}
    assert set(pd.read_csv(second / "claims.csv")["study"]) == {"second"}
    for name in ("claims.md", "methods.md"):
        assert "**Study second.**" in (second / name).read_text()
        assert "**Study small.**" in (study / RESULTS / name).read_text()
    spec = json.loads(table_provenance(second / "correlations.parquet")["spec"])
    assert spec["study"] == "second"
    assert b"study second, fingerprint" in (second / "figures/depth_own.png").read_bytes()
    output = run.stdout
    assert "study second, finished" in output
    command = re.search(r"on one page: (.*)", output)[1]
    assert "--configfile config/second.yaml --report results/second/report.html" in command
    page = subprocess.run(
        command.replace("--report", f"--snakefile {Path(__file__).parents[2]}/Snakefile --report"),
        shell=True, capture_output=True, text=True, check=False, cwd=study,
    )  # fmt: skip
    assert page.returncode == 0, page.stdout + page.stderr
    text = (second / "report.html").read_text()
    assert "results/second/figures" in text and "results/small" not in text


def test_another_study_of_the_same_name_is_refused(study: Path) -> None:
    first = content(study / RESULTS)
    for options in (("--config", "distances=[rmse]"), ("--configfile", "config/more.yaml")):
        (study / "config/more.yaml").write_text("study: small\n")
        for more in ((), ("--dry-run",)):
            run = snakemake(study, *more, *options)
            assert run.returncode == 1
            said = run.stdout + run.stderr  # a dry run speaks on stdout
            assert "results/small: holds the study of config/config.yaml" in said, said
    assert content(study / RESULTS) == first


def test_going_back_to_a_setting_costs_what_is_concluded_only(study: Path) -> None:
    config = study / "config/config.yaml"
    before = config.read_text()
    old = study / shared(study, "distances", "tiny_mobile")
    config.write_text(before.replace("[rmse, cosine]", "[rmse]"))
    run = snakemake(study)
    assert run.returncode == 0, run.stdout + run.stderr
    assert old.is_file()
    config.write_text(before)
    assert planned(study) == COLLECTING


def break_a_model(study: Path) -> None:
    (study / "bad.pth").write_text("no weights")
    with (study / "config/models.tsv").open("a") as table:
        table.write("tiny_bad\tdemo\ttorchvision\tresnet18\tfile:bad.pth\tauto\timagenet\tnone\t")
        table.write("resnet\tnone\n")


def test_a_study_is_finished_without_a_model_that_cannot_be_had(study: Path) -> None:
    break_a_model(study)
    run = snakemake(study)
    output = run.stdout + run.stderr
    assert run.returncode == 1, output
    assert "study small, finished without tiny_bad" in output
    assert "The study is finished without tiny_bad (bad.pth: " in output
    summary = pd.read_csv(study / RESULTS / "summary.csv")
    assert set(summary["model"]) == {"tiny_resnet", "tiny_mobile", "psnr", "ssim"}
    assert summary["of_study"].str.startswith("without tiny_bad (bad.pth").all()
    for path in ("claims.md", "methods.md"):
        assert "Without tiny_bad (bad.pth" in (study / RESULTS / path).read_text()
    figure = (study / RESULTS / "figures/ranking_own.svg").read_text()
    assert "Without tiny_bad" in figure
    # the report of what there is
    command = re.search(r"on one page: (.*)", output)[1]
    assert command.startswith("DISSECT_IQA_WITHOUT=results/small/missing.json ")
    os.environ["DISSECT_IQA_WITHOUT"] = str(RESULTS / "missing.json")
    try:
        assert not planned(study)
    finally:
        del os.environ["DISSECT_IQA_WITHOUT"]
    # once it can be had, or is left out on purpose, the study is whole
    config = study / "config/config.yaml"
    config.write_text(config.read_text().replace("[demo]", "[demo, -tiny_bad]"))
    run = snakemake(study)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "of_study" not in pd.read_csv(study / RESULTS / "summary.csv")
    assert not (study / RESULTS / "missing.json").exists()
    assert not planned(study)


def test_a_target_of_one_s_own_is_not_finished_otherwise(study: Path) -> None:
    break_a_model(study)
    run = snakemake(study, shared(study, "features", "tiny_bad"))
    assert run.returncode == 1
    assert "finished without" not in run.stdout + run.stderr
