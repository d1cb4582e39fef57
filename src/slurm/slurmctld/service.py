"""Service: a controller with its journal and its sockets, from the start of the process to its orderly end."""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
import signal
import time
from collections.abc import Callable

import msgspec

from slurm.config.config import Config
from slurm.core import events
from slurm.core.cluster import Cluster
from slurm.core.snapshot import Snapshot, freeze, thaw
from slurm.daemon import logs
from slurm.model.errors import ConfigError, StoreError
from slurm.net.discovery import minter_beside, socket_beside
from slurm.net.endpoint import Endpoint, tcp, unix
from slurm.net.identity import Notary, minter, read_key
from slurm.net.peer import Peer
from slurm.net.server import Server
from slurm.slurmctld import setup
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.dispatch import answer
from slurm.slurmctld.session import Session
from slurm.store.group_commit import GroupCommit
from slurm.store.journal import Journal
from slurm.store.sqlite_journal import SqliteJournal
from slurm.wire import frames

log = logging.getLogger("slurmctld")
SNAPSHOT_EVENTS = 20_000
"""A snapshot is written after so many events, and at the end."""
MAX_SNAPSHOT_SECONDS = 300.0


def restore(journal: Journal) -> Cluster:
    """The cluster as it was: the newest snapshot and every event after it; StoreError when a record cannot be read."""
    found = journal.last_snapshot()
    cluster, after = Cluster(), 0
    if found is not None:
        after, body = found
        try:
            cluster = thaw(msgspec.msgpack.decode(body, type=Snapshot))
        except msgspec.MsgspecError as error:
            raise StoreError(message=f"the snapshot after event {after} cannot be read: {error}",
                             hints=["was it written by a newer slurm-py? Nothing was changed"]) from error
    decode = msgspec.msgpack.Decoder(events.AnyEvent).decode
    for seq, body in journal.replay(after):
        try:
            cluster.apply(decode(body))
        except msgspec.MsgspecError as error:
            raise StoreError(message=f"event {seq} of the journal cannot be read: {error}",
                             hints=["was it written by a newer slurm-py? Nothing was changed"]) from error
    return cluster


def credential_key(folder: str) -> bytes:
    """The key that signs step credentials; made at the first start, kept beside the state. StoreError when it cannot be."""
    path = os.path.join(folder, "credential.key")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise StoreError(message=f"cannot write {path}: {error.strerror}") from error
    key = os.urandom(64)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    return key


def operators(conf: Config) -> list[int]:
    """Uids besides root that administrate: SlurmUser, and whoever runs this daemon."""
    found = {os.getuid()}
    name = conf.text("SlurmUser") or "root"
    try:
        found.add(int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid)
    except KeyError as error:
        raise ConfigError(message=f"SlurmUser={name}: there is no such user", hints=[f"set SlurmUser in {conf.path}"]) from error
    return sorted(found - {0})


