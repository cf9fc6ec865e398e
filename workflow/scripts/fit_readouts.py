"""Rule fit_readouts: see dissect_iqa.readouts.fit_readouts."""

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.files.provenance import read_table, write_table
    from dissect_iqa.readouts.fit_readouts import fit_readouts
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["frozen_study"])
    dataset, model = snakemake.wildcards.dataset, snakemake.wildcards.model
    names = [dataset, *study.readout_sources(dataset)]
    tables = zip(names, snakemake.input.pairs, strict=True)
    table = fit_readouts(
        dict(zip(names, snakemake.input.features, strict=True)),
        {name: read_table(path, study.spec("fetch_dataset", name)) for name, path in tables},
        {name: study.spec("extract_features", name, model) for name in names},
        study.config.readouts.names,
        concatenations=study.config.readouts.concatenations,
        folds=study.config.readouts.folds,
        processes=snakemake.threads,
    )
    write_table(table, snakemake.output[0], snakemake.params.spec)
