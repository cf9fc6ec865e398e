"""Rule find_thresholds: see dissect_iqa.thresholds.find_thresholds."""

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.files.provenance import read_table, write_csv, write_table
    from dissect_iqa.study.frozen import thaw
    from dissect_iqa.thresholds.find_thresholds import find_thresholds, summarise_thresholds

    study = thaw(snakemake.config["frozen_study"])
    dataset = snakemake.wildcards.dataset
    pairs = read_table(snakemake.input.pairs, study.spec("fetch_dataset", dataset))
    measured = study.read_distances(dataset, study.scored(dataset), snakemake.input.distances)
    settings = study.config.statistics
    table, stimuli = find_thresholds(measured, pairs, settings, dataset_name=dataset)
    write_table(stimuli, snakemake.output.stimuli, snakemake.params.spec)
    write_table(table, snakemake.output.layers, snakemake.params.spec)
    write_csv(summarise_thresholds(table), snakemake.output.summary, study.remarks())
