# Distances between reference and distorted picture: at every layer, and by the classic metrics.
from dissect_iqa.baselines.names import BASELINES


rule measure_distances:
    input:
        features="<results>/features/{dataset}/{model}.h5",
        pairs="<resources>/datasets/{dataset}/pairs.parquet",
    output:
        "<results>/distances/{dataset}/{model}.parquet",
    log:
        "<logs>/measure_distances/{dataset}/{model}.log",
    conda:
        "../../envs/dissect-iqa.yaml"
    resources:
        mem_mb=lambda wildcards, input, attempt: (
            attempt * int(2000 + 4 * input.size_mb)
        ),
        runtime=lambda wildcards, input, attempt: (
            attempt * int(15 + input.size_mb / 20)
        ),
    params:
        spec=lambda wildcards: study.spec(
            "measure_distances", wildcards.dataset, wildcards.model
        ),
    message:
        "Distances at every layer of {wildcards.model} on {wildcards.dataset}"
    script:
        "../scripts/measure_distances.py"


rule fit_readouts:
    input:
        # its own, then those of the data sets that are fitted to and measured here
        features=lambda wildcards: expand(
            "<results>/features/{dataset}/{model}.h5",
            dataset=[wildcards.dataset, *study.readout_sources(wildcards.dataset)],
            model=wildcards.model,
        ),
        pairs=lambda wildcards: expand(
            "<resources>/datasets/{dataset}/pairs.parquet",
            dataset=[wildcards.dataset, *study.readout_sources(wildcards.dataset)],
        ),
    output:
        "<results>/readouts/{dataset}/{model}.parquet",
    log:
        "<logs>/fit_readouts/{dataset}/{model}.log",
    conda:
        "../../envs/dissect-iqa.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, input, attempt: (
            attempt * int(4000 + 8 * input.size_mb)
        ),
        runtime=lambda wildcards, input, attempt: (attempt * int(120 + input.size_mb)),
    params:
        spec=lambda wildcards: study.spec(
            "fit_readouts", wildcards.dataset, wildcards.model
        ),
    message:
        "Readouts fitted to {wildcards.model} on {wildcards.dataset}"
    script:
        "../scripts/fit_readouts.py"


rule score_baselines:
    input:
        pairs="<resources>/datasets/{dataset}/pairs.parquet",
        images="<resources>/datasets/{dataset}/images.parquet",
        trunk=lambda wildcards: expand(
            "<resources>/weights/{model}.safetensors",
            model=study.trunk(wildcards.metric) or [],
        ),
    output:
        "<results>/distances/{dataset}/{metric}.parquet",
    log:
        "<logs>/score_baselines/{dataset}/{metric}.log",
    conda:
        "../../envs/dissect-iqa.yaml"
    threads: 2
    resources:
        gpu=lambda wildcards: int(BASELINES[wildcards.metric].on_device),
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        spec=lambda wildcards: study.spec(
            "score_baselines", wildcards.dataset, wildcards.metric
        ),
    message:
        "Baseline {wildcards.metric} on {wildcards.dataset}"
    script:
        "../scripts/score_baselines.py"


rule read_scores:
    input:
        pairs="<resources>/datasets/{dataset}/pairs.parquet",
        # the pairs by whose file names they are known, where those here are displaced
        parent=lambda wildcards: study.parent_tables(wildcards.dataset),
    output:
        "<results>/distances/{dataset}/{outside}.parquet",
    log:
        "<logs>/read_scores/{dataset}/{outside}.log",
    conda:
        "../../envs/tables.yaml"
    params:
        spec=lambda wildcards: study.spec(
            "read_scores", wildcards.dataset, wildcards.outside
        ),
    message:
        "Scores of {wildcards.outside} on {wildcards.dataset}, from outside"
    script:
        "../scripts/read_scores.py"
