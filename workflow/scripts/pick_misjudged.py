"""Rule pick_misjudged: see dissect_iqa.correlation.pick_misjudged."""

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from pathlib import Path

    from dissect_iqa.correlation.pick_misjudged import pick_misjudged
    from dissect_iqa.datasets.tables import read_dataset
    from dissect_iqa.datasets.thumbnails import thumbnails
    from dissect_iqa.files.provenance import read_table, write_csv, write_table
    from dissect_iqa.study.frozen import thaw

    study, made = thaw(snakemake.config["frozen_study"]), snakemake.output
    data = snakemake.wildcards.dataset
    folder = Path(snakemake.input.pairs).parent
    dataset = read_dataset(folder, study.spec("fetch_dataset", data))
    predictions = read_table(snakemake.input.predictions, study.spec("judge_pairs", data))
    worst = pick_misjudged(predictions, dataset.pairs)
    shown = worst if not study.closed(data) else worst.head(0)
    small = thumbnails(shown[["reference_file", "distorted_file"]].to_numpy().ravel(), dataset.root)
    write_table(worst, made.table, snakemake.params.spec)
    write_table(small, made.thumbnails, snakemake.params.spec)
    write_csv(worst, made.summary, study.remarks())
