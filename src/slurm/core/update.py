"""`scontrol update jobid=`: keys and texts to events, with rights; a changed request is checked as a new one is.

The keys are in `update_keys`, what changes do to a record in `changes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from slurm.core import changes as job_changes
from slurm.core import checks, completion, entitlement, resizing, resolving, selection
from slurm.core import events as e
from slurm.core.draft import Draft
from slurm.core.rights import is_operator, require_owner
from slurm.core.state import ClusterState
from slurm.core.update_keys import KEYS, Key
from slurm.model import bounds
from slurm.model.errors import InvalidRequest, NotNow, NotPermitted, SlurmError
from slurm.model.job import Job
from slurm.model.request import JobRequest

_RECHECKS: tuple[tuple[frozenset[str], tuple[Callable[[Draft], None], ...]], ...] = (
    (frozenset({"partition"}), (completion.alternate, checks.partition_open, checks.partition_rights)),
    (frozenset({"gres"}), (completion.generic_resources, checks.resource_names)),
    (frozenset({"nodelist", "exclude", "partition"}), (completion.host_texts, completion.nodes, checks.node_names)),
    (frozenset({"features", "prefer"}), (checks.constraints,)),
    (frozenset({"core_spec", "thread_spec"}), (completion.core_spec,)),
    (frozenset({"licenses"}), (checks.licenses,)),
    (frozenset({"nodes_min", "nodes_max", "ntasks", "mem_per_node", "partition"}), (completion.nodes, checks.counts, checks.segments)),
    (frozenset({"time_limit", "time_min", "deadline", "begin"}), (checks.times,)),
    (frozenset({"time_limit", "nodes_min", "partition"}), (checks.partition_limits,)),
    (frozenset({"account", "partition"}), (entitlement.account, entitlement.association)),
    (frozenset({"wckey"}), (entitlement.wckey,)),
    (frozenset({"qos", "account"}), (entitlement.quality_of_service,)),
    (frozenset({"reservation", "partition", "account", "qos"}), (checks.reservation,)),
    (frozenset({"nice"}), (completion.nice,)),
    (frozenset({"stdin", "stdout", "stderr"}), (completion.files,)),
)
"""Which steps of admission are taken again when these fields change."""


_ORDER = ("Priority", "Nice")
"""What orders the queue: said of a running job for when it runs again, of an ending one no more."""


def update_job(state: ClusterState, ids: str, changes: Mapping[str, str], caller: e.Caller, now: float) -> list[e.Event]:
    """The events that change these jobs ("12", "12_[1-3],13"). Keys as scontrol spells them, case aside; all or nothing."""
    rows = [(_key(key, text), key, text.strip()) for key, text in changes.items()]
    chosen = selection.by_ids(state, [ids])
    living = [one for one in chosen if not one.job.state.finished]
    if not living:
        raise NotNow("ESLURM_ALREADY_DONE", hints=[f"job {chosen[0].shown} has ended"])
    events: list[e.Event] = []
    for one in living:
        require_owner(state, caller, one.job)
        for task in selection.each_task(one):
            events += _events(state, one.job, task, rows, caller, now)
    return events


def _key(key: str, text: str) -> Key:
    row = KEYS.get(key.lower())
    if row is None:
        raise InvalidRequest(
            "ESLURM_INVALID_OPTION", f"Update of this parameter is not supported: {key}={text}",
            hints=[*resolving.meant(key.lower(), KEYS), f"what can be changed of a job: {', '.join(row.shown for row in KEYS.values())}"])
    return row


def _events(
    state: ClusterState, job: Job, task: int | None, rows: list[tuple[Key, str, str]], caller: e.Caller, now: float,
) -> list[e.Event]:
    sizes = {key: text for _, key, text in rows if resizing.is_meant(job, key)}
    shrunk = resizing.shrunk(state, job, sizes, now) if sizes else []
    rows = [row for row in rows if row[1] not in sizes]
    if sizes and not rows:
        return shrunk
    fields: dict[str, object] = {}
    for row, _key, text in rows:
        _check_right(state, job, row, caller)
        try:
            fields |= row.read(state, job, text, now)
        except SlurmError as error:
            if isinstance(error, ValueError):
                raise _invalid(row, text, error) from error
            raise
        except ValueError as error:
            raise _invalid(row, text, error) from error
    bounds.check_fields(JobRequest, fields, state.settings)
    _check_increase(state, job, fields, caller)
    held = _held(state, job, fields, caller, now)
    if "dependency" in fields:
        fields["clauses"], fields["dependency_any"] = (
            resolving.clauses(state, str(fields["dependency"]), waiting=job.id) if fields["dependency"] else ([], False))
    fields |= _rechecked(state, job, fields, caller, now)
    events = [*shrunk, *held]
    if fields or not held:
        events.append(e.JobUpdated(at=now, job=job.id, changes=job_changes.encode(fields), task=task))
    return events


def _invalid(row: Key, text: str, error: ValueError) -> InvalidRequest:
    shown = f"Invalid {row.shown} value" + ("" if row.shown == "TimeLimit" else f": {text}")
    return InvalidRequest("ESLURM_INVALID_OPTION", shown, hints=[f"{text!r}: {error}"])


def _check_right(state: ClusterState, job: Job, row: Key, caller: e.Caller) -> None:
    if row.operator and not is_operator(state, caller):
        raise NotPermitted("ESLURM_ACCESS_DENIED", hints=[f"only operators change {row.shown}"])
    if (row.waiting or (job.completing and row.shown in _ORDER)) and job.id not in state.pending:
        raise NotNow("ESLURM_JOB_NOT_PENDING", hints=[f"{row.shown} can only be changed before the job starts"])


def _check_increase(state: ClusterState, job: Job, fields: dict[str, object], caller: e.Caller) -> None:
    """The owner of a running job may shorten its time, not lengthen it; and lower its priority, not raise it."""
    if is_operator(state, caller):
        return
    limit = fields.get("time_limit")
    if isinstance(limit, int) and job.id not in state.pending and job.time_limit >= 0 and (limit < 0 or limit > job.time_limit):
        raise NotPermitted("ESLURM_ACCESS_DENIED", hints=["only operators lengthen the time limit of a running job"])
    if fields.get("priority"):
        raise NotPermitted("ESLURM_ACCESS_DENIED", hints=["only operators and administrators can set the priority of a job"])
    nice = fields.get("nice")
    if isinstance(nice, int) and nice < min(0, job.request.nice):
        raise NotPermitted("ESLURM_ACCESS_DENIED", hints=["only operators lower the nice value below 0"])


def _held(state: ClusterState, job: Job, fields: dict[str, object], caller: e.Caller, now: float) -> list[e.Event]:
    """Priority=0 is a hold, of a running job for when it is put back; a held job has no other priority until it is released."""
    if "priority" not in fields:
        return []
    if job.held and fields["priority"]:
        raise NotNow("ESLURM_JOB_HELD", hints=[f"scontrol release {job.shown_id}"])
    if fields["priority"] == 0:
        held = "admin" if is_operator(state, caller) else "user"
        if job.id not in state.pending:
            del fields["priority"]
            return [e.Held(at=now, job=job.id, admin=held == "admin")]
        fields["held"] = held
    return []


def _rechecked(state: ClusterState, job: Job, fields: dict[str, object], caller: e.Caller, now: float) -> dict[str, object]:
    """What the steps of admission make of the changed request."""
    asked = {key: value for key, value in fields.items() if key in JobRequest.__struct_fields__}
    draft = Draft(state, msgspec.structs.replace(job.request, **asked), caller, now, user=job.owner.user)
    draft.association = job.association
    before = msgspec.structs.asdict(draft.request)
    completion.partitions(draft)
    draft.time_limit = int(fields.get("time_limit", job.time_limit))  # type: ignore[call-overload]
    draft.not_before = draft.request.begin if draft.request.begin > now else 0.0
    done: set[Callable[[Draft], None]] = set()
    for touched, steps in _RECHECKS:
        if touched.isdisjoint(asked):
            continue
        for step in steps:
            if step not in done:
                step(draft)
                done.add(step)
    after = msgspec.structs.asdict(draft.request)
    changed: dict[str, object] = {key: value for key, value in after.items() if value != before[key]}
    return changed if draft.association == job.association else changed | {"association": draft.association}
