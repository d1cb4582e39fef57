"""Copies of a cluster's state from one kind of store to another, made while no slurmctld runs, and checked before anybody uses them.

What is copied is the fold: a whole snapshot after the last event, the payloads that it names, the records and notices that are still to be
sent, the journal's id and numbers. Events before that are in the snapshot; the history of the past stays where it is.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import NamedTuple, Protocol

from slurm.config import state_location
from slurm.core.cluster import Cluster
from slurm.journal import rows
from slurm.journal.row import Row
from slurm.model.errors import NotFound, StoreError
from slurm.model.notice import DESTINATIONS
from slurm.slurmctld.restoring import restore
from slurm.store.journal import Journal, Origin
from slurm.store.lease import Term
from slurm.store.lock import FileLock
from slurm.store.parcels import Note, Notes
from slurm.store.sqlite_journal import SqliteJournal, sync
from slurm.store.sqlite_state import JOURNAL, SqliteState
from slurm.store.state import State, open_state

HOLDER = "slurm state"
BEAT_SECONDS = 6.0
"""A leader beats more often than this."""
AT_ONCE = 1000
PAYLOAD_BYTES = 4 << 20
PARCEL_BYTES = 4 << 20


class Copied(NamedTuple):
    """What a copy holds; `digest` is that of both its sides."""

    jobs: int
    records: int
    event: int
    digest: str


class Adopting(Journal, Protocol):
    """A journal that can go on where another one ended."""

    def adopt(self, origin: Origin) -> None:
        """Take its id and numbers."""
        ...


def copy(source: str, target: str, *, sleep: Callable[[float], None] = time.sleep) -> Copied:
    """Copy the state at a StateSaveLocation, or in a file that an export made, to another one, which must hold none yet.

    StoreError, with nothing at `target` that could be taken for a state; NotFound where there is nothing to copy.
    """
    with _reading(source, sleep) as (journal, epoch):
        cluster = restore(journal)
        if not journal.last_seq:
            raise NotFound(message=f"there is no state at {source}")
        told = digest(cluster, journal)
        with _writing(target, max(epoch, cluster.epoch)) as written:
            _write(journal, cluster, written)
            found = digest(restore(written), written)
            if found != told:
                raise StoreError(message=f"the copy at {target} differs from what was copied: {found[:12]} instead of {told[:12]}")
        return Copied(len(cluster.jobs), rows.count(cluster), journal.last_seq, told)


def digest(cluster: Cluster, journal: Journal) -> str:
    """SHA-256 of a state: its records, payloads, and what is still to be sent, whatever store has them."""
    made = hashlib.sha256()

    def add(*parts: object) -> None:
        for part in parts:
            body = part if isinstance(part, bytes) else str(part).encode()
            made.update(b"%d " % len(body) + body)

    for row in sorted(rows.whole(cluster).values(), key=lambda row: (row.kind, str(row.key))):
        add(row.kind, row.key, row.body or b"")
    for name in sorted(filter(None, cluster.payloads.live())):
        add(name, journal.payload(name))
    add(journal.id, journal.last_seq, journal.outbox_last(), journal.notes_clock())
    after = 0
    while parcels := journal.outbox(after, AT_ONCE, PARCEL_BYTES):
        for parcel in parcels:
            add(parcel.sequence, parcel.body)
        after = parcels[-1].sequence
    for note in _notes(journal):
        add(note.destination, note.body)
    return made.hexdigest()


def _notes(journal: Journal) -> Iterator[Note]:
    for destination in sorted(DESTINATIONS):
        after = 0
        while kept := journal.notes(destination, after, AT_ONCE):
            for note in kept:
                yield Note(destination, f"copied {note.number}", note.body)
            after = kept[-1].number


def _write(source: Journal, cluster: Cluster, target: Adopting) -> None:
    target.adopt(Origin(source.id, source.last_seq, source.outbox_last(), source.notes_last()))
    contents: list[bytes] = []
    for name in sorted(filter(None, cluster.payloads.live())):
        contents.append(source.payload(name))
        if sum(map(len, contents)) > PAYLOAD_BYTES:
            target.append([], contents)
            contents = []
    target.append([], contents)
    after = 0
    while parcels := source.outbox(after, AT_ONCE, PARCEL_BYTES):
        target.append([], (), parcels)
        after = parcels[-1].sequence
    target.append([], notes=Notes(list(_notes(source)), clock=source.notes_clock()))
    rows.unsave_all(cluster)
    portion: list[Row] = []
    for row in rows.unsaved(cluster):
        portion.append(row)
        if len(portion) == AT_ONCE:
            target.keep(portion)
            portion = []
    target.complete(source.last_seq, [*portion, rows.own(cluster)], rows.count(cluster))


def _is_file(location: str) -> bool:
    return not state_location.is_one(location) and not os.path.isdir(location)


@contextmanager
def _reading(location: str, sleep: Callable[[float], None]) -> Iterator[tuple[Journal, int]]:
    """The journal there, this process's alone, and its epoch; StoreError where a slurmctld has it."""
    if not state_location.is_one(location):
        path = location if _is_file(location) else os.path.join(location, JOURNAL)
        if not os.path.exists(path):
            raise NotFound(message=f"there is no state at {location}")
    with closing(_state(location)) as state:
        term = state.lease.read()
        if term is not None and not term.released and not isinstance(state, SqliteState):
            _see_that_nobody_leads(state, term, sleep)
        mine = state.lease.claim(HOLDER, "", term.epoch if term is not None else 0)
        try:
            with closing(state.journal(mine)) as journal:
                yield journal, mine.epoch
        finally:
            state.lease.release(mine)
            if _is_file(location):
                _remove(location, (".lock",))


