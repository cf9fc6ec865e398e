"""Rule fit_readouts: see dissect_iqa.readouts.fit_readouts."""

import pandas as pd

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.files.provenance import read_table, write_table
    from dissect_iqa.readouts.fit_readouts import fit_readouts, transfer_readouts
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["study"])
    dataset, model = snakemake.wildcards.dataset, snakemake.wildcards.model
    names = study.config.readouts.names
    options = {
        "concatenations": study.config.readouts.concatenations,
        "folds": study.config.readouts.folds,
        "processes": snakemake.threads,
    }
    data_sets = [dataset, *study.readout_sources(dataset)]
    caches = dict(zip(data_sets, snakemake.input.features, strict=True))
    specs = {name: study.spec("extract_features", name, model) for name in data_sets}
    pairs = {
        name: read_table(path, study.spec("fetch_dataset", name))
        for name, path in zip(data_sets, snakemake.input.pairs, strict=True)
    }
    tables = [fit_readouts(caches[dataset], pairs[dataset], names, specs[dataset], **options)]
    for source in data_sets[1:]:
        here, there = ((caches[name], pairs[name]) for name in (dataset, source))
        marks = {"train_spec": specs[source], "spec_expected": specs[dataset]}
        tables.append(transfer_readouts(*there, *here, names, source, **marks, **options))
    write_table(pd.concat(tables, ignore_index=True), snakemake.output[0], snakemake.params.spec)