class Service:
    """Everything between `run` and its end. `ready` is called once requests are answered."""

    def __init__(self, config: Config, log_level: int, log_path: str) -> None:
        self.config = config
        self._log = (log_level, log_path)
        self._stopping = asyncio.Event()
        self._sessions: dict[Peer, Session] = {}
        self._snapshot_at = 0
        self.controller: Controller

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until SIGTERM, SIGINT or `scontrol shutdown`; ConfigError or StoreError when it cannot start."""
        loop = asyncio.get_running_loop()
        folder = self.config.state_save_location
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
        except OSError as error:
            raise StoreError(message=f"StateSaveLocation {folder}: {error.strerror}") from error
        journal = SqliteJournal(os.path.join(folder, "journal.db"), cluster=self.config.cluster_name, now=time.time())
        began = time.perf_counter()
        cluster = restore(journal)
        log.info("state restored: %d jobs, event %d, %.2f s", len(cluster.jobs), journal.last_seq, time.perf_counter() - began)
        commit = GroupCommit(journal, loop)
        self._snapshot_at = journal.last_seq
        self.controller = ctl = Controller(
            self.config, cluster, journal, commit, operators=operators(self.config), credential_key=credential_key(folder), stop=self.stop)
        await ctl.engine.record(setup.configured(self.config, ctl.now(), ctl.operators))
        servers = await self._listen()
        for number, action in ((signal.SIGTERM, self.stop), (signal.SIGINT, self.stop), (signal.SIGHUP, self._hang_up)):
            loop.add_signal_handler(number, action)
        snapshots = asyncio.create_task(self._snapshots(commit))
        try:
            ctl.begin()
            ready()
            await self._stopping.wait()
            log.info("stopping")
        finally:
            snapshots.cancel()
            for server in servers:
                await server.close()
            await ctl.close()
            await commit.drain()
            if not ctl.engine.stalled:
                self._snapshot(commit)
            await commit.close()
            journal.close()
        log.info("stopped")

    def stop(self) -> None:
        """End soon, in order."""
        self._stopping.set()

    # --- sockets ---------------------------------------------------------------------------------------------------------

    async def _listen(self) -> list[Server]:
        conf = self.config
        notary = None
        pid_file = conf.text("SlurmctldPidFile")
        endpoints: list[Endpoint] = [unix(socket_beside(pid_file))]
        if conf.text("AuthType").lower() == "auth/slurm":
            path = os.environ.get("SLURM_SACK_KEY") or os.path.join(os.path.dirname(os.path.abspath(conf.path)), "slurm.key")
            notary = Notary(read_key(path, {0, os.getuid(), *self.controller.operators}))
            endpoints.append(tcp("0.0.0.0", conf.slurmctld_port))
        elif conf.text("AuthType").lower() != "auth/local":
            log.warning("AuthType=%s is not supported between machines yet: only this machine is served (use auth/slurm)", conf.text("AuthType"))
        server = Server(self._on_message, verify=notary.verify if notary else None, log=logging.getLogger("slurmctld.net"))
        for endpoint in endpoints:
            os.makedirs(os.path.dirname(endpoint.path) or "/", exist_ok=True) if endpoint.is_unix else None
            log.info("listening at %s", await server.listen(endpoint))
        servers = [server]
        if notary is not None:
            sack = Server(minter(notary), log=logging.getLogger("slurmctld.net"))
            await sack.listen(unix(minter_beside(pid_file)))
            servers.append(sack)
        return servers

    async def _on_message(self, peer: Peer, codec: int, payload: bytes) -> None:
        if codec == frames.MSGPACK:
            await self.controller.links.on_message(peer, payload)
            return
        session = self._sessions.get(peer)
        if session is None:
            session = self._sessions[peer] = Session(peer)
            peer.on_close(lambda: self._forget(peer))
        session.send(await answer(self.controller, session, payload))

    def _forget(self, peer: Peer) -> None:
        self._sessions.pop(peer, None)

    # --- state -----------------------------------------------------------------------------------------------------------

    def _snapshot(self, commit: GroupCommit) -> None:
        if commit.submitted_seq == self._snapshot_at:
            return
        began = time.perf_counter()
        cluster = self.controller.cluster
        body = msgspec.msgpack.encode(freeze(cluster))
        self._snapshot_at = commit.snapshot(body, _log_snapshot)
        live = {name for job in cluster.jobs.values() for name in (job.payload.script, job.payload.environment) if name}
        commit.sweep(live, _log_snapshot)
        log.debug("snapshot of %d bytes in %.3f s", len(body), time.perf_counter() - began)

    async def _snapshots(self, commit: GroupCommit) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(1.0)
            behind = commit.submitted_seq - self._snapshot_at
            if behind >= SNAPSHOT_EVENTS or (behind and time.monotonic() - last > MAX_SNAPSHOT_SECONDS):
                last = time.monotonic()
                if not self.controller.engine.stalled:
                    self._snapshot(commit)

    def _hang_up(self) -> None:
        logs.start("slurmctld", *self._log)

        def done(task: asyncio.Task[list[str]]) -> None:
            if task.exception() is not None:
                log.error("the configuration was not read again: %s", task.exception())

        task = asyncio.get_running_loop().create_task(self.controller.reconfigure())
        task.add_done_callback(done)


def _log_snapshot(error: StoreError | None) -> None:
    if error is not None:
        log.error("no snapshot was written: %s", error)
