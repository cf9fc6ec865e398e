"""Rule fetch_weights: see dissect_iqa.models.weights.fetch_weights."""

from pathlib import Path

from dissect_iqa.job import job

with job(snakemake.log[0]):
    from dissect_iqa.models.weights import fetch_weights
    from dissect_iqa.study import Study

    study = Study.from_values(snakemake.config)
    fetch_weights(
        study.row(snakemake.wildcards.model),
        target=Path(snakemake.output[0]),
        cache=Path("resources/downloads"),
        spec=snakemake.params.spec,
        offline=study.config.offline,
        rehearse=study.config.rehearse,
    )
