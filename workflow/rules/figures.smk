# Figures, claims and the methods text: everything that is made to be read.
FIGURES = ["depth", "ranking", "training", "types", "comparisons"]


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


rule plot_duels:
    input:
        comparisons=expand(
            "<results>/comparisons/{dataset}.parquet", dataset=study.rated()
        ),
        pairs=expand(
            "<resources>/datasets/{dataset}/pairs.parquet", dataset=study.datasets
        ),
    output:
        multiext("<results>/figures/duels", ".pdf", ".svg"),
        png=report(
            "<results>/figures/duels.png",
            caption="../report/duels.rst",
            category="Figures",
            labels={"figure": "duels"},
        ),
    log:
        "<logs>/plot/duels.log",
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
        correlations="<results>/correlations.parquet",
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
