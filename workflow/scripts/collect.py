"""Rule collect: see dissect_iqa.correlation.summary.summarise."""

import pandas as pd

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.correlation.ceiling import noise_ceiling
    from dissect_iqa.correlation.golden import check_published
    from dissect_iqa.correlation.summary import summarise
    from dissect_iqa.files.provenance import atomic_path, read_table, write_table
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["study"])
    parts = [
        read_table(study.folder / f"results/correlations/{dataset}/{name}.parquet", spec)
        for dataset, name, spec in study.correlations()
    ]
    for dataset, path in zip(study.datasets, snakemake.input.pairs, strict=True):
        pairs = read_table(path, study.spec("fetch_dataset", dataset))
        parts.append(noise_ceiling(pairs, dataset_name=dataset, settings=study.config.statistics))
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    write_table(table, snakemake.output.correlations, snakemake.params.spec)
    for output, content in (("summary", summarise), ("published", check_published)):
        with atomic_path(getattr(snakemake.output, output)) as temporary:
            marked = {"note": "rehearsal, no result"} if study.config.rehearse else {}
            content(table).assign(**marked).to_csv(temporary, index=False)
