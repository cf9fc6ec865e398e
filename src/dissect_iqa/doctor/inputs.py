"""What the study reads: are comparisons, weights and data sets here, and as it wants them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dissect_iqa.datasets.registry import KINDS
from dissect_iqa.datasets.status import datasets_status
from dissect_iqa.doctor.checks import AGAIN, Check
from dissect_iqa.errors import UserError
from dissect_iqa.files.provenance import table_provenance
from dissect_iqa.files.sums import names_of
from dissect_iqa.models.weights.fetch_weights import require_distinct, weights_provenance
from dissect_iqa.study.study import Study
from dissect_iqa.study.upfront import check_upfront
from dissect_iqa.zoo.comparisons import read_comparisons
from dissect_iqa.zoo.row import ModelRow
from dissect_iqa.zoo.table import read_models


def comparisons(study: Study) -> Check:
    """Check the comparisons against the whole model table."""
    config = study.config
    if not config.comparisons.is_file():
        return Check("NOTE", "comparisons", f"{config.comparisons}: not there, so there are none")
    try:
        read = read_comparisons(config.comparisons, read_models(config.models_table))
    except UserError as error:
        return Check("FAIL", "comparisons", str(error), f"correct it, {AGAIN}")
    return Check(
        "PASS", "comparisons", f"{len(read)}, of which {len(study.comparisons)} have two members"
    )


def upfront(study: Study, resources: Path) -> list[Check]:
    """Check what a run checks before it starts: whether all that is named exists and fits."""
    try:
        check_upfront(study, resources)
    except UserError as error:
        return [Check("FAIL", "inputs", str(error), f"correct what it names, {AGAIN}")]
    return [Check("PASS", "inputs", "models, data sets and baselines go together")]


def weights(study: Study, rows: Iterable[ModelRow], folder: Path) -> list[Check]:
    """Check that weights are here, whole, and made from what the study says."""
    checks, good = [], 0
    absent: list[str] = []
    stale: list[str] = []
    for row in rows:
        path = folder / f"{row.id}.safetensors"
        source = Path(row.weights_source).expanduser()
        if not path.is_file():
            if row.weights_kind == "file" and not source.is_file():
                mend = f"put the file there, or correct the column weights of {row.id}"
                checks.append(Check("FAIL", "weights", f"{row.id}: no file {source}", mend))
            else:
                absent.append(row.id)
            continue
        try:
            mark = weights_provenance(path)["fingerprint"]
        except UserError as error:
            mend = f"rm {path} && snakemake --cores 1 {path}"
            checks.append(Check("FAIL", "weights", str(error), mend))
            continue
        if mark == study.fingerprint("fetch_weights", name=row.id):
            good += 1
        elif row.id in study.own.stale:
            found = f"{row.id}: {study.own.stale[row.id]} changed since its weights were made"
            mend = f"snakemake --cores 1 {path}"
            checks.append(Check("NOTE", "weights", f"{found}; the next run renews it", mend))
        else:
            stale.append(row.id)
    again = "the next run fetches them"
    if study.config.offline:
        again = "offline: the next run names each file that isn't in resources/downloads"
    for names, what in ((absent, "not here yet"), (stale, "made with other settings")):
        if names:
            mend = "snakemake --cores 1 --until fetch_weights"
            found = f"{len(names)} {what} ({again}): {names_of(names)}"
            checks.append(Check("NOTE", "weights", found, mend))
    if good:
        checks.insert(0, Check("PASS", "weights", f"{good} here, as the study wants"))
    return checks


def distinct(names: Sequence[str], folder: Path) -> Check:
    """Check that no two models from different sources hold the same weights."""
    sums: dict[str, list[str]] = {}
    for name in names:
        path = folder / f"{name}.safetensors"
        try:
            sums[name] = weights_provenance(path)["tensors"] if path.is_file() else []
        except UserError:
            continue  # `weights` tells
    # Twins share matrices: comparing only those that do keeps thousands of models affordable
    seen = Counter(item for found in sums.values() for item in set(found))
    crowd = [name for name, found in sums.items() if any(seen[item] > 1 for item in found)]
    try:
        require_distinct(crowd, folder)
    except UserError as error:
        twins = [name for name in crowd if f" {name} (" in f" {error}"]
        paths = " ".join(str(folder / f"{name}.safetensors") for name in twins)
        return Check("FAIL", "twins", str(error), f"rm {paths} && snakemake --cores 1 {paths}")
    return Check("PASS", "twins", f"no two of {len(sums)} models share weights by accident")


def data_sets(study: Study, resources: Path) -> list[Check]:
    """Check that each data set is prepared as the study wants, or that a run can prepare it."""
    states = datasets_status(study.datasets, resources)
    return [_data_set(study, row, resources) for row in states.itertuples(index=False)]


def _data_set(study: Study, row: Any, resources: Path) -> Check:
    """Judge one line of `datasets_status`."""
    what, entry = f"data set {row.dataset}", study.datasets[row.dataset]
    table, folder = study.config.datasets_table, resources / "datasets" / row.dataset
    run = f"snakemake --cores 1 {folder}/pairs.parquet"
    changed = study.own.pictures.get(row.dataset)
    if row.state == "ready" and changed:
        found = f"{len(changed)} file(s) changed since it was prepared ({names_of(changed)})"
        return Check("NOTE", what, f"{found}; the next run prepares it anew", run)
    if row.state == "ready":
        mark = table_provenance(folder / "pairs.parquet")["fingerprint"]
        if mark == study.fingerprint("fetch_dataset", row.dataset):
            return Check("PASS", what, f"{row.pairs:.0f} pairs")
        return Check("NOTE", what, "made with other settings; the next run makes it anew", run)
    if row.state == "damaged":
        mend = f"rm {folder}/*.parquet {folder}/provenance.json && {run}"
        return Check("FAIL", what, row.next, mend)
    if entry.kind == "folder" and not entry.csv_path().is_file():
        mend = f"put it there, or correct 'folder' and 'csv' in {table}"
        return Check("FAIL", what, f"{entry.csv_path()}: no such file", mend)
    if row.state != "missing":
        return Check("NOTE", what, row.next, run)
    if entry.folder or entry.archive or not (KINDS[entry.kind].sources or entry.mirrors):
        return Check("FAIL", what, row.next, f"correct 'folder' or 'archive' in {table}")
    if study.config.offline:
        mend = f"on a machine with internet: {run} --config offline=false"
        return Check("FAIL", what, "not here, and the configuration is offline", mend)
    return Check("NOTE", what, row.next, run)
