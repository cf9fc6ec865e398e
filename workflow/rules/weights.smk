# Every model's weights as one safetensors file that fits its architecture exactly.


rule fetch_weights:
    output:
        # a rehearsal's are random numbers, not worth their room once they were read
        (temp if study.config.rehearse else str)(
            "<resources>/weights/{model}.safetensors"
        ),
    log:
        "<logs>/fetch_weights/{model}.log",
    priority: 100  # bad input is to be found before any long work starts
    conda:
        "../../envs/dissect-iqa.yaml"
    params:
        spec=lambda wildcards: study.spec("fetch_weights", name=wildcards.model),
    message:
        "Weights of {wildcards.model}"
    script:
        "../scripts/fetch_weights.py"
