"""Rule measure_invariance: see dissect_iqa.invariance.measure_invariance."""

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.files.provenance import read_table, write_csv, write_table
    from dissect_iqa.invariance.measure_invariance import measure_invariance, summarise_invariance
    from dissect_iqa.study.frozen import thaw

    study, given = thaw(snakemake.config["frozen_study"]), snakemake.input
    dataset, of = snakemake.wildcards.dataset, study.dataset(snakemake.wildcards.dataset).of
    aligned = read_table(given.aligned_pairs[0], study.spec("fetch_dataset", of))
    pairs = read_table(given.pairs, study.spec("fetch_dataset", dataset))
    names = study.scored_twice(dataset)
    before = study.read_distances(of, names, given.aligned)
    after = study.read_distances(dataset, names, given.misaligned)
    measured = ((*one, other[1]) for one, other in zip(before, after, strict=True))
    settings = study.config.statistics
    table = measure_invariance(measured, aligned, pairs, settings, dataset_name=dataset, of=of)
    write_table(table, snakemake.output.layers, snakemake.params.spec)
    write_csv(summarise_invariance(table), snakemake.output.summary, study.remarks())
