# Contrast thresholds of layers and metrics against people's, for data sets that are made of these.


rule find_thresholds:
    input:
        distances=lambda wildcards: distances(
            wildcards.dataset, study.scored(wildcards.dataset)
        ),
        pairs="<resources>/datasets/{dataset}/pairs.parquet",
    output:
        layers="<results>/thresholds/{dataset}/layers.parquet",
        stimuli="<results>/thresholds/{dataset}/stimuli.parquet",
        summary="<results>/thresholds/{dataset}/summary.csv",
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
