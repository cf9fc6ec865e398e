"""The workflow on a real SLURM of two nodes, undisturbed and with everything going wrong.

Only where DISSECT_IQA_SLURM=1 says so (.ci/run does): it may install Debian's SLURM packages and
puts two links into /etc/slurm while it runs.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pandas as pd
import pytest
from mini_slurm import MiniSlurm, Unavailable, ask, install, wait_for
from PIL import Image
from small_study import REPOSITORY, RESULTS, log_of, snakemake, write_study

from dissect_iqa.study.tables import MARK

TARGET = str(RESULTS / "correlations.parquet")
MODELS = ("tiny_resnet", "tiny_mobile")
#: Distorted pictures a reference: enough seconds of work to be caught in the middle.
DISTORTED = 200
#: What is said when Snakemake has seen the end of an extraction.
FINISHED = r"\d+/\d+  Features of \S+ on \S+ \("


@pytest.fixture(scope="module")
def cluster() -> Iterator[MiniSlurm]:
    if os.environ.get("DISSECT_IQA_SLURM") != "1":
        pytest.skip("set DISSECT_IQA_SLURM=1 to test on a real SLURM (installs packages)")
    try:
        install()
    except Unavailable as reason:
        pytest.skip(f"SLURM can't be installed here: {reason}")
    with tempfile.TemporaryDirectory(prefix="slurm") as folder:
        slurm = MiniSlurm(Path(folder) / "mini")
        with slurm:
            yield slurm
        assert slurm.left == [], "the cluster left processes behind"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a study of two networks and more small pictures that has not run."""
    folder = write_study(tmp_path_factory.mktemp("slurm") / "prepared")
    pictures, config = folder / "pictures", folder / "config"
    for path in pictures.glob("?_*.png"):
        path.unlink()
    rows = ["reference,distorted,score,distortion"]
    for reference in "ab":
        original = Image.open(pictures / f"{reference}.png")
        for level in range(DISTORTED):
            name = f"{reference}_{level}.png"
            original.point([max(0, value - level) for value in range(256)] * 3).save(
                pictures / name
            )
            rows.append(f"{reference}.png,{name},{9 - level / 10 + level % 7},shift")
    (pictures / "scores.csv").write_text("\n".join(rows) + "\n")
    text = (config / "config.yaml").read_text().replace("[psnr, ssim]", "[psnr]")
    (config / "config.yaml").write_text(text + "extraction: {batch_size: 1, device: cpu}\n")
    return folder


@pytest.fixture(scope="module")
def local(cluster: MiniSlurm, prepared: Path) -> Path:
    """Return the same study after a run without SLURM (asked for after `cluster`, to skip it)."""
    folder = Path(shutil.copytree(prepared, prepared.with_name("local")))
    run = snakemake(folder, TARGET, "--set-threads", "extract_features=1")
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


