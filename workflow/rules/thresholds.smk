# Contrast thresholds of layers and metrics against people's, for data sets that are made of these.
from dissect_iqa.figures.plot import THRESHOLD_FIGURES

THRESHOLD_SETS = study.threshold_sets()


rule find_thresholds:
    input:
        distances=lambda wildcards: expand(
            "<results>/distances/{dataset}/{name}.parquet",
            dataset=wildcards.dataset,
            name=study.scored(),
        ),
        pairs="<resources>/datasets/{dataset}/pairs.parquet",
    output:
        layers="<results>/thresholds/{dataset}/layers.parquet",
        stimuli="<results>/thresholds/{dataset}/stimuli.parquet",
        summary=report(
            "<results>/thresholds/{dataset}/summary.csv",
            caption="../report/thresholds.rst",
            category="Tables",
            labels={"table": "thresholds, {dataset}"},
        ),
    log:
        "<logs>/find_thresholds/{dataset}.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        spec=lambda wildcards: study.spec("find_thresholds", wildcards.dataset),
    message:
        "Contrast thresholds of layers and metrics beside people's: {wildcards.dataset}"
    script:
        "../scripts/find_thresholds.py"


# one rule a figure, so that each has its own caption in the report
for figure in THRESHOLD_FIGURES if THRESHOLD_SETS else ():

    rule:
        name:
            f"plot_{figure}"
        input:
            correlations="<results>/correlations.parquet",
            layers=expand(
                "<results>/thresholds/{dataset}/layers.parquet", dataset=THRESHOLD_SETS
            ),
            stimuli=expand(
                "<results>/thresholds/{dataset}/stimuli.parquet",
                dataset=THRESHOLD_SETS,
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
            spec=study.spec("plot_thresholds", name=figure),
        message:
            f"Figure: {figure}"
        script:
            "../scripts/plot_thresholds.py"
