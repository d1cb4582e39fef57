"""Changes of what accounting says of jobs that have ended: `sacctmgr modify job` by HTTP."""

from __future__ import annotations

import math
from typing import Any

from slurm.model.accounting import JobFilter
from slurm.model.errors import InvalidRequest, NotationError, NotFound, Unsupported
from slurm.model.ids import JobId, StepId
from slurm.notation import exitstatus, jobref
from slurm.slurmrestd.operation import Call
from slurm.slurmrestd.reading import Body
from slurm.wire.sacctmgr_messages import JobChanges

Record = dict[str, Any]
_KNOWN = ("comment", "derived_exit_code", "wckey")


def modify_job(call: Call) -> Record:
    """POST job of slurmdb."""
    return {"results": _modified(call, [call.path["job_id"]], call.body)}


def modify_jobs(call: Call) -> Record:
    """POST jobs of slurmdb: the same for several."""
    if not call.body.get("job_id_list"):
        raise InvalidRequest("ESLURM_INVALID_JOB_ID", hints=["`job_id_list` names jobs"])
    return {"results": _modified(call, call.body["job_id_list"], call.body.get("job_rec", {}))}


def _modified(call: Call, names: list[str], body: Body) -> list[str]:
    wanted: list[tuple[JobId, int | None, StepId | None]] = []
    try:
        for reference in map(jobref.parse, names):
            wanted += [(JobId(reference.job), task, None) for task in reference.tasks or (None,)]
    except NotationError as error:
        raise NotFound("ESLURM_INVALID_JOB_ID", hints=[error.message]) from error
    changes = job_changes(body)
    rows = list(call.doors.accounting.jobs(JobFilter(jobs=wanted, steps=False)))
    if not rows:
        raise NotFound("ESLURM_INVALID_JOB_ID", hints=["accounting knows none of these jobs"])
    for cluster in dict.fromkeys(row.cluster for row in rows):
        call.doors.daemon.modify_jobs(cluster, [(row.job.id, row.job.restarts) for row in rows if row.cluster == cluster], changes)
    return [str(row.job.id) for row in rows]


def job_changes(body: Body) -> JobChanges:
    """What shall be said. InvalidRequest for nothing, Unsupported for what is not changed afterwards."""
    for name in ("extra", "tres"):
        if body.get(name) not in (None, "", {}, []) and body.get(name) != {"allocated": []}:
            raise Unsupported(message=f"The field {name} of a job that ended is not supported by slurm-py yet", hints=[
                f"supported: {', '.join(_KNOWN)}"])
    comment = body.get("comment", {})
    found = JobChanges(
        admin_comment=comment.get("administrator") or None, comment=comment.get("job") or None,
        system_comment=comment.get("system") or None,
        derived_status=_status(body.get("derived_exit_code", {})), wckey=body.get("wckey") or None)
    if found == JobChanges():
        raise InvalidRequest(message="Nothing is to be changed", hints=[f"the body holds some of {', '.join(_KNOWN)}"])
    return found


def _status(body: Body) -> int | None:
    code, signal = body.get("return_code"), body.get("signal", {}).get("id")
    if code is None and signal is None:
        return None
    numbers = [value or 0 for value in (code, signal)]
    if any(math.isinf(value) for value in numbers) or not (0 <= numbers[0] < 256 and 0 <= numbers[1] < 128):
        raise InvalidRequest(message="derived_exit_code: a code from 0 to 255 and a signal from 0 to 127 are due")
    return exitstatus.from_wait(int(numbers[0]) << 8 | int(numbers[1])).to_wait()
