"""Keys, certificates, MUNGE and the accounting database as this machine has them: whether they can be used, never what they are."""

from __future__ import annotations

import hashlib
import os
import socket
import sqlite3
from contextlib import closing

from slurm.commands.doctor import kernel
from slurm.commands.doctor.facts import Database, Facts
from slurm.config.config import Config
from slurm.config.slurmdbd import DbdConfig, load_slurmdbd
from slurm.model.errors import ConfigError, SlurmError

MUNGE_SOCKET = "/run/munge/munge.socket.2"
ROLES = ("slurmctld", "slurmd", "slurmdbd")


def look(found: Facts, config: Config) -> None:
    """Add to `found` what this machine has of them."""
    auth = config.text("AuthType").lower()
    folder = os.path.dirname(os.path.abspath(found.conf))
    if auth == "auth/slurm":
        _key(found, config, os.environ.get("SLURM_SACK_KEY") or os.path.join(folder, "slurm.key"))
    elif auth == "auth/munge":
        found.munge = _munge(config.options("AuthInfo").get("socket") or MUNGE_SOCKET)
    if "jwt_key" in config.options("AuthAltParameters") and found.controller:
        found.secrets.append(kernel.look_at(config.options("AuthAltParameters")["jwt_key"], "jwt_key of AuthAltParameters"))
    if found.database_host:
        file = kernel.look_at(os.path.join(folder, "slurmdbd.conf"), "slurmdbd.conf")
        if file.exists and not file.problem:
            found.database = database(file.path)
        if not file.exists or _holds_password(file.path):
            found.secrets.append(file)


def _key(found: Facts, config: Config, path: str) -> None:
    from slurm.net.authority import Authority
    from slurm.net.certificates import files_of
    from slurm.net.identity import read_key

    found.key = kernel.look_at(path, "the cluster's key")
    if found.key.exists:
        try:
            owners = {found.key.uid} | ({found.slurm_uid} if found.slurm_uid is not None else set())
            found.key_id = Authority(read_key(path, owners), config.cluster_name).key_id
        except ConfigError as error:
            found.key.problem = error.message
    parties = [("slurmctld", "")] * found.controller + [("slurmd", name) for name in found.nodes] + [("slurmdbd", "")] * found.database_host
    for role, name in parties:
        files = files_of(path, role, config.options("TLSParameters"), name)
        if files.has_certificate:
            found.certificates.append(kernel.look_at(files.private_key, f"the key of {role}'s certificate"))


def _holds_password(path: str) -> bool:
    try:
        return bool(load_slurmdbd(path).text("StoragePass"))
    except ConfigError:
        return True  # nobody knows: it is taken for one that does


def _munge(path: str) -> str:
    try:
        with closing(socket.socket(socket.AF_UNIX)) as probe:
            probe.settimeout(3.0)
            probe.connect(path)
    except OSError as error:
        return f"munged does not answer at {path}: {error.strerror or error}"
    return ""


def digest_of_text(path: str) -> str:
    """A digest of what a configuration file says."""
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        lines = [" ".join(line.partition("#")[0].split()) for line in file.read().replace("\\\n", "").splitlines()]
    return hashlib.sha256("\n".join(filter(None, lines)).encode(errors="surrogateescape")).hexdigest()[:16]


def database(path: str) -> Database:
    """The database of the slurmdbd.conf at `path`: the version of its schema, or why it cannot be used."""
    from slurm.slurmdbd.settings import storage_of
    from slurm.store.accounting.schema import HEAD

    try:
        conf: DbdConfig = load_slurmdbd(path)
        storage = storage_of(conf)
        if storage.kind == "sqlite":
            return _sqlite(storage.name, HEAD)
        from slurm.store.accounting.engine import connect, told
        from slurm.store.accounting.upgrade import version_of

        engine = connect(storage)
        try:
            with told(storage), engine.connect() as connection:
                return Database(str(storage), version=version_of(connection), known=HEAD)
        finally:
            engine.dispose()
    except SlurmError as error:
        return Database(path, problem="; ".join([error.message, *error.hints]))


def _sqlite(path: str, known: int) -> Database:
    if not os.path.exists(path):
        return Database(path, known=known)
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name='alembic_version'").fetchone():
                return Database(path, known=known)
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return Database(path, version=int(row[0]) if row else 0, known=known)
    except (sqlite3.Error, ValueError) as error:
        return Database(path, problem=f"it cannot be read as SQLite: {error}", known=known)
