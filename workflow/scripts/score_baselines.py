"""Rule score_baselines: see dissect_iqa.baselines.score_baselines.score_baseline."""

from contextlib import nullcontext
from pathlib import Path

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.baselines.score_baselines import score_baseline
    from dissect_iqa.datasets.tables import read_dataset
    from dissect_iqa.files.provenance import write_table
    from dissect_iqa.study.frozen import thaw

    study = thaw(snakemake.config["study"])
    dataset = snakemake.wildcards.dataset
    metric = snakemake.wildcards.metric
    trunk, model = next(iter(snakemake.input.trunk), None), study.trunk(metric)
    claimed = nullcontext("cpu")
    if trunk:
        # the other metrics do without PyTorch, which takes longer to load than they do
        import torch

        from dissect_iqa.features.forward.device import claim_device

        torch.set_num_threads(snakemake.threads)
        claimed = claim_device(study.config.extraction.device)
    with claimed as device:
        table = score_baseline(
            metric,
            read_dataset(Path(snakemake.input.pairs).parent, study.spec("fetch_dataset", dataset)),
            trunk=trunk,
            trunk_spec=study.spec("fetch_weights", name=model) if model else None,
            device=str(device),
            processes=snakemake.threads if str(device) == "cpu" else 1,
        )
    write_table(table, snakemake.output[0], snakemake.params.spec)
