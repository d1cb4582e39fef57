"""The database of the recorded cluster "lab", slurmdbd before it without sockets, and a slurmctld that takes every change: what sacctmgr speaks to."""

from __future__ import annotations

import asyncio
import io
import shlex
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from slurm.commands import sacctmgr
from slurm.commands.shell import Message, Shell
from slurm.config.slurmdbd import parse_slurmdbd
from slurm.model.errors import revive
from slurm.net.peer import Peer
from slurm.slurmdbd.controllers import Controllers
from slurm.slurmdbd.daemon_state import DaemonState
from slurm.slurmdbd.dispatch import Dispatch
from slurm.slurmdbd.maintenance import Maintenance
from slurm.slurmdbd.work import Work
from slurm.store.accounting import schema
from slurm.store.accounting.database import Database
from slurm.store.accounting.storage import SQLITE, Storage
from slurm.wire import frames
from slurm.wire.credentials import Identity
from slurm.wire.dbd_messages import FollowPolicy, PolicyTaken, RegisterCluster, TakePolicy

SETUP = (
    "add qos high priority=1000 MaxWall=7-00:00:00 MaxJobsPerUser=10", "add qos preempt priority=1", "modify qos high set preempt=preempt",
    "add account research description='ai research' organization=lab fairshare=10", "add account students organization=lab fairshare=2",
    "modify account research set qos=high,normal,preempt", "add user alice account=research fairshare=5 defaultqos=normal",
    "add user root account=research", "add user bob account=students")
"""How the accounts of the recorded cluster were made."""


class Controller:
    """The lab's slurmctld at the other end of a connection: it keeps what it was told of the policy, and says that it has it."""

    def __init__(self) -> None:
        self.told: list[TakePolicy] = []
        self.takes = True
        self.say: Callable[[Any], Awaitable[None]] | None = None
        self._tasks: set[asyncio.Future[None]] = set()

    def write(self, frame: bytes) -> None:
        try:
            message = msgspec.msgpack.decode(frame[frames.HEADER_SIZE:], type=TakePolicy)
        except msgspec.ValidationError:
            return  # ClusterRegistered
        self.told.append(message)
        if self.takes and self.say is not None and (message.last or not message.part):
            self._tasks.add(asyncio.ensure_future(self.say(PolicyTaken(version=message.version))))

    async def settled(self) -> None:
        """Wait until everything was said."""
        tasks, self._tasks = self._tasks, set()
        await asyncio.gather(*tasks)

    def hang_up(self) -> None:
        """Nobody hangs up."""

    async def drained(self) -> None:
        """Nothing waits."""

    def detach(self) -> tuple[socket.socket, bytes]:
        raise AssertionError("no test gives it away")


class Said(NamedTuple):
    """What a command printed, and its status."""

    stdout: list[str]
    stderr: list[str]
    status: int


class PolicyLab:
    """Runs sacctmgr against it as one user after another. `uids` are by name; root is 0."""

    def __init__(self, folder: Path, *, setup: tuple[str, ...] = SETUP) -> None:
        self.conf = parse_slurmdbd(f"StorageType=accounting_storage/sqlite\nStorageLoc={folder}/a.db")
        self.database = Database(Storage(SQLITE, f"{folder}/a.db"))
        self.database.open()
        self.controller = Controller()
        self.follows = True
        self.environ = {"SLURM_CONF": f"{folder}/slurm.conf"}
        (folder / "slurm.conf").write_text("ClusterName=lab\nSlurmctldHost=localhost\nAccountingStorageEnforce=limits\n")
        self.call(0, {"type": "Ping"})
        with self.database.engine.begin() as connection:
            connection.execute(sa.insert(schema.tres), [{"id": 1001 + place, "type": "gres", "name": name} for place, name in enumerate(("gpu", "gpumem", "gpuutil"))])
        for line in setup:
            assert self.run(f"sacctmgr -i {line}").status == 0, line

    def call(self, uid: int, message: Mapping[str, object]) -> Message:
        """The reply to one request of a user; raises what a Failure says."""
        reply: Message = msgspec.json.decode(asyncio.run(self._answered(uid, msgspec.json.encode(message))))
        if reply["type"] == "Failure":
            raise revive(str(reply["kind"]), str(reply["name"]), str(reply["message"]), reply.get("hints", ()), reply.get("preface", ()))  # type: ignore[arg-type]
        return reply

    async def _answered(self, uid: int, request: bytes) -> bytes:
        work = Work()
        state = DaemonState(self.conf, self.database, work, lambda: None, lambda: None)
        dispatch = Dispatch(state, Controllers(state), Maintenance(state))
        peer = Peer(self.controller, Identity(uid=0, gid=0, host="h", issued=0.0), local=True)

        async def say(message: Any) -> None:
            await dispatch.on_message(peer, frames.MSGPACK, msgspec.msgpack.encode(message))

        self.controller.say = say
        try:
            await say(RegisterCluster(cluster="lab", journal="j", control_host="127.0.0.1", control_port=36817, rpc_version=11776))
            if self.follows:
                await say(FollowPolicy())
            return await dispatch._command(uid, "lab", request)
        finally:
            await self.controller.settled()
            peer.ended()
            await work.close(5.0)

    def run(self, command: str, uid: int = 0, typed: bytes = b"") -> Said:
        """What `sacctmgr …` prints for a user who types this when asked."""
        out, error = io.StringIO(), io.StringIO()
        shell = Shell("sacctmgr", shlex.split(command)[1:], self.environ, io.BytesIO(typed), out, error, connect=lambda _: _Channel(self, uid), now=lambda: 1.8e9)
        status = sacctmgr.main(shell)
        return Said(out.getvalue().splitlines(), error.getvalue().splitlines(), status)


class _Channel:
    def __init__(self, lab: PolicyLab, uid: int) -> None:
        self._lab = lab
        self._uid = uid

    def call(self, message: Message) -> Message:
        return self._lab.call(self._uid, message)

    def send(self, message: Message) -> None:
        raise AssertionError("sacctmgr only asks")

    def receive(self, timeout: float | None = None) -> Message:
        raise AssertionError("sacctmgr only asks")

    def close(self) -> None:
        """Nothing is open."""
