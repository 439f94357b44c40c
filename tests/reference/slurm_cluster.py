"""A real Slurm on this machine, without installation: Debian's packages, unpacked into a cache.

One controller and one node on the loopback, no authentication, no accounting. Everything runs as
the user who starts it. By hand, `python tests/reference/slurm_cluster.py` starts a cluster in a new
folder, prints the variables that a shell needs to use it, and ends it with Ctrl-C.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "slurm-wlm-basic-plugins")
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "speedcheck-slurm"
START_SECONDS = 60.0
NODE, PARTITION = "loop", "main"
# A program of Slurm goes by its name: slurmstepd as slurmstepd-wlm, which is what the package
# unpacks to, crashes when it measures the memory of a job.
DAEMONS = ("slurmctld", "slurmd", "slurmstepd")

CONFIGURATION = """\
ClusterName=speedcheck
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
AuthInfo=cred_expire=2
CredType=cred/none
PluginDir={plugins}
SlurmctldPort={controller_port}
SlurmdPort={node_port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=2,sched_min_interval=100000,bf_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
SlurmdTimeout=6
KillWait=2
MessageTimeout=4
MinJobAge=300
SlurmdParameters=config_overrides
NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=4000 State=UNKNOWN
PartitionName={partition} Nodes={node} Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes={node} MaxTime=INFINITE State=UP PriorityTier=9
"""


class Unavailable(Exception):  # noqa: N818 - a reason to skip
    """Slurm cannot be had here."""


def unpack() -> Path:
    """Return the folder of the unpacked packages; download them the first time."""
    root = CACHE / "root"
    if root.is_dir():
        return root
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise Unavailable("Slurm comes from Debian's packages, and apt-get or dpkg is missing")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        folder = Path(name)
        _download(folder)
        for package in sorted(folder.glob("*.deb")):
            _call("dpkg", "-x", str(package), str(folder / "root"))
        with contextlib.suppress(OSError):  # another process was faster
            (folder / "root").rename(root)
    return root


def _download(folder: Path) -> None:
    plan = _call("apt-get", "install", "--simulate", "--no-install-recommends", *PACKAGES)
    wanted = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
    _call("apt-get", "download", *wanted, cwd=folder)


def _call(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it printed nothing"]
        raise Unavailable(f"{' '.join(command[:2])}: {lines[-1]}")
    return done.stdout


class Cluster:
    """A controller and a node.

    Args:
        folder: where they keep their state; new.
        cpus: processors of the node, be they there or not.
    """

    def __init__(self, folder: Path, cpus: int = 4) -> None:
        root = unpack()
        self.folder = folder
        libraries = next(root.glob("usr/lib/*/slurm-wlm"), None)
        if libraries is None:
            raise Unavailable(f"{root} holds no Slurm; remove it to download it again")
        self._programs = folder / "programs"
        self.variables = {
            "PATH": f"{root / 'usr' / 'bin'}:{os.environ['PATH']}",
            "LD_LIBRARY_PATH": f"{libraries.parent}:{libraries}",
            "SLURM_CONF": str(folder / "slurm.conf"),
        }
        (folder / "state").mkdir(parents=True)
        self._programs.mkdir()
        for daemon in DAEMONS:
            (self._programs / daemon).symlink_to(_program(root, daemon))
        (folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                host=socket.gethostname(),
                user=getpass.getuser(),
                plugins=libraries,
                controller_port=_free_port(),
                node_port=_free_port(),
                folder=folder,
                node=NODE,
                partition=PARTITION,
                cpus=cpus,
            )
        )
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start both daemons and wait until the node is ready."""
        self.start_controller()
        self.start_node()
        self.wait_for_node("idle")

    def start_controller(self) -> None:
        """Start the controller, which goes on from the state that it has kept."""
        self._start("slurmctld", "-D")

    def start_node(self) -> None:
        """Start the node's daemon, on a spool folder as empty as after a reboot."""
        shutil.rmtree(self.folder / "spool", ignore_errors=True)
        (self.folder / "spool").mkdir()
        self._start("slurmd", "-D", "-N", NODE, "-d", str(self._programs / "slurmstepd"))

    def kill(self, daemon: str) -> None:
        """Kill a daemon as a crash would."""
        process = self._daemons.pop(daemon)
        process.kill()
        process.wait()

    def stop_daemon(self, daemon: str) -> None:
        """End a daemon as an administrator would; the controller keeps its state."""
        process = self._daemons.pop(daemon)
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()

    def stop(self) -> None:
        """End every job and both daemons."""
        with contextlib.suppress(subprocess.SubprocessError):
            self.call("scancel", f"--user={getpass.getuser()}")
        for daemon in tuple(self._daemons):
            self.stop_daemon(daemon)
        for pid in self.step_daemons():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)

    def step_daemons(self) -> list[int]:
        """Return the processes by which the node runs its jobs."""
        mark = f"SLURM_CONF={self.variables['SLURM_CONF']}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                name = (path / "comm").read_text().strip()
                if name.startswith("slurmstepd") and mark in (path / "environ").read_bytes():
                    found.append(int(path.name))
        return found

    def call(self, *command: str) -> str:
        """Run a command of Slurm; return what it prints."""
        environment = os.environ | self.variables
        path = shutil.which(command[0], path=self.variables["PATH"])
        return subprocess.run(
            (path or command[0], *command[1:]),
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout

    def wait_for_node(self, state: str) -> None:
        """Wait until the node is in a state."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(subprocess.SubprocessError):
                if (
                    self.call("sinfo", "--noheader", "--format=%T", f"--nodes={NODE}")
                    .strip()
                    .split("\n")[0]
                    .startswith(state)
                ):
                    return
            time.sleep(0.2)
        logs = "\n".join(path.read_text()[-800:] for path in self.folder.glob("*.log"))
        raise Unavailable(f"the node of Slurm is not {state} after {START_SECONDS:.0f} s: {logs}")

    def _start(self, daemon: str, *options: str) -> None:
        with (self.folder / f"{daemon}.log").open("ab") as log:
            self._daemons[daemon] = subprocess.Popen(
                (self._programs / daemon, "-f", self.variables["SLURM_CONF"], *options),
                env=os.environ | self.variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def _program(root: Path, daemon: str) -> Path:
    folder = root / "usr" / "sbin"
    names = (folder / f"{daemon}-wlm", folder / daemon)
    found = next((path for path in names if path.is_file()), None)
    if found is None:
        raise Unavailable(f"{folder} holds no {daemon}")
    return found


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="slurm-")))
    try:
        cluster.start()
        for name, value in cluster.variables.items():
            print(f"export {name}={value}", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        cluster.stop()
