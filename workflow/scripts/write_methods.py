"""Rule write_methods: see dissect_iqa.claims.write_methods."""

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.claims.write_methods import describe, write_methods
    from dissect_iqa.files.provenance import read_table
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["frozen_study"])
    methods = describe(
        read_table(snakemake.input.correlations, study.spec("collect")),
        study.models_frame(),
        study.dataset_facts(),
        study.config.statistics,
        study.bibliography(),
        study.notice(),
        study.outside_facts(),
        read_table(snakemake.input.factors, study.spec("explain_factors")),
    )
    write_methods(
        methods, snakemake.output.text, snakemake.output.references, snakemake.params.spec
    )
