"""Operations on jobs that slurmctld holds."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import Any

from slurm.model.errors import MESSAGES, InvalidRequest, NotationError, NotFound, NotNow, NotPermitted, SlurmError, Unsupported, revive
from slurm.notation import gres, hostlist, jobref
from slurm.notation import signal as signals
from slurm.slurmrestd import job_description, replies, shaping
from slurm.slurmrestd.operation import Call
from slurm.slurmrestd.reading import Body
from slurm.wire.messages import Cancelled, JobFilter

Record = dict[str, Any]
_STATE_FIELDS = ("job_id", "array_job_id", "array_task_id", "array_task_string", "het_job_id", "het_job_offset", "job_state")
_NO_OTHER_CLUSTERS = frozenset({"SIBLING", "FEDERATION", "LOCAL"})
"""Flags about federations: this cluster is in none, so they choose nothing."""


_CHOSEN = {"user": "users", "account": "accounts", "partition": "partitions", "state": "states", "job": "ids"}
"""Query parameter of jobs/ that goes with `fields` → field of a JobFilter."""


def list_jobs(call: Call) -> Record:
    """GET jobs; with `fields` only these of them, for those who ask often."""
    cluster = call.doors.cluster
    if "fields" in call.query:
        return _chosen(call)
    given = next((name for name in _CHOSEN if name in call.query), None)
    if given is not None:
        raise InvalidRequest(message=f"The query parameter {given} goes with fields", hints=["fields=job_id,job_state,…"])
    found = _shaped(call, cluster.report("job", since=call.since(), unless=_known(call)))
    call.tag = _tag(call, cluster.version)
    return found


def _chosen(call: Call) -> Record:
    cluster, wanted = call.doors.cluster, JobFilter(all_states="state" not in call.query)
    for name, field in _CHOSEN.items():
        if call.query.get(name):
            setattr(wanted, field, [piece.strip() for piece in call.query[name].split(",") if piece.strip()])
    wanted.states = [word.lower() for word in wanted.states]
    fields = [name.strip() for name in call.query["fields"].split(",") if name.strip()]
    found = cluster.job_records(fields, wanted, _known(call))
    call.tag = _tag(call, found.version)
    return {"jobs": found.records, "last_backfill": _moment(found.last_planned), "last_update": _moment(found.at)}


def _moment(seconds: float) -> Record:
    return {"set": True, "infinite": False, "number": int(seconds)}


def _tag(call: Call, version: str) -> str:
    """Of a reply that is the same as long as slurmctld's `version` is."""
    return f'"v{version}.{_asked(call)}"' if version else ""


def _known(call: Call) -> str:
    """slurmctld's version of the reply that the client has to this very question; "" for none."""
    version, _, asked = call.known.removeprefix('"v').rpartition(".")
    return version if call.known.startswith('"v') and asked == f'{_asked(call)}"' else ""


def _asked(call: Call) -> str:
    question = "&".join(f"{name}={value}" for name, value in sorted(call.query.items()))
    return hashlib.blake2b(f"{call.version}?{question}".encode(), digest_size=6).hexdigest()


def list_states(call: Call) -> Record:
    """GET jobs/state: a few fields of all jobs, or of those in `job_id`."""
    ids = [reference.show() for reference in _references(call.query.get("job_id", ""))]
    found = _shaped(call, call.doors.cluster.report("job", ids))
    found["jobs"] = [{name: job[name] for name in _STATE_FIELDS if name in job} for job in found["jobs"]]
    return found


def show_job(call: Call) -> Record:
    """GET job: one job; of an array every task that there is."""
    return _shaped(call, call.doors.cluster.report("job", [_reference(call)], since=call.since()))


def _shaped(call: Call, report: Record) -> Record:
    for job in report["jobs"]:
        shaping.job(job, call.version)
    return {name: report[name] for name in ("jobs", "last_backfill", "last_update")}


def _references(text: str) -> list[jobref.JobRef]:
    try:
        return jobref.parse_list(text) if text else []
    except NotationError as error:
        raise InvalidRequest("ESLURM_INVALID_JOB_ID", hints=[error.message]) from error


def _reference(call: Call) -> str:
    """The job of the path."""
    text = call.path["job_id"]
    try:
        return jobref.parse(text).show()
    except NotationError as error:
        raise NotFound("ESLURM_INVALID_JOB_ID", hints=[error.message]) from error


