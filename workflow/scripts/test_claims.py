"""Rule test_claims: see dissect_iqa.claims.test_claims.test_claims."""

import pandas as pd

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.claims.test_claims import test_claims
    from dissect_iqa.correlation.hold_contests import only
    from dissect_iqa.correlation.summary import summarise
    from dissect_iqa.files.provenance import atomic_path, read_table
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["study"])
    correlations = read_table(snakemake.input.correlations, study.spec("collect"))
    contests = [
        only(
            read_table(path, study.spec("compare", dataset)),
            study.contests(),
            study.config.statistics.level,
        )
        for dataset, path in zip(study.rated(), snakemake.input.comparisons, strict=True)
    ]
    table, text = test_claims(
        summarise(correlations),
        study.models_frame(),
        pd.concat(contests, ignore_index=True) if contests else None,
        labels=study.labels(),
        level=study.config.statistics.level,
    )
    with atomic_path(snakemake.output.table) as temporary:
        table.to_csv(temporary, index=False)
    with atomic_path(snakemake.output.text) as temporary:
        temporary.write_text(text)
