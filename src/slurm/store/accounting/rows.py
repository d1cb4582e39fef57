"""Records as rows of the tables and back: a record whole as JSON, and beside it the columns by which rows are found and summed."""

from __future__ import annotations

from typing import Any

import msgspec

from slurm.model.accounting import JobRecord, NodeEventRecord, ReservationRecord, StepRecord, SuspensionRecord, Tres
from slurm.notation import array
from slurm.notation.errors import NotationError
from slurm.store.accounting.schema import NEVER

Row = dict[str, Any]
NAME_LENGTH = 255
_json = msgspec.json.Encoder()
_sorted = msgspec.json.Encoder(order="sorted")
job_of = msgspec.json.Decoder(JobRecord).decode
step_of = msgspec.json.Decoder(StepRecord).decode
reservation_of = msgspec.json.Decoder(ReservationRecord).decode
node_event_of = msgspec.json.Decoder(NodeEventRecord).decode
tres_of = msgspec.json.Decoder(dict[str, int]).decode


def _name(text: str) -> str:
    """As an indexed column holds it; PostgreSQL has no NUL in texts."""
    return text[:NAME_LENGTH].replace("\0", "")


def tres_text(tres: Tres) -> str:
    """Counts as JSON, the same text for the same counts."""
    return _sorted.encode(tres).decode()


def over(end: float) -> float:
    """`time_over` of what ended then (0: has not)."""
    return end or NEVER


def waiting_tasks(record: JobRecord) -> int:
    """How many tasks of an array this record stands for."""
    try:
        return max(1, len(array.parse(record.array_tasks).tasks)) if record.array_tasks else 1
    except NotationError:  # of a newer controller: it counts as one, and is kept
        return 1


def job_row(cluster: int, record: JobRecord) -> Row:
    """The row of `jobs`; `latest` and `reused` are those of a new one."""
    waits = not record.start_time
    return {
        "cluster_id": cluster, "job_id": record.id, "restarts": record.restarts, "reused": 0, "latest": 1,
        "set_id": record.array_job or record.het_job or None, "array_task": record.array_task,
        "tasks": waiting_tasks(record) if waits else 1,
        "uid": record.uid, "gid": record.gid, "user_name": _name(record.user), "account": _name(record.account),
        "association_id": record.association, "qos": _name(record.qos), "wckey": _name(record.wckey), "partition": _name(record.partition),
        "reservation": _name(record.reservation), "state": int(record.state), "flags": _name(",".join(record.flags)),
        "node_count": record.node_count or record.nodes_requested, "cpus": record.allocated.get("cpu", 0) or record.cpus_requested,
        "time_limit": record.time_limit, "time_submit": record.submit_time, "time_eligible": record.eligible_time,
        "time_start": record.start_time, "time_end": record.end_time, "time_over": over(record.end_time),
        "script": record.script, "environment": record.environment, "job_name": record.name.replace("\0", ""),
        "reason": record.reason.replace("\0", ""), "constraints": record.constraints.replace("\0", ""),
        "nodes": record.nodes.replace("\0", ""), "allocated": tres_text(record.allocated if not waits else record.requested),
        "record": _json.encode(record).decode()}


def step_row(cluster: int, record: StepRecord) -> Row:
    """The row of `steps`."""
    return {
        "cluster_id": cluster, "job_id": record.job, "restarts": record.restarts, "reused": 0, "step_id": record.step,
        "state": int(record.state),
        "time_start": record.start_time, "time_end": record.end_time, "record": _json.encode(record).decode()}


def suspension_row(cluster: int, record: SuspensionRecord) -> Row:
    """The row of `suspensions`."""
    return {
        "cluster_id": cluster, "job_id": record.job, "restarts": record.restarts, "reused": 0, "time_start": record.start_time,
        "time_end": record.end_time, "time_over": over(record.end_time)}


def node_event_row(cluster: int, record: NodeEventRecord) -> Row:
    """The row of `node_events`."""
    return {
        "cluster_id": cluster, "node": _name(record.node), "time_start": record.start_time, "time_end": record.end_time,
        "time_over": over(record.end_time), "state": _name(record.state), "record": _json.encode(record).decode()}
