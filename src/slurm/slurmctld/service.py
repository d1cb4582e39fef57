"""Service: a controller with its journal and its sockets, from the start of the process to its orderly end."""

from __future__ import annotations

import asyncio
import enum
import gc
import logging
import os
import time
from collections.abc import Callable, Coroutine

from slurm.config import state_location
from slurm.config.config import Config, load
from slurm.core.cluster import Cluster
from slurm.core.effects import Effect
from slurm.core.events import EpochStarted, Event
from slurm.daemon import logs, user
from slurm.daemon.signals import Signals
from slurm.journal import codec
from slurm.model.errors import ConfigError, NotPermitted, SlurmError, StoreError
from slurm.model.notice import DESTINATIONS
from slurm.net.discovery import socket_beside
from slurm.net.endpoint import Endpoint, tcp, unix
from slurm.net.jwt_tokens import Tokens
from slurm.net.link import Prover
from slurm.net.peer import Peer
from slurm.net.server import Server
from slurm.net.tls import Trust
from slurm.slurmctld import audit, credential_key, lookback, primary_programs, setup, snapshots
from slurm.slurmctld.accounting import parcels, site
from slurm.slurmctld.accounting.sender import Accounting
from slurm.slurmctld.audit import Audit
from slurm.slurmctld.clock import Clock
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.dispatch import answer
from slurm.slurmctld.handlers.metrics import TYPE, PlainMetrics
from slurm.slurmctld.lead import Lead, beat_seconds, see_that_nobody_leads
from slurm.slurmctld.notices.service import Notices
from slurm.slurmctld.past import Past
from slurm.slurmctld.restoring import restore
from slurm.slurmctld.seat import Seat, seat_of
from slurm.slurmctld.secured import Munged, Secured, reserve
from slurm.slurmctld.session import Session
from slurm.slurmctld.snapshots import Snapshots
from slurm.slurmctld.standby import Standby
from slurm.slurmctld.standbys import Standbys
from slurm.slurmctld.submit_plugins import SubmitPlugins
from slurm.slurmctld.warm import Warm
from slurm.store import history
from slurm.store.group_commit import GroupCommit
from slurm.store.journal import Journal, Record, StoreBusy
from slurm.store.lease import Deposed, Term
from slurm.store.lock import FileLock
from slurm.store.parcels import Notes
from slurm.store.state import State, open_state
from slurm.wire import frames
from slurm.wire import node_messages as n
from slurm.wire.credentials import Identity

log = logging.getLogger("slurmctld")
JOURNAL = "journal.db"
JWT_KEY = "jwt_hs256.key"
MUNGE_SECONDS = 3.0
"""How often a munged that is not there is looked for."""
LEAVING_SECONDS = 0.3
"""So long who is connected is waited for by a slurmctld that hands over, or was deposed: another one is to answer."""
STATE_LOOK_SECONDS = 2.0
"""How often the state files are looked at while nothing is written."""


def make_folder(folder: str, owners: frozenset[int] = frozenset()) -> None:
    """The StateSaveLocation `folder` is made when it is not there; it must belong to one of `owners` or root. StoreError."""
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        why = user.distrusted(os.stat(folder), owners | {0, os.geteuid()}, 0o022)
    except OSError as error:
        raise StoreError(message=f"StateSaveLocation {folder}: {error.strerror}") from error
    if why:
        raise StoreError(message=f"StateSaveLocation {folder} cannot be trusted: {why}", hints=[
            f"others could put a state of theirs there: chown it to SlurmUser, and chmod 0700 {folder}"])


