"""A slurmd of its own process against a controller that only records what it hears."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import slurm
from slurm.model import msgpack
from slurm.model.cpu_set import CpuSet
from slurm.model.ids import NodeName
from slurm.model.job import NodeShare
from slurm.net.endpoint import unix
from slurm.net.server import Peer, Server
from slurm.net.signing import Signer
from slurm.slurmd import remains, unknown_steps
from slurm.wire import frames
from slurm.wire import node_messages as n
from slurm.wire.messages import Message
from slurm.wire.step_credential import AttachCredential, StepCredential, seal

SIGNER = Signer(b"k" * 32)
CONF = """
ClusterName=test
SlurmctldHost=localhost
AuthType=auth/local
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd-%n.pid
SlurmdSpoolDir={root}/spool-%n
SlurmdLogFile={root}/slurmd-%n.log
StateSaveLocation={root}/state
ReturnToService=2
NodeName=cn01 CPUs=4 RealMemory=1000 NodeHostname=localhost
PartitionName=debug Nodes=ALL Default=YES
"""


class Stage:
    """One node: `heard` are its reports in order; orders are sent with `send`. Reports are acknowledged unless `acknowledging` is off."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.conf = root / "slurm.conf"
        self.conf.write_text(CONF.format(root=root))
        self.heard: list[Message] = []
        self.registrations: list[n.RegisterNode] = []
        self.unknown: list[tuple[int, int]] = []
        self.acknowledging = True
        self.on_registration: Callable[[], object] = lambda: None
        self.prefix: list[str] = []  # what slurmd is started by
        self.path: list[str] = []  # folders of modules before others
        self.epoch = 0  # of the controller's term
        self.ahead = 0.0  # seconds by which the controller's clock is ahead of this machine's
        self.peer: Peer | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.server = Server(self._on_message)
        self.spool = root / "spool-cn01"

    async def _on_message(self, peer: Peer, codec: int, payload: bytes) -> None:
        message = msgpack.decode(payload, type=n.FromNode)
        if isinstance(message, n.RegisterNode):
            self.peer = peer
            self.on_registration()
            self.registrations.append(message)
            self.send(n.NodeAccepted(kill_wait=2, heartbeat=5.0, step_key=SIGNER.public, now=time.time() + self.ahead, unknown=self.unknown, cluster_name="test",
                                     state="journal" if self.epoch else ""))
        elif isinstance(message, n.Heartbeat):
            self.send(n.Alive(now=time.time() + self.ahead))
        else:
            self.heard.append(message)
            if self.acknowledging and not isinstance(message, n.UsageTold | n.SignalTaken | n.Overruled):
                self.send(n.Acknowledged(serial=message.serial))

    def send(self, message: Message) -> None:
        """Give an order, of the present epoch where it says none."""
        assert self.peer is not None
        if isinstance(message, n.Order) and not message.epoch:
            message.epoch = self.epoch
        self.peer.send(frames.pack(frames.MSGPACK, msgpack.encode(message)))

    def start_slurmd(self) -> None:
        """Start the daemon in the foreground, its output in slurmd.out."""
        source = os.path.dirname(os.path.dirname(slurm.__file__))
        with open(self.root / "slurmd.out", "ab") as out:
            self.process = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "slurm.slurmd", "-D", "-N", "cn01", "-f", str(self.conf), "-v"], stdout=out, stderr=out,
                env={**os.environ, "PYTHONPATH": ":".join([*self.path, source])})

    def kill_slurmd(self, number: int = signal.SIGKILL) -> int:
        """Signal the daemon and wait for its end; its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(10)

    async def until(self, found: Callable[[], object], seconds: float = 30.0) -> None:
        """Wait until `found()` is true; fails with what was last heard."""
        deadline = time.monotonic() + seconds
        while not found():
            if time.monotonic() > deadline:
                pytest.fail(f"not within {seconds} s; heard {self.heard}\n{(self.root / 'slurmd.out').read_text()}")
            await asyncio.sleep(0.01)

    def reports(self, kind: type[Message], job: int) -> list[Message]:
        """What was heard of a job."""
        return [message for message in self.heard if isinstance(message, kind) and message.job == job]

    async def ended(self, job: int, step: int = -5, seconds: float = 30.0) -> n.StepEnded:
        """How a step ended, once it has."""
        def found() -> list[n.StepEnded]:
            return [message for message in self.reports(n.StepEnded, job) if isinstance(message, n.StepEnded) and message.step == step]
        await self.until(found, seconds)
        return found()[0]

    def batch(self, job: int, script: str, *, attempt: int = 1, argv: list[str] | None = None, **changes: object) -> n.LaunchBatch:
        """The order for a script, its output in out-JOB."""
        order = n.LaunchBatch(
            job=job, attempt=attempt, shown_id=str(job), uid=os.getuid(), gid=os.getgid(), user="root", script=script, argv=argv or [],
            environment={"PATH": os.environ["PATH"], "SLURM_JOB_ID": str(job), "SLURM_STEP_ID": "-5", "SLURM_CONF": str(self.conf),
                         "SLURMD_NODENAME": "cn01"},
            work_dir=str(self.root), stdin="/dev/null", stdout=str(self.root / f"out-{job}"), stderr="", append=False, umask=0o022, cpus=CpuSet(1))
        return msgspec.structs.replace(order, **changes)

    def output(self, job: int) -> str:
        """What a batch job has written."""
        return (self.root / f"out-{job}").read_text()

    def credential(self, job: int, step: int, tasks: int, *, node: str = "cn01", signer: Signer = SIGNER, age: float = 0.0, **changes: Any) -> str:
        """A step credential for one node, made `age` seconds ago by the controller's clock."""
        issued = time.time() + self.ahead - age
        credential = StepCredential(
            cluster="test", job=job, attempt=1, step=step, uid=os.getuid(), gid=os.getgid(), user="root", job_shown=str(job), issued=issued,
            expires=issued + 120.0, shares=[NodeShare(node=NodeName(node), cpus=CpuSet(0b11), tasks=tasks)])
        return seal(msgspec.structs.replace(credential, **changes), signer.sign)

    def to_attach(self, job: int, step: int = 0, *, signer: Signer = SIGNER, age: float = 0.0, **changes: Any) -> str:
        """What sattach shows for a step, made `age` seconds ago by the controller's clock."""
        issued = time.time() + self.ahead - age
        credential = AttachCredential(cluster="test", job=job, attempt=1, step=step, uid=os.getuid(), issued=issued, expires=issued + 120.0)
        return seal(msgspec.structs.replace(credential, **changes), signer.sign)

    @property
    def srun_socket(self) -> str:
        """Where srun would call."""
        return str(self.root / "slurmd-cn01.sock")

    @property
    def instance(self) -> str:
        """What this slurmd's marks and cgroups are called by."""
        identity = unknown_steps.identity_of("test", "cn01", str(self.root / "slurmd-cn01.pid"))
        return f"{identity}.{remains.instance_of(str(self.spool / 'steps'))}"

    def folders(self) -> list[str]:
        """The step folders in the spool."""
        return sorted(os.listdir(self.spool / "steps"))


