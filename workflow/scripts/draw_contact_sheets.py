"""Rule draw_contact_sheets: see dissect_iqa.figures.contact_sheets."""

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.figures.contact_sheets import draw_contact_sheets
    from dissect_iqa.figures.titles import titled
    from dissect_iqa.files.provenance import read_table
    from dissect_iqa.study.frozen import thaw

    study, made = thaw(snakemake.config["frozen_study"]), snakemake.output[0]
    data, given = snakemake.wildcards.dataset, snakemake.input
    picked = study.spec("pick_misjudged", data)
    worst = titled(read_table(given.misjudged, picked), study.titles())
    small = read_table(given.thumbnails, picked)
    notice, look, spec = study.labels([data])[data], study.config.figures, snakemake.params.spec
    title, closed = f"Pairs that are misjudged most: {data}", study.closed(data)
    draw_contact_sheets(worst, small, notice, made, look, closed=closed, title=title, spec=spec)
