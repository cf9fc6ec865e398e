"""Rule hold_contests: see dissect_iqa.correlation.hold_contests."""

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.correlation.hold_contests import hold_contests
    from dissect_iqa.correlation.summary import at_one_distance, summarise
    from dissect_iqa.files.provenance import read_table, write_table
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["frozen_study"])
    dataset = snakemake.wildcards.dataset
    best = summarise(read_table(snakemake.input.correlations, study.spec("collect")))
    names = study.scored(dataset)
    tables = dict(study.read_distances(dataset, names, snakemake.input.distances))
    pairs = read_table(snakemake.input.pairs, study.spec("fetch_dataset", dataset))
    competitors, distance = at_one_distance(tables, best[best["dataset"] == dataset], study.models)
    settings, contests = study.config.statistics, study.contests(dataset)
    table = hold_contests(competitors, pairs, settings, dataset_name=dataset, contests=contests)
    write_table(table.assign(distance=distance), snakemake.output[0], snakemake.params.spec)
