"""Rule plot: see dissect_iqa.figures.plot."""

from pathlib import Path

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.figures.plot import plot
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["frozen_study"])
    stem = Path(snakemake.output.png).with_suffix("")
    tables = study.figure_tables(stem.name, snakemake.input)
    style = study.config.figures.model_dump()
    plot(stem.name, tables, study.labels(), stem, spec=snakemake.params.spec, **style)
