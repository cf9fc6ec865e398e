"""Rule correlate: see dissect_iqa.correlation.correlate."""

from dissect_iqa.job import job

with job(snakemake.log[0]):
    from dissect_iqa.correlation import correlate
    from dissect_iqa.provenance import read_table, write_table
    from dissect_iqa.study import Study

    study = Study.from_values(snakemake.config)
    dataset, name = snakemake.wildcards.dataset, snakemake.wildcards.name
    table = correlate(
        read_table(snakemake.input.distances, study.distances_spec(dataset, name)),
        read_table(snakemake.input.pairs, study.spec("fetch_dataset", dataset)),
        dataset_name=dataset,
        model=name,
        settings=study.config.statistics,
    )
    write_table(table, snakemake.output[0], snakemake.params.spec)
