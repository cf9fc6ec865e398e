"""Rule collect: see dissect_iqa.correlation.collect."""

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.correlation.collect import collect
    from dissect_iqa.correlation.golden import check_published
    from dissect_iqa.correlation.summary import summarise
    from dissect_iqa.files.provenance import read_table, write_csv, write_table
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["frozen_study"])
    correlations = (
        read_table(study.shared("correlations", dataset, name), spec)
        for dataset, name, spec in study.correlations()
    )
    pairs = study.read("fetch_dataset", study.datasets, snakemake.input.pairs)
    titles = study.config.readouts.concatenations
    table = collect(correlations, pairs, study.config.statistics, titles)
    write_table(table, snakemake.output.correlations, snakemake.params.spec)
    summary = summarise(table, study.opinions(), study.tuned_on())
    write_csv(summary, snakemake.output.summary, study.remarks())
    write_csv(check_published(table), snakemake.output.published, study.remarks())