class Run:
    """One Snakemake that submits to SLURM."""

    started: ClassVar[list[subprocess.Popen[bytes]]] = []

    def __init__(self, cluster: MiniSlurm, folder: Path, *resources: str):
        self.folder = folder
        self.log = folder / f"snakemake-{time.monotonic_ns()}.log"
        profile = REPOSITORY / "profiles" / "slurm"
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
        command += ["--directory", str(folder), "--workflow-profile", str(profile), TARGET]
        command += ["--seconds-between-status-checks", "1", "--latency-wait", "20"]
        command += ["--set-threads", "extract_features=1"]
        if resources:
            command += ["--set-resources", "extract_features:nodes=1", *resources]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                stdout=log,
                stderr=log,
                env=cluster.environment,
                start_new_session=True,
            )
        self.started.append(self.process)

    @property
    def text(self) -> str:
        return self.log.read_text()

    def finish(self, seconds: float) -> None:
        """Wait for success; a Snakemake that hangs is stopped as a user would stop it."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)
            pytest.fail(f"Snakemake still waits after {seconds:.0f} s\n{self.text}")
        if code:
            logs = sorted(self.folder.glob(".snakemake/slurm_logs/**/*.log"))
            pytest.fail(self.text + "".join(f"\n{log}\n{log.read_text()}" for log in logs))


@pytest.fixture
def study(prepared: Path, tmp_path: Path) -> Iterator[Path]:
    yield Path(shutil.copytree(prepared, tmp_path / "study"))
    for process in Run.started:
        process.kill()  # after a failure; those that ended in order aren't there any more
        process.wait()


def records(cluster: MiniSlurm, rule: str, folder: Path) -> list[dict[str, str]]:
    """Return SLURM's records of a rule's jobs in this study, in the order of submission."""
    jobs = [job for job in cluster.jobs() if job["WorkDir"] == str(folder)]
    jobs = [job for job in jobs if job.get("Comment", "").startswith(f"rule_{rule}")]
    return sorted(jobs, key=lambda job: int(job["JobId"]))


def assert_same_results(local: Path, study: Path) -> None:
    """Compare the numbers of every table with those of the run without SLURM."""
    tables = sorted(path.relative_to(local) for path in local.glob("results/**/*.parquet"))
    assert len(tables) == 2 * (len(MODELS) + 1) + 1
    for table in tables:
        pd.testing.assert_frame_equal(
            pd.read_parquet(study / table), pd.read_parquet(local / table), check_exact=True
        )


def test_everything_runs_on_the_nodes_as_asked(
    cluster: MiniSlurm, local: Path, study: Path
) -> None:
    Run(cluster, study).finish(300)
    extractions = records(cluster, "extract_features", study)
    others = [
        job
        for rule in ("tables", "score_baselines", "collect")
        for job in records(cluster, rule, study)
    ]
    assert len(extractions) == len(MODELS)
    # one job of distances and correlation a model, that of the baseline, its correlation, collect
    assert len(others) == len(MODELS) + 3
    assert {job["JobState"] for job in [*extractions, *others]} == {"COMPLETED"}
    assert {job["NodeList"] for job in extractions} == {"n1", "n2"}
    assert {job.get("TresPerJob") for job in extractions} == {"gres:gpu:1"}
    assert not any("gpu" in job.get("TresPerJob", "") for job in others)
    # 4000 MB and an hour, and more by the size of the weights
    weights = {
        model: (study / f"resources/weights/{model}.safetensors").stat().st_size / 2**20
        for model in MODELS
    }
    for job in extractions:
        size = weights[
            job["Comment"].removeprefix("rule_extract_features_wildcards_own_")[: -MARK - 1]
        ]
        assert 0 <= int(job["MinMemoryNode"].rstrip("M")) - int(4000 + 4 * size) <= 2
    assert_same_results(local, study)
    assert not list(study.glob(".snakemake/slurm_logs/**/*.log")), "logs of success were kept"
    assert not list(study.glob(".snakemake/slurm_runs/*"))


def holder(path: Path) -> int | None:
    """Return the id of the process that has a file open."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink() == path:
                return int(link.parts[2])
        except OSError:
            continue
    return None


def freeze(study: Path, model: str = "*") -> tuple[str, int]:
    """Stop the first extraction that is at work in its middle; return its model and process."""
    folder = study / "results/shared/features/own"
    frozen: list[tuple[str, int]] = []

    def caught() -> bool:
        for part in folder.glob(f"{model}.*.h5.part"):
            if part.stat().st_size > 50_000 and (process := holder(part)):
                os.kill(process, signal.SIGSTOP)
                frozen.append((part.name.partition(".")[0], process))
                return True
        return False

    wait_for("an extraction to be at work", caught, 120)
    return frozen[0]


def wait_for_end(process: int) -> None:
    wait_for(f"process {process} to end", lambda: not Path(f"/proc/{process}").exists(), 60)


