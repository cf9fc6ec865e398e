"""Rule explain_factors: see dissect_iqa.factors.explain_factors."""

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.factors.explain_factors import explain_factors
    from dissect_iqa.files.provenance import read_table, write_csv, write_table
    from dissect_iqa.study.frozen import thaw

    study, given = thaw(snakemake.config["frozen_study"]), snakemake.input
    table = read_table(given.correlations, study.spec("collect"))
    pairs = study.read("fetch_dataset", study.rated(), given.pairs)
    factors = explain_factors(
        table[table["dataset"].isin(study.rated())],
        study.models_frame(),
        read_table(given.sizes, study.spec("size_networks")),
        study.networks_distances(given.distances),
        pairs,
        study.config.statistics,
    )
    write_table(factors, snakemake.output.table, snakemake.params.spec)
    write_csv(factors, snakemake.output.csv, study.remarks())
