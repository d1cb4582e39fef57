"""What the parts of one slurmdbd share: configuration, database, threads, counters."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from slurm.config.slurmdbd import DbdConfig
from slurm.daemon.logs import Seldom
from slurm.slurmdbd import rights
from slurm.slurmdbd.settings import account_of
from slurm.slurmdbd.stats import Stats
from slurm.slurmdbd.work import Work
from slurm.store.accounting.database import Database


class DaemonState:
    """One daemon's state. `stop` ends it soon, `reread` reads slurmdbd.conf again (ConfigError)."""

    def __init__(self, conf: DbdConfig, database: Database, work: Work, stop: Callable[[], None], reread: Callable[[], None]) -> None:
        self.conf = conf
        self.database = database
        self.work = work
        self.stop = stop
        self.reread = reread
        self.stats = Stats(time.time())
        self.seldom = Seldom(logging.getLogger("slurmdbd"))
        self.operators = rights.operators(account_of(conf).uid)
        self.records = 0
