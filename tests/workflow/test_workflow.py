"""Change something, then exactly these jobs run again; bad input ends in one clear sentence."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from plans import COLLECTING, PAGES, PLOTS, UNIVERSES, planned
from small_study import DATASETS, ONE_MORE, REPOSITORY, RESULTS, shared, snakemake, write_study

from dissect_iqa.figures.plot import FIGURES
from dissect_iqa.files.provenance import read_table, table_provenance, write_table
from dissect_iqa.study.stages import STAGES
from dissect_iqa.study.study import Study


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_nothing_changed(study: Path) -> None:
    assert planned(study) == Counter()


def test_one_more_model_plans_its_four_jobs_and_the_collecting_ones(study: Path) -> None:
    with (study / "config/models.tsv").open("a") as table:
        table.write(ONE_MORE)
    own = Counter(fetch_weights=1, extract_features=1, measure_distances=1, correlate=1)
    assert planned(study) == own + COLLECTING + Counter(size_networks=1)


def one_model_more_layers(study: Path) -> None:
    edit(study / "config/models.tsv", "seed:0\tauto\t", "seed:0\tlayer1.0;layer2.0\t")


def one_more_distance(study: Path) -> None:
    edit(study / "config/config.yaml", "[rmse, cosine]", "[rmse, cosine, dists]")


def readouts(study: Path) -> None:
    with (study / "config/config.yaml").open("a") as file:
        file.write("readouts:\n  names: [nnls_mse]\n")


def distances_reordered(study: Path) -> None:
    edit(study / "config/config.yaml", "[rmse, cosine]", "[cosine, rmse]")


def other_draws(study: Path) -> None:
    edit(study / "config/config.yaml", "draws: 50", "draws: 60")


def other_figures(study: Path) -> None:
    with (study / "config/config.yaml").open("a") as config:
        config.write("figures: {statistic: plcc}\n")


def one_more_baseline(study: Path) -> None:
    edit(study / "config/config.yaml", "[psnr, ssim]", "[psnr, ssim, psnr_y]")


def fewer_thumbnails(study: Path) -> None:
    with (study / "config/config.yaml").open("a") as config:
        config.write("explorer: {thumbnails: 3}\n")


def pictures_that_must_not_be_shown(study: Path) -> None:
    with (study / "config/datasets.yaml").open("a") as config:
        config.write("  closed: Patients are in them.\n")


def keys_reordered(study: Path) -> None:
    path = study / "config/config.yaml"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[4:], *lines[:4]]))


def other_device_and_batch(study: Path) -> None:
    with (study / "config/config.yaml").open("a") as config:
        config.write("extraction: {device: cpu, batch_size: 3}\n")


def a_note_on_a_model(study: Path) -> None:
    path = study / "config/models.tsv"
    header, first, second = path.read_text().splitlines()
    path.write_text(f"{header}\tnotes\n{first}\tslow\n{second}\t\n")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            one_model_more_layers,
            Counter(extract_features=1, measure_distances=1, correlate=1, size_networks=1)
            + COLLECTING,
        ),
        (one_more_distance, Counter(measure_distances=2, correlate=2) + COLLECTING),
        (distances_reordered, Counter()),
        (other_draws, Counter(correlate=4) + COLLECTING),
        (other_figures, PLOTS + PAGES),
        (fewer_thumbnails, Counter(write_explorer=1)),
        (pictures_that_must_not_be_shown, PAGES + Counter(pick_misjudged=1)),
        # readouts are fitted to scores, so that they are in no universe
        (
            readouts,
            Counter(fit_readouts=2, correlate=2, plot_readouts=1) + COLLECTING - UNIVERSES,
        ),
        (one_more_baseline, Counter(score_baselines=1, correlate=1) + COLLECTING),
        (keys_reordered, Counter()),
        (other_device_and_batch, Counter()),
        (a_note_on_a_model, Counter()),
    ],
)
def test_a_change_plans_exactly_its_jobs(
    study: Path, change: Callable[[Path], None], expected: Counter[str]
) -> None:
    change(study)
    assert planned(study) == expected


def test_a_raised_stage_version_plans_that_stage_and_what_follows(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version is part of the spec: the same study with another version has other specs."""
    values = {"models": ["demo"], "datasets": ["own"]}
    monkeypatch.chdir(study)
    before = Study.from_values(values)
    kept = before.spec("extract_features", "own", "tiny_resnet")
    changed = before.spec("measure_distances", "own", "tiny_resnet")
    raised = replace(STAGES["measure_distances"], version=99)
    monkeypatch.setitem(STAGES, "measure_distances", raised)
    after = Study.from_values(values)
    assert after.spec("extract_features", "own", "tiny_resnet") == kept
    assert after.spec("measure_distances", "own", "tiny_resnet") != changed
    assert after.spec("collect") != before.spec("collect")


