"""From a message to whoever answers it: controllers speak MessagePack, commands JSON, and a controller passes on what its commands ask."""

from __future__ import annotations

import asyncio
import logging
import time

import msgspec

from slurm.model import bounds
from slurm.model.errors import InvalidRequest, NotPermitted, ProtocolError, SlurmError
from slurm.model.settings import Settings
from slurm.net.peer import Peer
from slurm.slurmdbd import administration, policy, questions
from slurm.slurmdbd.controllers import Controllers
from slurm.slurmdbd.daemon_state import DaemonState
from slurm.slurmdbd.maintenance import Maintenance
from slurm.slurmdbd.rights import Asker, asker, is_controller, ordinary, user_name
from slurm.slurmdbd.turns import Turns
from slurm.wire import accounting_messages as a
from slurm.wire import frames
from slurm.wire import messages as m
from slurm.wire import policy_messages as p
from slurm.wire import sacctmgr_messages as s
from slurm.wire.dbd_messages import AskFor, FollowPolicy, PolicyTaken, RegisterCluster, TakeRecords, Told

log = logging.getLogger("slurmdbd.dispatch")
LONGEST = 1024 * 1024
"""Bytes of a command's question."""
Question = (
    a.FindJobs | a.FindEvents | a.FindReservations | a.FetchPayload | s.SumUsage | s.PingDatabase | s.ShowDatabaseStats | s.ShowDatabaseConfig | s.ArchiveDump
    | s.ArchiveLoad | s.EndRunaways | s.ModifyJobs
    | s.ClearDatabaseStats | s.StopDatabaseDaemon | s.ReconfigureDatabaseDaemon | p.ChangePolicy | p.ListPolicy | m.Ping)
_question: msgspec.json.Decoder[Question | s.OfCluster] = msgspec.json.Decoder(Question | s.OfCluster)
_FromDaemon = RegisterCluster | TakeRecords | FollowPolicy | PolicyTaken | AskFor
_controller: msgspec.msgpack.Decoder[_FromDaemon] = msgspec.msgpack.Decoder(_FromDaemon)
_SETTINGS = Settings()
_json = msgspec.json.Encoder()
_msgpack = msgspec.msgpack.Encoder()


