# The findings under every combination of choices that a study makes without saying so.


rule walk_multiverse:
    input:
        networks=lambda wildcards: distances(wildcards.dataset, study.models),
        metrics=lambda wildcards: distances(
            wildcards.dataset, study.metrics(wildcards.dataset)
        ),
        pairs="<resources>/datasets/{dataset}/pairs.parquet",
    output:
        "<results>/multiverse/{dataset}.parquet",
    log:
        "<logs>/walk_multiverse/{dataset}.log",
    conda:
        "../../envs/tables.yaml"
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        spec=lambda wildcards: study.spec("walk_multiverse", wildcards.dataset),
    message:
        "The findings under every combination of choices: {wildcards.dataset}"
    script:
        "../scripts/walk_multiverse.py"


rule count_verdicts:
    input:
        universes=expand(
            "<results>/multiverse/{dataset}.parquet", dataset=study.rated()
        ),
        claims="<results>/claims.csv",
    output:
        "<results>/multiverse.csv",
    log:
        "<logs>/count_verdicts.log",
    conda:
        "../../envs/tables.yaml"
    params:
        spec=study.spec("count_verdicts"),
    message:
        "Which choices turn which findings"
    script:
        "../scripts/count_verdicts.py"
