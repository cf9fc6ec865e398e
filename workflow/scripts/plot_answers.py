"""Rule plot_answers: see dissect_iqa.figures.plot."""

from pathlib import Path

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.figures.plot import plot_answers
    from dissect_iqa.files.provenance import read_table
    from dissect_iqa.study.frozen import thaw

    study, given = thaw(snakemake.config["study"]), snakemake.input
    stem = Path(snakemake.output.png).with_suffix("")
    sets = study.threshold_sets()
    tables = {
        "correlations": [read_table(given.correlations, study.spec("collect"))],
        "layers": study.read("find_thresholds", sets, given.layers).values(),
        "stimuli": study.read("find_thresholds", sets, given.stimuli).values(),
        "invariance": study.read(
            "measure_invariance", study.misaligned_sets(), given.invariance
        ).values(),
        "models": [study.models_frame()],
    }
    options = {"spec": snakemake.params.spec, **study.config.figures.model_dump()}
    plot_answers(stem.name, tables, study.labels(), stem, **options)
