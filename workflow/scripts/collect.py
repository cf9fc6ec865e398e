"""Rule collect: see dissect_iqa.correlation.summarise."""

import pandas as pd

from dissect_iqa.job import job

with job(snakemake.log[0]):
    from dissect_iqa.correlation import summarise
    from dissect_iqa.provenance import atomic_path, read_table, write_table
    from dissect_iqa.study import Study

    study = Study.from_values(snakemake.config)
    parts = (
        read_table(f"results/correlations/{dataset}/{name}.parquet", spec)
        for dataset, name, spec in study.correlations()
    )
    table = pd.concat(parts, ignore_index=True)
    write_table(table, snakemake.output.correlations, snakemake.params.spec)
    with atomic_path(snakemake.output.summary) as temporary:
        summarise(table).to_csv(temporary, index=False)