class Run:
    """Runs one scene on a stage, in an event loop of its own."""

    def __init__(self, root: Path) -> None:
        self.stage = Stage(root)

    def __call__(self, scene: Callable[[Stage], object], *, conf: str = "") -> None:
        """Start controller and slurmd, play, stop both; `conf` are more lines of slurm.conf."""
        self.stage.conf.write_text(self.stage.conf.read_text() + conf)
        asyncio.run(self._play(scene))

    async def _play(self, scene: Callable[[Stage], object]) -> None:
        stage = self.stage
        await stage.server.listen(unix(str(stage.root / "slurmctld.sock")))
        stage.start_slurmd()
        try:
            await stage.until(lambda: stage.registrations)
            await scene(stage)  # type: ignore[misc]
        finally:
            if stage.process is not None and stage.process.poll() is None:
                stage.kill_slurmd(signal.SIGTERM)
            await stage.server.close()


def step_processes(root: Path) -> list[int]:
    """Pids of processes whose environment names this stage's configuration."""
    from slurm.slurmd.stepd import tree
    return tree.belonging("SLURM_CONF", str(root / "slurm.conf"))


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Plays scenes on a stage of its own; nothing of them may be left running."""
    yield Run(tmp_path)
    left = step_processes(tmp_path)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left, f"processes were left running: {left}"
