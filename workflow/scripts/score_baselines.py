"""Rule score_baselines: see dissect_iqa.baselines.score_baselines."""

from pathlib import Path

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.baselines.score_baselines import score_baselines
    from dissect_iqa.datasets.tables import read_dataset
    from dissect_iqa.files.provenance import write_table
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["frozen_study"])
    dataset, metric = snakemake.wildcards.dataset, snakemake.wildcards.metric
    model = study.trunk(metric)
    table = score_baselines(
        metric,
        read_dataset(Path(snakemake.input.pairs).parent, study.spec("fetch_dataset", dataset)),
        trunk=next(iter(snakemake.input.trunk), None),
        trunk_spec=study.spec("fetch_weights", name=model) if model else None,
        device=study.config.extraction.device,
        processes=snakemake.threads,
    )
    write_table(table, snakemake.output[0], snakemake.params.spec)
