"""Rule count_verdicts: see dissect_iqa.multiverse.count_verdicts."""

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    import pandas as pd

    from dissect_iqa.files.provenance import write_csv
    from dissect_iqa.multiverse.count_verdicts import count_verdicts
    from dissect_iqa.study.frozen import thaw

    study, given = thaw(snakemake.config["frozen_study"]), snakemake.input
    universes = study.read("walk_multiverse", study.rated(), given.universes)
    table = count_verdicts(universes.values(), pd.read_csv(given.claims))
    write_csv(table, snakemake.output[0], study.remarks())
