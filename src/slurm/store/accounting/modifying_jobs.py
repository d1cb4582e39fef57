"""What the records of jobs that have ended say, changed by hand.

Those that have not are their slurmctld's: its next record would undo it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from slurm.model.errors import InvalidRequest, NotFound, NotPermitted
from slurm.store.accounting import rows, schema
from slurm.store.accounting import schema_policy as policy
from slurm.store.accounting.taking import Taking


def modify(
    connection: sa.Connection, cluster: str, jobs: Sequence[tuple[int, int]], changes: dict[str, str | int], actor: str, now: float, *,
    owner: int | None,
) -> int:
    """Write these fields of JobRecord over in jobs (id, restarts) of a cluster; how many. `owner`: whose alone they may be, None:
    anybody's.

    NotFound, InvalidRequest for one that has not ended, NotPermitted for somebody else's: then nothing has changed.
    """
    clusters, columns = schema.clusters.c, schema.jobs.c
    found = connection.execute(sa.select(clusters.id, clusters.time_zone).where(clusters.name == cluster).with_for_update()).first()
    if found is None:
        raise NotFound("ESLURM_INVALID_CLUSTER_NAME", f"cluster {cluster} is not known")
    identity, zone = found
    wanted = set(jobs)
    records = [rows.job_of(row.record) for row in connection.execute(sa.select(columns.record, columns.job_id, columns.restarts).where(
        columns.cluster_id == identity, columns.job_id.in_({job for job, _ in wanted}), columns.reused == 0))
        if (row.job_id, row.restarts) in wanted]
    for record in records:
        if owner is not None and record.uid != owner:
            raise NotPermitted("ESLURM_ACCESS_DENIED", hints=[f"job {record.id} is {record.user}'s"])
        if not record.end_time:
            raise InvalidRequest("ESLURM_JOB_NOT_FINISHED", f"job {record.id} has not ended",
                hints=["scontrol update jobid= changes jobs that have not"])
    Taking(connection, identity, zone, lambda record: record, 0.0).take([msgspec.structs.replace(record, **changes) for record in records])
    if records:
        told = ",".join(f"{name}={value}" for name, value in sorted(changes.items()))
        connection.execute(sa.insert(policy.transactions).values(
            time=now, actor=actor, action="Modify Job", cluster=cluster, target=",".join(str(job)
            for job in sorted({one.id for one in records})),
            info=told))
    return len(records)
