"""A real cluster for somebody's tests: its daemons are processes, its nodes emulated, its faults to order. It takes about a second to be
there.

    with RealCluster(nodes=2) as cluster:
        job = cluster.submit("--wrap", "hostname")
        assert cluster.wait(job) == "COMPLETED"
        cluster.kill("slurmctld"); cluster.start()   # nothing is lost
        with cluster.accounting_lag():               # sacct knows nothing of what ends meanwhile
            …

It lies below a folder of its own, and is meant by whatever runs with `environment`. Not here: the pytest fixture (`pytest_plugin`),
clusters of thousands (`light_nodes`).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from slurm.daemon.process import holder_of

WAIT_SECONDS = 60.0
INSTANCE = "test"
COMMANDS_OF_OTHERS = ("SLURM", "SBATCH", "SRUN", "SALLOC", "SQUEUE", "SINFO", "SACCT")
LIVE = frozenset({"PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "STOPPED", "RESIZING", "REQUEUED", "SIGNALING",
    "STAGE_OUT"})
GONE_SECONDS = 10.0


class CommandFailed(AssertionError):
    """A command of the cluster did not do what the test needs; what it said."""


class RealCluster:
    """An embedded cluster of `nodes` with so many `cpus`, `memory` (as `slurm up` takes it) and `gpus` each.

    `conf`: lines of slurm.conf that are added. `first_job_id`: what the first job is called.
    """

    def __init__(self, nodes: int = 2, cpus: int = 4, memory: str = "4G", gpus: str = "", conf: str = "", first_job_id: int = 1) -> None:
        # Names of sockets may have 107 characters: folders of pytest are often longer.
        self.root = tempfile.mkdtemp(prefix="slurm-")
        self.folder = os.path.join(self.root, "slurm", INSTANCE)
        self._flags = ["--nodes", str(nodes), "--cpus", str(cpus), "--memory", memory, *(["--gpus", gpus] if gpus else [])]
        self._conf = conf + (f"\nFirstJobId={first_job_id}" if first_job_id != 1 else "")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(COMMANDS_OF_OTHERS)}
        beside = os.path.dirname(sys.executable)
        self.environment: dict[str, str] = {
            **kept, "XDG_STATE_HOME": self.root, "SLURM_PY_INSTANCE": INSTANCE, "SLURM_CONF": f"{self.folder}/slurm.conf",
            "PATH": f"{beside}{os.pathsep}{kept.get('PATH', os.defpath)}"}

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            with suppress(CommandFailed):  # there may be nothing to take down
                self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def start(self, **environment: str) -> None:
        """Start it, or what is missing of it; `environment` reaches daemons, as SLURM_PY_CRASH_AT does."""
        if self._conf and not os.path.exists(self.folder):
            os.makedirs(self.folder, 0o700)
            with open(os.path.join(self.folder, "local.conf"), "w", encoding="utf-8") as file:
                file.write(f"{self._conf.strip()}\n")
        self.run(sys.executable, "-m", "slurm.commands.slurm", "up", *self._flags, environment=environment)

    def run(self, *words: str, environment: Mapping[str, str] | None = None, seconds: float = WAIT_SECONDS) -> str:
        """What a command printed; CommandFailed when it ended with another status than 0."""
        done = subprocess.run(words, env={**self.environment, **(environment or {})}, cwd=self.root, capture_output=True, text=True,
            timeout=seconds,
                              check=False, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise CommandFailed(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def submit(self, *words: str) -> str:
        """sbatch; the job's id. Output goes to the cluster's own folder unless `words` say otherwise."""
        return self.run("sbatch", "--parsable", *words).strip().partition(";")[0]

    def state(self, job: str) -> str:
        """The state of a job, "" when slurmctld does not know it (any more)."""
        lines = self.run("squeue", "-h", "-t", "all", "-o", "%T", "-j", job).split()
        return lines[0] if lines else ""

    def wait(self, job: str, *states: str, seconds: float = WAIT_SECONDS) -> str:
        """Wait until a job is in one of these states, or has ended where none are named; its state. CommandFailed after `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.state(job)
            if found in states if states else found not in LIVE:
                return found
            if time.monotonic() > deadline:
                raise CommandFailed(f"job {job} is {found} after {seconds:.0f} s, not {' or '.join(states) or 'over'}")
            time.sleep(0.05)

    def pid(self, daemon: str) -> int:
        """The process of slurmctld, slurmdbd or slurmd-cn01; CommandFailed when it does not run."""
        found = holder_of(os.path.join(self.folder, "run", f"{daemon}.pid"))
        if not found:
            raise CommandFailed(f"{daemon} does not run; there are {', '.join(sorted(self.daemons()))}")
        return found

    def daemons(self) -> dict[str, int]:
        """Name → process of every daemon that runs."""
        folder = os.path.join(self.folder, "run")
        names = [name.removesuffix(".pid") for name in os.listdir(folder) if name.endswith(".pid")] if os.path.isdir(folder) else []
        return {name: pid for name in names if (pid := holder_of(os.path.join(folder, f"{name}.pid")))}

    def kill(self, daemon: str) -> None:
        """SIGKILL, as if it had crashed; `start` brings it back. Jobs on nodes go on."""
        pid = self.pid(daemon)
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + GONE_SECONDS
        while holder_of(os.path.join(self.folder, "run", f"{daemon}.pid")) == pid and time.monotonic() < deadline:
            time.sleep(0.01)

    @contextmanager
    def paused(self, daemon: str) -> Iterator[None]:
        """The daemon stands still meanwhile: a node that says nothing, a controller that does not answer."""
        pid = self.pid(daemon)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    @contextmanager
    def accounting_lag(self) -> Iterator[None]:
        """Records of what happens meanwhile reach sacct afterwards, as where the accounting database is slow."""
        with self.paused("slurmdbd"):
            yield

    def drain(self, node: str, reason: str = "test") -> None:
        """No further job starts on a node; `resume` takes that back."""
        self.run("scontrol", "update", f"NodeName={node}", "State=DRAIN", f"Reason={reason}")

    def resume(self, node: str) -> None:
        """The node takes jobs again."""
        self.run("scontrol", "update", f"NodeName={node}", "State=RESUME")

    def logs(self) -> str:
        """The ends of the daemons' logs."""
        folder = os.path.join(self.folder, "log")
        found = []
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                found.append(f"--- {name}\n" + "".join(file.readlines()[-25:]))
        return "\n".join(found)

    def close(self) -> None:
        """Cancel what runs, stop it, remove its folder."""
        try:
            for pid in self.daemons().values():
                os.kill(pid, signal.SIGCONT)
            self.run(sys.executable, "-m", "slurm.commands.slurm", "down")
        finally:
            for pid in self.daemons().values():
                os.kill(pid, signal.SIGKILL)
            shutil.rmtree(self.root, ignore_errors=True)
