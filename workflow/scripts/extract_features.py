"""Rule extract_features: see dissect_iqa.features.extract.extract_features."""

from pathlib import Path

from dissect_iqa.job import job

with job(snakemake.log[0]):
    import torch

    from dissect_iqa.datasets import read_dataset
    from dissect_iqa.features.extract import extract_features
    from dissect_iqa.frozen import thaw
    from dissect_iqa.models.build import load_network

    torch.set_num_threads(snakemake.threads)
    study = thaw(snakemake.config["study"])
    dataset, model = snakemake.wildcards.dataset, snakemake.wildcards.model
    weights = snakemake.input.weights
    study.own.require_unchanged(study.row(model))
    extract_features(
        load_network(study.models[model], weights, study.spec("fetch_weights", name=model)),
        read_dataset(Path(snakemake.input.pairs).parent, study.spec("fetch_dataset", dataset)),
        target=Path(snakemake.output[0]),
        spec=snakemake.params.spec,
        keep=True,
        **study.config.extraction.model_dump(),
    )