def extraction(cluster: MiniSlurm, study: Path, model: str, state: str) -> dict[str, str] | None:
    """Return the newest job of a model's extraction if it is in this state."""
    jobs = [
        job
        for job in records(cluster, "extract_features", study)
        if f"_own_{model}_" in job["Comment"]
    ]
    return jobs[-1] if jobs and jobs[-1]["JobState"] == state else None


def update_node(node: str, state: str) -> None:
    command = ["scontrol", "update", f"NodeName={node}", f"State={state}", "Reason=test"]

    def done() -> bool:
        # a controller that has just come back refuses it until the node has registered
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    wait_for(f"{node} to be set to {state}", done)


def continued(study: Path, model: str) -> bool:
    """Tell whether the last extraction of a model began with rows of an earlier one."""
    return "pairs are there already" in log_of(study, "extract_features", model).read_text()


def test_nothing_finished_is_lost_whatever_happens(
    cluster: MiniSlurm, local: Path, study: Path
) -> None:
    resources = ("extract_features:runtime=attempt", "score_baselines:mem_mb=150*attempt**4")
    update_node("n2", "DRAIN")
    run = Run(cluster, study, *resources)

    # someone cancels an extraction; the node that is left takes it up again
    cancelled, process = freeze(study)
    job = extraction(cluster, study, cancelled, "RUNNING")
    assert job is not None and job["NodeList"] == "n1"
    subprocess.run(["scancel", job["JobId"]], check=True)
    wait_for_end(process)

    # the next one hangs until its time is over; meanwhile the controller restarts
    hanging, process = freeze(study)
    job = extraction(cluster, study, hanging, "RUNNING")
    assert job is not None and job["NodeList"] == "n1"
    cluster.stop("slurmctld")
    wait_for("the guard's remark", lambda: "SLURM has not answered" in run.text, 60)
    cluster.start_controller()
    assert {job["NodeList"] for job in records(cluster, "", study) if job["NodeList"]} == {"n1"}
    wait_for("n2 to register", lambda: cluster.node_states()["n2"] == "drain")
    update_node("n2", "UNDRAIN")
    identity = job["JobId"]
    wait_for("the time limit", lambda: "TIMEOUT" in ask("scontrol", "show", "job", identity), 300)
    wait_for_end(process)

    # Snakemake is killed while that extraction is at work again and the other one is finished
    freeze(study, hanging)
    wait_for("the other extraction", lambda: re.search(FINISHED, run.text), 120)
    run.process.kill()
    run.process.wait()
    assert "CANCELLED" in run.text and "TIMEOUT" in run.text
    assert extraction(cluster, study, hanging, "RUNNING") is not None
    finished = {
        path: path.stat().st_mtime_ns for path in study.glob("results/shared/features/own/*.h5")
    }
    assert [path.name.partition(".")[0] for path in finished] == [
        name for name in MODELS if name != hanging
    ]

    # and started again, first with no node at all
    for node in cluster.nodes:
        update_node(node, "DRAIN")
    unlock = snakemake(study, "--unlock")
    assert unlock.returncode == 0, unlock.stderr
    again = Run(cluster, study, *resources)
    wait_for("the guard's remark", lambda: "jobs wait in SLURM for" in again.text, 120)
    assert "an earlier Snakemake" in again.text
    for node in cluster.nodes:
        update_node(node, "UNDRAIN")
    again.finish(300)

    for path, modified in finished.items():
        assert path.stat().st_mtime_ns == modified, f"{path.name} was made again"
    assert continued(study, cancelled)
    assert continued(study, hanging)
    states = [job["JobState"] for job in records(cluster, "score_baselines", study)]
    assert states[0] in ("FAILED", "OUT_OF_MEMORY") and states[-1] == "COMPLETED"
    memory = [job["MinMemoryNode"] for job in records(cluster, "score_baselines", study)]
    assert memory[:2] == ["150M", "2400M"]
    assert_same_results(local, study)
