"""slurmdbd from its start to its end: sockets first, then what is behind them (`serving`), signals.

Light: what uses the database takes a third of a second to load, which it does beside, at a low priority, while controllers of an embedded
cluster start. Until then messages wait.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Protocol

from slurm.config.slurmdbd import DbdConfig
from slurm.daemon import logs, user
from slurm.daemon.signals import Signals
from slurm.model.errors import NotNow, SlurmError, StoreError
from slurm.net.discovery import socket_beside
from slurm.net.endpoint import Endpoint, tcp, unix
from slurm.net.server import Peer, Server
from slurm.slurmdbd import settings
from slurm.slurmdbd.work import Work
from slurm.store.journal import StoreBusy

log = logging.getLogger("slurmdbd")
AGAIN_SECONDS = 2.0
"""How often a database that does not answer is tried again."""
END_SECONDS = 30.0
"""How long the end waits for transactions that are under way."""
MUNGE_SECONDS = 5.0
START_SECONDS = 20.0
"""How long a message waits while the daemon starts."""
_LOADING_NICE = 5


class Serving(Protocol):
    """What answers once it is loaded (`serving.Served`)."""

    where: str

    def open(self) -> None:
        """Open the database; blocking. StoreBusy: it may be tried again."""

    async def on_message(self, peer: Peer, codec: int, payload: bytes) -> None:
        """Answer a message."""

    async def keep(self) -> None:
        """Do what happens by itself, for as long as the daemon lives."""

    def reconfigure(self, conf: DbdConfig) -> None:
        """Go by this configuration from now on."""

    def stop(self) -> None:
        """Begin nothing more."""

    def close(self) -> None:
        """Let go of the database; when nobody works with it any more."""


class Service:
    """Everything between `run` and its end. `verbosity_of` tells how much is logged under a configuration."""

    def __init__(self, conf: DbdConfig, verbosity_of: Callable[[DbdConfig], logs.Verbosity], log_path: str, signals: Signals,
            account: user.Account) -> None:
        self._verbosity_of = verbosity_of
        self._log_path = log_path
        self._signals = signals
        self._account = account
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: SlurmError | None = None
        self._work = Work()
        self._conf = conf
        self._serving: Serving | None = None
        self._away: SlurmError | None = None
        self._loaded = asyncio.Event()  # that, or it is known why it cannot be

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until SIGTERM, SIGINT or `sacctmgr shutdown`; ConfigError or StoreError when it cannot start, or the database is none of
        ours.

        `ready` is called once the database answers; an embedded cluster's daemon is ready as soon as it listens, as is one whose database
        is away.
        """
        self._signals.attach(stop=self.stop, reread=self._hang_up, reopen=self._reopen)
        server, follow = self._server()
        try:
            for endpoint in self._endpoints():
                log.info("listening at %s", await server.listen(endpoint, mode=0o666))
            self._become_user()
            if follow is not None:
                self._spawn(follow)
            if self._conf.text("AuthType") == "auth/local":
                ready()
            self._spawn(self._open(ready))
            await self._stopping.wait()
            log.info("stopping")
        finally:
            if self._serving is not None:
                self._serving.stop()
            for task in self._tasks:
                task.cancel()
            await server.close()
            if not await self._work.close(END_SECONDS):
                log.warning("a transaction is still under way after %.0f s: it is undone", END_SECONDS)
            elif self._serving is not None:
                self._serving.close()
        if self._failed is not None:
            raise self._failed
        log.info("stopped")

    def stop(self) -> None:
        """End soon, in order."""
        self._stopping.set()

    async def _open(self, ready: Callable[[], None]) -> None:
        """Load, then open the database, again and again while its server does not answer; what is wrong for good ends the daemon."""
        try:
            serving = await asyncio.wrap_future(_loaded(lambda: load(self._conf, self._work, self.stop, self._reread)))
        except SlurmError:
            raise
        except Exception as error:
            log.error("slurmdbd cannot be loaded", exc_info=error)
            why = f"{self._account.name} cannot read where slurm-py is installed" if isinstance(error,
                ImportError | OSError) else "its log has the details"
            raise StoreError(message=f"slurmdbd cannot be loaded: {type(error).__name__}: {error}", hints=[why]) from error
        told = ""
        while True:
            try:
                await self._work.write(serving.open)
                break
            except StoreBusy as error:
                self._away = error
                self._loaded.set()
                if error.message != told:
                    told = error.message
                    log.error("%s", "; ".join(error.lines()))
                ready()
                await asyncio.sleep(AGAIN_SECONDS)
        self._serving = serving
        self._loaded.set()
        log.info("records are kept in %s", serving.where)
        ready()
        await serving.keep()

    async def _on_message(self, peer: Peer, codec: int, payload: bytes) -> None:
        if self._serving is None and self._away is None:
            await asyncio.wait([asyncio.ensure_future(self._loaded.wait())], timeout=START_SECONDS)
        if self._serving is None:
            raise NotNow("ESLURM_DB_CONNECTION", hints=self._away.lines() if self._away is not None else ["slurmdbd is starting"])
        await self._serving.on_message(peer, codec, payload)

    def _server(self) -> tuple[Server, Coroutine[None, None, None] | None]:
        conf = self._conf
        kind = conf.text("AuthType")
        net = logging.getLogger("slurmdbd.net")
        if kind == "auth/slurm":
            from slurm.slurmdbd.secured import Secured

            secured = Secured(conf, {0, os.geteuid(), self._account.uid})
            server = Server(self._on_message, trust=secured.trust, log=net)
            return server, secured.follow(server)
        if kind == "auth/munge":
            from slurm.slurmdbd.secured import Munged

            munged = Munged(conf)
            server = Server(self._on_message, verify=munged.verify, trust=munged.trust, log=net)

            async def later() -> None:
                told = ""
                while why := await munged.why_not():
                    if why != told:
                        log.warning("AuthType=auth/munge, but %s: only this machine is served until then", why)
                        told = why
                    await asyncio.sleep(MUNGE_SECONDS)
                log.info("listening at %s", await server.listen(self._port))

            return server, later()
        return Server(self._on_message, log=net), None

    @property
    def _port(self) -> Endpoint:
        conf = self._conf
        return tcp(conf.text("DbdAddr") if conf.text("DbdAddr") and not conf.text("DbdHost") else "0.0.0.0", conf.port("DbdPort"))

    def _endpoints(self) -> list[Endpoint]:
        conf = self._conf
        local = unix(socket_beside(conf.text("PidFile")))
        return [local, self._port] if conf.text("AuthType") == "auth/slurm" else [local]

    def _become_user(self) -> None:
        account = self._account
        if account.is_wanted:
            storage = self._conf.text("StorageLoc") if self._conf.storage_kind == "sqlite" else ""
            for suffix in ("", "-wal", "-shm") if storage else ():
                user.hand_over(storage + suffix, account)
            user.become(account)
            log.info("slurmdbd runs as SlurmUser %s (uid %d) from here on", account.name, account.uid)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            if isinstance(error, SlurmError):
                self._failed = error
                self.stop()
            else:
                log.error("something that goes on beside failed", exc_info=error)

    def _hang_up(self) -> None:
        """SIGHUP: the configuration is read again, and the log file opened again."""
        try:
            self._reread()
        except SlurmError as error:
            log.error("the configuration was not read again: %s", "; ".join(error.lines()))
        self._reopen()

    def _reread(self) -> None:
        """Read slurmdbd.conf again: rights, purges, limits and log level follow it; sockets and database stay as they are. ConfigError."""
        conf = settings.load(self._conf.path)
        for warning in conf.warnings:
            log.warning("%s", warning)
        self._conf = conf
        if self._serving is not None:
            self._serving.reconfigure(conf)
        self._verbosity_of(conf).apply()
        log.info("the configuration was read again")

    def _reopen(self) -> None:
        """SIGUSR2: the log's level is read again, then its file opened again, which may have been rotated."""
        try:
            verbosity = self._verbosity_of(settings.load(self._conf.path))
        except (SlurmError, OSError) as error:
            log.error("the log level was not read again: %s", error)
            verbosity = self._verbosity_of(self._conf)
        logs.reopen("slurmdbd", verbosity, self._log_path)


def _loaded(make: Callable[[], Serving]) -> Future[Serving]:
    """What a thread of its own makes, one that goes after all others of this machine."""
    made: Future[Serving] = Future()

    def run() -> None:
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOADING_NICE)
            made.set_result(make())
        except BaseException as error:
            made.set_exception(error)

    threading.Thread(target=run, name="loading", daemon=True).start()
    return made


def load(conf: DbdConfig, work: Work, stop: Callable[[], None], reread: Callable[[], None]) -> Serving:
    """What answers; loaded here, since it is slow to load. ConfigError."""
    from slurm.slurmdbd import serving

    return serving.Served(conf, work, stop, reread)
