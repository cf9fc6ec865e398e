"""Rule write_pages: see dissect_iqa.pages.write_pages."""

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.pages.write_pages import write_pages
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["frozen_study"])
    pages = study.pages(snakemake.input, snakemake.output)
    write_pages(pages, study.notice(), snakemake.config)
