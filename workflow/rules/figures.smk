# Figures, claims and the methods text: everything that is made to be read.
FIGURES = ["depth", "ranking", "training", "types", "comparisons"]


rule plot:
    input:
        correlations="results/correlations.parquet",
        pairs=expand(
            "resources/datasets/{dataset}/pairs.parquet", dataset=study.datasets
        ),
    output:
        multiext("results/figures/{figure}", ".pdf", ".svg"),
        png=report(
            "results/figures/{figure}.png",
            caption="../report/{figure}.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
    log:
        "logs/plot/{figure}.log",
    wildcard_constraints:
        figure="|".join(FIGURES),
    conda:
        "../../envs/tables.yaml"
    params:
        spec=lambda wildcards: study.spec("plot", name=wildcards.figure),
    message:
        "Figure: {wildcards.figure}"
    script:
        "../scripts/plot.py"


rule plot_duels:
    input:
        comparisons=expand(
            "results/comparisons/{dataset}.parquet", dataset=study.rated()
        ),
        pairs=expand(
            "resources/datasets/{dataset}/pairs.parquet", dataset=study.datasets
        ),
    output:
        multiext("results/figures/duels", ".pdf", ".svg"),
        png=report(
            "results/figures/duels.png",
            caption="../report/duels.rst",
            category="Figures",
            labels={"figure": "duels"},
        ),
    log:
        "logs/plot/duels.log",
    conda:
        "../../envs/tables.yaml"
    params:
        spec=study.spec("plot_duels"),
    message:
        "Figure: duels"
    script:
        "../scripts/plot_duels.py"


rule write_methods:
    input:
        correlations="results/correlations.parquet",
        pairs=expand(
            "resources/datasets/{dataset}/pairs.parquet", dataset=study.datasets
        ),
    output:
        text=report(
            "results/methods.md",
            caption="../report/methods.rst",
            category="Methods",
            labels={"text": "methods"},
        ),
        references="results/references.bib",
    log:
        "logs/write_methods.log",
    conda:
        "../../envs/tables.yaml"
    params:
        spec=study.spec("write_methods"),
    message:
        "Methods paragraph and references of exactly what ran"
    script:
        "../scripts/write_methods.py"
