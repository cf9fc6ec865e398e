"""Rule walk_multiverse: see dissect_iqa.multiverse.walk_multiverse."""

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.files.provenance import read_table, write_table
    from dissect_iqa.multiverse.walk_multiverse import walk_multiverse
    from dissect_iqa.study.frozen import thaw

    study, given = thaw(snakemake.config["frozen_study"]), snakemake.input
    dataset = snakemake.wildcards.dataset
    universes = walk_multiverse(
        study.read_distances(dataset, study.models, given.networks),
        dict(study.read_distances(dataset, study.metrics(dataset), given.metrics)),
        read_table(given.pairs, study.spec("fetch_dataset", dataset)),
        study.models_frame(),
        study.config.statistics,
        dataset_name=dataset,
        distances=sorted(study.config.distances),
        contests=study.planned_contests(),
        artificial=study.artificial_reference(dataset),
        variants=study.variants(),
        processes=snakemake.threads,
    )
    write_table(universes, snakemake.output[0], snakemake.params.spec)
