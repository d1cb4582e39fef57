"""Jobs that stand here as waiting or running and of which their controller knows nothing: ended as sacctmgr's `show runawayjobs` ends
them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from slurm.model.states import JobState
from slurm.store.accounting import rows, schema
from slurm.store.accounting.taking import Taking


def count(connection: sa.Connection, cluster_id: int) -> int:
    """How many jobs of a cluster have not ended here."""
    columns = schema.jobs.c
    return int(connection.execute(sa.select(sa.func.count()).select_from(schema.jobs).where(
        columns.cluster_id == cluster_id, columns.reused == 0, columns.time_end == 0)).scalar_one())


def end(connection: sa.Connection, cluster: str, jobs: Sequence[tuple[int, int]]) -> int:
    """End those of these jobs (id, restarts) that have not: COMPLETED at the last moment that is known of them. How many.

    The sums of their hours are made again. When their controller tells of them after all, that holds.
    """
    clusters, columns = schema.clusters.c, schema.jobs.c
    found = connection.execute(sa.select(clusters.id, clusters.time_zone).where(clusters.name == cluster).with_for_update()).first()
    if found is None:
        return 0
    identity, zone = found
    wanted = set(jobs)
    records = [rows.job_of(row.record) for row in connection.execute(sa.select(columns.record, columns.job_id, columns.restarts).where(
        columns.cluster_id == identity, columns.job_id.in_({job for job, _ in wanted}), columns.reused == 0, columns.time_end == 0))
        if (row.job_id, row.restarts) in wanted]
    ended = [msgspec.structs.replace(
        record, state=JobState.COMPLETED, end_time=max(record.submit_time, record.eligible_time, record.start_time)) for record in records]
    Taking(connection, identity, zone, lambda record: record, 0.0).take(ended)
    return len(ended)
