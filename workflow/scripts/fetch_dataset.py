"""Rule fetch_dataset: see dissect_iqa.datasets.fetch_dataset."""

from pathlib import Path

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    import pandas as pd

    from dissect_iqa.datasets.fetch_dataset import fetch_dataset
    from dissect_iqa.study.frozen import thaw
    from dissect_iqa.study.upfront import check_sizes

    study, name = thaw(snakemake.config["frozen_study"]), snakemake.wildcards.dataset
    fetch_dataset(
        study.datasets[name],
        folder=Path(snakemake.output.pairs).parent,
        downloads=Path("resources/downloads"),
        spec=snakemake.params.spec,
        offline=study.config.offline,
        rehearse=study.rehearsed_side(),
        parent=study.parent(name),
    )
    # known only now where the pictures had to be fetched; extraction hasn't begun
    check_sizes(study, name, pd.read_parquet(snakemake.output.images))