def forget(folder: str) -> None:
    """Put the journal of a StateSaveLocation aside, beside itself as journal.db.old. StoreError when a running slurmctld has it."""
    path = os.path.join(folder, JOURNAL)
    if not os.path.exists(path):
        return
    lock = FileLock(path + ".lock")
    try:
        for suffix in ("-wal", "-shm", ""):
            if os.path.exists(path + suffix):
                os.replace(path + suffix, f"{path}.old{suffix}")
            elif os.path.exists(f"{path}.old{suffix}"):
                os.unlink(f"{path}.old{suffix}")
    except OSError as error:
        raise StoreError(message=f"cannot put {path} aside: {error.strerror}") from error
    finally:
        lock.release()


def hand_over(folder: str, account: user.Account) -> None:
    """Give the state to SlurmUser: the folder and the files that slurmctld makes in it. StoreError."""
    past = os.path.join(folder, history.FOLDER)
    older = [os.path.join(history.FOLDER, name) for name in (os.listdir(past) if os.path.isdir(past) else ())]
    beside = (f"{JOURNAL}{suffix}" for suffix in ("", "-wal", "-shm", ".lock", ".old", ".old-wal", ".old-shm"))
    for name in ("", credential_key.NAME, *(f"told.{each}" for each in DESTINATIONS), *beside, history.FOLDER, *older):
        user.hand_over(os.path.join(folder, name), account)


class Ending(enum.Enum):
    """How a service ended: for good, or to stand by from here on."""

    STOPPED = "stopped"
    STANDS_BY = "stands by"


