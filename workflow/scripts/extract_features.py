"""Rule extract_features: see dissect_iqa.features.extract_features."""

from pathlib import Path

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.datasets.tables import read_dataset
    from dissect_iqa.features.extract_features import extract_features
    from dissect_iqa.models.load import load_network
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["frozen_study"])
    dataset, model = snakemake.wildcards.dataset, snakemake.wildcards.model
    row, weights = study.row(model), snakemake.input.weights
    study.own.require_unchanged(row)
    extract_features(
        load_network(row, weights, study.spec("fetch_weights", name=model)),
        read_dataset(Path(snakemake.input.pairs).parent, study.spec("fetch_dataset", dataset)),
        target=Path(snakemake.output[0]),
        spec=snakemake.params.spec,
        keep=True,
        threads=snakemake.threads,
        **study.config.extraction.model_dump(),
    )
