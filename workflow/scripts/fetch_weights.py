"""Rule fetch_weights: see dissect_iqa.models.weights.fetch_weights."""

from pathlib import Path

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.models.weights.fetch_weights import fetch_weights
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["frozen_study"])
    row = study.row(snakemake.wildcards.model)
    study.own.require_unchanged(row)
    fetch_weights(
        row,
        target=Path(snakemake.output[0]),
        cache=Path("resources/downloads"),
        spec=snakemake.params.spec,
        offline=study.config.offline,
        rehearse=study.config.rehearse,
    )
