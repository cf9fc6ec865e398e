# Figures, claims and the methods text: everything that is made to be read.
from dissect_iqa.figures.plot import FIGURES

# one rule a figure, so that each has its own caption in the report
for figure in FIGURES:

    rule:
        name:
            f"plot_{figure}"
        input:
            correlations="<results>/correlations.parquet",
            pairs=expand(
                "<resources>/datasets/{dataset}/pairs.parquet", dataset=study.datasets
            ),
        output:
            multiext(f"<results>/figures/{figure}", ".pdf", ".svg"),
            png=report(
                f"<results>/figures/{figure}.png",
                caption=f"../report/{figure}.rst",
                category="Figures",
                labels={"figure": figure},
            ),
        log:
            f"<logs>/plot/{figure}.log",
        conda:
            "../../envs/tables.yaml"
        params:
            spec=study.spec("plot", name=figure),
        message:
            f"Figure: {figure}"
        script:
            "../scripts/plot.py"


# the same of what is answered beside opinions, where it is
for figure in study.answers_figures():

    rule:
        name:
            f"plot_{figure}"
        input:
            correlations="<results>/correlations.parquet",
            layers=expand(
                "<results>/thresholds/{dataset}/layers.parquet",
                dataset=study.threshold_sets(),
            ),
            stimuli=expand(
                "<results>/thresholds/{dataset}/stimuli.parquet",
                dataset=study.threshold_sets(),
            ),
            invariance=expand(
                "<results>/invariance/{dataset}/layers.parquet",
                dataset=study.misaligned_sets(),
            ),
            pairs=expand(
                "<resources>/datasets/{dataset}/pairs.parquet", dataset=study.datasets
            ),
        output:
            multiext(f"<results>/figures/{figure}", ".pdf", ".svg"),
            png=report(
                f"<results>/figures/{figure}.png",
                caption=f"../report/{figure}.rst",
                category="Figures",
                labels={"figure": figure},
            ),
        log:
            f"<logs>/plot/{figure}.log",
        conda:
            "../../envs/tables.yaml"
        params:
            spec=study.spec("plot_answers", name=figure),
        message:
            f"Figure: {figure}"
        script:
            "../scripts/plot_answers.py"


rule plot_contests:
    input:
        contests=expand("<results>/contests/{dataset}.parquet", dataset=study.rated()),
        pairs=expand(
            "<resources>/datasets/{dataset}/pairs.parquet", dataset=study.datasets
        ),
    output:
        multiext("<results>/figures/contests", ".pdf", ".svg"),
        png=report(
            "<results>/figures/contests.png",
            caption="../report/contests.rst",
            category="Figures",
            labels={"figure": "contests"},
        ),
    log:
        "<logs>/plot/contests.log",
    conda:
        "../../envs/tables.yaml"
    params:
        spec=study.spec("plot_contests"),
    message:
        "Figure: contests"
    script:
        "../scripts/plot_contests.py"


rule write_methods:
    input:
        correlations="<results>/correlations.parquet",
        factors="<results>/factors.parquet",
        pairs=expand(
            "<resources>/datasets/{dataset}/pairs.parquet", dataset=study.datasets
        ),
    output:
        text=report(
            "<results>/methods.md",
            caption="../report/methods.rst",
            category="Methods",
            labels={"text": "methods"},
        ),
        references="<results>/references.bib",
    log:
        "<logs>/write_methods.log",
    conda:
        "../../envs/tables.yaml"
    params:
        spec=study.spec("write_methods"),
    message:
        "Methods paragraph and references of exactly what ran"
    script:
        "../scripts/write_methods.py"
