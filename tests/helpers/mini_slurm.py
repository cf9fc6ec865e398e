"""A real SLURM of two nodes on this one machine, for as long as a test needs it.

Debian's slurmd can run several times on one host, each as a node of its own with made-up CPUs
and memory. The daemons run in the foreground as children of this process, on the loopback
interface only; a watcher ends them and their jobs when this process dies, however it dies. A GPU
is a character device that SLURM may hand out; what is behind it doesn't matter.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "srun", "squeue", "scontrol")
#: Where sbatch and srun look when no variable says otherwise. Snakemake's job step removes
#: SLURM_CONF from the environment before it calls srun, so the file has to be here.
SYSTEM = Path("/etc/slurm")
#: A variable that tells our processes from those of any other SLURM.
MARK = "MINI_SLURM"


class Unavailable(Exception):
    """SLURM can't be had on this machine; the message says why."""


def install() -> None:
    """Install Debian's packages unless they are there.

    Raises
    ------
    Unavailable
        If this isn't a Debian-like machine, we aren't root, or the packages can't be had.
    """
    if os.geteuid() != 0:
        raise Unavailable("needs root, for a munge key and a device of its own")
    for name in ("slurm.conf", "gres.conf"):
        if (SYSTEM / name).exists() and not (SYSTEM / name).is_symlink():
            raise Unavailable(f"{SYSTEM / name} exists: this machine belongs to a cluster")
    if all(shutil.which(program) for program in PROGRAMS):
        return
    if not shutil.which("apt-get"):
        raise Unavailable("no SLURM here and no apt-get to install it with")
    for command in (
        ["apt-get", "-qq", "update"],
        ["apt-get", "-qq", "install", "-y", "--no-install-recommends", *PACKAGES],
    ):
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            check=False,
        )
        if done.returncode:
            raise Unavailable(f"{' '.join(command[:3])}: {done.stderr.strip()[-300:]}")


def wait_for(what: str, condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait until `condition` is true.

    Raises
    ------
    TimeoutError
        If that takes longer than `seconds`.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.1)


