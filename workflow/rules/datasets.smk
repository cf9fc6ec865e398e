# Pictures, scores and their checks. Needs the network unless the data are here already.


rule fetch_dataset:
    input:
        # newer than the outputs when pictures that the project keeps have been damaged
        damage=lambda wildcards: study.damage(wildcards.dataset),
        # the data set whose distorted pictures are displaced, where this one is of that kind
        parent=lambda wildcards: study.parent_tables(wildcards.dataset),
    output:
        pairs="<resources>/datasets/{dataset}/pairs.parquet",
        images="<resources>/datasets/{dataset}/images.parquet",
        provenance="<resources>/datasets/{dataset}/provenance.json",
    log:
        "<logs>/fetch_dataset/{dataset}.log",
    priority: 100  # bad input is to be found before any long work starts
    conda:
        "../../envs/dissect-iqa.yaml"
    params:
        spec=lambda wildcards: study.spec("fetch_dataset", wildcards.dataset),
    message:
        "Data set {wildcards.dataset}: fetching, checking and indexing"
    script:
        "../scripts/fetch_dataset.py"
