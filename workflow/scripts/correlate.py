"""Rule correlate: see dissect_iqa.correlation.correlate."""

import pandas as pd

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.correlation.correlate import correlate
    from dissect_iqa.files.provenance import read_table, write_table
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["frozen_study"])
    dataset, name = snakemake.wildcards.dataset, snakemake.wildcards.name
    pairs = read_table(snakemake.input.pairs, study.spec("fetch_dataset", dataset))
    paths = [snakemake.input.distances, *snakemake.input.readouts]
    specs = study.measured_specs(dataset, name)
    tables = (read_table(path, spec) for path, spec in zip(paths, specs, strict=True))
    parts = [
        correlate(table, pairs, dataset_name=dataset, model=name, settings=study.config.statistics)
        for table in tables
    ]
    write_table(pd.concat(parts, ignore_index=True), snakemake.output[0], snakemake.params.spec)
