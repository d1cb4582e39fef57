"""What answers messages and keeps the database in order, put together. Slow to load: `service` does so beside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from slurm.config.slurmdbd import DbdConfig
from slurm.net.peer import Peer
from slurm.slurmdbd import settings
from slurm.slurmdbd.controllers import Controllers
from slurm.slurmdbd.daemon_state import DaemonState
from slurm.slurmdbd.dispatch import Dispatch
from slurm.slurmdbd.maintenance import Maintenance
from slurm.slurmdbd.work import Work
from slurm.store.accounting.database import Database


class Served:
    """One daemon's answers. ConfigError where the configuration names no database that can be asked."""

    def __init__(self, conf: DbdConfig, work: Work, stop: Callable[[], None], reread: Callable[[], None]) -> None:
        storage = settings.storage_of(conf)
        self.where = str(storage)
        self._state = DaemonState(conf, Database(storage), work, stop, reread)
        self._maintenance = Maintenance(self._state)
        self._dispatch = Dispatch(self._state, Controllers(self._state), self._maintenance)

    def open(self) -> None:
        """Open the database; blocking. StoreBusy: it may be tried again."""
        self._state.database.open()

    async def on_message(self, peer: Peer, codec: int, payload: bytes) -> None:
        """Answer a message."""
        await self._dispatch.on_message(peer, codec, payload)

    async def keep(self) -> None:
        """Do what happens by itself, for as long as the daemon lives."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._maintenance.run())
            group.create_task(self._dispatch.tidy())

    def reconfigure(self, conf: DbdConfig) -> None:
        """Go by this configuration from now on."""
        self._state.conf = conf

    def stop(self) -> None:
        """Begin nothing more."""
        self._maintenance.stop()

    def close(self) -> None:
        """Let go of the database; when nobody works with it any more."""
        self._state.database.close()
