"""Rule test_claims: see dissect_iqa.claims.test_claims."""

from dissect_iqa.job import job

with job(snakemake.log[0]):
    from dissect_iqa import claims
    from dissect_iqa.correlation import summarise
    from dissect_iqa.provenance import atomic_path, read_table
    from dissect_iqa.study import Study

    study = Study.from_values(snakemake.config)
    correlations = read_table(snakemake.input.correlations, study.spec("collect"))
    table, text = claims.test_claims(
        summarise(correlations), study.models_frame(), labels=study.labels()
    )
    with atomic_path(snakemake.output.table) as temporary:
        table.to_csv(temporary, index=False)
    with atomic_path(snakemake.output.text) as temporary:
        temporary.write_text(text)