def submit(call: Call) -> Record:
    """POST job/submit."""
    several = call.body.get("jobs", [])
    if several and "job" in call.body:
        raise InvalidRequest(message="Give `job` or `jobs`, not both", hints=["`jobs` are the components of a heterogeneous job"])
    descriptions: list[Body] = several or [call.body.get("job") or {}]
    if not all(descriptions):
        raise InvalidRequest(message="There is no job description",
            hints=['{"script": "#!/bin/bash\\n…", "job": {"current_working_directory": …, "environment": […]}}'])
    asked = job_description.submission(
        descriptions, call.body.get("script", ""), call.doors.user, call.doors.uid, now=call.now, host=call.host)
    made = call.doors.cluster.submit(asked.request, asked.payload, _key(call), asked.components)
    call.warnings += [*asked.notes, *made.warnings]
    return {"job_id": made.job_id, "step_id": "BATCH", "job_submit_user_msg": ""}


def allocate(call: Call) -> Record:
    """POST job/allocate: resources for a while, as `salloc --no-shell`; steps are started in them by `srun --jobid`."""
    several = call.body.get("hetjob", [])
    if several and "job" in call.body:
        raise InvalidRequest(message="Give `job` or `hetjob`, not both", hints=["`hetjob` are the components of a heterogeneous allocation"])
    descriptions: list[Body] = several or [call.body.get("job") or {}]
    if not all(descriptions):
        raise InvalidRequest(message="There is no job description", hints=['{"job": {"tasks": 4, "time_limit": 60}}'])
    asked = job_description.allocation(descriptions, call.doors.user, call.doors.uid, now=call.now, host=call.host)
    job, notes = call.doors.cluster.allocate(asked.request, _key(call), asked.components)
    call.warnings += [*asked.notes, *notes]
    return {"job_id": job, "job_submit_user_msg": ""}


def show_resources(call: Call) -> Record:
    """GET resources: what a running job has on each of its nodes."""
    (job, *more) = call.doors.cluster.report("job", [_reference(call)])["jobs"]
    if more:
        raise InvalidRequest("ESLURM_INVALID_JOB_ID", hints=["several jobs have this id: name one, as 12_3"])
    given = job.get("job_resources")
    if given is None:
        raise NotNow("ESLURM_JOB_NOT_RUNNING", hints=["it has no nodes: it waits, or its nodes are free again"])
    shares, details = given["nodes"]["allocation"], job["gres_detail"]
    if details and len(details) != len(shares):
        call.warnings.append("not all of its nodes have GRES: gres_detail of GET job says what it has")
        details = []
    return {"nodes": [_layout(share, details[place] if details else "") for place, share in enumerate(shares)]}


def _layout(share: Record, detail: str) -> Record:
    cores = [socket["index"] * len(socket["cores"]) + core["index"] for socket in share["sockets"] for core in socket["cores"]
        if core["status"] == ["ALLOCATED"]]
    record: Record = {
        "node": share["name"], "sockets_per_node": len(share["sockets"]),
        "cores_per_socket": len(share["sockets"][0]["cores"]) if share["sockets"] else 0, "mem_alloc": share["memory"]["allocated"],
        "core_bitmap": gres.show_indices(cores)}
    if detail:
        record["gres"] = [_gres(text) for text in detail.split("),")]
    return record


def _gres(text: str) -> Record:
    """A device list such as "gpu:a100:2(IDX:0-1)"."""
    what, _, index = text.rstrip(")").partition("(IDX:")
    name, *kind, count = what.split(":")
    return {"name": name, "type": ":".join(kind), "count": int(count), "index": index}


def _key(call: Call) -> str:
    """The same for every submission with the same Idempotency-Key, which makes one job: a client that lost the reply may ask again."""
    return hashlib.blake2b(call.key.encode(), digest_size=16).hexdigest() if call.key else ""


def update(call: Call) -> Record:
    """POST job: change one that exists; `hold` holds and releases it."""
    job = _reference(call)
    changes = job_description.changes(call.body)
    if not changes and "hold" not in call.body:
        raise InvalidRequest(message="Nothing is to be changed", hints=["the body holds the fields of a job description that change"])
    if changes:
        call.doors.cluster.update_job(job, changes)
    if call.body.get("hold"):
        call.doors.cluster.hold(job)
    elif "hold" in call.body:
        _release(call, job)
    done = {"job_id": jobref.parse(job).job, "step_id": job, "error": "", "error_code": 0, "why": ""}
    return {"results": [done]}


def _release(call: Call, job: str) -> None:
    """A job that does not wait is not held: what is wanted is so."""
    try:
        call.doors.cluster.release(job)
    except NotNow as error:
        if error.name != "ESLURM_JOB_NOT_PENDING":
            raise


