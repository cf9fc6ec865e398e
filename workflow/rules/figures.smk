# Figures, the methods text and pages: everything that is made to be read.
from dissect_iqa.figures.plot import FIGURES, figure_file

# one rule a figure, so that each has its own caption in the report
for number, figure in enumerate(FIGURES, 1):
    drawn = [dataset for name, dataset in study.figures() if name == figure]
    if not drawn:
        continue

    rule:
        name:
            f"plot_{figure}"
        input:
            unpack(lambda wildcards, figure=figure: plotted(figure, wildcards)),
        output:
            multiext(
                f"<results>/figures/{figure_file(figure, drawn[0] and '{dataset}')}",
                ".pdf",
                ".svg",
            ),
            png=report(
                f"<results>/figures/{figure_file(figure, drawn[0] and '{dataset}')}.png",
                caption=f"../report/{figure}.rst",
                category="2 Single figures",
                labels={
                    "figure": f"{number:02} {FIGURES[figure].title}",
                    "data set": drawn[0] and "{dataset}",
                },
            ),
        log:
            f"<logs>/plot/{figure_file(figure, drawn[0] and '{dataset}')}.log",
        wildcard_constraints:
            dataset="|".join(map(re.escape, drawn)),
        conda:
            "../../envs/tables.yaml"
        params:
            figure=figure,
            spec=lambda wildcards, figure=figure: study.spec(
                "plot", getattr(wildcards, "dataset", ""), figure
            ),
        message:
            f"Figure: {figure_file(figure, drawn[0] and '{wildcards.dataset}')}"
        script:
            "../scripts/plot.py"


# Not in the report, for which many pages of pictures are too large; the explorer, which is, has them
rule draw_contact_sheets:
    input:
        misjudged="<results>/judgements/{dataset}/misjudged.parquet",
        thumbnails="<results>/judgements/{dataset}/thumbnails.parquet",
        pairs=PAIRS,
    output:
        "<results>/figures/contact_sheets_{dataset}.pdf",
    log:
        "<logs>/draw_contact_sheets/{dataset}.log",
    conda:
        "../../envs/tables.yaml"
    params:
        spec=lambda wildcards: study.spec("draw_contact_sheets", wildcards.dataset),
    message:
        "Contact sheets: the pairs of {wildcards.dataset} that each misjudges most"
    script:
        "../scripts/draw_contact_sheets.py"


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
        figures=[
            f"<results>/figures/{figure_file(*figure)}.png"
            for figure in study.figures()
        ],
        tables=[f"<results>/{csv.path.format(dataset=of)}" for csv, of in study.csvs()],
        claims="<results>/claims.md",
        methods="<results>/methods.md",
        captions=[
            workflow.source_path(f"../report/{caption}.rst")
            for caption in [
                *dict.fromkeys(figure for figure, _ in study.figures()),
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


rule write_explorer:
    input:
        unpack(explored),
    output:
        report(
            "<results>/explorer.html",
            category="1 Pages",
            labels={"page": "5 Explorer"},
        ),
    log:
        "<logs>/write_explorer.log",
    conda:
        "../../envs/tables.yaml"
    params:
        spec=study.spec("write_explorer"),
    message:
        "Explorer: a page to look into the study"
    script:
        "../scripts/write_explorer.py"