class Service:
    """Everything between `run` and its end. `verbosity_of` tells how much is logged where a configuration asks for.

    `account` is SlurmUser: where root started it, it becomes that user once files and sockets are open. `whole_state`: partitions that
    scontrol made and changed are as they were (-R), else as slurm.conf has them. Where slurm.conf names several slurmctlds it
    stands by until it may lead; `fresh` says that it has just been started, and takes the lead back from those that are named after it.
    """

    def __init__(self, config: Config, verbosity_of: Callable[[Config], logs.Verbosity], log_path: str, *, signals: Signals | None = None,
                 account: user.Account | None = None, snapshot_events: int = snapshots.EVENTS, whole_state: bool = False,
                 seat: Seat | None = None, fresh: bool = True, open_state: Callable[..., State] = open_state) -> None:
        self.config = config
        self.seat = seat or seat_of(config)
        self._fresh = fresh
        self._open_state = open_state
        self._folder = ""  # where files lie that belong to the state beside the journal
        self._lead: Lead
        self._handing_over = False
        self._warm: Warm | None = None  # what was followed while it stood by
        self._forced = False  # whether the lead was taken from one that had not released it
        self._before = ""  # who of several led before, and when this machine started by its clock
        self._leaders_clock: float | None = None
        self._verbosity_of = verbosity_of
        self._log_path = log_path
        self._signals = signals or Signals()
        self._account = account
        self._stopping = asyncio.Event()
        self._begun = asyncio.Event()  # set: the clockwork goes, nodes and commands are listened to
        self._sessions: dict[Peer, Session] = {}
        self._servers: list[Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._snapshot_events = snapshot_events
        self._whole_state = whole_state
        self._error: StoreError | None = None
        self._clock = Clock()
        self._trust: Trust | None = None  # by which daemons on other machines know this one
        self._prover: Prover | None = None  # where MUNGE does that
        self._notices: Notices | None = None
        self._taker: Snapshots | None = None
        self.controller: Controller

    async def run(self, ready: Callable[[], None]) -> Ending:
        """Serve until SIGTERM, SIGINT or `scontrol shutdown`, or until another slurmctld leads; `ready` is called once requests are
        answered.

        ConfigError or StoreError when it cannot start, StoreError when the disk fails for good.
        """
        self._signals.attach(stop=self.stop, reread=self._hang_up, reopen=self._reopen)
        told: list[None] = []

        def ready_once() -> None:
            if not told:
                told.append(None)
                ready()

        owners = frozenset(setup.operators(self.config))
        state = self._opened(owners)
        self._folder = state.folder
        try:
            term = await self._term(state, ready_once)
            if term is not None:
                await self._serve_in(state, term, owners, ready_once)
        finally:
            if self._warm is not None:
                self._warm.close()
            state.close()
        if self._error is not None and (self.seat.alone or not isinstance(self._error, Deposed)):
            raise self._error
        log.info("stopped")
        return Ending.STANDS_BY if self._handing_over or self._error is not None else Ending.STOPPED

    def _opened(self, owners: frozenset[int]) -> State:
        """What slurm.conf says where the state is; nothing of it is read yet. ConfigError, StoreError, Unsupported."""
        conf = self.config
        if not self.seat.alone and conf.text("AuthType").lower() not in ("auth/slurm", "auth/munge"):
            raise ConfigError(message=f"{conf.path}: several SlurmctldHost need AuthType=auth/slurm or auth/munge: "
                                      f"with AuthType={conf.text('AuthType')} only one machine is served")
        make_folder(conf.state_save_location, owners)
        return self._open_state(conf.text("StateSaveLocation"), cluster=conf.cluster_name, now=time.time(),
            controllers=self.seat.controllers)

    async def _term(self, state: State, ready: Callable[[], None]) -> Term | None:
        """The term in which this slurmctld leads, once it does; None when it is to end before that."""
        if not self.seat.alone:
            await asyncio.to_thread(self._make_keys, state)
            self._warm = Warm(state)
            standby = Standby(self.config, self.seat, state.lease, fresh=self._fresh, stopping=self._stopping, follow=self._warm.follow)
            term = await standby.run(ready)
            self._forced, self._before, self._leaders_clock = standby.forced, standby.before, standby.leaders_clock
            try:
                self.config = load(self.config.path)  # it may have stood by for long
            except ConfigError as error:
                log.error("the configuration was not read again, that of the start holds: %s", "; ".join(error.lines()))
            return term
        seen = state.lease.read()
        if seen is not None and self._is_shared and not seen.released and seen.holder != self.seat.host:
            await see_that_nobody_leads(state.lease, seen, state.location)
        return state.lease.claim(self.seat.host, self.seat.address, seen.epoch if seen is not None else 0)

    @property
    def _is_shared(self) -> bool:
        """Whether the state is where slurmctlds of other machines reach it too, whatever slurm.conf says."""
        return state_location.is_one(self.config.text("StateSaveLocation"))

    async def _serve_in(self, state: State, term: Term, owners: frozenset[int], ready: Callable[[], None]) -> None:
        """Lead in a term, from the state that is on disk to the last thing that is written."""
        began = time.monotonic()
        lead = self._lead = Lead(state.lease, term, 0.0 if self.seat.alone else self._standby_seconds, self._broken, beats=self._is_shared)
        self._make_keys(state)
        journal = state.journal(term)
        if self._before in ("", self.seat.host):
            self._clock.continue_from(self._folder, journal.last_seq)
        else:
            self._clock.continue_as(self._folder, self._leaders_clock)
        try:
            cluster = self._restore(journal, term)
            commit = GroupCommit(journal, asyncio.get_running_loop())
            ctl = self.controller = Controller(
                self.config, cluster, journal, commit, operators=setup.operators(self.config),
                signer=credential_key.load(self._folder, {*owners, 0, os.geteuid()}),
                stop=self.stop, broken=self._broken, clock=self._clock)
            self._order_in(ctl, term, journal)
            self._spawn(lead.keep())
            log.info("this slurmctld (%s) leads in epoch %d, %.2f s after it took the lead", self.seat.host, term.epoch,
                     time.monotonic() - began)
            await self._serve(ctl, journal, commit, ready)
            journal.close()
            if self._error is None:
                await lead.release()
        finally:
            journal.close()
            lead.close()

    def _make_keys(self, state: State) -> None:
        """All controllers have the same keys: those that there are, else this one makes them."""
        if self.seat.alone:
            return
        owners = {0, os.geteuid(), *setup.operators(self.config)}
        names = [credential_key.NAME, credential_key.AUTHORITY, JWT_KEY]
        state.share_files(names)
        credential_key.load(state.folder, owners)
        credential_key.authority(state.folder, owners)
        state.share_files(names)

    @property
    def _standby_seconds(self) -> float:
        return float(self.config.seconds("SlurmctldTimeout"))

    def _order_in(self, ctl: Controller, term: Term, journal: Journal) -> None:
        """Orders to nodes are of this term, and others may stand by."""
        ctl.links.epoch, ctl.links.state = term.epoch, journal.id
        ctl.links.overruled = self._overruled
        if self.seat.alone:
            return
        ctl.links.standby_seconds = self._standby_seconds
        ctl.standbys = Standbys(self.seat, [each.host for each in self.config.controllers], ctl.relays, beat_seconds(self._standby_seconds),
                                self.config.cluster_name, self._hand_over, ctl.triggers.happened, lambda: self.config.digest)
        if self.seat.rank:
            ctl.triggers.began = ("backup_slurmctld_assumed_control", *(("primary_slurmctld_failure",) if self._forced else ()))
        ctl.links.of_standby = ctl.standbys.on_message

    def _hand_over(self) -> None:
        """End in order, so that the slurmctld that was told so can claim."""
        self._handing_over = True
        asyncio.get_running_loop().call_later(LEAVING_SECONDS / 3, self.stop)

    def _overruled(self, node: str, message: n.Overruled) -> None:
        """A node knows a later term."""
        if message.state == self.controller.links.state and message.epoch > self._lead.term.epoch:
            self._spawn(self._look_again(node, message.epoch))

    async def _look_again(self, node: str, epoch: int) -> None:
        if await self._lead.still_leads():
            log.error("node %s takes orders from epoch %d on, and this slurmctld leads in epoch %d: was the state restored from a backup? "
                      "Remove epoch.json from the SlurmdSpoolDir of such nodes", node, epoch, self._lead.term.epoch)

    def stop(self) -> None:
        """End soon, in order."""
        self._stopping.set()

    def _broken(self, error: StoreError) -> None:
        for line in error.lines():
            log.critical("%s", line)
        self._error = error
        self.stop()

    def _restore(self, journal: Journal, term: Term) -> Cluster:
        """State as it was, under the present configuration, which is written at once: with a full disk this ends here and says so."""
        began = time.perf_counter()
        # Nothing of a state is garbage: a collector that looks through a million jobs again and again takes half of the time.
        gc.disable()
        try:
            cluster = (self._warm.take(journal) if self._warm is not None else None) or restore(journal)
        finally:
            gc.freeze()
            gc.enable()
        log.info("state restored: %d jobs, event %d, %.2f s", len(cluster.jobs), journal.last_seq, time.perf_counter() - began)
        if not journal.last_seq and self.config.text("AuthType").lower() != "auth/local":
            log.warning("there is no state in StateSaveLocation=%s: a new cluster begins here, and what nodes still run of an earlier one "
                        "is ended when they "
                        "register. If there should be one (is its disk mounted?), stop slurmctld now",
                        self.config.text("StateSaveLocation"))
        self.config, made, wrong = setup.with_made(self.config, cluster.nodes.values())
        for warning in (*wrong, *setup.left_out(self.config), *setup.risks(self.config)):
            log.warning("%s", warning)
        events: list[Event] = [
            EpochStarted(at=self._clock(), epoch=term.epoch, holder=term.holder),
            setup.configured(self.config, self._clock(), setup.operators(self.config), lines=made,
                             keeps="all" if self._whole_state else "")]
        records: list[Record] = []
        effects: list[Effect] = []
        for event in events:
            records.append(Record(at=event.at, kind=type(event).__name__, body=codec.encode(event)))
            # Its other effects follow from state and are found again when the clockwork begins (core.recovery).
            effects += cluster.apply(event)
        journal.append(records, outbox=parcels.of(effects), notes=Notes(parcels.notes(effects, journal.last_seq + len(records))))
        journal.sweep(cluster.payloads.live())
        return cluster

    async def _serve(self, ctl: Controller, journal: Journal, commit: GroupCommit, ready: Callable[[], None]) -> None:
        taker = self._taker = Snapshots(ctl.engine, journal, commit, events=self._snapshot_events)
        self._keep_history(self.config)
        accounting = None
        try:
            await self._listen()
            self._become_user()
            accounting = await self._begin_accounting(ctl, journal, commit)
            self._notices = Notices(ctl, self.config, journal, commit, self._plugin_owners(ctl))
            self._notices.prepare()
            ctl.submit_plugins = SubmitPlugins(self.config, self._plugin_owners(ctl))
            ctl.why_no_mail = self._notices.why_no_mail
            ctl.reconfigured = self._on_reconfigured
            ctl.begin()
            self._notices.start()
            self._begun.set()
            if not self.seat.alone:
                self._spawn(primary_programs.run(self.config, primary_programs.ON))
            self._spawn(taker.run())
            self._spawn(self._watch_state(commit))
            if not self._stopping.is_set():
                ready()
            await self._stopping.wait()
            log.info("stopping")
        finally:
            for task in self._tasks:
                task.cancel()
            # First nothing new happens by itself, then nobody asks any more, then what happened is on disk.
            await ctl.close()
            if self._notices is not None:
                await self._notices.close()
            if ctl.submit_plugins is not None:
                await ctl.submit_plugins.close()
            if accounting is not None:
                await accounting.close()
            if ctl.past is not None:
                await ctl.past.close()
            leaving = self._handing_over or isinstance(self._error, Deposed)
            for server in self._servers:
                await (server.close(grace=LEAVING_SECONDS) if leaving else server.close())
            if not self.seat.alone:
                await primary_programs.run(self.config, primary_programs.OFF)
            await commit.drain()
            ctl.engine.close()
            if not ctl.engine.stalled and not leaving:
                await taker.take(compact_seconds=1.0)
            taker.close()
            await commit.close()

    def _keep_history(self, config: Config) -> None:
        """Keep what happens for as long as this configuration says. ConfigError."""
        found = lookback.of(config, os.path.join(self._folder, JOURNAL))
        self.controller.lookback = found
        if self._taker is not None:
            self._taker.history = found.history if found is not None else None

    async def _begin_accounting(self, ctl: Controller, journal: Journal, commit: GroupCommit) -> Accounting | None:
        """Begin to send records to slurmdbd; None where there is none."""
        if not ctl.cluster.settings.accounting:
            return None
        accounting = ctl.accounting = Accounting(
            ctl.engine, journal, commit, ctl.now, lambda: site.facts(self.config, ctl.cluster, self.seat.address),
            site.most_waiting(self.config))
        owners = frozenset({0, os.geteuid(), *ctl.operators})
        accounting.link = site.link(self.config, accounting, self._trust, self._prover, owners)
        ctl.past = Past(self.config.cluster_name, site.endpoints(self.config), self._trust, self._prover, owners)
        await accounting.start()
        return accounting

    def _plugin_owners(self, ctl: Controller) -> frozenset[int]:
        """Whose files slurmctld runs as itself: root's and its own."""
        return frozenset({0, os.geteuid(), *ctl.operators})

    def _become_user(self) -> None:
        """Lay root's rights down. What was opened stays open: ports, sockets, the key, the log."""
        account = self._account
        if account is None:
            return
        if account.is_wanted:
            hand_over(self._folder, account)
            user.become(account)
            log.info("slurmctld runs as SlurmUser %s (uid %d) from here on", account.name, account.uid)
            if closed := user.closed_library():
                log.error("SlurmUser %s cannot read %s: what slurmctld has yet to import will fail; install Python and slurm-py where every "
                          "user may read them, not below /root", account.name, closed)
        elif account.uid != os.geteuid():
            log.warning("SlurmUser is %s (uid %d), but slurmctld was started by uid %d, which cannot change that", account.name,
                account.uid, os.geteuid())

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("something that goes on beside failed", exc_info=task.exception())

    # --- sockets ---------------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        conf = self.config
        pid_file = conf.text("SlurmctldPidFile")
        endpoints: list[Endpoint] = [unix(socket_beside(pid_file))]
        secured = munged = None
        if os.path.isabs(conf.state_save_location):
            self.controller.audit = Audit(os.path.join(conf.state_save_location, audit.NAME))
        self.controller.tokens = self._tokens(conf)  # on this machine's sockets slurmrestd brings them, whatever AuthType is
        owners = {0, os.getuid(), *self.controller.operators}
        if conf.text("AuthType").lower() == "auth/slurm":
            secured = Secured(conf, owners)
            self._trust = secured.trust
            self.controller.certifier = secured.certifier()
            endpoints.append(tcp("0.0.0.0", conf.slurmctld_port))
        elif conf.text("AuthType").lower() == "auth/munge":
            munged = Munged(conf, owners)
            self._prover = munged.prover("slurmdbd", setup.account_of(conf).uid)
            self.controller.certifier, self.controller.enrols = munged.certifier, True
        elif conf.text("AuthType").lower() != "auth/local":
            log.warning("AuthType=%s is not supported between machines: only this machine is served (use auth/slurm or auth/munge)",
                conf.text("AuthType"))
        verify = munged.verify if munged else self._verify if secured is not None and self.controller.tokens is not None else None
        trusting = munged or secured
        server = Server(
            self._on_message, verify=verify, trust=trusting.trust if trusting else None, log=logging.getLogger("slurmctld.net"))
        self._servers.append(server)
        self._plain_metrics = PlainMetrics(self.controller)
        self._serve_metrics(conf)
        self.controller.relays.server = server
        if secured is not None:
            self._spawn(secured.follow(server))
        if trusting is not None:
            self._reserve(server)
        for endpoint in endpoints:
            log.info("listening at %s", await server.listen(endpoint))
        if munged is not None:
            await self._listen_for_munge(server, munged, tcp("0.0.0.0", conf.slurmctld_port))

    async def _listen_for_munge(self, server: Server, munged: Munged, endpoint: Endpoint) -> None:
        """Serve other machines as soon as munged answers here."""
        why = await munged.why_not()
        if not why:
            log.info("listening at %s", await server.listen(endpoint))
            return
        log.warning("AuthType=auth/munge, but %s: only this machine is served until then", why)

        async def later() -> None:
            while await munged.why_not():
                await asyncio.sleep(MUNGE_SECONDS)
            log.info("munged answers: listening at %s", await server.listen(endpoint))

        self._spawn(later())

    def _serve_metrics(self, conf: Config) -> None:
        """Answer plain HTTP at the port, where the configuration asks for it."""
        wanted = conf.text("MetricsType").lower() == TYPE
        if wanted and conf.text("AuthType").lower() == "auth/local":
            log.warning("MetricsType=%s: with AuthType=auth/local slurmctld has no port; slurmrestd serves /metrics", TYPE)
        self._servers[0].answer_gets(self._plain_metrics.on_get if wanted else None)

    def _tokens(self, conf: Config) -> Tokens | None:
        """What makes and checks the tokens of commands without a daemon beside them; None without auth/jwt. ConfigError."""
        if "auth/jwt" not in conf.words("AuthAltTypes"):
            return None
        owners = {0, os.getuid(), *self.controller.operators}
        tokens = Tokens(conf.options("AuthAltParameters"), conf.state_save_location, owners, time.time)
        if tokens.risk:
            log.warning("%s", tokens.risk)
        return tokens

    def _verify(self, token: str) -> Identity:
        """Who a token speaks for; what the configuration says of them may have changed since we listen."""
        if self.controller.tokens is None:
            raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=["AuthAltTypes=auth/jwt was taken out of the configuration"])
        return self.controller.tokens.verify(token)

    async def _on_message(self, peer: Peer, codec: int, payload: bytes) -> None:
        # Who connects early waits: a node that registered before the clockwork began would be taken for one that is still to come, for
        # ever.
        await self._begun.wait()
        if self._lead.doubtful:
            await self._lead.make_sure()
        if codec == frames.MSGPACK:
            await self.controller.links.on_message(peer, payload)
            return
        if peer.party is not None:
            raise NotPermitted(hints=[f"{peer.party} is a daemon: what users ask for comes from users"])
        if peer.by_token and time.time() > peer.identity.issued + peer.identity.ttl:
            raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=["the token has expired"])
        session = self._sessions.get(peer)
        if session is None:
            session = self._sessions[peer] = Session(peer)
            peer.on_close(lambda: self._forget(peer))
        session.send(await answer(self.controller, session, payload))

    def _forget(self, peer: Peer) -> None:
        self._sessions.pop(peer, None)

    # --- state -----------------------------------------------------------------------------------------------------------

    async def _watch_state(self, commit: GroupCommit) -> None:
        """Look at the state files also while nothing is written: it is said at once when somebody removed them."""
        told = ""
        while True:
            await asyncio.sleep(STATE_LOOK_SECONDS)
            looked: asyncio.Future[StoreError | None] = asyncio.get_running_loop().create_future()
            commit.submit([], lambda error, looked=looked: None if looked.done() else looked.set_result(error))  # type: ignore[misc]
            error = await looked
            if error is not None and error.message != told:
                log.error("%s", "; ".join(error.lines()))
            told = error.message if error is not None else ""
            if error is not None and not isinstance(error, StoreBusy):
                self._broken(error)

    def _reserve(self, server: Server) -> None:
        looking_up = reserve(server, [node.addr for node in self.config.nodes])
        if looking_up is not None:
            self._spawn(looking_up)

    def _on_reconfigured(self, config: Config) -> None:
        self.config = config
        if self.controller.tokens is not None:
            try:
                self.controller.tokens = self._tokens(config)
            except ConfigError as error:
                log.error("the keys of auth/jwt were not read again: %s", "; ".join(error.lines()))
        try:
            self._keep_history(config)
        except ConfigError as error:
            log.error("the history is kept as before: %s", "; ".join(error.lines()))
        self._reserve(self._servers[0])
        self._serve_metrics(config)
        if self._notices is not None:
            self._spawn(self._notices.reconfigure(config))
        if self.controller.submit_plugins is not None:
            try:
                self.controller.submit_plugins.reconfigure(config)
            except ConfigError as error:
                log.error("JobSubmitPlugins was not read again, those before hold: %s", "; ".join(error.lines()))
        self.controller.verbosity = self._verbosity_of(config)
        self.controller.verbosity.apply()

    def _hang_up(self) -> None:
        """SIGHUP: the configuration is read again, and the log file opened again."""
        self._reopen()
        if self._begun.is_set():  # who stands by reads it when it begins to lead
            self._spawn(self._reread())

    def _reopen(self) -> None:
        """SIGUSR2: the log's level is read again, then its file opened again, which may have been rotated."""
        try:
            verbosity = self._verbosity_of(load(self.config.path))
        except SlurmError as error:
            log.error("the log level was not read again: %s", "; ".join(error.lines()))
            verbosity = self._verbosity_of(self.config)
        logs.reopen("slurmctld", verbosity, self._log_path)

    async def _reread(self) -> None:
        try:
            await self.controller.reconfigure()
        except SlurmError as error:
            log.error("the configuration was not read again: %s", "; ".join(error.lines()))

