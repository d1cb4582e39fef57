"""What slurmdbd.conf means to the daemon: where its database is, who administrates it, when it purges.

Read at start and again at SIGHUP.
"""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
from collections.abc import Mapping

from slurm.config.slurmdbd import DbdConfig, load_slurmdbd
from slurm.daemon.user import Account, find
from slurm.model.errors import ConfigError
from slurm.store.accounting.storage import MYSQL, POSTGRESQL, SQLITE, Storage

_SCRIPT_SECONDS = 30.0
_SECRET = ("StoragePass", "StoragePassScript", "StorageParameters", "AuthAltParameters")
PURGES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "PurgeEventAfter": ("ArchiveEvents", ("event",)), "PurgeJobAfter": ("ArchiveJobs", ("job",)),
    "PurgeResvAfter": ("ArchiveResvs", ("resv",)), "PurgeStepAfter": ("ArchiveSteps", ("step",)),
    "PurgeSuspendAfter": ("ArchiveSuspend", ("suspend",)), "PurgeTXNAfter": ("ArchiveTXN", ("txn",)),
    "PurgeUsageAfter": ("ArchiveUsage", ("usage", "wckey_usage", "cluster_usage"))}
"""Key of slurmdbd.conf → the key that has it archived first, the kinds of records (store.accounting.purging.KINDS)."""


def load(path: str) -> DbdConfig:
    """The configuration at `path`. ConfigError, also when others may read a file that holds a password."""
    conf = load_slurmdbd(path)
    mode = os.stat(path).st_mode
    if conf.text("StoragePass") and stat.S_IMODE(mode) & 0o077:
        raise ConfigError(message=f"slurmdbd.conf file {path} should be 600 is {stat.S_IMODE(mode):o} accessible for group or others",
            hints=[
            f"it holds StoragePass: chmod 600 {path}"])
    return conf


def storage_of(conf: DbdConfig) -> Storage:
    """Where the database is; runs StoragePassScript. ConfigError."""
    kind = conf.storage_kind
    parameters = {name: value for name, _, value in (word.partition("=") for word in conf.words("StorageParameters"))}
    if kind == SQLITE:
        return Storage(SQLITE, conf.text("StorageLoc"))
    assert kind in (MYSQL, POSTGRESQL), kind
    password = _password(conf.text("StoragePassScript")) if conf.text("StoragePassScript") else conf.text("StoragePass")
    return Storage(
        kind, conf.text("StorageLoc"), conf.text("StorageHost"), conf.number("StoragePort"),
        conf.text("StorageUser") or account_of(conf).name, password,
        parameters, conf.text("StorageBackupHost"))


def _password(script: str) -> str:
    try:
        done = subprocess.run(shlex.split(script), capture_output=True, text=True, check=False, timeout=_SCRIPT_SECONDS,
            stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise ConfigError(message=f"StoragePassScript={script}: {error}") from error
    if done.returncode:
        raise ConfigError(message=f"StoragePassScript={script} ended with exit status {done.returncode}: {done.stderr.strip()}")
    return done.stdout.strip("\n")


def account_of(conf: DbdConfig) -> Account:
    """SlurmUser."""
    return find(conf.text("SlurmUser"), "SlurmUser")


def shown(conf: DbdConfig) -> list[tuple[str, str]]:
    """Keys and values for `sacctmgr show config`; secrets are not."""
    found = []
    for row in conf.rows:
        value = conf.text(row.name)
        found.append((row.name, "********" if value and row.name in _SECRET else value))
    return found
