# How much of the honest correlation each factor explains, over all networks and data sets.


rule size_networks:
    output:
        "<results>/sizes.parquet",
    log:
        "<logs>/size_networks.log",
    conda:
        "../../envs/dissect-iqa.yaml"
    params:
        spec=study.spec("size_networks"),
    message:
        "How large the networks are"
    script:
        "../scripts/size_networks.py"


rule explain_factors:
    input:
        correlations="<results>/correlations.parquet",
        sizes="<results>/sizes.parquet",
        distances=[
            path
            for dataset in study.rated()
            for path in distances(dataset, study.models)
        ],
        pairs=expand(
            "<resources>/datasets/{dataset}/pairs.parquet", dataset=study.rated()
        ),
    output:
        table="<results>/factors.parquet",
        csv="<results>/factors.csv",
    log:
        "<logs>/explain_factors.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        spec=study.spec("explain_factors"),
    message:
        "How much each factor explains"
    script:
        "../scripts/explain_factors.py"
