"""Restoring: the cluster as the journal has it, from the newest snapshot and every event after it."""

from __future__ import annotations

import msgspec

from slurm.core import events
from slurm.core.cluster import Cluster
from slurm.core.illegal import IllegalTransition
from slurm.journal import rows, version1
from slurm.model import msgpack
from slurm.model.errors import StoreError
from slurm.store.journal import Journal


def restore(journal: Journal) -> Cluster:
    """The cluster as it was; StoreError when a record cannot be read. Nothing is written."""
    after = journal.snapshot_seq
    try:
        old = journal.old_snapshot()
        cluster = (version1.restored(old) if old is not None else rows.restored(journal.rows())) or Cluster()
    except msgspec.MsgspecError as error:
        raise StoreError(message=f"the snapshot after event {after} cannot be read: {error}",
                         hints=["was it written by a newer slurm-py? Nothing was changed"]) from error
    rows.unsave(cluster, journal.unfinished())
    cluster.recording.silent = True  # the records of these events lie in the outbox
    decode = msgpack.decoder(events.AnyEvent).decode
    for entry in journal.replay(after):
        try:
            cluster.apply(decode(entry.body))
        except msgspec.MsgspecError as error:
            raise StoreError(message=f"event {entry.seq} of the journal cannot be read: {error}",
                             hints=["was it written by a newer slurm-py? Nothing was changed"]) from error
        except IllegalTransition as error:
            raise StoreError(message=f"event {entry.seq} of the journal cannot follow those before it: {error}",
                             hints=["was it written by another version of slurm-py? Nothing was changed"]) from error
    cluster.recording.silent = False
    # The numbers that are on disk count: another version may have made other records of these events.
    cluster.recording.sequence = journal.outbox_last() or cluster.recording.sequence
    cluster.payloads.take_unused()
    return cluster
