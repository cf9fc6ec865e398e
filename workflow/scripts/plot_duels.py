"""Rule plot_duels: see dissect_iqa.figures.plot_duels."""

from pathlib import Path

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.figures import plot_duels
    from dissect_iqa.files.provenance import read_table
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["study"])
    tables = {
        dataset: read_table(path, study.spec("compare", dataset))
        for dataset, path in zip(study.rated(), snakemake.input.comparisons, strict=True)
    }
    plot_duels(
        tables,
        study.labels(),
        Path(snakemake.output.png).with_suffix(""),
        spec=snakemake.params.spec,
        **study.config.figures.model_dump(),
    )
