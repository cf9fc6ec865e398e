"""Rule write_explorer: see dissect_iqa.explorer.write_explorer."""

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.explorer.write_explorer import write_explorer
    from dissect_iqa.study.frozen import thaw

    study, spec = thaw(snakemake.config["frozen_study"]), snakemake.params.spec
    shown, most = study.explored(snakemake.input), study.config.explorer.thumbnails
    write_explorer(shown, snakemake.output[0], study.config.figures, most, spec)
