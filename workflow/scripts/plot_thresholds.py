"""Rule plot_thresholds: see dissect_iqa.figures.plot."""

from pathlib import Path

import pandas as pd

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.figures.plot import plot_thresholds
    from dissect_iqa.files.provenance import read_table
    from dissect_iqa.study.frozen import thaw

    study, stem = thaw(snakemake.config["study"]), Path(snakemake.output.png).with_suffix("")
    specs = [study.spec("find_thresholds", name) for name in study.threshold_sets()]
    tables = {
        "correlations": read_table(snakemake.input.correlations, study.spec("collect")),
        "layers": pd.concat(map(read_table, snakemake.input.layers, specs), ignore_index=True),
        "stimuli": pd.concat(map(read_table, snakemake.input.stimuli, specs), ignore_index=True),
        "models": study.models_frame(),
    }
    options = {"spec": snakemake.params.spec, **study.config.figures.model_dump()}
    plot_thresholds(stem.name, tables, study.labels(), stem, **options)
