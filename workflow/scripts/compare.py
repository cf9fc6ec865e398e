"""Rule compare: see dissect_iqa.correlation.hold_contests.compare."""

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.correlation.hold_contests import compare
    from dissect_iqa.correlation.summary import common_distance, summarise
    from dissect_iqa.files.provenance import read_table, write_table
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["study"])
    dataset = snakemake.wildcards.dataset
    best = summarise(read_table(snakemake.input.correlations, study.spec("collect")))
    best = best[(best["dataset"] == dataset) & best["model"].isin(study.models)]
    distance = common_distance(best)
    candidates = {}
    for name, path in zip(study.scored(), snakemake.input.distances, strict=True):
        table = read_table(path, study.distances_spec(dataset, name))
        rows = table["distance"] == (distance if name in study.models else name)
        candidates[name] = table[rows]
    table = compare(
        candidates,
        read_table(snakemake.input.pairs, study.spec("fetch_dataset", dataset)),
        study.config.statistics,
        dataset_name=dataset,
        contests=study.meetings(),
    )
    write_table(table.assign(distance=distance), snakemake.output[0], snakemake.params.spec)
