"""Connections to the database that keeps accounting, and what its errors mean: StoreBusy where trying again helps, StoreError where it does
not."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc

from slurm.model.errors import ConfigError, StoreError
from slurm.store.accounting.storage import MYSQL, POSTGRESQL, SQLITE, Storage
from slurm.store.journal import StoreBusy

PORTS: Mapping[str, int] = {POSTGRESQL: 5432, MYSQL: 3306}
CONNECT_SECONDS = 5
IDLE, MOST = 4, 20
"""Connections that are kept, and that there may be: a thread that answers and an answer that waits for its next part have two each."""
LOCK_SECONDS = 60
"""How long a write of SQLite waits for another program's."""
_log = logging.getLogger("slurmdbd.database")
_DRIVERS: Mapping[str, str] = {POSTGRESQL: "psycopg", MYSQL: "pymysql"}
_NOBODY_ANSWERS = 2003
"""MySQL's number of a connection that was not made."""
_SSL = {"SSL_CA": "ca", "SSL_CAPATH": "capath", "SSL_CERT": "cert", "SSL_KEY": "key", "SSL_CIPHER": "cipher"}
_LIBPQ = {"SSL_CA": "sslrootcert", "SSL_CERT": "sslcert", "SSL_KEY": "sslkey"}


def connect(storage: Storage) -> sa.Engine:
    """An engine of this storage; nothing is asked of it yet. ConfigError where a parameter means nothing to it."""
    if storage.kind == SQLITE:
        return _sqlite(storage.name)
    socket = storage.host.startswith("/")
    strange = [name for name in storage.parameters if name not in (_SSL if storage.kind == MYSQL else _LIBPQ)]
    if strange:
        raise ConfigError(message=f"StorageParameters={strange[0]} means nothing to {storage.kind}", hints=[
            f"valid: {', '.join(_SSL if storage.kind == MYSQL else _LIBPQ)}"])
    arguments: dict[str, object] = {"connect_timeout": CONNECT_SECONDS}
    if storage.kind == MYSQL:
        driver = "mysql+pymysql"
        if socket:
            arguments["unix_socket"] = storage.host
        if storage.parameters:
            arguments["ssl"] = {_SSL[name]: value for name, value in storage.parameters.items()}
        arguments["charset"] = "utf8mb4"
    else:
        driver = "postgresql+psycopg"
        if socket or storage.backup_host:
            arguments["host"] = ",".join(filter(None, (storage.host, storage.backup_host)))
        if storage.backup_host:  # libpq goes to the next host only where nobody answers, or where it could not write
            arguments.update(port=storage.port or PORTS[storage.kind], target_session_attrs="read-write")
        arguments.update({_LIBPQ[name]: value for name, value in storage.parameters.items()})
        arguments.update(keepalives_idle=30, keepalives_interval=10, keepalives_count=3, application_name="slurmdbd")
    if find_spec(_DRIVERS[storage.kind]) is None:
        raise ConfigError(message=f"StorageType is {storage.kind}, but the Python package {_DRIVERS[storage.kind]} is not installed",
            hints=[
            f"pip install 'slurm-py[{storage.kind}]'"])
    given = socket or "host" in arguments
    url = sa.URL.create(driver, storage.user or None, storage.password or None, None if given else storage.host,
                        None if given else storage.port or PORTS[storage.kind], storage.name)
    engine = sa.create_engine(url, connect_args=arguments, pool_pre_ping=True, pool_recycle=3600, pool_size=IDLE, max_overflow=MOST - IDLE)
    if storage.backup_host:
        _with_backup(engine, storage)
    return engine


def _with_backup(engine: sa.Engine, storage: Storage) -> None:
    """Connections are to the backup host while nobody answers at the first; the log says so."""
    last = storage.host

    def tell(host: str) -> None:
        nonlocal last
        if host != last:
            _log.warning("the database at %s is asked now, not that at %s", host, last)
            last = host

    if storage.kind == POSTGRESQL:  # libpq has both hosts
        @event.listens_for(engine, "connect")
        def connected(connection: Any, record: object) -> None:
            tell(connection.info.host)

        return

    @event.listens_for(engine, "do_connect")
    def connect_to_either(dialect: sa.Dialect, record: object, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        try:
            made = dialect.connect(*arguments, **keywords)
        except dialect.loaded_dbapi.OperationalError as error:
            if error.args[0] != _NOBODY_ANSWERS:
                raise
            key = "unix_socket" if storage.backup_host.startswith("/") else "host"
            other = {"port": storage.port or PORTS[MYSQL], **{name: value for name, value in keywords.items() if name != "unix_socket"}}
            made = dialect.connect(*arguments, **{**other, key: storage.backup_host})
            tell(storage.backup_host)
            return made
        tell(storage.host)
        return made


def _sqlite(path: str) -> sa.Engine:
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": LOCK_SECONDS, "check_same_thread": False}, pool_size=IDLE,
        max_overflow=MOST - IDLE)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, record: object) -> None:
        connection.isolation_level = None  # transactions begin where `begin` below says, not where the driver guesses
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")  # what was acknowledged is nowhere else any more

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # Who will write says so at once: a transaction that read first could not become a writer beside another one.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writing") else "BEGIN")

    return engine


@contextmanager
def told(storage: Storage) -> Iterator[None]:
    """Errors of the statements inside come out as StoreBusy or StoreError."""
    try:
        yield
    except exc.DBAPIError as error:
        raise _translated(storage, error) from error
    except exc.TimeoutError as error:
        raise StoreBusy(message=f"{storage}: all its connections are in use", hints=["it is tried again"]) from error
    except exc.SQLAlchemyError as error:
        raise StoreError(message=f"{storage}: {error}") from error


def _translated(storage: Storage, error: exc.DBAPIError) -> StoreError:
    why = " ".join(str(error.orig).split())
    if error.connection_invalidated or isinstance(error, exc.OperationalError | exc.InterfaceError | exc.InternalError):
        folder = os.path.dirname(os.path.abspath(storage.name))
        if storage.kind == SQLITE and "unable to open" in why:
            return StoreError(message=f"{storage.name}: {why}", hints=[f"{folder} must exist and be writable for SlurmUser"])
        return StoreBusy(message=f"{storage}: {why}", hints=["nothing that was acknowledged is lost; it is tried again"])
    return StoreError(message=f"{storage}: {why}")


@contextmanager
def reading(engine: sa.Engine, storage: Storage) -> Iterator[sa.Connection]:
    """A connection to ask with."""
    with told(storage), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: sa.Engine, storage: Storage) -> Iterator[sa.Connection]:
    """One transaction: all of it is kept when this ends, or nothing."""
    with told(storage), engine.connect().execution_options(writing=True) as connection, connection.begin():
        yield connection


Clock = Callable[[], float]
"""Now, in seconds since the epoch."""
