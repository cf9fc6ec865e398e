"""Rule plot_multiverse: see dissect_iqa.figures.plot."""

from pathlib import Path

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.figures.plot import plot_multiverse
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["study"])
    tables = study.read("walk_multiverse", study.rated(), snakemake.input.universes)
    plot_multiverse(
        tables,
        study.labels(),
        Path(snakemake.output.png).with_suffix(""),
        spec=snakemake.params.spec,
        **study.config.figures.model_dump(),
    )
