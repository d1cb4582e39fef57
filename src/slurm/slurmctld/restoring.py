"""Restoring: the cluster as the journal has it, from the newest snapshot and every event after it."""

from __future__ import annotations

import msgspec

from slurm.core.cluster import Cluster
from slurm.core.illegal import IllegalTransition
from slurm.journal import rows, version1
from slurm.journal.codec import Reader
from slurm.journal.restoring import restored
from slurm.model.errors import StoreError
from slurm.store.journal import Journal


def restore(journal: Journal) -> Cluster:
    """The cluster as it was; StoreError when a record cannot be read. Nothing is written."""
    after = journal.snapshot_seq
    reader = Reader(journal.shapes())
    try:
        old = journal.old_snapshot()
        cluster = restored(version1.rows(old) if old is not None else journal.rows(), reader) or Cluster()
    except msgspec.MsgspecError as error:
        raise StoreError(message=f"the snapshot after event {after} cannot be read: {error}", hints=["nothing was changed"]) from error
    rows.unsave(cluster, journal.unfinished())
    cluster.recording.silent = True  # the records of these events lie in the outbox
    for entry in journal.replay(after):
        try:
            cluster.apply(reader.event(entry.version, entry.kind, entry.body))
        except msgspec.MsgspecError as error:
            raise StoreError(message=f"event {entry.seq} of the journal cannot be read: {error}", hints=["nothing was changed"]) from error
        except IllegalTransition as error:
            raise StoreError(message=f"event {entry.seq} of the journal cannot follow those before it: {error}",
                hints=["nothing was changed"]) from error
    cluster.recording.silent = False
    # The numbers that are on disk count: another version may have made other records of these events.
    cluster.recording.sequence = journal.outbox_last() or cluster.recording.sequence
    cluster.payloads.take_unused()
    return cluster
