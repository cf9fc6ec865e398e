"""The closing summary in the terminal, and the methods text with its references."""

import io
import re
from pathlib import Path

import figure_data as data
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from dissect_iqa.baselines.names import BASELINES
from dissect_iqa.claims.write_methods import describe, read_bibtex, write_methods
from dissect_iqa.correlation.jackknife import CURVATURE
from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.distances.measure_distances import DISTANCES
from dissect_iqa.errors import UserError
from dissect_iqa.figures.select import views
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.study.summary import findings, print_summary

FACTS = {
    "demo": {
        "title": "demo",
        "label": "Scores are transferred.",
        "citation_key": "ponomarenko2015tid2013",
        "citation": "Ponomarenko et al.",
        "licence": "public domain",
    }
}
BIBLIOGRAPHY = """\
% a comment with an @ in it
@inproceedings{tan2019efficientnet,
  title = {{EfficientNet}: with {nested} braces},
  year = {2019}
}
@inproceedings{baek2019craft, title = {Text}, year = {2019}}

@inproceedings{unused2000paper,
  title = {Nobody ran this}
}
"""


@pytest.fixture(scope="module")
def models():
    table = data.models()
    table["licence"] = ["Apache-2.0", "CC BY-NC 4.0", "", "MIT", "MIT", "", ""]
    table["citation"] = ["tan2019efficientnet"] * 3 + [
        "baek2019craft; tan2019efficientnet", "xie2015hed", "tan2019efficientnet", "",
    ]  # fmt: skip
    return table


@pytest.fixture(scope="module")
def correlations(models):
    table = data.correlations(models, distances=("rmse", "dists"), types=data.TYPES[:1])
    return table.assign(references=6)


# --- summary ---------------------------------------------------------------------------------


def printed(*arguments, width=100, **options):
    console = Console(width=width, record=True, file=io.StringIO())
    print_summary(*arguments, console=console, **options)
    return console.export_text()


def test_summary_says_what_was_found_and_where_to_look(correlations, models, tmp_path):
    (tmp_path / "figures").mkdir()
    places = {
        "figures": tmp_path / "figures",
        "explorer": tmp_path / "explorer.html",
        "report": "snakemake --report report.html",
    }
    text = printed(correlations, models, data.NOTICE, places, width=300)
    assert "390 pairs, 6 references; 7 networks, 2 distances, 4 classic metrics" in text
    assert data.NOTICE in text
    assert str(tmp_path / "figures") in text and "explorer" not in text
    assert "snakemake --report report.html" in text
    (view,) = views(correlations, models, None, FigureSettings())
    first = view.best(view.distance).iloc[0]
    line = next(line for line in text.splitlines() if first["model"] in line)
    assert f"{first['value']:.3f}" in line and first["layer"] in line
    assert "MS-SSIM" in text and "PSNR" not in text  # of the metrics only the best


def test_summary_fits_a_narrow_terminal_and_brackets_in_names_are_no_markup(correlations, models):
    strange = models.replace({"id": {"efflite2_in1k": "lite[bold]2"}})
    table = correlations.replace({"model": {"efflite2_in1k": "lite[bold]2"}})
    text = printed(table, strange, width=60)
    assert max(len(line) for line in text.splitlines()) <= 60
    assert "lite[bold]2" in text


def test_findings_count_what_lies_above_the_metrics_and_before_the_last_layer(correlations, models):
    (view,) = views(correlations, models, None, FigureSettings())
    best = view.best(view.distance)
    above = int((best["value"] > data.BASELINES["ms_ssim"]).sum())
    inner = int((best["depth"] < 1).sum())
    first, second = findings(view)
    assert f"{above} of 7 networks" in first and 0 < above < 7
    assert f"{inner} of 7 networks" in second


def test_summary_of_nothing_finite_is_a_sentence(correlations, models):
    empty = correlations.assign(value=np.nan, low=np.nan, high=np.nan)
    assert "No correlation could be computed." in printed(empty, models)


# --- methods ---------------------------------------------------------------------------------


def test_methods_name_and_cite_exactly_what_ran(correlations, models):
    ran = correlations[~correlations["model"].isin(["vgg16_hed", "ssim", "ssim_downsampled"])]
    methods = describe(ran, models, FACTS, StatisticsSettings(draws=77, level=0.9), BIBLIOGRAPHY)
    cited = set(re.findall(r"@([\w:.-]+)", methods.text))
    assert cited == set(read_bibtex(methods.bibtex))
    assert {"tan2019efficientnet", "baek2019craft", "ding2022dists", "wang2003msssim"} <= cited
    assert not {"xie2015hed", "wang2004ssim", "unused2000paper"} & cited
    assert "vgg16_hed" not in methods.text and "DISTS with uniform weights" in methods.text
    assert "cosine" not in methods.text
    assert "390 pairs from 6 reference pictures (note: Scores are transferred)" in methods.text
    assert "Intervals are 90 % intervals for what very many references like these" in methods.text
    assert "over 15 pairs of references (seed 0)" in methods.text
    assert "4 pre-trained configurations" in methods.text
    assert "2 networks with random weights" in methods.text


