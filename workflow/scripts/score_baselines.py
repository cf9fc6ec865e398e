"""Rule score_baselines: see dissect_iqa.baselines.score.score_baseline."""

from pathlib import Path

from dissect_iqa.job import job

with job(snakemake.log[0]):
    from dissect_iqa.baselines.score import score_baseline
    from dissect_iqa.datasets import read_dataset
    from dissect_iqa.provenance import write_table

    dataset = read_dataset(Path(snakemake.input.pairs).parent)
    table = score_baseline(
        snakemake.wildcards.metric,
        dataset,
        trunk=next(iter(snakemake.input.trunk), None),
        processes=snakemake.threads,
    )
    write_table(table, snakemake.output[0], snakemake.params.spec)
