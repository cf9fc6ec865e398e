"""Rule plot: see dissect_iqa.figures.plot."""

from pathlib import Path

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.figures.plot import plot
    from dissect_iqa.files.provenance import read_table
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["study"])
    stem = Path(snakemake.output.png).with_suffix("")
    table = read_table(snakemake.input.correlations, study.spec("collect"))
    plot(
        stem.name,
        table[~table["dataset"].isin(study.misaligned_sets())],
        study.models_frame(),
        study.labels(),
        stem,
        comparisons=study.comparisons,
        spec=snakemake.params.spec,
        **study.config.figures.model_dump(),
    )
