"""Debian's real Slurm as a contestant: munged, slurmctld and slurmd in a temporary folder, on ports of their own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time

from bench.contestant import DEADLINE, SlurmCommands

START_SECONDS = 60.0
PROGRAMS = ("/usr/sbin/munged", "/usr/sbin/slurmctld", "/usr/sbin/slurmd", "/usr/bin/sbatch")
CONF = """
ClusterName=bench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=500
MaxArraySize=1000001
MaxJobCount=1000000
SchedulerParameters=bf_interval=2,sched_interval=2
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=64 Sockets=1 CoresPerSocket=64 ThreadsPerCore=1 RealMemory=64000 State=UNKNOWN
PartitionName=debug Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """What is not installed, "" when the contest can be held (it needs root)."""
    absent = [path for path in PROGRAMS if not os.path.exists(path)]
    if absent:
        return f"not installed: {', '.join(absent)} (apt-get install slurm-wlm munge)"
    return "" if os.getuid() == 0 else "real Slurm needs root"


def free_ports(count: int) -> list[int]:
    """TCP ports that nobody listens at now."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


class RealSlurm(SlurmCommands):
    """slurmctld and slurmd of Debian; `lines` are added to its slurm.conf. With `nodes`, n1 … are there beside this host, and preferred to it.

    Those have 32 CPUs and 4 GPUs each, which nothing stands behind.
    """

    name = "real Slurm"

    def __init__(self, *lines: str, nodes: int = 0) -> None:
        self._lines = lines
        self._nodes = nodes
        self.folder = tempfile.mkdtemp(prefix="bench-slurm-")
        os.chmod(self.folder, 0o755)
        self._processes: list[subprocess.Popen[bytes]] = []
        environment = {**os.environ, "SLURM_CONF": f"{self.folder}/slurm.conf", "USER": "root",
                       "PATH": f"/usr/sbin:/usr/bin:{os.environ.get('PATH', '')}"}
        super().__init__(environment, self.folder, "/usr/bin")

    def submit_and_wait(self, *words: str) -> str:
        """As for ours; but its `sbatch --wait` sleeps up to ten seconds between its questions, so one squeue a second (1 % of a processor) asks instead."""
        job = self.call("sbatch", "--parsable", *words).strip()
        end = time.monotonic() + DEADLINE
        while self.call("squeue", "-h", "-o", "%i", "-j", job, check=False).strip():
            if time.monotonic() > end:
                raise RuntimeError("jobs did not end in time")
            time.sleep(1.0)
        return job

    def _spawn(self, *words: str) -> None:
        with open(f"{self.folder}/{os.path.basename(words[0])}.out", "wb") as out:
            self._processes.append(subprocess.Popen(words, env=self.environment, stdout=out, stderr=out))

    def start(self) -> None:
        """The three daemons; returns when the node is idle."""
        for name in ("munge", "state", "spool"):
            os.mkdir(f"{self.folder}/{name}", 0o755)
        key = f"{self.folder}/munge/munge.key"
        with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(os.urandom(1024))
        more = [*self._lines, *self._more_nodes()]
        with open(f"{self.folder}/slurm.conf", "w") as conf:
            conf.write(CONF.format(host=socket.gethostname(), folder=self.folder, ports=free_ports(2)) + "".join(f"{line}\n" for line in more))
        self._spawn("/usr/sbin/munged", "--foreground", "--force", f"--key-file={key}", f"--socket={self.folder}/munge/munge.socket",
                    f"--pid-file={self.folder}/munge/pid", f"--seed-file={self.folder}/munge/seed", f"--log-file={self.folder}/munge/log")
        end = time.monotonic() + START_SECONDS
        while not os.path.exists(f"{self.folder}/munge/munge.socket") and time.monotonic() < end:
            time.sleep(0.05)
        self.start_controller()
        time.sleep(1.0)
        self._spawn("/usr/sbin/slurmd", "-D", "-f", f"{self.folder}/slurm.conf", "-N", socket.gethostname())
        for number in range(self._nodes):
            self._spawn("/usr/sbin/slurmd", "-D", "-f", f"{self.folder}/slurm.conf", "-N", f"n{number + 1}")
        while time.monotonic() < end:
            if set(self.call("sinfo", "-h", "-N", "-o", "%t", check=False).split()) == {"idle"}:
                return
            time.sleep(0.1)
        self.stop_daemons()
        raise RuntimeError(f"real Slurm did not come up in {START_SECONDS:.0f} s: see {self.folder}")

    def _more_nodes(self) -> list[str]:
        if not self._nodes:
            return [f"PartitionName=gpu Nodes={socket.gethostname()} MaxTime=INFINITE State=UP"]
        shown = f"n[1-{self._nodes}]"
        with open(f"{self.folder}/gres.conf", "w") as conf:
            conf.write(f"NodeName={shown} Name=gpu File={self.folder}/gpu[0-3]\n")
        for number in range(4):
            open(f"{self.folder}/gpu{number}", "w").close()
        ports = ",".join(map(str, free_ports(self._nodes)))
        return ["GresTypes=gpu", f"NodeName={shown} NodeHostname={socket.gethostname()} NodeAddr=127.0.0.1 Port=[{ports}] CPUs=32 Sockets=1 "
                f"CoresPerSocket=32 ThreadsPerCore=1 RealMemory=64000 Gres=gpu:4 State=UNKNOWN",
                f"PartitionName=nodes Nodes={shown} Default=YES MaxTime=INFINITE State=UP",
                f"PartitionName=gpu Nodes={shown} MaxTime=INFINITE State=UP"]

    def start_controller(self) -> None:
        """slurmctld, at first or again."""
        self._spawn("/usr/sbin/slurmctld", "-D", "-f", f"{self.folder}/slurm.conf")
        self._controller = self._processes[-1]

    def stop_controller(self) -> None:
        """SIGTERM, and it is gone. After kill -9 it would give away anew the job ids that it has not saved, which slurmd then refuses to run."""
        self._controller.terminate()
        self._controller.wait(START_SECONDS)

    def stop_daemons(self) -> None:
        """End what was started; its files stay."""
        for process in reversed(self._processes):
            process.terminate()
        for process in reversed(self._processes):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()

    def stop(self) -> None:
        """End the daemons and remove what they wrote."""
        self.stop_daemons()
        shutil.rmtree(self.folder, ignore_errors=True)
