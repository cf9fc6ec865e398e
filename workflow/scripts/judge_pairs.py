"""Rule judge_pairs: see dissect_iqa.correlation.judge_pairs."""

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.correlation.disagreements import disagreements
    from dissect_iqa.correlation.judge_pairs import following, judge_pairs, summarise_judgements
    from dissect_iqa.correlation.summary import at_one_distance, summarise
    from dissect_iqa.files.provenance import read_table, write_csv, write_table
    from dissect_iqa.study.frozen import thaw

    study, made = thaw(snakemake.config["frozen_study"]), snakemake.output
    data = snakemake.wildcards.dataset
    best = summarise(read_table(snakemake.input.correlations, study.spec("collect")))
    tables = dict(study.read_distances(data, study.scored(data), snakemake.input.distances))
    pairs = read_table(snakemake.input.pairs, study.spec("fetch_dataset", data))
    competitors, _ = at_one_distance(tables, best[best["dataset"] == data], study.models)
    settings = study.config.statistics
    table, predictions = judge_pairs(competitors, pairs, settings, dataset_name=data)
    apart = disagreements(following(predictions), pairs, study.disagreeing(data), dataset_name=data)
    write_table(table, made.table, snakemake.params.spec)
    write_table(predictions, made.predictions, snakemake.params.spec)
    write_csv(summarise_judgements(table), made.summary, study.remarks())
    write_csv(apart, made.disagreements, study.remarks())
