"""Rule size_networks: see dissect_iqa.study.size_networks."""

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.files.provenance import write_table
    from dissect_iqa.study.frozen import thaw
    from dissect_iqa.study.size_networks import size_networks

    study = thaw(snakemake.config["frozen_study"])
    write_table(size_networks(study.models), snakemake.output[0], snakemake.params.spec)