def delete(call: Call) -> Record:
    """DELETE job: end it, or send it `signal`."""
    job = _reference(call)
    done = _cancel(call, JobFilter(ids=[job]), call.query.get("signal", ""), call.flags())
    _tell(call, done)
    return {"status": [entry for entry in _outcomes(done)]}


def delete_many(call: Call) -> Record:
    """DELETE jobs: those that are named or that fit."""
    body = call.body
    done = _cancel(call, _filter(body, call), body.get("signal", ""), frozenset(body.get("flags", [])))
    _tell(call, done)
    return {"status": _outcomes(done)}


_LISTED = {
    "account": "accounts", "job_name": "names", "partition": "partitions", "qos": "qos", "reservation": "reservations", "wckey": "wckeys",
    "user_name": "users", "user_id": "users"}


def _filter(body: Body, call: Call) -> JobFilter:
    wanted = JobFilter()
    ids = [reference.show() for reference in _references(",".join(body.get("jobs", [])))]
    wanted.ids = ids
    for name, field in _LISTED.items():
        if body.get(name):
            setattr(wanted, field, [*getattr(wanted, field), body[name]])
    if body.get("job_state"):
        wanted.states = [word.lower() for word in body["job_state"]]
    if body.get("nodes"):
        wanted.nodes = hostlist.expand(",".join(body["nodes"]))
    if wanted == JobFilter():
        raise InvalidRequest(message="No job is named", hints=[f"name some by {', '.join(['jobs', *_LISTED, 'job_state', 'nodes'])}"])
    return wanted


_CANCEL_FLAGS = {"BATCH_JOB": "batch", "FULL_JOB": "full", "HURRY": "hurry"}
_HARMLESS_FLAGS = frozenset({"VERBOSE", "ARRAY_TASK", "NO_SIBLING_JOBS"})
"""What is so anyway."""


def _cancel(call: Call, which: JobFilter, signal: str, flags: Iterable[str]) -> Cancelled:
    how = {}
    for flag in flags:
        if flag in _CANCEL_FLAGS:
            how[_CANCEL_FLAGS[flag]] = True
        elif flag not in _HARMLESS_FLAGS:
            raise Unsupported(message=f"flags: {flag} is not supported by slurm-py yet",
                hints=[f"valid: {', '.join([*_CANCEL_FLAGS, *sorted(_HARMLESS_FLAGS)])}"])
    number = signals.parse(signal) if signal else 0
    return call.doors.cluster.cancel(which, number, **how)


def _outcomes(done: Cancelled) -> list[Record]:
    refused = [(job, name, message) for job, name, message in done.refused]
    unknown = [(job, "ESLURM_INVALID_JOB_ID", MESSAGES["ESLURM_INVALID_JOB_ID"][1]) for job in done.unknown]
    return [*(_outcome(job) for job in done.done), *(_outcome(*one) for one in (*refused, *unknown))]


def _outcome(job: str, name: str = "", message: str = "") -> Record:
    number = job.partition("_")[0].partition(".")[0]
    code, sentence = MESSAGES.get(name, (0, "No error"))
    return {
        "error": {"string": sentence, "code": code, "message": message}, "step_id": job, "federation": {"sibling": ""},
        "job_id": {"set": number.isdigit(), "infinite": False, "number": int(number) if number.isdigit() else 0}}


_GONE = "ESLURM_ALREADY_DONE"


def _tell(call: Call, done: Cancelled) -> None:
    """What was refused as errors; the reply's status is that of the first, and 404 where a job is not known.

    That a job had ended is no failure.
    """
    failures: list[SlurmError] = [revive(_kind(name), name, f"{job}: {message}", ()) for job, name,
        message in done.refused if name != _GONE]
    failures += [NotFound("ESLURM_INVALID_JOB_ID", hints=[f"there is no job {job}"]) for job in done.unknown]
    call.errors += [replies.error_entry(error, "slurmctld") for error in failures]
    call.warnings += [f"{job}: {message}" for job, name, message in done.refused if name == _GONE]
    if failures and not done.done:
        call.status = replies.status_of(failures[0])


def _kind(name: str) -> str:
    return {"ESLURM_ACCESS_DENIED": NotPermitted.__name__, "ESLURM_USER_ID_MISSING": NotPermitted.__name__,
        "ESLURM_INVALID_JOB_ID": NotFound.__name__}.get(
        name, NotNow.__name__)


def whole(value: float | int) -> str:
    """A number as `scontrol` reads it."""
    return "UNLIMITED" if math.isinf(value) else str(int(value))


def texts(value: Sequence[str] | str) -> str:
    """A list with commas."""
    return value if isinstance(value, str) else ",".join(value)
