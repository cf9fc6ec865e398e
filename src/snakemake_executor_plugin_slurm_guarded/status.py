"""What SLURM says about jobs: `squeue` and `sacct` asked in turn, their answers made comparable."""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass

#: States that a job doesn't leave any more, apart from COMPLETED; with what a user can do.
FAILURES = {
    "BOOT_FAIL": "its node could not be started",
    "CANCELLED": "someone, or SLURM itself, cancelled it (scancel)",
    "DEADLINE": "it could not end before its deadline",
    "FAILED": "the command failed, or ran out of memory where SLURM does not say so; see the logs",
    "NODE_FAIL": "its node failed",
    "OUT_OF_MEMORY": "it used more memory than it asked for; raise its mem_mb in the profile",
    "PREEMPTED": "a job with a higher priority took its place, and SLURM did not queue it again",
    "REVOKED": "another cluster of the federation took it over",
    "TIMEOUT": "it ran into its time limit; raise its runtime in the profile",
}
#: Seconds after which an unanswered question counts as such.
PATIENCE = 60
#: Job ids in one call of sacct: keeps the command line far below every system's limit.
CHUNK = 500


@dataclass(frozen=True)
class JobState:
    """One job as SLURM sees it.

    Attributes
    ----------
    name : str
        The long name of its state, ``RUNNING`` for example.
    reason : str
        Why it waits or ended; empty if SLURM doesn't say.
    nodes : str
        Its nodes in SLURM's notation; empty before it starts.
    """

    name: str
    reason: str = ""
    nodes: str = ""


def parse(output: str) -> dict[str, JobState]:
    """Read lines of ``id|state|reason|nodes``.

    ``sacct`` writes *CANCELLED by 1000*, so only a state's first word counts.
    """
    states = {}
    for line in output.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 4 and cells[0] and cells[1]:
            reason = "" if cells[2] in ("None", "(null)") else cells[2]
            states[cells[0]] = JobState(cells[1].split()[0].rstrip("+"), reason, cells[3])
    return states


async def answer(*command: str) -> str | None:
    """Return what a command prints, or None if it fails, is missing or takes too long."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError:
        return None
    try:
        output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    except TimeoutError:
        process.kill()
        await process.wait()
        return None
    return output.decode(errors="replace") if process.returncode == 0 else None


async def squeue(run: str, clusters: Iterable[str] = ()) -> dict[str, JobState] | None:
    """Ask the controller for every job of a run that it still remembers; None: no answer."""
    where = [f"--clusters={','.join(sorted(clusters))}"] if clusters else []
    output = await answer(
        "squeue", "--states=all", "--noheader", "--format=%i|%T|%r|%N", "--name", run, *where
    )
    return None if output is None else parse(output)


async def sacct(jobs: Iterable[str], clusters: Iterable[str] = ()) -> dict[str, JobState] | None:
    """Ask the accounting database for these jobs; None: no answer, or no database."""
    ids = sorted(jobs)
    where = [f"--clusters={','.join(sorted(clusters))}"] if clusters else []
    states: dict[str, JobState] = {}
    for start in range(0, len(ids), CHUNK):
        output = await answer(
            "sacct",
            "--allocations",
            "--noheader",
            "--parsable2",
            "--format=JobIDRaw,State,Reason,NodeList",
            "--jobs",
            ",".join(ids[start : start + CHUNK]),
            *where,
        )
        if output is None:
            return None
        states |= parse(output)
    return states


async def states_of(
    jobs: Iterable[str], run: str, first: str, clusters: Iterable[str] = ()
) -> dict[str, JobState] | None:
    """Return the states of jobs that SLURM knows; None if nothing in SLURM answers.

    Parameters
    ----------
    jobs : iterable of str
        SLURM's job ids.
    run : str
        The name that all jobs of this Snakemake run carry.
    first : {"squeue", "sacct"}
        Whom to ask first. The other one is asked for what the first doesn't know: the
        controller forgets a job soon after its end, the database hears of it a little late.
    clusters : iterable of str
        Clusters other than the default one to which jobs were submitted.
    """
    wanted = set(jobs)
    found: dict[str, JobState] = {}
    answered = False
    for tool in ("squeue", "sacct") if first == "squeue" else ("sacct", "squeue"):
        missing = wanted - found.keys()
        if not missing:
            break
        if tool == "squeue":
            states = await squeue(run, clusters)
        else:
            states = await sacct(missing, clusters)
        if states is not None:
            # Only the controller's silence about a job means that it is gone.
            answered = answered or tool == "squeue"
            found |= {job: state for job, state in states.items() if job in missing}
    return found if found or answered else None


#: Reasons for which a job waits until its limits change, which is to say: for ever.
_HOPELESS = re.compile(
    "PartitionTimeLimit|BadConstraints|Invalid(Account|QOS)|(Account|QOS)NotAllowed"
    r"|(Assoc|QOS)Max\w+PerJob(Limit)?|DependencyNeverSatisfied"
)
#: Reasons for which it waits until its turn comes.
_USUAL = re.compile(
    "|Priority|Resources|Licenses|BeginTime|Dependency|Prolog|Cleaning|JobArrayTaskLimit"
    "|WaitingForScheduling|BurstBuffer.*|(Assoc|QOS).*|Max.*"
)
_WAITING = ("PENDING", "REQUEUE_HOLD", "SPECIAL_EXIT")


def is_hopeless(state: JobState) -> bool:
    """Tell whether a pending job can't ever start with what it asks for."""
    return state.name in _WAITING and _HOPELESS.fullmatch(state.reason) is not None


def needs_attention(state: JobState) -> bool:
    """Tell whether a pending job waits for something else than its turn."""
    return state.name in _WAITING and _USUAL.fullmatch(state.reason) is None
