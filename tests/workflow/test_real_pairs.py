"""The three real TID2013 pairs through the whole workflow: metrics as published."""

from pathlib import Path

import pandas as pd
import pytest
import yaml
from small_study import REPOSITORY, shared, snakemake, write_study

from dissect_iqa.files.provenance import read_table

PAIRS = REPOSITORY.parent / "shared" / "data" / "tid2013_pairs"
#: Our names of the metrics in the table of values, with the difference that is allowed.
METRICS = {
    "psnr": ("psnr_rgb", 5e-4),
    "ssim": ("ssim_luma", 5e-4),
    "ssim_downsampled": ("ssim_luma_downsampled", 5e-4),
    "ms_ssim": ("ms_ssim_luma", 5e-3),
}


@pytest.mark.skipif(not PAIRS.is_dir(), reason="the real pairs are not part of the project")
def test_metrics_of_the_real_pairs_come_out_of_the_workflow(tmp_path: Path) -> None:
    values = pd.read_csv(PAIRS / "values.csv")
    study = write_study(tmp_path / "study")
    scores = values[["reference", "distorted"]].drop_duplicates().assign(score=[4.0, 3.0, 5.0])
    scores.to_csv(study / "config/scores.csv", index=False)
    entry = {
        "kind": "folder",
        "folder": str(PAIRS),
        "csv": str(study / "config/scores.csv"),
        "direction": "higher is better",
        "ignore": ["values.csv"],
    }
    (study / "config/datasets.yaml").write_text(yaml.safe_dump({"real": entry}))
    config = {
        "models": ["tiny_mobile"],
        "datasets": ["real"],
        "distances": ["rmse"],
        "baselines": list(METRICS),
        "statistics": {"draws": 20},
    }
    (study / "config/config.yaml").write_text(yaml.safe_dump(config))
    run = snakemake(study)
    assert run.returncode == 0, run.stdout + run.stderr
    compared = 0
    for name, (published, allowed) in METRICS.items():
        found = read_table(study / shared(study, "distances", name, "real"))
        found = found.set_index("distorted")["value"]
        for row in values[values["metric"] == published].itertuples():
            assert found[row.distorted] == pytest.approx(row.value, abs=allowed), (name, row)
            compared += 1
    assert compared >= 8
    table = read_table(study / shared(study, "distances", "tiny_mobile", "real"))
    assert (table["value"] > 0).all() and table["pair"].nunique() == 3
