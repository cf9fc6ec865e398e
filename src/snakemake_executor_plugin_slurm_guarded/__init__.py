"""The SLURM executor plugin with a status check that neither loses a job nor waits for nothing.

`snakemake-executor-plugin-slurm` 2.8 does everything else. Its own check has ways to wait for
ever: it forgets its jobs when five queries fail, which happens within a second when slurmctld
restarts or no accounting database exists; it doesn't understand sacct's *CANCELLED by 1000*; and
a job that the controller forgot while nobody asked, or that was preempted for good, or that
asks for more than its partition allows, stays "running". Here

- every job is followed until SLURM names its end or, three times in a row, knows nothing of it;
- whatever hinders a waiting job is said, and one that can never start is a failed one;
- nothing is submitted to a controller that is away;
- jobs that a killed Snakemake left behind are cancelled first.

Settings are those of the SLURM plugin, with `slurm-guarded-` in front of their names.
"""

import subprocess
import threading
import time
from collections import Counter
from collections.abc import AsyncGenerator

from snakemake_executor_plugin_slurm import Executor as SlurmExecutor
from snakemake_executor_plugin_slurm import ExecutorSettings, common_settings
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

from .earlier import cancel_earlier_runs, leave_note
from .status import FAILURES, JobState, is_hopeless, needs_attention, states_of

__all__ = ["Executor", "ExecutorSettings", "common_settings"]

#: Checks in a row in which a job must be unknown, preempted or hopeless to believe it.
CHECKS = 3
#: Seconds between two remarks about the same trouble.
REMIND = 600
#: Seconds without any answer from SLURM after which its jobs count as lost.
GIVE_UP = 24 * 3600
#: Seconds between two attempts to reach a controller that is away.
KNOCK = 10


class Executor(SlurmExecutor):
    """Submit to SLURM as the parent does, but follow the jobs to their end."""

    def __post_init__(self, test_mode: bool = False) -> None:
        self.begin_watch()
        super().__post_init__(test_mode)
        # Without Snakemake's lock on the directory, another run may be alive and well.
        if self.workflow.execution_settings.lock:
            left = cancel_earlier_runs()
            if left:
                self.logger.warning(
                    "Cancelled jobs that an earlier Snakemake, which was killed, had left in "
                    f"SLURM: {', '.join(left)}. They are done again, extraction from where it was."
                )
        self._note = leave_note(self.run_uuid)

    def begin_watch(self) -> None:
        """Start with nothing known of any job."""
        self._stopping = threading.Event()
        self._doubts: Counter[str] = Counter()
        self._last_answer = time.monotonic()
        self._said: dict[str, float] = {}

    def shutdown(self) -> None:
        """Wait for the last check and clean up."""
        super().shutdown()
        self._note.unlink(missing_ok=True)

    def cancel(self) -> None:
        """Cancel all jobs; a submission that waits for the controller is given up."""
        self._stopping.set()
        super().cancel()

    def run_job(self, job: JobExecutorInterface) -> None:
        """Submit one job as soon as the controller can take it (runs in a submission thread)."""
        while not self._stopping.is_set() and not _controller_answers():
            self._say("controller", "SLURM's controller does not answer; holding submissions.")
            self._stopping.wait(KNOCK)
        super().run_job(job)

    async def check_active_jobs(
        self, active_jobs: list[SubmittedJobInfo]
    ) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Report the jobs that ended and yield those that have not."""
        if not active_jobs:
            self._last_answer = time.monotonic()
            return
        async with self.status_rate_limiter:
            states = await states_of(
                [str(job.external_jobid) for job in active_jobs],
                self.run_uuid,
                self.workflow.executor_settings.status_command or "squeue",
                self._submitted_job_clusters,
            )
        if states is None:
            silence = time.monotonic() - self._last_answer
            if silence < GIVE_UP:
                self._say("silence", f"SLURM has not answered for {silence:.0f} s; still asking.")
                for job in active_jobs:
                    yield job
                return
            states = {}
            self._doubts.update({str(job.external_jobid): CHECKS for job in active_jobs})
        self._last_answer = time.monotonic()
        self._explain_waiting(states)
        for job in active_jobs:
            if not self._ended(job, states.get(str(job.external_jobid))):
                yield job

    def _ended(self, job: SubmittedJobInfo, state: JobState | None) -> bool:
        """Report a job if it has come to an end; False if it goes on."""
        identity = str(job.external_jobid)
        if state is None or state.name == "PREEMPTED" or is_hopeless(state):
            self._doubts[identity] += 1
            if self._doubts[identity] < CHECKS:
                return False
        else:
            self._doubts.pop(identity, None)
        if state is None:
            self._fail(job, f"SLURM job {identity} is not known to SLURM any more.")
        elif state.name == "COMPLETED":
            self._remove_log(job)
            self.report_job_success(job)
        elif state.name in FAILURES:
            if state.name == "NODE_FAIL" and state.nodes:
                self._failed_nodes.add(state.nodes)
            reason = f", reason {state.reason}" if state.reason else ""
            self._fail(
                job, f"SLURM job {identity} ended as {state.name}{reason}: {FAILURES[state.name]}."
            )
        elif is_hopeless(state):
            subprocess.run(["scancel", identity], capture_output=True, check=False, timeout=60)
            self._fail(
                job,
                f"SLURM job {identity} can never start ({state.reason}): it asks for more than "
                "its partition, account or QOS allows. Change its resources in the profile.",
            )
        else:
            return False
        return True

    def _fail(self, job: SubmittedJobInfo, message: str) -> None:
        log = (job.aux or {}).get("slurm_logfile")
        # Snakemake puts its own sentence right behind ours.
        self.report_job_error(job, msg=message + " ", aux_logs=[str(log)] if log else [])

    def _remove_log(self, job: SubmittedJobInfo) -> None:
        log = (job.aux or {}).get("slurm_logfile")
        if log and not self.workflow.executor_settings.keep_successful_logs:
            log.unlink(missing_ok=True)

    def _explain_waiting(self, states: dict[str, JobState]) -> None:
        """Say why jobs wait if it is for something that a person may have to mend."""
        held = Counter(state.reason for state in states.values() if needs_attention(state))
        for reason, count in held.items():
            self._say(
                f"waiting {reason}",
                f"{count} jobs wait in SLURM for: {reason}. They start when that is over; "
                "`squeue --me` and `sinfo` show more. Ctrl-C cancels them.",
            )

    def _say(self, subject: str, message: str) -> None:
        """Warn, but about one subject only every ten minutes."""
        now = time.monotonic()
        if now - self._said.get(subject, -REMIND) >= REMIND:
            self._said[subject] = now
            self.logger.warning(message)


def _controller_answers() -> bool:
    """Return whether `scontrol ping` finds a controller that is up."""
    try:
        ping = subprocess.run(
            ["scontrol", "ping"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return "UP" in ping.stdout
