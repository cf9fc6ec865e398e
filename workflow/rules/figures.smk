# Figures, the methods text and pages: everything that is made to be read.
from dissect_iqa.figures.plot import FIGURES

# one rule a figure, so that each has its own caption in the report
for number, figure in enumerate(study.figures(), 1):

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
                category="2 Single figures",
                labels={"figure": f"{number:02} {FIGURES[figure].title}"},
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
        text="<results>/methods.md",
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


rule write_pages:
    input:
        figures=expand("<results>/figures/{figure}.png", figure=study.figures()),
        tables=[f"<results>/{csv.path.format(dataset=of)}" for csv, of in study.csvs()],
        claims="<results>/claims.md",
        methods="<results>/methods.md",
        captions=[
            workflow.source_path(f"../report/{caption}.rst")
            for caption in [
                *study.figures(),
                *dict.fromkeys(csv.caption for csv, _ in study.csvs()),
                "claims",
                "methods",
            ]
        ],
    output:
        figures=report(
            "<results>/pages/figures.html",
            category="1 Pages",
            labels={"page": "1 Figures, with what they show"},
        ),
        claims=report(
            "<results>/pages/claims.html",
            category="1 Pages",
            labels={"page": "2 Findings"},
        ),
        tables=report(
            "<results>/pages/tables.html",
            category="1 Pages",
            labels={"page": "3 Tables"},
        ),
        methods=report(
            "<results>/pages/methods.html",
            category="1 Pages",
            labels={"page": "4 Methods"},
        ),
    log:
        "<logs>/write_pages.log",
    conda:
        "../../envs/tables.yaml"
    params:
        spec=study.spec("write_pages"),
    message:
        "Pages to read in a browser"
    script:
        "../scripts/write_pages.py"