class Dispatch:
    """One daemon's messages."""

    def __init__(self, state: DaemonState, controllers: Controllers, maintenance: Maintenance) -> None:
        self._state = state
        self._controllers = controllers
        self._maintenance = maintenance
        self._answers = questions.Answers()
        self._turns = Turns()
        self._named: dict[Peer, str] = {}  # the clusters that commands named as theirs

    async def tidy(self) -> None:
        """For as long as the daemon lives: whoever asked and left keeps no connection to the database."""
        while True:
            await asyncio.sleep(questions.OPEN_SECONDS / 2)
            await questions.tidy(self._state, self._answers)

    async def on_message(self, peer: Peer, codec: int, payload: bytes) -> None:
        """Answer one message."""
        if codec == frames.MSGPACK:
            reply = await self._daemon(peer, payload)
            if reply:
                peer.send(frames.pack(frames.MSGPACK, reply))
            return
        if peer.party is not None:
            raise NotPermitted(hints=[f"{peer.party} is a daemon: what users ask for comes from users"])
        peer.send(frames.pack(frames.JSON, await self._command(peer.identity.uid, self._named.get(peer, ""), payload, peer=peer)))

    async def _daemon(self, peer: Peer, payload: bytes) -> bytes:
        """The reply; nothing where none is due."""
        try:
            message = _controller.decode(payload)
        except m.UNREADABLE as error:
            raise ProtocolError(hints=[str(error)]) from error
        if not isinstance(message, TakeRecords):  # records are what was acknowledged once
            bounds.check(message, _SETTINGS)
        if isinstance(message, FollowPolicy | PolicyTaken):
            self._controllers.heed(peer, message)
            return b""
        if not isinstance(message, AskFor):
            return _msgpack.encode(await self._controllers.answer(peer, message))
        if not is_controller(peer, self._state.operators):
            raise NotPermitted(hints=["only a slurmctld passes on what others ask"])
        if peer.party is not None and peer.party.cluster != message.cluster:
            raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=[f"its certificate is one of cluster {peer.party.cluster}"])
        reply = await self._command(message.uid, message.cluster, message.request, unelevated=message.unelevated)
        return _msgpack.encode(Told(number=message.number, reply=reply))

    async def _command(self, uid: int, cluster: str, payload: bytes, *, unelevated: bool = False, peer: Peer | None = None) -> bytes:
        """The reply as JSON; refusals are replies, surprises are logged and told as such."""
        began = time.monotonic()
        kind, user = "", str(uid)
        try:
            if len(payload) > LONGEST:
                raise InvalidRequest(message=f"a question of {len(payload)} bytes is longer than {LONGEST}",
                    hints=["ask for fewer jobs at once"])
            try:
                message = _question.decode(payload)
            except m.UNREADABLE as error:
                raise ProtocolError(hints=[str(error)]) from error
            kind = type(message).__name__
            bounds.check(message, _SETTINGS)
            if isinstance(message, s.OfCluster):
                return _json.encode(self._on_cluster(peer, message))
            async with self._turns.turn(uid, first=uid in self._state.operators and not unelevated):
                who = ordinary(uid) if unelevated else await self._asker(uid, message)
                user = who.user
                reply = await self._answer(who, cluster, message)
            return reply if isinstance(reply, bytes) else _json.encode(reply)
        except SlurmError as error:
            log.debug("uid %d is refused: %s", uid, error.message)
            return _json.encode(m.failure(error))
        except Exception:
            log.exception("a request of uid %d failed", uid)
            return _json.encode(m.Failure(kind="SlurmError", name="ESLURM_ERROR_ON_DESC_TO_RECORD_COPY",
                message="slurmdbd failed on this request", hints=[
                "its log has the details"]))
        finally:
            self._state.stats.request(kind or "unreadable", user, time.monotonic() - began)

    def _on_cluster(self, peer: Peer | None, message: s.OfCluster) -> m.Done:
        if peer is None:
            raise InvalidRequest(message="slurmctld says itself of which cluster it is")
        def left() -> None:
            self._named.pop(peer, None)

        if peer not in self._named:
            peer.on_close(left)
        self._named[peer] = message.cluster
        return m.Done()

    async def _asker(self, uid: int, message: Question) -> Asker:
        operators = self._state.operators
        if uid in operators or isinstance(message, s.PingDatabase | m.Ping):
            return Asker(uid, user_name(uid), 2 if uid in operators else 0, ())
        database = self._state.database
        return await self._state.work.ask(lambda: asker(database, operators, uid))

    async def _cluster(self, asking: str, named: bool) -> str:
        """The cluster that is meant where none is named: the asking one, else the only one that there is."""
        if asking or named:
            return asking
        known = [each.name for each in await self._state.work.ask(self._state.database.clusters)]
        if len(known) > 1:
            raise InvalidRequest(message="Which cluster is meant?", hints=[f"name some with --clusters: {', '.join(known)}"])
        return known[0] if known else ""

    async def _answer(self, who: Asker, asking: str, message: Question) -> m.Message | bytes:
        state = self._state
        match message:
            case a.FindJobs() | s.SumUsage():
                cluster = await self._cluster(asking, bool(message.wanted.clusters or message.wanted.all_clusters))
                if isinstance(message, a.FindJobs):
                    return await questions.on_find_jobs(state, self._answers, who, cluster, message)
                return await questions.on_find_usage(state, who, cluster, message)
            case a.FindEvents():
                cluster = await self._cluster(asking, bool(message.wanted.clusters or message.wanted.all_clusters))
                return await questions.on_find_events(state, who, cluster, message)
            case a.FindReservations():
                cluster = await self._cluster(asking, bool(message.wanted.clusters or message.wanted.all_clusters))
                return await questions.on_find_reservations(state, who, cluster, message)
            case a.FetchPayload():
                return await questions.on_fetch_payload(state, who, message)
            case s.PingDatabase():
                return await administration.on_ping(state)
            case m.Ping():
                return m.Done()
            case s.ShowDatabaseStats():
                return await administration.on_stats(state, who)
            case s.ClearDatabaseStats():
                return await administration.on_clear_stats(state, who)
            case s.ShowDatabaseConfig():
                return await administration.on_config(state, who)
            case s.ArchiveDump():
                return await administration.on_archive_dump(state, self._maintenance, who)
            case s.ArchiveLoad():
                return await administration.on_archive_load(state, who, message)
            case s.EndRunaways():
                return await administration.on_end_runaways(state, who, message)
            case s.ModifyJobs():
                return await administration.on_modify_jobs(state, who, message)
            case s.StopDatabaseDaemon():
                return await administration.on_stop(state, who)
            case p.ChangePolicy():
                return await policy.on_change(state, self._controllers, who, asking, message)
            case p.ListPolicy():
                return await policy.on_list(state, self._controllers, who, asking, message)
            case s.ReconfigureDatabaseDaemon():
                return await administration.on_reconfigure(state, who)