@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        (
            "config.yaml",
            "  draws: 50",
            "  drws: 50",
            r"config/config\.yaml, line 6: unknown option 'statistics\.drws' \(did you mean "
            r"'draws'\?\)",
        ),
        (
            "config.yaml",
            "models: [demo]",
            "models: [tiny_resnot]",
            r"'tiny_resnot'.*did you mean 'tiny_resnet'\?",
        ),
        (
            "config.yaml",
            "datasets: [own]",
            "datasets: [tid2031]",
            r"'tid2031' is not in config/datasets\.yaml; it has: own",
        ),
        (
            "config.yaml",
            "[rmse, cosine]",
            "[rmse, cosin]",
            r"config/config\.yaml, line 3: .*unknown name 'cosin' \(did you mean 'cosine'\?\)",
        ),
        (
            "models.tsv",
            "tiny_mobile\t",
            "tiny_resnet\t",
            r"config/models\.tsv.*3.*tiny_resnet",
        ),
        ("models.tsv", "seed:0", "sed:0", r"config/models\.tsv.*2.*weights.*'sed'"),
    ],
)
def test_bad_configuration_ends_in_one_sentence_before_anything_starts(
    tmp_path: Path, file: str, old: str, new: str, sentence: str
) -> None:
    folder = write_study(tmp_path / "study")
    edit(folder / "config" / file, old, new)
    run = snakemake(folder)
    output = run.stdout + run.stderr
    assert run.returncode != 0
    assert re.search(sentence, output, flags=re.DOTALL), output
    assert "Traceback" not in output
    assert not (folder / "results").exists()
    assert not (folder / "resources").exists()


def missing_picture(pictures: Path) -> str:
    (pictures / "a_3.png").unlink()
    return r"a_3\.png"


def other_size(pictures: Path) -> str:
    Image.new("RGB", (40, 64)).save(pictures / "b_2.png")
    return r"b_2\.png.*40.*64"


def undecodable(pictures: Path) -> str:
    (pictures / "b_5.png").write_bytes(b"this is no picture")
    return r"b_5\.png"


def missing_score(pictures: Path) -> str:
    lines = (pictures / "scores.csv").read_text().splitlines()
    lines[4] = re.sub(r",[\d.]+,", ",,", lines[4])
    (pictures / "scores.csv").write_text("\n".join(lines) + "\n")
    return r"scores\.csv.*5|a_3\.png"


@pytest.mark.parametrize("harm", [missing_picture, other_size, undecodable, missing_score])
def test_bad_pictures_and_scores_are_named_before_long_work(
    tmp_path: Path, harm: Callable[[Path], str]
) -> None:
    folder = write_study(tmp_path / "study")
    sentence = harm(folder / "pictures")
    run = snakemake(folder, "resources/datasets/own/pairs.parquet")
    output = run.stdout + run.stderr
    assert run.returncode != 0
    assert re.search(rf"error: .*{sentence}", output, flags=re.DOTALL), output
    assert not (folder / "resources/datasets/own/pairs.parquet").exists()


def test_unknown_layer_is_named_and_finished_outputs_stay(study: Path) -> None:
    finished = study / shared(study, "correlations", "tiny_mobile")
    before = finished.read_bytes()
    edit(study / "config/models.tsv", "seed:0\tauto\t", "seed:0\tlayer1.0;layer9.0\t")
    run = snakemake(study)
    output = run.stdout + run.stderr
    assert run.returncode != 0
    assert re.search(r"error: .*tiny_resnet.*layer9\.0", output), output
    assert finished.read_bytes() == before


def test_a_cut_table_is_refused_not_read(study: Path) -> None:
    table = study / shared(study, "distances", "tiny_resnet")
    table.write_bytes(table.read_bytes()[:-100])
    run = snakemake(study)
    output = run.stdout + run.stderr
    assert run.returncode != 0
    assert re.search(r"error: .*tiny_resnet\.\w+\.parquet: .*Delete it and run again", output), (
        output
    )


def test_two_data_sets_share_weights(study: Path) -> None:
    entry = DATASETS.replace("own:", "twin:")
    with (study / "config/datasets.yaml").open("a") as table:
        table.write(entry)
    edit(study / "config/config.yaml", "[own]", "[own, twin]")
    per_model = Counter(extract_features=2, measure_distances=2, correlate=4, score_baselines=2)
    once = Counter(fetch_dataset=1, hold_contests=1, judge_pairs=1, pick_misjudged=1,
                   draw_contact_sheets=1)  # fmt: skip
    # its own figures, those of the first from what is collected anew, and of both together
    figures = Counter(plot_datasets=1) + Counter(
        f"plot_{name}"
        for name, figure in FIGURES.items()
        if not figure.needs and figure.each in ("opinions", "rated") and name != "multiverse"
    )
    assert planned(study) == once + per_model + COLLECTING + figures


