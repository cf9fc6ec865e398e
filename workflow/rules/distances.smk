# Distances between reference and distorted picture: at every layer, and by the classic metrics.
from dissect_iqa.baselines.names import BASELINES


rule measure_distances:
    input:
        features=lambda wildcards: study.shared(
            "features", wildcards.dataset, wildcards.model
        ),
        pairs="<resources>/datasets/{dataset}/pairs.parquet",
    output:
        "<shared>/distances/{dataset}/{model}.{mark}.parquet",
    log:
        "<logs>/measure_distances/{dataset}/{model}.{mark}.log",
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
        spec=lambda wildcards: study.marked_spec("measure_distances", *wildcards),
    message:
        "Distances at every layer of {wildcards.model} on {wildcards.dataset}"
    script:
        "../scripts/measure_distances.py"


rule fit_readouts:
    input:
        # its own, then those of the data sets that are fitted to and measured here
        features=lambda wildcards: features(
            wildcards.model,
            [wildcards.dataset, *study.readout_sources(wildcards.dataset)],
        ),
        pairs=lambda wildcards: expand(
            "<resources>/datasets/{dataset}/pairs.parquet",
            dataset=[wildcards.dataset, *study.readout_sources(wildcards.dataset)],
        ),
    output:
        "<shared>/readouts/{dataset}/{model}.{mark}.parquet",
    log:
        "<logs>/fit_readouts/{dataset}/{model}.{mark}.log",
    conda:
        "../../envs/dissect-iqa.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, input, attempt: (
            attempt * int(4000 + 8 * input.size_mb)
        ),
        runtime=lambda wildcards, input, attempt: (attempt * int(120 + input.size_mb)),
    params:
        spec=lambda wildcards: study.marked_spec("fit_readouts", *wildcards),
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
        "<shared>/distances/{dataset}/{metric}.{mark}.parquet",
    log:
        "<logs>/score_baselines/{dataset}/{metric}.{mark}.log",
    conda:
        "../../envs/dissect-iqa.yaml"
    threads: 2
    resources:
        gpu=lambda wildcards: int(BASELINES[wildcards.metric].on_device),
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        spec=lambda wildcards: study.marked_spec("score_baselines", *wildcards),
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
        "<shared>/distances/{dataset}/{outside}.{mark}.parquet",
    log:
        "<logs>/read_scores/{dataset}/{outside}.{mark}.log",
    conda:
        "../../envs/tables.yaml"
    params:
        spec=lambda wildcards: study.marked_spec("read_scores", *wildcards),
    message:
        "Scores of {wildcards.outside} on {wildcards.dataset}, from outside"
    script:
        "../scripts/read_scores.py"
