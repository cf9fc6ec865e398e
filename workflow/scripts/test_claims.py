"""Rule test_claims: see dissect_iqa.claims.test_claims."""

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.claims.test_claims import test_claims, write_claims
    from dissect_iqa.correlation.hold_contests import only
    from dissect_iqa.correlation.summary import summarise
    from dissect_iqa.files.provenance import read_table
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["study"])
    level = study.config.statistics.level
    held = (
        read_table(path, study.spec("hold_contests", dataset))
        for dataset, path in zip(study.rated(), snakemake.input.contests, strict=True)
    )
    best = summarise(read_table(snakemake.input.correlations, study.spec("collect")))
    best, models = best[best["dataset"].isin(study.rated())], study.models_frame()
    contests = only(held, study.planned_contests(), level)
    table, text = test_claims(best, models, contests, labels=study.labels(), level=level)
    write_claims(table, text, snakemake.output.table, snakemake.output.text)
