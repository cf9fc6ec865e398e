# One forward pass a picture; channel statistics of every layer, cached in HDF5.


rule extract_features:
    input:
        pairs="<resources>/datasets/{dataset}/pairs.parquet",
        images="<resources>/datasets/{dataset}/images.parquet",
        weights="<resources>/weights/{model}.safetensors",
    output:
        # one that is there and still right is kept, see dissect_iqa.features.file.shared.still_valid
        update("<shared>/features/{dataset}/{model}.{mark}.h5"),
    log:
        "<logs>/extract_features/{dataset}/{model}.{mark}.log",
    benchmark:
        "<shared>/benchmarks/extract_features/{dataset}/{model}.{mark}.tsv"
    conda:
        "../../envs/dissect-iqa.yaml"
    threads: 4
    resources:
        gpu=1,
        # the network, PyTorch and CUDA; a model's size is also a guess at its speed
        mem_mb=lambda wildcards, input, attempt: (
            attempt * int(4000 + 4 * input.size_mb)
        ),
        runtime=lambda wildcards, input, attempt: (
            attempt * int(60 + input.size_mb / 4)
        ),
    params:
        spec=lambda wildcards: study.marked_spec("extract_features", *wildcards),
    message:
        "Features of {wildcards.model} on {wildcards.dataset}"
    script:
        "../scripts/extract_features.py"
