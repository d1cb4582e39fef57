"""State in one SQLite file, of one controller: its lease is the lock that the kernel drops when its holder dies, and costs no write of its
own.

The file says in which term it was last written; a new term is written with its first event.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from slurm.journal.shapes import TEXT, VERSION
from slurm.model.errors import StoreError
from slurm.store import sqlite_format
from slurm.store.journal import Replica
from slurm.store.lease import Overtaken, Term, deposed, overtaken
from slurm.store.lock import FileLock
from slurm.store.sqlite_errors import reading
from slurm.store.sqlite_journal import SqliteJournal
from slurm.store.sqlite_wal import check_wal

JOURNAL = "journal.db"


class SqliteLease:
    """Who writes the SQLite file at `path`.

    Nobody can take it from a process that lives, however silent; that needs another kind of state.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.lock: FileLock | None = None
        self._term: Term | None = None

    def read(self) -> Term | None:
        """The term in which the file was last written, or the one of this process.

        Nothing but the file tells of others: it counts no beats.
        """
        if self._term is not None:
            return self._term
        try:
            lock = FileLock(self._path + ".lock")
        except Overtaken:
            with reading(self._path):  # of a process that lives
                return sqlite_format.look(self._path, VERSION, TEXT).term
        try:
            return self._left()
        finally:
            lock.release()

    def _left(self) -> Term | None:
        """What the last writer left; to be called with the lock."""
        with reading(self._path):
            check_wal(self._path)  # before SQLite reads the log, and takes it for whole
            return sqlite_format.look(self._path, VERSION, TEXT).term

    def claim(self, holder: str, address: str, seen: int, *, least: int = 0) -> Term:
        """Take the lock; Overtaken where another process has it, however long it has been silent."""
        if self._term is not None and not self._term.released:
            raise overtaken(seen, self._term)
        lock = FileLock(self._path + ".lock")
        try:
            now = self._term or self._left()
            if seen != (now.epoch if now is not None else 0):
                raise overtaken(seen, now)
        except BaseException:
            lock.release()
            raise
        self.lock = lock
        self._term = Term(max(seen, least) + 1, holder, address)
        return self._term

    def beat(self, term: Term) -> None:
        """See to it that the lock is still there. Deposed where somebody removed it, and another process has it."""
        held = self._held(term)
        assert self.lock is not None
        try:
            self.lock.keep()
        except Overtaken as error:
            raise deposed(term, None) from error
        self._term = held._replace(beats=held.beats + 1)

    def release(self, term: Term) -> None:
        """Let go of the lock; the journal must be closed by then."""
        self._term = self._held(term)._replace(released=True)
        self.close()

    def close(self) -> None:
        """Let go of the lock."""
        if self.lock is not None:
            self.lock.release()
            self.lock = None

    def _held(self, term: Term) -> Term:
        if self.lock is None or self._term is None or self._term.epoch != term.epoch:
            raise deposed(term, self._term)
        return self._term


class SqliteState:
    """The state of a cluster with one controller, in the folder of its StateSaveLocation."""

    def __init__(self, folder: str, *, cluster: str = "", now: float = 0.0, name: str = JOURNAL) -> None:
        self.location = folder
        self.folder = folder
        self.path = os.path.join(folder, name)
        self._cluster = cluster
        self._now = now
        self.lease = SqliteLease(self.path)

    def journal(self, term: Term) -> SqliteJournal:
        """The journal, this process's alone. StoreError."""
        return SqliteJournal(self.path, cluster=self._cluster, now=self._now, term=term, lock=self.lease.lock)

    def replica(self) -> Replica:
        """StoreError: a file of SQLite is one machine's."""
        raise StoreError(message=f"{self.path} cannot be followed: state in one SQLite file has one slurmctld")

    def share_files(self, names: Sequence[str]) -> None:
        """Nothing: there is one controller, and they lie in its folder."""

    def close(self) -> None:
        """Let go of the lease."""
        self.lease.close()
