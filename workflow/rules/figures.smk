# Figures and the methods text: everything that is made to be read.

# one rule a figure, so that each has its own caption in the report
for figure in study.figures():

    rule:
        name:
            f"plot_{figure}"
        input:
            **{
                table: [f"<results>/{path}" for path in paths]
                for table, paths in study.figure_paths(figure).items()
            },
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
