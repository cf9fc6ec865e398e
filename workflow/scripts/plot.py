"""Rule plot: see dissect_iqa.figures.plot."""

from pathlib import Path

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.figures.plot import plot
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["frozen_study"])
    figure, dataset = snakemake.params.figure, snakemake.wildcards.get("dataset", "")
    tables = study.figure_tables(figure, dataset, snakemake.input)
    notice = study.figure_notice(figure, dataset)
    stem = Path(snakemake.output.png).with_suffix("")
    style = study.config.figures.model_dump()
    plot(figure, tables, notice, stem, spec=snakemake.params.spec, **style)