def test_methods_say_what_else_was_asked_of_layers(correlations, models):
    names = ("demo", "light", "moved")
    every = pd.concat([correlations.assign(dataset=name) for name in names])
    facts = {
        **FACTS,
        "light": {"title": "t", "label": "l", "citation_key": "ashraf2024castlecsf", "stimuli": 48,
                  "citation": "A", "display": {"peak": 200.0, "pixels_per_degree": 32.0}},
        "moved": {"title": "m", "of": "demo", "words": "moved to the left by 1 % of their width",
                  "misalignment": {"interpolation": "none", "border": "mirrored"}},
    }  # fmt: skip
    text = describe(every, models, facts, StatisticsSettings(), BIBLIOGRAPHY).text
    assert text.count("from 6 reference pictures") == 1  # studies and displaced pictures are none
    assert "experiments (light): 48 stimuli [@ashraf2024castlecsf]" in text
    assert "pairs of demo with distorted pictures moved to the left by 1 %" in text
    assert "percentiles over draws of whole studies" in text and "paired jackknife" in text
    ceiling = every[every["model"] == "ssim"].assign(model="noise_ceiling", kind="ceiling")
    for name, holds in (("demo", True), ("light", False), ("moved", False)):
        own = pd.concat([every, ceiling])
        text = describe(own[own["dataset"] == name], models, facts, StatisticsSettings()).text
        # contests, judgements and findings are about opinions, whoever else has correlations
        for key in ("holm1979simple", "krasula2016accuracy", "steegen2016multiverse"):
            assert (key in text) == holds, (name, key)
    plain = StatisticsSettings(draws=0, logistic=False)
    assert "nterval" not in describe(every, models, facts, plain, BIBLIOGRAPHY).text


def test_methods_give_the_shares_of_factors_where_they_can_be_told(correlations, models):
    plain = StatisticsSettings(level=0.9)
    rows = [
        ("depth", 0.05, -0.02, 0.12, ""),
        ("function or architecture", 0.4, 0.3, 0.5, "not identifiable: function and its like"),
        ("models, unexplained", 0.55, 0.4, 0.7, "without a value everywhere, left out: alexnet"),
    ]
    table = pd.DataFrame(rows, columns=["factor", "share", "low", "high", "note"])
    told = describe(correlations, models, FACTS, plain, BIBLIOGRAPHY, factors=table)
    assert "(90 %) are those of jackknives" in told.text
    assert (
        "models, unexplained 55 % (40 to 70), function or architecture 40 % (30 to 50), "
        "depth 5 % (-2 to 12)"
    ) in told.text
    assert "Not identifiable: function and its like." in told.text
    assert "Without a value everywhere, left out: alexnet." in told.text
    assert "gromping2007estimators" in told.bibtex
    untold = table.assign(share=np.nan)
    text = describe(correlations, models, FACTS, plain, BIBLIOGRAPHY, factors=untold).text
    assert "**Factors.**" not in text
    assert text == describe(correlations, models, FACTS, plain, BIBLIOGRAPHY).text


def test_non_commercial_and_silent_licences_are_flagged(correlations, models):
    text = describe(correlations, models, FACTS, StatisticsSettings(), BIBLIOGRAPHY).text
    assert "**Non-commercial weights** (1): efflite1_in1k." in text
    assert "| **non-commercial**: CC BY-NC 4.0 |" in text
    assert "No licence is stated for the weights of: efflite2_in1k." in text
    assert "| none needed |" in text  # random weights are nobody's
    assert "Data set demo: public domain." in text


def test_methods_follow_the_statistics(correlations, models):
    plain = StatisticsSettings(draws=0, logistic=False)
    text = describe(correlations, models, FACTS, plain, BIBLIOGRAPHY).text
    assert "nterval" not in text and "logistic" not in text and "Holm" not in text


def test_methods_state_every_widening_and_correction(correlations, models):
    methods = describe(correlations, models, FACTS, StatisticsSettings(repeats=7), BIBLIOGRAPHY)
    for words in (
        "Quenouille’s bias", "Student’s t with one degree of freedom less than references",
        f"widened by {CURVATURE:g}/R times its second-order part", "fewer than 3 references",
        "in up to 7 halvings", "over √2", "without bias or second-order part",
        "corrected over all contests of a data set", "counts their families",
        "counts as 100 or the largest finite",
    ):  # fmt: skip
        assert words in methods.text, words
    assert {"miller1974jackknife", "wilson1927probable"} <= set(read_bibtex(methods.bibtex))
    assert {"steegen2016multiverse", "simonsohn2020specification"} <= set(
        read_bibtex(methods.bibtex)
    )
    assert "krasula2016accuracy" not in methods.bibtex  # its scores have no standard errors
    assert "noise ceiling" not in methods.text and "random groups" not in methods.text


