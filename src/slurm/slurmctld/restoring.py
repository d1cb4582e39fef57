"""Restoring: the cluster as the journal has it, from the newest snapshot and every event after it."""

from __future__ import annotations

import msgspec

from slurm.core.cluster import Cluster
from slurm.core.illegal import IllegalTransition
from slurm.journal import rows, version1
from slurm.journal.codec import Reader
from slurm.journal.restoring import restored
from slurm.model.errors import StoreError
from slurm.store.journal import Journal, JournalReader


def restore(journal: Journal) -> Cluster:
    """The cluster as it was; StoreError when a record cannot be read. Nothing is written."""
    cluster = begun(journal)
    rows.unsave(cluster, journal.unfinished())
    go_on(cluster, journal, journal.snapshot_seq)
    return finished(cluster, journal)


def begun(journal: JournalReader) -> Cluster:
    """The cluster as the newest snapshot has it, its records of accounting silent: those of what follows lie in the outbox. StoreError."""
    try:
        old = journal.old_snapshot()
        cluster = restored(version1.rows(old) if old is not None else journal.rows(), Reader(journal.shapes())) or Cluster()
    except msgspec.MsgspecError as error:
        raise StoreError(message=f"the snapshot after event {journal.snapshot_seq} cannot be read: {error}", hints=[
            "nothing was changed"]) from error
    cluster.recording.silent = True
    return cluster


def go_on(cluster: Cluster, journal: JournalReader, after: int) -> int:
    """Apply the events behind number `after`; the number of the last one that holds then. StoreError."""
    reader = Reader(journal.shapes())
    for entry in journal.replay(after):
        try:
            cluster.apply(reader.event(entry.version, entry.kind, entry.body))
        except msgspec.MsgspecError as error:
            raise StoreError(message=f"event {entry.seq} of the journal cannot be read: {error}", hints=["nothing was changed"]) from error
        except IllegalTransition as error:
            raise StoreError(message=f"event {entry.seq} of the journal cannot follow those before it: {error}",
                hints=["nothing was changed"]) from error
        after = entry.seq
    return after


def finished(cluster: Cluster, journal: JournalReader) -> Cluster:
    """It is whole: from here on it makes records of its own."""
    cluster.recording.silent = False
    # The numbers that are on disk count: another version may have made other records of these events.
    cluster.recording.sequence = journal.outbox_last() or cluster.recording.sequence
    cluster.payloads.take_unused()
    return cluster