def _state(location: str) -> State:
    if not _is_file(location):
        return open_state(location)
    folder, name = os.path.split(os.path.abspath(location))
    return SqliteState(folder, name=name)


def _see_that_nobody_leads(state: State, term: Term, sleep: Callable[[float], None]) -> None:
    sleep(BEAT_SECONDS)
    now = state.lease.read()
    if now != term:
        raise StoreError(message=f"{(now or term).holder or 'a slurmctld'} leads with its state at {state.location}", hints=[
            "stop slurmctld everywhere first (systemctl stop slurmctld): a copy of what still changes is worth nothing"])


@contextmanager
def _writing(location: str, epoch: int) -> Iterator[Adopting]:
    """An empty journal there. What is written counts at the end; after an error nothing is there that could be taken for a state."""
    if not state_location.is_one(location):
        with _writing_file(location if _is_file(location) else os.path.join(location, JOURNAL), epoch) as journal:
            yield journal
        return
    with closing(open_state(location)) as state:
        term = state.lease.read()
        mine = state.lease.claim(HOLDER, "", term.epoch if term is not None else 0, least=epoch)
        with closing(state.journal(mine)) as found:
            assert hasattr(found, "adopt")
            yield found  # type: ignore[misc]
        state.lease.release(mine)


@contextmanager
def _writing_file(path: str, epoch: int) -> Iterator[SqliteJournal]:
    lock = FileLock(f"{path}.lock")
    made = f"{path}.copying"
    try:
        if os.path.exists(path):
            raise StoreError(message=f"{path} is there already", hints=["move it away first: a state is never written over"])
        _remove(made)
        with closing(SqliteJournal(made, now=time.time(), term=Term(epoch + 1, HOLDER, released=True))) as journal:
            yield journal
        os.replace(made, path)
        sync(os.path.dirname(path) or ".")
    finally:
        _remove(made)
        lock.release()
        if os.path.basename(path) != JOURNAL:
            _remove(path, (".lock",))


def _remove(path: str, suffixes: Sequence[str] = ("", "-wal", "-shm", ".lock")) -> None:
    for suffix in suffixes:
        with suppress(FileNotFoundError):
            os.unlink(path + suffix)
