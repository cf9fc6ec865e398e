"""Rule plot_factors: see dissect_iqa.figures.plot."""

from pathlib import Path

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.figures.plot import plot_factors
    from dissect_iqa.files.provenance import read_table
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["study"])
    plot_factors(
        read_table(snakemake.input.table, study.spec("explain_factors")),
        study.labels(),
        Path(snakemake.output.png).with_suffix(""),
        spec=snakemake.params.spec,
        **study.config.figures.model_dump(),
    )
