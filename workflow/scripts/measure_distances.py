"""Rule measure_distances: see dissect_iqa.distances.measure_distances."""

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.distances.measure_distances import measure_distances
    from dissect_iqa.files.provenance import read_table, write_table
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["frozen_study"])
    dataset, model = snakemake.wildcards.dataset, snakemake.wildcards.model
    table = measure_distances(
        snakemake.input.features,
        read_table(snakemake.input.pairs, study.spec("fetch_dataset", dataset)),
        study.config.distances,
        study.spec("extract_features", dataset, model),
        study.config.readouts.concatenations,
    )
    write_table(table, snakemake.output[0], snakemake.params.spec)
