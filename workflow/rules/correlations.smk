# Agreement with people's opinions, collected over all models, metrics and data sets.


rule correlate:
    input:
        distances=lambda wildcards: study.shared(
            "distances", wildcards.dataset, wildcards.name
        ),
        readouts=lambda wildcards: (
            [study.shared("readouts", wildcards.dataset, wildcards.name)]
            if study.has_readouts(wildcards.dataset, wildcards.name)
            else []
        ),
        pairs="<resources>/datasets/{dataset}/pairs.parquet",
    output:
        "<shared>/correlations/{dataset}/{name}.{mark}.parquet",
    log:
        "<logs>/correlate/{dataset}/{name}.{mark}.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        spec=lambda wildcards: study.marked_spec("correlate", *wildcards),
    message:
        "Correlation of {wildcards.name} with the scores of {wildcards.dataset}"
    script:
        "../scripts/correlate.py"


rule collect:
    input:
        [
            study.shared("correlations", dataset, name)
            for dataset, name, _ in study.correlations()
        ],
        pairs=expand(
            "<resources>/datasets/{dataset}/pairs.parquet", dataset=study.datasets
        ),
    output:
        correlations="<results>/correlations.parquet",
        summary="<results>/summary.csv",
        published="<results>/published.csv",
    log:
        "<logs>/collect.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=lambda wildcards, input, attempt: (
            attempt * int(2000 + 10 * input.size_mb)
        ),
    params:
        spec=study.spec("collect"),
    message:
        "Collecting all correlations"
    script:
        "../scripts/collect.py"


rule hold_contests:
    input:
        correlations="<results>/correlations.parquet",
        distances=lambda wildcards: distances(
            wildcards.dataset, study.scored(wildcards.dataset)
        ),
        pairs="<resources>/datasets/{dataset}/pairs.parquet",
    output:
        "<results>/contests/{dataset}.parquet",
    log:
        "<logs>/hold_contests/{dataset}.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        spec=lambda wildcards: study.spec("hold_contests", wildcards.dataset),
    message:
        "Who beats whom on {wildcards.dataset}"
    script:
        "../scripts/hold_contests.py"


rule judge_pairs:
    input:
        correlations="<results>/correlations.parquet",
        distances=lambda wildcards: distances(
            wildcards.dataset, study.scored(wildcards.dataset)
        ),
        pairs="<resources>/datasets/{dataset}/pairs.parquet",
    output:
        table="<results>/judgements/{dataset}/competitors.parquet",
        predictions="<results>/judgements/{dataset}/predictions.parquet",
        summary="<results>/judgements/{dataset}/summary.csv",
        disagreements="<results>/judgements/{dataset}/disagreements.csv",
    log:
        "<logs>/judge_pairs/{dataset}.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        spec=lambda wildcards: study.spec("judge_pairs", wildcards.dataset),
    message:
        "Whom people side with on pairs of pictures of {wildcards.dataset}"
    script:
        "../scripts/judge_pairs.py"


rule pick_misjudged:
    input:
        predictions="<results>/judgements/{dataset}/predictions.parquet",
        pairs="<resources>/datasets/{dataset}/pairs.parquet",
        images="<resources>/datasets/{dataset}/images.parquet",
    output:
        table="<results>/judgements/{dataset}/misjudged.parquet",
        thumbnails="<results>/judgements/{dataset}/thumbnails.parquet",
        summary="<results>/judgements/{dataset}/misjudged.csv",
    log:
        "<logs>/pick_misjudged/{dataset}.log",
    conda:
        "../../envs/tables.yaml"
    params:
        spec=lambda wildcards: study.spec("pick_misjudged", wildcards.dataset),
    message:
        "Pairs of {wildcards.dataset} that are misjudged most, with small pictures"
    script:
        "../scripts/pick_misjudged.py"


rule test_claims:
    input:
        correlations="<results>/correlations.parquet",
        contests=expand("<results>/contests/{dataset}.parquet", dataset=study.rated()),
        thresholds=expand(
            "<results>/thresholds/{dataset}/layers.parquet",
            dataset=study.threshold_sets(),
        ),
        invariance=expand(
            "<results>/invariance/{dataset}/layers.parquet",
            dataset=study.misaligned_sets(),
        ),
        pairs=expand(
            "<resources>/datasets/{dataset}/pairs.parquet", dataset=study.datasets
        ),
    output:
        table="<results>/claims.csv",
        text="<results>/claims.md",
    log:
        "<logs>/test_claims.log",
    conda:
        "../../envs/tables.yaml"
    params:
        spec=study.spec("test_claims"),
    message:
        "Testing the paper's findings on this study"
    script:
        "../scripts/test_claims.py"
