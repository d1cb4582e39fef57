"""What SQLite's errors mean for a journal, as sentences that name the file and say what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from slurm.model.errors import StoreError
from slurm.store.journal import StoreBusy

# A write that the system refused at once leaves the file as it was; after a failed fsync nobody knows what is on the disk.
_PASSING = {
    sqlite3.SQLITE_FULL: "no space is left for it",
    sqlite3.SQLITE_IOERR_WRITE: "it cannot be written (quota or file size limit?)",
    sqlite3.SQLITE_IOERR_SHMSIZE: "no space is left beside it",
    sqlite3.SQLITE_BUSY: "another program has it locked",
    sqlite3.SQLITE_LOCKED: "another program has it locked",
    sqlite3.SQLITE_NOMEM: "memory is short",
}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _translated(path: str, error: sqlite3.Error) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0)
    for known in (code, code & 0xFF):
        if known in _PASSING:
            return StoreBusy(message=f"{path}: {_PASSING[known]}: {error}", hints=["make room; nothing that was acknowledged is lost"])
    if code & 0xFF in _DAMAGED:
        return StoreError(message=f"{path} is damaged or no journal of slurm-py: {error}", hints=[
            "restore the StateSaveLocation from a backup, or move the file away to start with an empty cluster"])
    if code & 0xFF == sqlite3.SQLITE_READONLY or code & 0xFF == sqlite3.SQLITE_CANTOPEN:
        return StoreError(message=f"{path}: {error}", hints=["the StateSaveLocation must exist and be writable for SlurmUser"])
    return StoreError(message=f"{path}: {error}", hints=["look at the disk (dmesg); slurmctld must be restarted to read the file afresh"])


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Errors of the statements inside come out as StoreError, and so do values that are none: in SQLite any column may hold any kind."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translated(path, error) from error
    except (TypeError, ValueError, KeyError) as error:
        raise StoreError(message=f"{path} is damaged: {error}", hints=[
            "restore the StateSaveLocation from a backup, or move the file away to start with an empty cluster"]) from error


@contextmanager
def writing(path: str, connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction: on disk at the end, or undone and told as StoreError (StoreBusy when it may be tried again)."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        _undo(connection)
        raise _translated(path, error) from error
    except BaseException:
        _undo(connection)
        raise


def _undo(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        # SQLite may have rolled back by itself; the error that led here is the one to tell.
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