def test_the_report_holds_figures_with_their_captions(study: Path) -> None:
    run = snakemake(study, "--report", "report.html")
    assert run.returncode == 0, run.stdout + run.stderr
    page = (study / "report.html").read_text()
    for words in ("Figures, with what they show", "17 Who beats whom", "Study <strong>small"):
        assert words in page
    pages = {path.stem: path.read_text() for path in (study / RESULTS / "pages").glob("*.html")}
    assert "Figure 12. Who beats whom, and by how much: own" in pages["figures"]
    assert "Best layers as a table" in pages["tables"] and "tiny_resnet" in pages["tables"]
    # an old figure never stands under new words
    edit(study / "config/config.yaml", "[rmse, cosine]", "[rmse]")
    run = snakemake(study, "--report", "report.html")
    assert run.returncode == 1 and "let Snakemake finish it first" in run.stderr


def test_readouts_are_correlated_like_plain_distances(study: Path) -> None:
    """Fitted out of fold here and transferred from another data set; figures can show them."""
    edit(study / "config/config.yaml", "draws: 50", "draws: 50\n  logistic: false")
    with (study / "config/datasets.yaml").open("a") as file:
        file.write(DATASETS.replace("own:", "twin:"))
    edit(study / "config/config.yaml", "[own]", "[own, twin]")
    edit(study / "config/config.yaml", "models: [demo]", "models: [tiny_resnet]")
    with (study / "config/config.yaml").open("a") as file:
        file.write("readouts:\n  names: [nnls_mse]\n  concatenations: {ends: [relu, layer4.1]}\n")
        file.write("figures:\n  distance: nnls_mse\n")
    run = snakemake(study)
    assert run.returncode == 0, run.stdout + run.stderr
    summary = pd.read_csv(study / RESULTS / "summary.csv").query("model == 'tiny_resnet'")
    found = set(summary.loc[summary["dataset"] == "own", "distance"])
    fitted = {"nnls_mse", "nnls_mse on ends", "nnls_mse@twin", "nnls_mse@twin on ends"}
    assert found == {"rmse", "cosine", "euclidean on ends", "rmse on ends"} | fitted
    assert (
        summary.loc[summary["distance"].isin({"nnls_mse", "nnls_mse@twin"}), "best"].gt(0.5).all()
    )
    assert not planned(study)


def test_extraction_and_baselines_refuse_another_data_set(study: Path) -> None:
    """As when tables of another study lie where this one's are expected."""
    for name in ("pairs.parquet", "images.parquet"):
        path = study / "resources/datasets/own" / name
        facts = table_provenance(path)
        write_table(read_table(path), path, facts["spec"].replace("scores", "others"), root=".")
    targets = (shared(study, "features", "tiny_mobile"), shared(study, "distances", "psnr"))
    for target in targets:
        (study / target).unlink()
    run = snakemake(study, "--keep-going", *targets)
    assert run.returncode != 0
    said = re.findall(r"error: \S*pairs\.parquet: made with other settings", run.stderr)
    assert len(said) == len(targets), run.stderr


@pytest.mark.slow
def test_paths_with_blanks_and_quotes(tmp_path: Path) -> None:
    """Of the Python, of the clone and of the study: jobs are started through a shell."""
    clone = tmp_path / "my o'clone & #1"
    clone.mkdir()
    for part in ("Snakefile", "workflow", "profiles", "envs"):
        (clone / part).symlink_to(REPOSITORY / part)
    (clone / "venv").symlink_to(sys.prefix)
    (clone / "config").symlink_to(write_study(clone / "my study") / "config")
    (clone / "pictures").symlink_to("my study/pictures")
    command = [clone / "venv/bin/python", "-m", "snakemake", "resources/datasets/own/pairs.parquet"]
    run = subprocess.run(
        [*command, "--cores", "1"], capture_output=True, text=True, cwd=clone, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert (clone / "resources/datasets/own/pairs.parquet").is_file()


def test_a_clone_in_a_path_with_braces_is_refused_at_once(tmp_path: Path) -> None:
    clone = tmp_path / "a{b}"
    shutil.copytree(REPOSITORY / "workflow", clone / "workflow")
    shutil.copy(REPOSITORY / "Snakefile", clone)
    folder = write_study(tmp_path / "study")
    run = subprocess.run(
        [sys.executable, "-m", "snakemake", "--snakefile", clone / "Snakefile", "--cores", "1"],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    output = run.stdout + run.stderr
    assert run.returncode != 0
    assert re.search(r"a\{b\}.*path has braces .*move the clone", output), output
    assert "Traceback" not in output and not (folder / "results").exists()
