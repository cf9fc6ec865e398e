# What misalignment leaves of the correlations, for data sets that show another's pictures displaced.


rule measure_invariance:
    input:
        aligned=lambda wildcards: distances(
            study.dataset(wildcards.dataset).of, study.scored_twice(wildcards.dataset)
        ),
        misaligned=lambda wildcards: distances(
            wildcards.dataset, study.scored_twice(wildcards.dataset)
        ),
        aligned_pairs=lambda wildcards: expand(
            "<resources>/datasets/{dataset}/pairs.parquet",
            dataset=study.dataset(wildcards.dataset).of,
        ),
        pairs="<resources>/datasets/{dataset}/pairs.parquet",
    output:
        layers="<results>/invariance/{dataset}/layers.parquet",
        summary="<results>/invariance/{dataset}/summary.csv",
    log:
        "<logs>/measure_invariance/{dataset}.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        spec=lambda wildcards: study.spec("measure_invariance", wildcards.dataset),
    message:
        "What misalignment leaves of the correlations: {wildcards.dataset}"
    script:
        "../scripts/measure_invariance.py"