class MiniSlurm:
    """Two nodes, n1 and n2, in the partition `main`; use as a context manager.

    Parameters
    ----------
    folder : Path
        For keys, configuration, state and logs; short, since it holds a socket.
    cpus, memory : int
        Of each node; memory in MB. Made up.
    gpus : int
        Fake GPUs of each node.

    Attributes
    ----------
    left : list of int
        Processes that were still there after the end, and were killed.
    """

    def __init__(self, folder: Path, cpus: int = 4, memory: int = 16000, gpus: int = 1):
        self.folder = folder
        self.cpus, self.memory, self.gpus = cpus, memory, gpus
        self.nodes = ("n1", "n2")
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.left: list[int] = []

    def __enter__(self) -> "MiniSlurm":
        # It waits for the end of its input, which comes when we die, if not before.
        self._watcher = subprocess.Popen(
            [sys.executable, __file__, str(self.folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if "slurmctld" in self._daemons and (jobs := self._ids()):
            subprocess.run(["scancel", "--quiet", *jobs], check=False)
            with suppress(TimeoutError):
                wait_for("the jobs to end", lambda: not self._ids(), 30)
        for name in reversed(list(self._daemons)):
            self.stop(name)
        remove_links(self.folder)
        with suppress(TimeoutError):
            wait_for("the last process", lambda: not processes(self.folder), 10)
        self.left = kill_all(self.folder)
        self._watcher.communicate()

    def _ids(self) -> list[str]:
        states = "PENDING,RUNNING,SUSPENDED,COMPLETING,CONFIGURING"
        return ask("squeue", "--noheader", "--format=%i", f"--states={states}").split()

    def _start(self) -> None:
        for name in ("etc", "log", "state", "spool/n1", "spool/n2", "run", "gpu", "munge"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "munge").chmod(0o700)
        key = self.folder / "munge/key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        self._write_configuration()
        SYSTEM.mkdir(exist_ok=True)
        for name in ("slurm.conf", "gres.conf"):
            link = SYSTEM / name
            link.unlink(missing_ok=True)  # a dead run's: `install` refuses real files
            link.symlink_to(self.folder / "etc" / name)
        munge = self.folder / "munge"
        options = {
            "key-file": key,
            "socket": self.folder / "run/munge.sock",
            "pid-file": munge / "pid",
            "log-file": munge / "log",
            "seed-file": munge / "seed",
        }
        # --force: a temporary folder that only we may enter is all right
        command = ["munged", "--foreground", "--force"]
        self._run("munged", command + [f"--{name}={path}" for name, path in options.items()])
        wait_for("munged", lambda: (self.folder / "run/munge.sock").exists())
        self.start_controller()
        for node in self.nodes:
            self._run(node, ["slurmd", "-D", "-N", node])
        wait_for("the nodes", lambda: self.node_states() == dict.fromkeys(self.nodes, "idle"))

    def start_controller(self) -> None:
        """Start slurmctld and wait until it answers."""
        self._run("slurmctld", ["slurmctld", "-D"])
        wait_for("slurmctld", lambda: "UP" in ask("scontrol", "ping"))

    def stop(self, name: str) -> None:
        """End a daemon (munged, slurmctld, n1, n2) by its own process id."""
        daemon = self._daemons.pop(name)
        daemon.terminate()
        try:
            daemon.wait(15)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def _run(self, name: str, command: list[str]) -> None:
        with (self.folder / "log" / f"{name}.out").open("ab") as log:
            self._daemons[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                # as if it were a real daemon: SLURM signals process groups, which must not be ours
                start_new_session=True,
            )

    def node_states(self) -> dict[str, str]:
        """Return SLURM's word for the state of each node."""
        lines = ask("sinfo", "--noheader", "--Node", "--format=%N %t").splitlines()
        return dict(line.split() for line in lines)

    def jobs(self) -> list[dict[str, str]]:
        """Return SLURM's own record of every job since the start."""
        lines = ask("scontrol", "--oneliner", "show", "job").splitlines()
        cells = [[cell.split("=", 1) for cell in line.split() if "=" in cell] for line in lines]
        return [dict(pairs) for pairs in cells]

    @property
    def environment(self) -> dict[str, str]:
        """What must be in the environment of whatever submits jobs: marks them as ours."""
        return {**os.environ, MARK: str(self.folder)}

    def _write_configuration(self) -> None:
        host = socket.gethostname().split(".")[0]
        control, *ports = free_ports(1 + len(self.nodes))
        nodes, devices = [], []
        for node, port in zip(self.nodes, ports, strict=True):
            nodes.append(
                f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} "
                f"CPUs={self.cpus} RealMemory={self.memory} Gres=gpu:{self.gpus} State=UNKNOWN"
            )
            for number in range(self.gpus):
                device = self.folder / f"gpu/{node}-{number}"
                os.mknod(device, 0o20666, os.makedev(1, 3))  # the numbers of /dev/null
                devices.append(f"NodeName={node} Name=gpu File={device}")
        (self.folder / "etc/gres.conf").write_text("\n".join(devices) + "\n")
        (self.folder / "etc/slurm.conf").write_text(
            CONFIGURATION.format(
                host=host, folder=self.folder, port=control, nodes="\n".join(nodes)
            )
        )


def processes(folder: Path) -> list[int]:
    """Return the ids of all processes of the cluster in `folder`: daemons, jobs, submitters."""
    mark = f"{MARK}={folder}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            ours = mark in (entry / "environ").read_bytes().split(b"\0")
            # slurmstepd wipes its environment, but it has the log of its slurmd open
            if ours or any(file.readlink().is_relative_to(folder) for file in entry.glob("fd/*")):
                found.append(int(entry.name))
    return found


def ask(*command: str) -> str:
    """Return what a SLURM command prints; empty if it fails."""
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout


def free_ports(count: int) -> list[int]:
    """Return ports that nothing listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def kill_all(folder: Path) -> list[int]:
    """Kill every process of a cluster and return their ids."""
    left = processes(folder)
    for process in left:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return left


def remove_links(folder: Path) -> None:
    """Take our links out of SLURM's folder."""
    for name in ("slurm.conf", "gres.conf"):
        link = SYSTEM / name
        if link.is_symlink() and link.readlink() == folder / "etc" / name:
            link.unlink()


CONFIGURATION = """\
ClusterName=mini
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/run/munge.sock
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd-%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
SlurmdParameters=config_overrides
# A test machine has no cgroups. The kernel's process groups are enough to end a job.
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
# Memory is looked at every second, and who has too much is killed.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1,sched_min_interval=0,batch_sched_delay=0
ReturnToService=2
KillWait=2
InactiveLimit=0
# The tests read SLURM's records after the fact.
MinJobAge=3600
SlurmctldTimeout=10
SlurmdTimeout=30
GresTypes=gpu
{nodes}
PartitionName=main Nodes=ALL Default=YES DefMemPerCPU=500 State=UP
"""


if __name__ == "__main__":
    sys.stdin.read()
    kill_all(Path(sys.argv[1]))
    remove_links(Path(sys.argv[1]))