def test_methods_tell_of_ceilings_triplets_and_groups_where_they_are(correlations, models):
    ceiling = correlations[correlations["model"] == "ssim"].assign(
        model="noise_ceiling", kind="ceiling"
    )
    many = pd.concat([correlations, ceiling]).assign(references=900)
    text = describe(many, models, FACTS, StatisticsSettings(), BIBLIOGRAPHY).text
    assert "The noise ceiling is the mean correlation" in text
    assert "[@krasula2016accuracy]" in text and "[@ma2016mad]" in text
    assert "put into 200 groups at random" in text and "over 1000 pairs of references" in text
    undefined = pd.concat([correlations, ceiling.assign(value=np.nan)])
    text = describe(undefined, models, FACTS, StatisticsSettings(), BIBLIOGRAPHY).text
    assert "ceiling" not in text
    triplets = correlations.assign(statistic="agreement")
    text = describe(triplets, models, FACTS, StatisticsSettings(), BIBLIOGRAPHY).text
    assert "the share of human choices" in text and "Spearman" not in text and "Holm" not in text


def test_equal_forms_of_ssim_are_explained(correlations, models):
    text = describe(correlations, models, FACTS, StatisticsSettings(), BIBLIOGRAPHY).text
    assert "384 pixels" not in text
    same = correlations[correlations["model"] == "ssim"]
    same = same.assign(model="ssim_downsampled", distance="ssim_downsampled")
    equal = pd.concat([correlations[correlations["model"] != "ssim_downsampled"], same])
    text = describe(equal, models, FACTS, StatisticsSettings(), BIBLIOGRAPHY).text
    assert "On demo SSIM and SSIM (downsampled) are the same numbers" in text


def test_own_data_sets_and_unknown_keys_still_get_an_entry(correlations, models):
    facts = {"demo": {"title": None, "label": None, "citation": "A. Nobody & B. Else, 50% of it"}}
    methods = describe(correlations, models, facts, StatisticsSettings(), BIBLIOGRAPHY)
    entries = read_bibtex(methods.bibtex)
    assert r"A. Nobody \& B. Else, 50\% of it" in entries["dataset_demo"]
    assert "no entry for xie2015hed" in entries["xie2015hed"]
    with pytest.raises(UserError, match="'demo' has correlations but no description"):
        describe(correlations, models, {}, StatisticsSettings())


def test_bibtex_is_split_at_entries_whatever_stands_within(tmp_path):
    entries = read_bibtex(BIBLIOGRAPHY)
    assert list(entries) == ["tan2019efficientnet", "baek2019craft", "unused2000paper"]
    assert entries["tan2019efficientnet"].count("{") == entries["tan2019efficientnet"].count("}")


def test_all_entries_of_ours_are_used_and_all_keys_known():
    path = Path(__file__).parents[2] / "src" / "dissect_iqa" / "claims" / "methods.bib"
    entries = read_bibtex(path.read_text())
    source = path.with_name("write_methods.py").read_text()
    for used in ("correlation/words.py", "baselines/names.py", "distances/measure_distances.py"):
        source += (path.parents[1] / used).read_text()
    folder = path.parents[1] / "datasets"
    datasets = "".join(file.read_text() for file in folder.rglob("*.py"))
    for key, entry in entries.items():
        assert f'"{key}"' in source + datasets, key
        assert entry.count("{") == entry.count("}"), key
    cited = [*BASELINES.items(), *DISTANCES.items()]
    assert {record.cites for _, record in cited} - {""} <= set(entries)
    assert {name for name, metric in BASELINES.items() if not metric.cites} == {"psnr", "psnr_y"}


def test_text_and_references_are_written_whole(correlations, models, tmp_path):
    methods = describe(correlations, models, FACTS, StatisticsSettings(), BIBLIOGRAPHY)
    write_methods(methods, tmp_path / "m.md", tmp_path / "r.bib", spec='{"stage":"plot"}')
    assert (tmp_path / "m.md").read_text() == methods.text
    written = (tmp_path / "r.bib").read_text()
    assert written.startswith('% made from {"stage":"plot"}\n')
    assert read_bibtex(written) == read_bibtex(methods.bibtex)
    assert len(list(tmp_path.iterdir())) == 2
    lines = pd.Series(methods.text.splitlines())
    rows = lines[lines.str.startswith("|")]
    assert (rows.str.count(r"\|") == 7).all() and len(rows) == 2 + len(models)
