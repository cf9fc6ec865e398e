"""Rule plot_contests: see dissect_iqa.figures.plot."""

from pathlib import Path

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.figures.plot import plot_contests
    from dissect_iqa.files.provenance import read_table
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["study"])
    tables = {
        dataset: read_table(path, study.spec("hold_contests", dataset))
        for dataset, path in zip(study.rated(), snakemake.input.contests, strict=True)
    }
    plot_contests(
        tables,
        study.labels(),
        Path(snakemake.output.png).with_suffix(""),
        spec=snakemake.params.spec,
        **study.config.figures.model_dump(),
    )
