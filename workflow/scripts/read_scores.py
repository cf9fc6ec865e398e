"""Rule read_scores: see dissect_iqa.baselines.read_scores."""

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.baselines.read_scores import read_scores
    from dissect_iqa.files.provenance import read_table, write_table
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["frozen_study"])
    dataset, metric = snakemake.wildcards.dataset, snakemake.wildcards.outside
    parent = study.parent(dataset)
    table = read_scores(
        metric,
        study.outside(dataset)[metric],
        read_table(snakemake.input.pairs, study.spec("fetch_dataset", dataset)),
        named=parent and parent.pairs,
        expect=study.own.scores[dataset][metric],
        rehearse=study.config.rehearse,
    )
    write_table(table, snakemake.output[0], snakemake.params.spec)
